"""One folder, one PATH, one network and one end for each run of tests.

A run keeps all its temporary files in one folder, finds no program but those of `tests/programs.txt` and reaches
nothing but loopback, so that it depends on nothing that happens to be installed here or to answer. When it ends, its
processes are killed and the folder is removed: by the run itself or, if that was killed, by a guard that outlives it.

Each process of a run holds the folder's path in its environment, its command line or its working directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from support import loopback, programs

VARIABLE = "MODEL_RELEASE_TEST_RUN"
"""The environment variable that holds the folder of the run that a process belongs to."""

_PREFIX = "mr-tests-"  # short: the paths of Unix sockets lie below it
_GUARDED = "MODEL_RELEASE_TEST_GUARDED"
_WATCH_SECONDS = 1.0
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_KILL_SECONDS = 10.0


class TestRun:
    """A run of tests that this process has begun.

    Attributes:
        folder: of all its temporary files.
    """

    __test__ = False

    def __init__(self) -> None:
        with suppress(OSError):  # a test says so
            loopback.enter()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self.folder.chmod(0o711)  # PostgreSQL and the compose file's services run as other users
        path = programs.link(self.folder / "bin")
        os.environ |= {VARIABLE: str(self.folder), "TMPDIR": str(self.folder), "PATH": str(path)}
        tempfile.tempdir = None  # read TMPDIR again
        self._guard = subprocess.Popen(
            [sys.executable, "-c", "from support.run_guard import guard; guard()", str(os.getpid())],
            env={"PYTHONPATH": str(Path(__file__).parents[1]), _GUARDED: str(self.folder)},
            cwd="/",
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # out of reach of Ctrl-C
        )

    def end(self) -> list[str]:
        """Kill what still runs and remove the folder; return the command lines of what was killed."""
        killed = _end(self.folder)
        self._guard.kill()
        self._guard.wait()
        return killed


def begun() -> TestRun | None:
    """Begin a run; return None if this process belongs to a run already, as xdist's workers do."""
    return None if VARIABLE in os.environ else TestRun()


def members(folder: Path) -> Iterator[psutil.Process]:
    """Yield the processes of a run, other than this one and those that it descends from."""
    apart = {os.getpid(), *(each.pid for each in psutil.Process().parents())}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid not in apart and process.status() != psutil.STATUS_ZOMBIE and _belongs(process, str(folder)):
                yield process


def guard() -> None:
    """Wait until the process that began a run has gone, then end what it left. Runs in a process of its own."""
    folder, beginner = Path(os.environ[_GUARDED]), int(sys.argv[1])
    started: list[psutil.Process] = []  # a process that has given itself a title shows its environment no more
    while os.getppid() == beginner:
        with suppress(psutil.Error):
            started = psutil.Process(beginner).children(recursive=True) or started
        time.sleep(_WATCH_SECONDS)
    for each in started:
        with suppress(psutil.Error):
            if each.pid != os.getpid():
                each.kill()
    _end(folder)


def _belongs(process: psutil.Process, folder: str) -> bool:
    if any("resource_tracker" in each for each in process.cmdline()):  # multiprocessing's; ends with its parent
        return False
    if process.environ().get(VARIABLE, "").startswith(folder):
        return True
    return any(folder in each for each in (process.cwd(), *process.cmdline()))


def _end(folder: Path) -> list[str]:
    began = time.monotonic()
    while any(members(folder)) and time.monotonic() < began + _GRACE_SECONDS:
        time.sleep(_POLL_SECONDS)
    killed: dict[int, str] = {}
    while (left := list(members(folder))) and time.monotonic() < began + _GRACE_SECONDS + _KILL_SECONDS:
        for process in left:
            with suppress(psutil.Error):
                killed[process.pid] = " ".join(process.cmdline())
                process.kill()
        time.sleep(_POLL_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    return [*killed.values()]
