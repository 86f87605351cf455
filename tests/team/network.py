"""A private network of namespaces, as a container engine makes one: an address for each service, seen by its name.

It hangs on processes that die with this one, and goes with them; nothing of it is left, however a test ends. Linux,
and root, are needed.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.waits import ticks

DIE_WITH_ME = ("setpriv", "--pdeathsig", "KILL")
_SECONDS = 10


class Network:
    """The network of one stack.

    Args:
        switch: a process in whose network namespace the bridge is.
        prefix: first three numbers of the addresses.
    """

    def __init__(self, switch: subprocess.Popen[bytes], prefix: str) -> None:
        self._switch = switch
        self._prefix = prefix
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._names: dict[str, str] = {}

    def join(self, name: str, *aliases: str) -> str:
        """Give a service an address, which it keeps over restarts, and return it."""
        address = f"{self._prefix}.{len(self._holders) + 10}"
        holder = _hold()
        self._holders[name] = holder
        self._names |= dict.fromkeys((name, *aliases), address)
        port = f"p{holder.pid}"
        self._run("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        self._run("link", "set", port, "master", "bridge", "up")
        for command in (("addr", "add", f"{address}/24", "dev", "eth0"), ("link", "set", "eth0", "up")):
            _ip(holder.pid, *command)
        _ip(holder.pid, "link", "set", "lo", "up")
        return address

    def address(self, name: str) -> str:
        """Return a service's address."""
        return self._names[name]

    def namespace(self, name: str) -> str:
        """Return the path of a service's network namespace."""
        return f"/proc/{self._holders[name].pid}/ns/net"

    def cut(self, name: str) -> None:
        """Pull a service's cable: no packet reaches it, and none is refused."""
        self._run("link", "set", f"p{self._holders[name].pid}", "down")

    def mend(self, name: str) -> None:
        """Put a service's cable back."""
        self._run("link", "set", f"p{self._holders[name].pid}", "up")

    @property
    def hosts(self) -> str:
        """`/etc/hosts` for every service."""
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in self._names.items())]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """End it."""
        for each in self._holders.values():
            each.kill()
            each.wait()

    def _run(self, *command: str) -> None:
        _ip(self._switch.pid, *command)


@contextmanager
def network() -> Iterator[Network]:
    """Make a network that this process is in as well, until the block ends."""
    assert os.geteuid() == 0, "namespaces and their network need root"
    switch = _hold()
    prefix = f"10.{random.randint(128, 254)}.{random.randint(0, 254)}"  # noqa: S311
    net = Network(switch, prefix)
    try:
        here = f"mr{switch.pid}"
        _ip(None, "link", "add", here, "type", "veth", "peer", "name", "uplink", "netns", str(switch.pid))
        _ip(None, "addr", "add", f"{prefix}.1/24", "dev", here)
        _ip(None, "link", "set", here, "up")
        for command in (("add", "bridge", "type", "bridge"), ("set", "bridge", "up")):
            _ip(switch.pid, "link", *command)
        _ip(switch.pid, "link", "set", "uplink", "master", "bridge", "up")
        yield net
    finally:
        net.close()
        switch.kill()
        switch.wait()


def _hold() -> subprocess.Popen[bytes]:
    """Return a process that keeps a new network namespace alive."""
    process = subprocess.Popen([*DIE_WITH_ME, "unshare", "--net", "sleep", "infinity"])
    ours = Path("/proc/self/ns/net").readlink()
    for _ in ticks(_SECONDS, pause=0.01):
        assert process.poll() is None, "no network namespace could be made"
        if Path(f"/proc/{process.pid}/ns/net").readlink() != ours:
            return process
    raise AssertionError("no network namespace could be made")


def _ip(pid: int | None, *command: str) -> None:
    inside: Sequence[str] = () if pid is None else ("nsenter", f"--net=/proc/{pid}/ns/net")
    done = subprocess.run([*inside, "ip", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(command)}: {done.stderr}"
