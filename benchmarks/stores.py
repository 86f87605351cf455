"""How fast each store moves files, beside the tools that others use for it: `make bench`, or see README.md.

Each round runs every tool once, in another order than the round before, so that what else the machine does falls on all
of them; the table has the medians.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.progress import Progress
from rich.table import Table

from benchmarks import reporting
from benchmarks.ours import transfer
from benchmarks.places import PLACES, Place, local_files
from benchmarks.tools import ours, peers
from model_release.stores import open_store

MIB = 1024 * 1024
KINDS = [(way, shape) for shape in ("one", "many") for way in ("up", "down")]
IN_PROCESS = "ours, SDK loaded"
_LEAVE_OUT = ("AWS_CA_BUNDLE", "PYTHONDONTWRITEBYTECODE")
"""No emulator speaks TLS and rclone fails over the first; modules that are compiled each time would measure that."""

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108
"""Where the local ends lie. A disk would be measured with the tools, and one tool's removed files slow down the next's:
ext4 passes by the places of what was just removed, one after the other, at each new file."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is moved: one file of `size` bytes, `count` files of `each` bytes, `runs` times."""

    size: int
    count: int
    each: int
    runs: int


def run(command: Sequence[str]) -> tuple[float, str]:
    """Run a command to its end; return how many seconds it took, and what it wrote to standard output.

    Raises:
        RuntimeError: it failed; carries the end of what it wrote.
    """
    began = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603
    seconds = time.monotonic() - began
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")[-500:]
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {said}")
    return seconds, done.stdout.decode(errors="replace")


def measure(name: str, load: Load, progress: Progress) -> dict[tuple[str, str, str], list[float] | str]:
    """Return seconds by tool, way and shape, or why there are none.

    Each tool has a server of its own in each round: emulators become slower with every object that they hold.
    """
    results: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    failures: dict[tuple[str, str, str], str] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY) as folder:
        large, many = local_files(Path(folder), size=load.size, count=load.count, each=load.each)
        nowhere = Place(name, uri="", path="")
        tools = [ours(nowhere), *peers(nowhere)]
        failures |= {(tool.name, *kind): tool.missing for tool in tools if tool.missing for kind in KINDS}
        names = [IN_PROCESS, *(tool.name for tool in tools if tool.missing is None)]
        task = progress.add_task(name, total=load.runs * len(names) * len(KINDS))
        for turn in range(load.runs):
            first = turn * len(names) // load.runs
            for who in [*names[first:], *names[:first]]:
                with PLACES[name]() as place, environment(place):
                    move = _mover(who, place)
                    for way, shape in KINDS:
                        progress.update(task, description=f"{name}: {who}, {way}, {shape}")
                        key, source = (who, way, shape), large if shape == "one" else many
                        try:
                            with _target(Path(folder), way, shape, source) as local:
                                results[key].append(move(way, shape, local))
                        except RuntimeError as error:
                            failures[key] = str(error)
                        progress.advance(task)
        progress.remove_task(task)
    return {**results, **failures}


def _mover(who: str, place: Place) -> Callable[[str, str, Path], float]:
    """Return what makes a transfer and says how many seconds it took: in this process, or by a tool in its own."""
    if who == IN_PROCESS:
        store = open_store(place.uri)

        def here(way: str, shape: str, local: Path) -> float:
            began = time.monotonic()
            transfer(store, way, shape, local)
            return time.monotonic() - began

        return here
    tool = next(tool for tool in (ours(place), *peers(place)) if tool.name == who)
    return lambda *what: run(tool.command(*what))[0]


def memory(name: str, load: Load) -> dict[tuple[str, int], int]:
    """Return the peak resident memory of our process, in bytes, by way and by size of the file: a quarter and all."""
    peaks = {}
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-", dir=MEMORY) as folder,
        PLACES[name]() as place,
        environment(place),
    ):
        tool = ours(place)
        for size in (load.size // 4, load.size):
            file = Path(folder) / "file.bin"
            with file.open("wb") as out:
                out.truncate(size)
            for way in ("up", "down"):
                peaks[way, size] = int(run(tool.command(way, "one", file))[1])
    return peaks


@contextmanager
def environment(place: Place) -> Iterator[None]:
    """Set what every tool needs for a place, until the block ends."""
    before = dict(os.environ)
    for name in _LEAVE_OUT:
        os.environ.pop(name, None)
    os.environ.update(place.env)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _target(folder: Path, way: str, shape: str, source: Path) -> Iterator[Path]:
    """The local end of a transfer: the source, or what is not there yet and is looked at afterwards.

    What earlier transfers left to be written to the disk is written first.
    """
    os.sync()
    if way == "up":
        yield source
        return
    local = folder / f"down.{shape}"
    yield local
    expected = source.stat().st_size if shape == "one" else len(list(source.iterdir()))
    arrived = local.stat().st_size if shape == "one" else len(list(local.iterdir()))
    if arrived != expected:
        raise RuntimeError(f"{arrived} arrived of {expected}")
    shutil.rmtree(local) if local.is_dir() else local.unlink()


def table_of(store: str, results: dict[tuple[str, str, str], list[float] | str], load: Load) -> Table:
    """Return the medians of one store, with how many times as fast as the fastest peer ours is."""
    shapes = f"{load.size / MIB:g} MiB", f"{load.count:,} × {load.each / 1024:g} KiB"
    headings = [f"{shape} {way}" for shape in shapes for way in ("up", "down")]
    table = reporting.table(f"{store}: seconds, medians of {load.runs}", "tool", *headings)
    names = list(dict.fromkeys(name for name, _, _ in results))
    own = [name for name in names if name.startswith("ours")]
    medians = {key: median(value) for key, value in results.items() if isinstance(value, list) and value}
    for name in [*own, *(each for each in names if each not in own)]:
        cells = [medians.get((name, *kind)) for kind in KINDS]
        table.add_row(name, *("-" if cell is None else f"{cell:.2f}" for cell in cells))
    for name in own:
        cells = []
        for kind in KINDS:
            others = [seconds for (who, *what), seconds in medians.items() if who not in own and tuple(what) == kind]
            cells.append(min(others) / medians[name, *kind] if others and (name, *kind) in medians else None)
        table.add_row(f"fastest peer / {name}", *("-" if cell is None else f"{cell:.2f}" for cell in cells))
    return table


def main() -> None:
    """Measure what the command line asks for."""
    parser = reporting.parser("stores", __doc__, quick="tiny sizes, once")
    parser.add_argument("--store", action="append", choices=list(PLACES), help="this one only; may be repeated")
    parser.add_argument("--runs", type=int, default=3, help="how often each tool runs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left behind
    load = Load(64 * 1024, 5, 1024, 1) if options.quick else Load(256 * MIB, 2000, 10 * 1024, options.runs)
    console, kept = reporting.console(), {}
    with reporting.progress() as progress:
        for name in options.store or PLACES:
            results, peaks = measure(name, load, progress), memory(name, load)
            console.print(table_of(name, results, load))
            reasons = dict.fromkeys((key[0], why) for key, why in results.items() if isinstance(why, str))
            for who, why in reasons:
                console.print(f"not measured: {who}: {why}")
            shown = [f"{way} {size / MIB:g} MiB: {peak / MIB:.0f} MiB" for (way, size), peak in peaks.items()]
            console.print("peak memory of ours: " + ", ".join(shown) + "\n")
            kept[name] = {" | ".join(key): value for key, value in results.items()}
    reporting.keep(options, kept)


if __name__ == "__main__":
    main()
