"""Processes in sessions of their own, so that all of their descendants can be found and ended.

Airflow's tasks run in process groups of their own: ending the group of the process that was started leaves
them running, ending its session does not. Used by `scripts.local_airflow` and by the programs that start one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

import psutil

_KILL_SECONDS = 10
_POLL_SECONDS = 0.05


def start(module: str, *arguments: str, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments…` in a session that Ctrl-C does not reach; its words go to `log`."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to the process and to those of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)


def birth(pid: int) -> float:
    """Return when a living process was started; with its number, this tells it from any other process."""
    return float(psutil.Process(pid).create_time())


def end(sessions: Collection[int]) -> None:
    """Kill whatever runs in these sessions and wait until it is gone, for ten seconds at most."""
    deadline = time.monotonic() + _KILL_SECONDS
    while (left := list(_members(sessions))) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(_POLL_SECONDS)


def end_remains(sessions: Mapping[int, float]) -> None:
    """Kill what is left of sessions that an earlier program started and could not end.

    Args:
        sessions: by number, the `birth` of the process that led it; a number given away since is left alone.
    """
    end({session for session, born in sessions.items() if _is_led_by(session, born)})


def stop_when_told() -> None:
    """Turn SIGTERM and SIGHUP into an ordinary exit, so that this program leaves its context managers."""

    def leave(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)


def _is_led_by(session: int, born: float) -> bool:
    try:
        return birth(session) == born
    except psutil.NoSuchProcess:
        return False


def _members(sessions: Collection[int]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) in sessions and process.info["status"] != psutil.STATUS_ZOMBIE:
                yield process
