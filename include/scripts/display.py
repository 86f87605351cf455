"""What a person sees of a run: the tasks while they run, the result, the end of a failed task's log.

Used by `scripts.run` and `scripts.up`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live as LiveDisplay
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from scripts.airflow_rest import TASK_ENDED, TaskState
from scripts.released import Live

_STYLE = {
    "success": "green",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "running": "bright_cyan",
    "skipped": "magenta",
}
_COSTS = ("train", "evaluate", "gate")
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


class Tasks:
    """The tasks of a run while it goes on: a changing table on a terminal, a line for each end elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[tuple[str, int, int]] = set()
        self._live = LiveDisplay(console=console, refresh_per_second=4, transient=True)
        self.last: list[TaskState] = []

    def __enter__(self) -> Tasks:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, tasks: list[TaskState]) -> None:
        """Show how the tasks stand now."""
        self.last = tasks
        if self._console.is_terminal:
            self._live.update(task_table(tasks))
            return
        for task in tasks:
            this = (task.task_id, task.map_index, task.try_number)
            if task.state in TASK_ENDED and this not in self._told:
                self._told.add(this)
                self._console.print(f"  {task.label}: {task.state}", markup=False)


def task_table(tasks: list[TaskState]) -> Table:
    """Return each task with its state and seconds."""
    table = Table("task", "state", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("seconds", justify="right")
    for task in tasks:
        state = "" if task.state == "none" else task.state
        seconds = "" if task.seconds is None or state == "skipped" else f"{task.seconds:.1f}"
        table.add_row(Text(task.label), Text(state, _STYLE.get(state, "dim")), seconds)
    return table


def cost_of_judging(tasks: list[TaskState]) -> str | None:
    """Return how long judging took beside training, in words; None where nothing was judged."""
    seconds = {name: sum(each.seconds or 0.0 for each in tasks if each.task_id == name) for name in _COSTS}
    judged = [each for each in tasks if each.task_id == "gate" and each.state == "success"]
    if not judged or not seconds["train"]:
        return None
    judging, training = seconds["evaluate"] + seconds["gate"], seconds["train"]
    return f"evaluate and gate took {judging:.1f} s, {judging / training:.0%} of the {training:.1f} s of training"


def result_panel(
    story: str,
    *,
    live: Live | None,
    verdict: Mapping[str, Any] | None,
    cost: str | None,
    store: Path,
    good: bool,
) -> RenderableType:
    """Return the result of a run.

    Args:
        story: the result in one sentence.
        live: what is live now.
        verdict: of the gate, where it was reached.
        cost: of judging, in words.
        store: the folder of the store.
        good: whether the run did what a run is for.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    if verdict is not None:
        grid.add_row("gate", Text(str(verdict.get("summary", ""))))
        for check in verdict.get("checks") or []:
            mark = Text("✓ ", "green") if check.get("passed") else Text("✗ ", "red")
            mark = Text("! ", "yellow") if check.get("warning") else mark
            grid.add_row("", mark + Text(str(check.get("words", check.get("name", "")))))
    if cost is not None:
        grid.add_row("cost", Text(cost))
    if live is not None:
        accuracy, measured_on = live.manifest.get("accuracy"), live.manifest.get("accuracy_measured_on")
        if accuracy is not None:
            grid.add_row("accuracy", Text(f"{accuracy:.4f}" + (f" ({measured_on})" if measured_on else "")))
        sizes = [int(entry["size"]) for entry in live.manifest["files"]]
        checked = f"{len(sizes)} files, {sum(sizes):,} bytes, all verified"
        grid.add_row("latest", Text(f"{live.version}, epoch {live.pointer['epoch']}; {checked}"))
        if live.card is not None:
            grid.add_row("model card", Text(str(live.card)))
    grid.add_row("store", Text(str(store)))
    colour = "green" if good else "red"
    return Panel(Group(Text(story, f"bold {colour}"), grid), border_style=colour)


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
