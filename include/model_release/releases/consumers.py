"""Who serves what: the newest report of each consumer, from one listing.

A report is what a consumer says of itself. Who may write below `consumers/` can forge one, and misleads a reader of
this list and nobody else: no release, and no other rule, goes by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from model_release.documents import layout
from model_release.documents.consumer import Served, read_key
from model_release.documents.pointer import Pointer
from model_release.stores.base import Entry, Store

MOST: Final = 1000
"""Reports that are looked at: a listing of one request."""

FORGOTTEN: Final = timedelta(days=90)
"""A consumer that has not reported for so long is forgotten by housekeeping."""

SUPERSEDED: Final = timedelta(days=1)
"""How old a report is at least that housekeeping removes because the same consumer has reported since."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """One consumer, as it last reported.

    Attributes:
        said: its label, the version that it serves, and the epoch that it followed.
        at: when, by the store's clock.
        lags: whether another version is live.
    """

    said: Served
    at: datetime
    lags: bool


@dataclass(frozen=True, slots=True)
class Consumers:
    """The consumers that report.

    Attributes:
        rows: those that lag first, then the newest report first.
        strange: objects in their folder that are no reports.
        more: whether there are more reports than are looked at.
    """

    rows: list[Consumer]
    strange: int
    more: bool


def consumers(store: Store, pointer: Pointer | None, *, below: str = f"{layout.CONSUMERS}/") -> Consumers:
    """Return the newest report of each consumer.

    Args:
        store: has the reports.
        pointer: home's.
        below: the folder of the reports, with a slash at its end.

    Raises:
        ModelReleaseError: the folder cannot be listed.
    """
    entries = [*islice(store.list(below), MOST + 1)]
    found: dict[str, Consumer] = {}
    strange = 0
    for entry in entries[:MOST]:
        said = read_key(entry.key.removeprefix(below))
        if said is None:
            strange += 1
        elif said.consumer not in found or entry.modified > found[said.consumer].at:
            lags = pointer is not None and said.version != pointer.version
            found[said.consumer] = Consumer(said, entry.modified, lags)
    rows = sorted(found.values(), key=lambda each: (not each.lags, -each.at.timestamp(), each.said.consumer))
    return Consumers(rows, strange, len(entries) > MOST)


def superseded(home: Store, now: datetime) -> Iterator[Entry]:
    """Yield the reports that say nothing any more: of a day before the consumer's newest, and of forgotten ones."""
    newest: dict[str, Entry] = {}
    below = f"{layout.CONSUMERS}/"
    for entry in home.list(below):
        said = read_key(entry.key.removeprefix(below))
        if said is None:
            continue
        before = newest.get(said.consumer)
        if before is None:
            newest[said.consumer] = entry
            continue
        older, newest[said.consumer] = sorted((before, entry), key=lambda each: each.modified)
        if older.modified < now - SUPERSEDED:
            yield older
    yield from (entry for entry in newest.values() if entry.modified < now - FORGOTTEN)
