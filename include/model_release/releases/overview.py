"""A model's releases at a glance: what is live and where, each move of the pointer, each version. For the page.

It is read in short pages, so that ten thousand versions cost no more requests than ten. What nobody may change is
remembered between two looks; the pointer and the followers are read at each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from threading import Lock
from typing import Final, cast

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest, Manifest, Measured
from model_release.documents.pointer import Change, Pointer
from model_release.documents.version import Bump, Version
from model_release.errors import ModelReleaseError
from model_release.releases import catalog
from model_release.releases.acts import live_before
from model_release.releases.claims import newest_number
from model_release.releases.consumers import Consumers, consumers
from model_release.releases.decisions import DecisionRecord
from model_release.releases.store import ReleaseStore
from model_release.spec.tasks import TASKS, TaskKind
from model_release.stores.base import Entry, Store, Stored

FIRST_ROWS: Final = 3
"""Moves that the first look shows beside what is live."""

ROWS: Final = 5
"""Moves, or versions, of a further page: a row needs two objects, and a page shall need no more than a dozen."""

LISTED: Final = 5000
"""Decisions among which the newest are looked for: five requests, since their names say no time."""


class Remembered:
    """A store whose unchanging objects are read once: entries of the log, and manifests. Threads may share it.

    Args:
        store: to read from.
        most: how many objects are kept; those that were not asked for the longest are forgotten.

    Attributes:
        requests: how many objects were asked of the store.
    """

    def __init__(self, store: Store, most: int = 2000) -> None:
        self.uri = store.uri
        self.requests = 0
        self._store = store
        self._most = most
        self._kept: OrderedDict[str, Stored] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> Stored | None:
        """Return an object whole, or None if it does not exist."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            self.requests += 1
        found = self._store.get(key)
        if found is not None and _never_changes(key):
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return found

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key begins with `prefix`, in the order of their keys."""
        with self._lock:
            self.requests += 1
        return self._store.list(prefix)


def _never_changes(key: str) -> bool:
    return key.startswith((f"{layout.LOG}/", f"{layout.DECISIONS}/")) or key.endswith("/metadata.json")


@dataclass(frozen=True, slots=True)
class Headline:
    """The figure by which a version is told from others at a glance.

    Attributes:
        called: what people call it.
        less_is_better: whether it is an error.
        measured: its value, with its interval and what it was measured on.
    """

    called: str
    less_is_better: bool
    measured: Measured


@dataclass(frozen=True, slots=True)
class Place:
    """What one destination says is live.

    Attributes:
        uri: of the model's folder there.
        version, epoch: of its pointer; None if it has none, or it cannot be read.
        agrees: whether it is home's pointer.
        fault: why it could not be read, in words.
    """

    uri: str
    version: Version | None
    epoch: int | None
    agrees: bool
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One change of the pointer.

    Attributes:
        epoch: that it began.
        live: the version that was live afterwards.
        change: by whom, when and why.
        manifest: of that version; None if it cannot be read.
        headline: its figure; None if it has none.
        difference: of the figure to what was live before; None if nothing became live, or they do not compare.
    """

    epoch: int
    live: Version
    change: Change
    manifest: Manifest | None
    headline: Headline | None
    difference: float | None


@dataclass(frozen=True, slots=True)
class Numbered:
    """One number that was taken.

    Attributes:
        state: live, quarantined, retired, published, abandoned or in flight.
        decided: what decided it; None while it is in flight.
        headline: of a published version.
    """

    version: Version
    state: str
    decided: Manifest | AbandonedManifest | None
    headline: Headline | None


@dataclass(frozen=True, slots=True)
class Moves:
    """Some changes of the pointer, newest first.

    Attributes:
        older: the epoch with which the next page begins; None if there is none.
    """

    rows: list[Move]
    older: int | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """Some numbers that were taken, the highest first.

    Attributes:
        below: the number below which the next page begins; None if there is none.
    """

    rows: list[Numbered]
    below: Version | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict.

    Attributes:
        at: when it was kept, by the store's clock.
        record: the verdict with its evidence; None if it cannot be read.
    """

    key: str
    at: datetime
    record: DecisionRecord | None


@dataclass(frozen=True, slots=True)
class Decisions:
    """Some verdicts, the newest first.

    Attributes:
        after: how many newer ones stand before the next page; None if there is none.
        more: whether there are more verdicts than are looked at.
    """

    rows: list[Judged]
    after: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class Glance:
    """What is live, since when and where.

    Attributes:
        pointer: home's; None if nothing was released yet.
        began: the change by which the live version became live.
        manifest: of the live version; None if it cannot be read.
        places: what each destination says, home first.
        moves: the newest changes of the pointer.
        consumers: who says that they serve which version; None if their reports cannot be listed.
    """

    pointer: Pointer | None
    began: Change | None
    manifest: Manifest | None
    headline: Headline | None
    places: list[Place]
    moves: Moves
    consumers: Consumers | None


class Overview:
    """The releases of one model, for a reader who looks again and again.

    Args:
        releases: of the model.
        reports: the folder in which consumers report; None: `consumers/` at home.
    """

    def __init__(self, releases: ReleaseStore, reports: Store | None = None) -> None:
        self.memory = Remembered(releases.home)
        self._releases = releases
        self._remembered = ReleaseStore(cast("Store", self.memory))  # which is only read
        self._reports = reports

    def glance(self) -> Glance:
        """Return what is live and the newest moves.

        Raises:
            ModelReleaseError: home cannot be read.
        """
        live = catalog.read_pointer(self._releases.home)
        self.memory.requests += 1
        if live is None:
            place = Place(self._releases.uri, None, None, agrees=True)
            return Glance(None, None, None, None, [place], Moves([], None), self._consumers(None))
        pointer = live.pointer
        moves = self._moves(pointer, FIRST_ROWS)
        began = next((each.change for each in moves.rows if each.epoch == pointer.since), None)
        if began is None:
            logged = catalog.still_logged(self.memory, pointer.since)
            began = logged.change if logged else pointer.change
        manifest = self.manifest(pointer.version)
        places = [Place(self._releases.uri, pointer.version, pointer.epoch, agrees=True)]
        places += [_place(store, live.body) for store in self._releases.others]
        self.memory.requests += len(self._releases.others)
        return Glance(pointer, began, manifest, headline(manifest), places, moves, self._consumers(pointer))

    def _consumers(self, pointer: Pointer | None) -> Consumers | None:
        self.memory.requests += 1
        with suppress(ModelReleaseError):
            if self._reports is not None:
                return consumers(self._reports, pointer, below="")
            return consumers(self._releases.home, pointer)
        return None

    def moves(self, epoch: int) -> Moves:
        """Return the moves from an epoch on, newest first.

        Args:
            epoch: of an entry of the log.
        """
        newest = catalog.still_logged(self.memory, epoch)
        return self._moves(newest, ROWS) if newest else Moves([], None)

    def back(self, pointer: Pointer) -> Version | None:
        """Return what a rollback without a version would make live; None if there is nothing to go back to."""
        with suppress(ModelReleaseError):
            return live_before(self._remembered, pointer)
        return None

    def versions(self, below: Version | None = None) -> Numbers:
        """Return the numbers that were taken, the highest first.

        Args:
            below: the numbers below this one; None: all.

        Raises:
            ModelReleaseError: the store cannot be read.
        """
        live = catalog.read_pointer(self._releases.home)
        pointer = live.pointer if live else None
        rows: list[Numbered] = []
        for number in self._numbers(pointer, below):
            if len(rows) == ROWS:
                return Numbers(rows, rows[-1].version)
            decided = catalog.read_version(self.memory, number)
            release = decided if isinstance(decided, Manifest) else None
            rows.append(Numbered(number, catalog.state_of(number, decided, pointer), decided, headline(release)))
        return Numbers(rows, None)

    def decisions(self, after: int = 0) -> Decisions:
        """Return verdicts, accepted or not, the newest first.

        Args:
            after: how many newer ones to pass over.

        Raises:
            ModelReleaseError: the store cannot be listed.
        """
        listed = [*islice(self._releases.home.list(f"{layout.DECISIONS}/"), LISTED + 1)]
        self.memory.requests += 1 + len(listed) // 1000
        verdicts = [each for each in listed[:LISTED] if layout.is_verdict(each.key)]
        verdicts.sort(key=lambda each: (each.modified, each.key), reverse=True)
        rows = [Judged(each.key, each.modified, self._verdict(each.key)) for each in verdicts[after : after + ROWS]]
        following = after + ROWS
        return Decisions(rows, following if following < len(verdicts) else None, len(listed) > LISTED)

    def _verdict(self, key: str) -> DecisionRecord | None:
        with suppress(ModelReleaseError):
            stored = self.memory.get(key)
            return DecisionRecord.read(stored.body, where=f"{self.memory.uri}/{key}") if stored else None
        return None

    def manifest(self, version: Version) -> Manifest | None:
        """Return the manifest of a published version; None if there is none, or it cannot be read."""
        with suppress(ModelReleaseError):
            return catalog.published(self.memory, version)
        return None

    def _moves(self, newest: Pointer, rows: int) -> Moves:
        found: list[Move] = []
        entry: Pointer | None = newest
        while entry is not None and len(found) < rows:
            found.append(self._move(entry))
            entry = catalog.still_logged(self.memory, entry.epoch - 1) if entry.epoch > 1 else None
        return Moves(found, entry.epoch if entry else None)

    def _move(self, entry: Pointer) -> Move:
        manifest = self.manifest(entry.version)
        found, difference = headline(manifest), None
        before = entry.change.from_version
        if found and before is not None and before != entry.version:
            other = headline(self.manifest(before))
            if other and other.called == found.called:
                difference = found.measured.value - other.measured.value
        return Move(entry.epoch, entry.version, entry.change, manifest, found, difference)

    def _numbers(self, pointer: Pointer | None, below: Version | None) -> Iterator[Version]:
        """Yield the taken numbers downward: patches of a minor number have no gaps, and neither have minor numbers."""
        start = below or newest_number(self._releases, pointer)
        if start is None:
            return
        if below is None:
            yield start
        yield from self._downward(start)

    def _downward(self, start: Version) -> Iterator[Version]:
        number = start
        while True:
            if number.patch:
                number = replace(number, patch=number.patch - 1)
            elif number.minor:
                number = self._last(replace(number, minor=number.minor - 1), Bump.PATCH)
            elif number.major > 1:
                number = self._last(self._last(Version(number.major - 1, 0, 0), Bump.MINOR), Bump.PATCH)
            else:
                return
            yield number

    def _last(self, number: Version, bump: Bump) -> Version:
        """Return the last number that one kind of bump leads to; the number itself if there is none.

        Those numbers have no gaps: the step is doubled, then halved.
        """
        low, high = 0, 1
        while self._is_taken(number.next(bump, high)):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._is_taken(number.next(bump, middle)) else (low, middle)
        return number if low == 0 else number.next(bump, low)

    def _is_taken(self, number: Version) -> bool:
        return self.memory.get(layout.claim(number)) is not None


def headline(manifest: Manifest | None) -> Headline | None:
    """Return the first figure of a version's task, by which people tell it from others; None if it has none."""
    if manifest is None:
        return None
    kind = TASKS.get(manifest.answers.task)
    names = kind.headline if kind else ()
    for name in names:
        measured = manifest.metrics.get(name)
        if measured is not None:
            return _headline(kind, name, measured)
    if manifest.accuracy is not None:
        return Headline("accuracy", False, Measured(value=manifest.accuracy, on=manifest.accuracy_measured_on or ""))
    return None


def headline_of_verdict(record: DecisionRecord) -> Headline | None:
    """Return the first figure by which a verdict's candidate was judged; None if none was measured."""
    measured = record.decision.intervals
    for kind in TASKS.values():
        name = next((each for each in kind.headline if each in measured), None)
        if name is not None:
            found = measured[name]
            on = "cross-validation"
            return _headline(kind, name, Measured(value=found.mean, low=found.low, high=found.high, on=on))
    return None


def _headline(kind: TaskKind | None, name: str, measured: Measured) -> Headline:
    if kind is None:
        return Headline(name, False, measured)
    return Headline(kind.called(name), kind.less_is_better(name), measured)


def _place(store: Store, home: bytes) -> Place:
    """Return what a follower says. It may be unreachable, which is what a reader wants to know."""
    try:
        live = catalog.read_pointer(store)
    except ModelReleaseError as error:
        return Place(store.uri, None, None, agrees=False, fault=error.what)
    if live is None:
        return Place(store.uri, None, None, agrees=False, fault="it has no latest.json yet")
    return Place(store.uri, live.pointer.version, live.pointer.epoch, agrees=live.body == home)
