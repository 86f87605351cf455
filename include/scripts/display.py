"""What a person sees of a local Airflow: what it waits for, and the end of a failed task's log.

For `scripts.run` and `scripts.up`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

_TAIL_LINES = 25
_WIDTH_OF_A_FILE = 120


def plain_console() -> Console:
    """Return a console for standard output, wide enough for a path where it is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console


@contextmanager
def progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Give a function that shows what is being waited for: a spinner on a terminal, a line elsewhere."""
    if not console.is_terminal:
        yield lambda words: console.print(words)
        return
    with console.status("") as status:
        yield lambda words: status.update(words)


def log_tail(path: Path) -> str:
    """Return the end of a task's log as plain lines; each line of the file is a JSON object."""
    if not path.is_file():
        return "(the task left no log)"
    lines: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        lines += _readable(line)
    return "\n".join(lines[-_TAIL_LINES:])


def _readable(line: str) -> list[str]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError:
        return [line]
    event = str(entry.get("event", ""))
    found = [] if event.startswith("::") else event.splitlines()
    for error in reversed(entry.get("error_detail") or []):  # the cause first, as Python prints it
        frames = [frame for frame in error["frames"] if "site-packages" not in frame["filename"]]
        found += [f"  {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in frames or error["frames"]]
        found += f"{error['exc_type']}: {error['exc_value']}".splitlines()
    return found
