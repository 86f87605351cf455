"""One service as processes of this machine: with its own files, processes, host name and network.

Its root is a copy-on-write view of this machine's, kept in memory and gone with it, so that programs installed here can
be run and no two services have a folder in common, unless a volume says so.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from scripts.waits import ticks
from team.compose import Service
from team.network import DIE_WITH_ME, Network

CHECKOUT = Path(__file__).resolve().parents[2]
_SECONDS = 20
_TAIL = 3000


@dataclass(frozen=True)
class Image:
    """What an image would bring.

    Attributes:
        entrypoint: before the command, where the compose file has none.
        environment: variables.
        files: where what lies in the checkout lies in the image, by path.
        folder: that commands start in, and may write to.
        user: name of the user that the compose file has a number for.
        owns: folders that belong to the service's user, and so do new volumes that are mounted there.
    """

    entrypoint: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = ""
    owns: Sequence[str] = ()


class Container:
    """A service's processes.

    Args:
        service: what the compose file says.
        image: what the image would bring.
        network: that it has joined.
        volumes: the folder that holds the named volumes.
        box: a folder of its own, for its log.
    """

    def __init__(self, service: Service, image: Image, *, network: Network, volumes: Path, box: Path) -> None:
        self.service = service
        self.image = image
        self.log = box / f"{service.name}.log"
        self._network = network
        self._volumes = volumes
        self._root = box / f"{service.name}.root"
        self._root.mkdir()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its command."""
        command = [*(() if self.service.entrypoint else self.image.entrypoint), *self.service.command]
        namespaces = ("--mount", "--uts", "--pid", "--ipc", "--fork", "--kill-child=KILL")
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [
                    *DIE_WITH_ME,
                    *("nsenter", f"--net={self._network.namespace(self.service.name)}"),
                    *("unshare", *namespaces, "/bin/sh", "-euc", self._set_up()),
                    self.service.name,
                    *self._as_user(),
                    *command,
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, command: Sequence[str], *, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command inside, beside what runs there."""
        init = self._init()
        assert init is not None, f"{self.service.name} does not run"
        spaces = ("--mount", "--uts", "--net", "--pid", "--ipc")
        inside = ["nsenter", f"--target={init.pid}", *spaces, "chroot", str(self._root / "root")]
        return subprocess.run(
            [*inside, *self._as_user(), *command],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def is_healthy(self) -> bool:
        """Whether its health check passes now."""
        if self.ended is not None:
            return False
        with suppress(subprocess.TimeoutExpired, AssertionError):
            return self.run(self.service.health).returncode == 0
        return False

    @property
    def ended(self) -> int | None:
        """The status that it ended with; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def started(self) -> bool:
        """Whether it was started and not killed since."""
        return self._process is not None

    def kill(self) -> None:
        """Kill all of its processes at once, without a word."""
        if self._process is None:
            return
        init = self._init()
        if init is not None:
            with suppress(psutil.NoSuchProcess):
                init.send_signal(signal.SIGKILL)  # the first process of a namespace takes all others along
        else:
            self._process.kill()
        self._process.wait()
        self._process = None

    def tail(self) -> str:
        """Return the end of what it said."""
        return f"── {self.service.name}\n{self.log.read_text(errors='replace')[-_TAIL:]}"

    def _init(self) -> psutil.Process | None:
        """Its first process, as this machine knows it."""
        assert self._process is not None
        for _ in ticks(_SECONDS, pause=0.02):
            if self._process.poll() is not None:
                return None
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(self._process.pid).children()
                if children:
                    return children[0]
        return None

    @property
    def _environment(self) -> dict[str, str]:
        beside = str(Path(sys.executable).parent)
        return {
            "PATH": f"{beside}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/tmp",  # noqa: S108 - its own
            "HOSTNAME": self.service.hostname,
            "LANG": "C.UTF-8",
            **self.image.environment,
            **self.service.environment,
        }

    def _as_user(self) -> list[str]:
        """The command that takes away what the compose file takes away."""
        service = self.service
        command = ["setpriv"]
        if service.user:
            user, _, group = service.user.partition(":")
            command += [f"--reuid={user}", f"--regid={group or user}", "--clear-groups"]
        if not service.new_privileges:
            command += ["--no-new-privs"]
        if service.capabilities is not None:
            kept = [f"+{each.lower()}" for each in service.capabilities]
            command += [f"--bounding-set={','.join(['-all', *kept])}", f"--inh-caps={','.join(['-all', *kept])}"]
        return [*command, "env", f"--chdir={self.image.folder}"]

    def _set_up(self) -> str:
        """The script that makes its root and goes there."""
        root = self._root / "root"
        box = shlex.quote(str(self._root))
        lines = [
            f"hostname {self.service.hostname}",
            f"mount -t tmpfs -o mode=755 tmpfs {box}",
            f"cd {box}; mkdir upper work root",
            "mount -t overlay overlay -o lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work root",
            "mount --rbind /dev root/dev; mount -t proc proc root/proc",
            "mount -t tmpfs -o mode=1777 tmpfs root/tmp; mount -t tmpfs -o mode=1777 tmpfs root/var/tmp",
            f"printf %s {shlex.quote(self._network.hosts)} > root/etc/hosts",
        ]
        for path in (CHECKOUT, Path(sys.prefix)):
            if path.is_relative_to("/tmp") or path.is_relative_to("/var/tmp"):  # noqa: S108 - where a checkout may lie too
                lines += self._bind(path, str(path), read_only=True)
        for path in (Path(sys.executable).resolve(), CHECKOUT):
            lines += [
                f"chmod a+x root{shlex.quote(str(each))}" for each in path.parents if each.stat().st_mode & 1 == 0
            ]
        if self.image.user:
            lines += [f"echo {self.image.user}:x:{self.service.user}::/tmp:/bin/sh >> root/etc/passwd"]
        if self.image.folder != "/":
            lines += [f"mkdir -p root{self.image.folder}; chmod a+rwx root{self.image.folder}"]
        for target, source in self.image.files.items():
            lines += self._bind(CHECKOUT / source, target, read_only=True)
        for each in self.service.volumes:
            folder = self._volumes / each.source if each.named else Path(each.source)
            if each.named and not folder.exists():
                folder.mkdir()
                folder.chmod(0o777)
                if each.target in self.image.owns:
                    user, _, group = self.service.user.partition(":")
                    os.chown(folder, int(user), int(group))
                    folder.chmod(0o750)
            lines += self._bind(folder, each.target, read_only=each.read_only)
        if self.service.read_only:
            lines += ["mount -o remount,ro,bind root"]
        lines += [f"mount -t tmpfs -o mode=1777 tmpfs root{each}" for each in self.service.tmpfs if each != "/tmp"]  # noqa: S108
        assert re.fullmatch(r"[\w./-]+", str(root)), root
        # The shell stays, as the first process: it dies with whoever started it, and takes all others along.
        # One that changes its user would be told no more.
        return "\n".join([*lines, f'set +e; chroot {root} "$@"; exit $?'])

    @staticmethod
    def _bind(source: Path, target: str, *, read_only: bool) -> list[str]:
        at, source_ = f"root{target}", shlex.quote(str(source))
        make = f"mkdir -p {at}" if source.is_dir() else f"mkdir -p {os.path.dirname(at)}; : > {at}"  # noqa: PTH120
        bind = f"mount --bind {source_} {at}"
        return [make, bind, *([f"mount -o remount,ro,bind {at}"] if read_only else [])]
