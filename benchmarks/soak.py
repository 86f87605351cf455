"""A thousand nights in a row on a folder and a follower, with a fault at one call of twenty.

A fault is a process that dies before or after the call, a call that is refused for the moment, or an answer that is
lost. The night is then run again from its first step, as Airflow's retries do. All along a reader resolves
`latest.json` at both places and checks every byte of what it names. Two nights, the tenth and the last, run undisturbed
and are counted.

    PYTHONPATH=include:tests python -m benchmarks.soak --nights 1000
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from rich.progress import Progress

from benchmarks import reporting
from model_release.errors import ModelReleaseError, OutcomeUnknown, Retry, StoreUnavailable
from model_release.releases.catalog import history, read_pointer, versions
from model_release.stores.create_once import RESEND
from model_release.stores.local import LocalStore
from support.interposed_store import Interposed, Request
from support.release_builder import Chain, Made, assert_readable, assert_settled, make
from support.schedule_player import Killed

FIRST_DAY = date(2020, 1, 1)
QUIET_NIGHTS = 10
"""The tenth night runs undisturbed, and so does the last."""


@dataclass
class Weather:
    """What befalls the calls to a store.

    Attributes:
        share: of the calls that something befalls.
        calls: how many there were, by verb.
        faults: how many, by kind.
    """

    share: float
    chance: random.Random
    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def between(self, request: Request) -> Any:
        """Perform a request, unless something befalls it."""
        self.calls[request.verb] += 1
        if self.chance.random() >= self.share:
            return request.perform()
        kinds = ["died before", "died after", "refused for the moment"]
        kind = self.chance.choice([*kinds, "answer lost"] if request.conditional else kinds)
        self.faults[kind] += 1
        if kind == "refused for the moment":
            raise StoreUnavailable("throttled", where=request.key)
        if kind != "died before":
            request.perform()
        if kind == "answer lost":
            raise OutcomeUnknown("the answer was lost", where=request.key)
        raise Killed


class Reader(threading.Thread):
    """Resolves and checks what is live, over and over, until it is told to end."""

    def __init__(self, stores: Sequence[LocalStore]) -> None:
        super().__init__(daemon=True)
        self.stores = stores
        self.reads = 0
        self.torn: list[str] = []
        self._over = threading.Event()

    def run(self) -> None:
        """Read until `end`."""
        while not self._over.is_set():
            for store in self.stores:
                try:
                    assert_readable(store)
                except ModelReleaseError as error:
                    self.torn.append(str(error))
                self.reads += 1
            time.sleep(0.002)  # leaves the nights most of the processor

    def end(self) -> None:
        """Stop, and wait for the last read."""
        self._over.set()
        self.join()


def night(stores: Sequence[LocalStore], made: Made, weather: Weather) -> int:
    """Release once, again after each death and each error that may pass; return how often it was begun."""
    since = _since(stores[0])
    attempt = 0
    while True:
        attempt += 1
        home, *followers = (Interposed(store, weather.between) for store in stores)
        try:
            Chain(home, followers).release(made, since=since)
        except (Killed, Retry):
            continue
        return attempt


def _since(home: LocalStore) -> int | None:
    live = read_pointer(home)
    return live.pointer.since if live else None


@contextmanager
def without_waiting() -> Iterator[None]:
    """Send lost requests again at once: the waits are for real networks."""
    waits, RESEND.sleep = RESEND.sleep, lambda _seconds: None
    try:
        yield
    finally:
        RESEND.sleep = waits


def soak(nights: int, share: float, folder: Path, progress: Progress) -> list[tuple[str, str]]:
    """Release night after night; return the figures, by name.

    Raises:
        AssertionError, RuntimeError: the history is not what happened.
    """
    stores = [LocalStore(folder / name / "heart-disease-models") for name in ("home", "follower")]
    storm, calm = Weather(share, random.Random(7)), [Weather(0, random.Random(7)) for _ in range(2)]  # noqa: S311
    begun, seconds = 0, []
    reader = Reader(stores)
    reader.start()
    for number in progress.track(range(1, nights + 1), description="releasing"):
        quiet = calm[0] if number == QUIET_NIGHTS else calm[1] if number == nights else None
        made = make(
            folder / "made", f"night-{number}", as_of=FIRST_DAY + timedelta(days=number), since=_since(stores[0])
        )
        start = time.monotonic()
        begun += night(stores, made, quiet or storm)
        seconds.append(time.monotonic() - start)
    reader.end()
    epochs = {assert_settled(store, log=store is stores[0]).epoch for store in stores}
    if epochs != {nights} or len(versions(stores[0])) != nights:
        raise RuntimeError(f"{nights} nights made {len(versions(stores[0]))} versions and ended at epochs {epochs}")
    lost = nights - len({pointer.version for pointer in history(stores[0])})
    early, late = (sum(each.calls.values()) for each in calm)
    return [
        ("nights", f"{nights:,}"),
        ("calls to the stores", f"{sum(storm.calls.values()):,}"),
        (
            "faults",
            f"{sum(storm.faults.values()):,}: " + ", ".join(f"{n:,} {kind}" for kind, n in storm.faults.items()),
        ),
        ("attempts", f"{begun:,}, {begun - nights:,} of them again"),
        ("reads of what is live", f"{reader.reads:,}"),
        ("torn reads", f"{len(reader.torn)}"),
        ("releases lost", f"{lost}"),
        (f"calls of night {QUIET_NIGHTS}, of night {nights:,}", f"{early}, {late}"),
        (
            "seconds of the first tenth, of the last",
            f"{_typical(seconds, first=True)}, {_typical(seconds, first=False)}",
        ),
    ]


def _typical(seconds: Sequence[float], *, first: bool) -> str:
    tenth = max(1, len(seconds) // 10)
    return f"{median(seconds[:tenth] if first else seconds[-tenth:]):.3f}"


def main() -> None:
    """Soak, print the figures, and end with 1 where one of them must not be."""
    parser = reporting.parser("soak", __doc__)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--faults", type=float, default=0.05, help="share of the calls that something befalls")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as name,
        reporting.progress() as progress,
        without_waiting(),
    ):
        figures = soak(options.nights, options.faults, Path(name), progress)
    title = f"{options.nights:,} nights, a fault at {options.faults:.0%} of the calls"
    table = reporting.table(title, "figure", "value", words=2)
    for row in figures:
        table.add_row(*row)
    reporting.console().print(table)
    told = dict(figures)
    reporting.keep(options, told)
    sys.exit(0 if told["torn reads"] == told["releases lost"] == "0" else 1)


if __name__ == "__main__":
    main()
