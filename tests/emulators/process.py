"""One server process with its own folder and free ports: started, waited for, ended with all that it started.

Used by the other modules of this package; each of them knows one server's command line and nothing else.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"

_STARTS = 3
_POLL_SECONDS = 0.05
_LOG_TAIL = 2000

Command = Callable[[Path, Sequence[int]], Sequence[str]]
"""Makes a command line from the server's own folder and its free ports. It may write configuration into the folder."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has answered.

    Attributes:
        url: its first port, `http://127.0.0.1:<port>`.
        ports: all ports that its command was given.
        folder: its own; gone when it has ended.
        log: what it wrote to both of its outputs.
    """

    url: str
    ports: tuple[int, ...]
    folder: Path
    log: Path


def executable(name: str, *, install: str) -> str:
    """Return the path of a program, from this Python's environment first and then from the PATH.

    Raises:
        AssertionError: it is not there; says the command that installs it. A test that needs it fails, never skips.
    """
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=os.pathsep.join([str(beside), os.environ.get("PATH", os.defpath)]))
    assert found is not None, f"{name} is missing; install it with: {install}"
    return found


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that were free just now, all different."""
    with ExitStack() as held:
        taken = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind((HOST, 0))
        return tuple(int(each.getsockname()[1]) for each in taken)


@contextmanager
def serving(
    command: Command,
    *,
    ready: tuple[str, int] = ("/", 200),
    ports: int = 1,
    env: Mapping[str, str] | None = None,
    seconds: float = 40,
) -> Iterator[Server]:
    """Run a server until the block ends, then kill it and its children and remove its folder.

    Args:
        command: makes the command line.
        ready: a path, and the HTTP status that it answers with once the server is ready.
        ports: how many ports the command takes; `ready` is asked of the first.
        env: variables beside those of this process.
        seconds: how long a start may take. One that ends early, as when a port was taken meanwhile, is tried again.

    Raises:
        AssertionError: it did not become ready; carries the end of its log.
    """
    deadline = time.monotonic() + seconds
    for attempt in range(1, _STARTS + 1):
        with tempfile.TemporaryDirectory(prefix="emulator-", ignore_cleanup_errors=True) as name:
            server = _server(Path(name), free_ports(ports))
            process = _start(command(server.folder, server.ports), server, env)
            try:
                if _becomes_ready(process, server, ready, deadline):
                    yield server
                    return
                assert attempt < _STARTS, f"{process.args!r} ended {attempt} times:\n{_tail(server.log)}"
            finally:
                _kill(process)


def _server(folder: Path, ports: tuple[int, ...]) -> Server:
    return Server(f"http://{HOST}:{ports[0]}", ports, folder, folder / "server.log")


def _start(arguments: Sequence[str], server: Server, env: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    with server.log.open("wb") as log:
        return subprocess.Popen(
            arguments,
            cwd=server.folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its children can be ended with it
        )


def _becomes_ready(process: subprocess.Popen[bytes], server: Server, ready: tuple[str, int], deadline: float) -> bool:
    """Whether it answers as promised; False if the process ended before."""
    path, wanted = ready
    status = None
    while time.monotonic() < deadline:
        status = _status(server.url + path)
        if process.poll() is not None:  # asked after the answer: a stranger on the port may have given that
            return False
        if status == wanted:
            return True
        time.sleep(_POLL_SECONDS)
    raise AssertionError(f"{process.args!r} is not ready: {path} answers {status}, not {wanted}\n{_tail(server.log)}")


def _status(url: str) -> int | None:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the group holds the children, whether or not their parent lives
    process.wait()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_LOG_TAIL:]
