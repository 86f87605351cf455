"""What a person sees of a run: the tasks while they run, and the result. For `try` and `make run`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live as LiveDisplay
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from model_release.cli.released import Live
from model_release.errors import EXIT_DONE, EXIT_FAILED, EXIT_REFUSED
from model_release.workflows.messages import IngestOutcome, Verdict
from model_release.workflows.task_state import TASK_ENDED, TaskState

_STYLE = {
    "success": "green",
    "failed": "bold red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "running": "bright_cyan",
    "skipped": "magenta",
}
_COSTS = ("train", "evaluate", "gate")


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
    """Return how long judging took beside training, in words; None if nothing was judged."""
    seconds = {name: sum(each.seconds or 0.0 for each in tasks if each.task_id == name) for name in _COSTS}
    judged = [each for each in tasks if each.task_id == "gate" and each.state == "success"]
    if not judged or not seconds["train"]:
        return None
    judging, training = seconds["evaluate"] + seconds["gate"], seconds["train"]
    return f"evaluate and gate took {judging:.1f} s, {judging / training:.0%} of the {training:.1f} s of training"


def result_page(
    words: str,
    *,
    tasks: list[TaskState],
    live: Live | None,
    verdict: Verdict | None,
    store: Path,
    good: bool,
    full: bool,
) -> list[RenderableType]:
    """Return the result of a run, in a few lines or in full.

    Args:
        words: the result in one sentence.
        tasks: of the run.
        live: what is live now.
        verdict: of the gate; None if it was not reached.
        store: the folder of the store.
        good: whether the run did what a run is for.
        full: show each task with its seconds, the cost of judging, and each check of the gate, not only those that
            failed or warn. The model card has all checks too.
    """
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _rows(tasks, live, verdict, store, full=full):
        grid.add_row(name, value)
    colour = "green" if good else "red"
    panel = Panel(Group(Text(words, f"bold {colour}"), grid), border_style=colour)
    return [task_table(tasks), "", panel] if full else [panel]


def _rows(
    tasks: list[TaskState], live: Live | None, verdict: Verdict | None, store: Path, *, full: bool
) -> Iterator[tuple[str, Text]]:
    if verdict is not None:
        passed = sum(check.passed for check in verdict.checks)
        counted = f"; {passed} of {len(verdict.checks)} checks passed" if verdict.checks else ""
        yield "gate", Text(f"{verdict.summary}{counted}")
        for check in verdict.checks:
            if full or check.warning or not check.passed:
                mark = Text("✓ ", "green") if check.passed else Text("✗ ", "red")
                mark = Text("! ", "yellow") if check.warning else mark
                yield "", mark + Text(check.words)
    cost = cost_of_judging(tasks) if full else None
    if cost is not None:
        yield "cost", Text(cost)
    if live is not None:
        accuracy, measured_on = live.manifest.get("accuracy"), live.manifest.get("accuracy_measured_on")
        if accuracy is not None:
            yield "accuracy", Text(f"{accuracy:.4f}" + (f" ({measured_on})" if measured_on else ""))
        sizes = [int(entry["size"]) for entry in live.manifest["files"]]
        checked = f"{len(sizes)} files, {sum(sizes):,} bytes, all verified"
        yield "latest", Text(f"{live.version}, epoch {live.pointer['epoch']}; {checked}")
        if live.card is not None:
            yield "model card", Text(str(live.card))
    yield "store", Text(str(store))


def story(
    state: str, outcome: IngestOutcome | None, verdict: Verdict | None, live: Live | None, run_id: str
) -> tuple[str, int]:
    """Return the result in one sentence, and the exit status.

    Args:
        state: of the run.
        outcome: of the task *Ingest*; None if it did not end.
        verdict: of the task *Gate*; None if nothing was judged.
        live: what is live now.
        run_id: of the run.
    """
    if state != "success" or outcome is None:
        return "the run failed", EXIT_FAILED
    if verdict is None:
        return f"nothing is new: {outcome.reason}", EXIT_DONE if live else EXIT_REFUSED
    if live is None:
        return f"{'published' if verdict.accepted else 'rejected'}, and nothing is live", EXIT_REFUSED
    if verdict.reproduced:
        return verdict.summary, EXIT_DONE
    if live.made_by(run_id):
        return f"released {live.version}", EXIT_DONE
    if verdict.accepted:
        return f"published {verdict.version}; latest stays at {live.version}", EXIT_DONE
    return f"rejected; latest stays at {live.version}", EXIT_REFUSED
