"""Which Airflow lives in a home: the lock that it holds, and the note that tells others where it is.

Used by `scripts.local_airflow`, which writes both, and by programs that look for a standing Airflow.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from model_release.errors import Retry
from scripts import sessions
from scripts.airflow_home import AirflowHome


def lock_of(home: AirflowHome) -> FileLock:
    """Return the lock of a home; the kernel frees it when its holder ends, however that happens."""
    home.home.mkdir(parents=True, exist_ok=True)
    return FileLock(home.home / ".lock", is_singleton=False)


def standing_url(home: AirflowHome) -> str | None:
    """Return the URL of the Airflow that stands in this home for others to use; None if none runs.

    Raises:
        Retry: one runs there that is not for others, or is not ready.
    """
    with suppress(Timeout), lock_of(home).acquire(timeout=0):
        return None
    note = _read(home)
    if not note.get("standing"):
        raise Retry("another run is going on", where=str(home.home), hint="wait until it has ended")
    return str(note["url"])


def write_note(home: AirflowHome, url: str, processes: Iterable[subprocess.Popen[bytes]], *, standing: bool) -> None:
    """Write down where the Airflow is and which sessions it has; only for who holds the lock."""
    note = {
        "pid": os.getpid(),
        "url": url,
        "standing": standing,
        "sessions": {process.pid: sessions.birth(process.pid) for process in processes},
    }
    _note_of(home).write_text(json.dumps(note) + "\n")


def left_over(home: AirflowHome) -> dict[int, float]:
    """Return the sessions of an Airflow that was never stopped, by number, with their leaders' births."""
    return {int(number): born for number, born in _read(home).get("sessions", {}).items()}


def forget(home: AirflowHome) -> None:
    """Remove the note."""
    _note_of(home).unlink(missing_ok=True)


def _note_of(home: AirflowHome) -> Path:
    return home.home / "standing.json"


def _read(home: AirflowHome) -> dict[str, Any]:
    try:
        return dict(json.loads(_note_of(home).read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
