"""How fast the mirror of MLflow's data is, beside what others would synchronize it with: `make bench BENCH=mlruns`.

Each round runs every tool once, in another order than the round before, each on an empty server of its own. The tools
get the folder as it is; ours also takes a consistent snapshot of the database, and verifies what it pulls.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.progress import Progress
from rich.table import Table

from benchmarks import reporting
from benchmarks.histories import History
from benchmarks.places import Place, s3
from benchmarks.stores import MEMORY, environment, run

STEPS = ("first push", "nothing changed", "ten new runs", "pull")
TEN = 10
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Tool:
    """What synchronizes a folder: its command lines for up and down, from the place and the folder."""

    name: str
    program: str
    up: tuple[str, ...]
    down: tuple[str, ...]

    def command(self, step: str, place: Place, folder: Path) -> list[str]:
        """Return the command line of one step."""
        words = {"uri": place.uri, "path": place.path, "folder": str(folder)}
        return [each.format(**words) for each in (self.down if step == "pull" else self.up)]


def _rclone(*more: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    width = ("rclone", "sync", "--transfers", "16", "--checkers", "16", *more)
    return (*width, "{folder}", ":s3:{path}"), (*width, ":s3:{path}", "{folder}")


_CLI = (sys.executable, "-m", "model_release.cli", "mlruns")
TOOLS = (
    Tool(
        OURS,
        sys.executable,
        (*_CLI, "push", "{uri}/mlruns", "--from", "{folder}", "-q"),
        (*_CLI, "pull", "{uri}/mlruns", "--to", "{folder}", "-q"),
    ),
    Tool(
        "aws s3 sync",
        "aws",
        ("aws", "s3", "sync", "--only-show-errors", "{folder}", "s3://{path}"),
        ("aws", "s3", "sync", "--only-show-errors", "s3://{path}", "{folder}"),
    ),
    Tool("rclone sync, 16 transfers", "rclone", *_rclone()),
    Tool("rclone sync --size-only", "rclone", *_rclone("--size-only")),
    Tool(
        "s5cmd sync",
        "s5cmd",
        ("s5cmd", "--log", "error", "sync", "{folder}/", "s3://{path}/"),
        ("s5cmd", "--log", "error", "sync", "s3://{path}/*", "{folder}/"),
    ),
)


def measure(runs: int, rounds: int, tools: Sequence[Tool], progress: Progress) -> dict[tuple[str, str], list[float]]:
    """Return the seconds of every tool and step."""
    results: dict[tuple[str, str], list[float]] = defaultdict(list)
    task = progress.add_task(f"making {runs:,} runs", total=rounds * len(tools) * len(STEPS))
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY) as scratch:
        history = History(Path(scratch) / "history", runs)
        for turn in range(rounds):
            first = turn * len(tools) // rounds
            for tool in (*tools[first:], *tools[:first]):
                shutil.rmtree(history.folder / ".model-release", ignore_errors=True)
                target = Path(scratch) / "restored"
                with s3() as place, environment(place):
                    for step in STEPS:
                        progress.update(task, description=f"{tool.name}: {step}")
                        if step == "ten new runs":
                            history.add(TEN)
                        os.sync()
                        folder = target if step == "pull" else history.folder
                        results[tool.name, step].append(run(tool.command(step, place, folder))[0])
                        progress.advance(task)
                _check(history.folder, target)
                shutil.rmtree(target)
    return results


def _check(source: Path, target: Path) -> None:
    """Raise where a pull has not brought every artifact."""
    sent, came = (sum(1 for each in (folder / "mlruns").rglob("*") if each.is_file()) for folder in (source, target))
    if sent != came or not (target / "mlflow.db").exists():
        raise RuntimeError(f"{came} files arrived of {sent}")


def table_of(results: dict[tuple[str, str], list[float]], runs: int, rounds: int) -> Table:
    """Return the medians, with how many times as fast as the fastest peer ours is."""
    table = reporting.table(f"{runs:,} runs: seconds, medians of {rounds}", "tool", *STEPS)
    medians = {key: median(values) for key, values in results.items()}
    names = list(dict.fromkeys(name for name, _ in results))
    for name in names:
        table.add_row(name, *(f"{medians[name, step]:.2f}" for step in STEPS))
    others = [name for name in names if name != OURS]
    if others and OURS in names:
        fastest = (min(medians[name, step] for name in others) / medians[OURS, step] for step in STEPS)
        table.add_row("fastest peer / ours", *(f"{each:.2f}" for each in fastest))
    return table


def main() -> None:
    """Measure what the command line asks for."""
    parser = reporting.parser("mlruns", __doc__, quick="few runs, once")
    parser.add_argument("--runs", type=int, default=5000, help="of the history; each has four files")
    parser.add_argument("--rounds", type=int, default=3, help="how often each tool runs")
    parser.add_argument("--tool", action="append", help="this one only; may be repeated")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left behind
    runs, rounds = (20, 1) if options.quick else (options.runs, options.rounds)
    wanted = [each for each in TOOLS if not options.tool or each.name in options.tool]
    tools = [each for each in wanted if shutil.which(each.program)]
    console = reporting.console()
    with reporting.progress() as progress:
        results = measure(runs, rounds, tools, progress)
    console.print(table_of(results, runs, rounds))
    for each in wanted:
        if each not in tools:
            console.print(f"not measured: {each.name}: {each.program} is not on the PATH")
    reporting.keep(options, {" | ".join(key): value for key, value in results.items()})


if __name__ == "__main__":
    main()
