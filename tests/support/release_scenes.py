"""What the proofs interrupt: each verb of a release as a scene, from how it begins to what is run, and run again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

from model_release.documents.manifest import Manifest
from model_release.documents.version import FIRST, Bump
from model_release.releases import acts, prune
from model_release.releases.catalog import published
from model_release.releases.publish import place
from model_release.releases.reconcile import reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.releases.sweep import sweep
from model_release.spec.retention import Retention
from model_release.stores.base import Entry, Store
from support.interposed_store import Interposed
from support.release_builder import Chain, Made, make

V110 = FIRST.next(Bump.MINOR)
V120 = V110.next(Bump.MINOR)

LATER = timedelta(days=40)
_SHORT = Retention(live_versions=1, days=1, other_versions=0, grace_hours=1)
FRESH = timedelta(seconds=2)
"""Two ticks of a store's clock."""

_BY_CHANCE = ("at", "lineage", "write_id")

Play = Callable[[Store, Sequence[Store], Path], object]


@dataclass(frozen=True, slots=True)
class Scene:
    """One verb.

    Attributes:
        begin: brings empty stores to where it begins; the path is a folder for the files of the releases.
        act: the verb, with what it takes to end well; another call of it is what a retry does.
    """

    begin: Play
    act: Play


class Later(Interposed):
    """The same store when some weeks have passed by its clock."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner, lambda request: request.perform())

    def now(self) -> datetime:
        return super().now() + LATER


def next_release(folder: Path, *, since: int = 1) -> Made:
    """The release that is made in these scenes, beside those that were made before."""
    return make(folder, "next", since=since, card=False)


def released(home: Store, followers: Sequence[Store], folder: Path, names: Iterable[str]) -> list[Manifest]:
    """Make releases live, one after the other, and return their manifests."""
    chain, since, done = Chain(home, followers), None, []
    for day, name in enumerate(names, start=1):
        manifest = chain.publish(make(folder, name, as_of=date(2024, 4, day), since=since, card=False))
        pointer = chain.promote(manifest, since=since).pointer
        assert pointer is not None
        chain.spread()
        since = pointer.since
        done.append(manifest)
    return done


def _one(home: Store, followers: Sequence[Store], folder: Path) -> None:
    released(home, followers, folder, ["first"])


def _publish(home: Store, followers: Sequence[Store], folder: Path) -> Manifest:
    return Chain(home, followers).publish(next_release(folder))


def _one_and_published(home: Store, followers: Sequence[Store], folder: Path) -> None:
    _one(home, followers, folder)
    _publish(home, followers, folder)


def _promote(home: Store, followers: Sequence[Store], folder: Path) -> None:
    chain = Chain(home, followers)
    done = chain.promote(published(home, V110), since=1)
    assert done.refusal is None
    chain.spread()


def _two(home: Store, followers: Sequence[Store], folder: Path) -> None:
    released(home, followers, folder, ["first", "second"])


def _roll_back(home: Store, followers: Sequence[Store], folder: Path) -> None:
    acts.rollback(ReleaseStore(home), acts.Act(by="a person", reason="worse", operation="click-1", seen=2))
    reconcile(ReleaseStore(home, [Follower(each) for each in followers]))


def _four(home: Store, followers: Sequence[Store], folder: Path) -> None:
    """Four versions; the first one is retired already, and the second one's turn has come."""
    released(home, followers, folder, ["first", "second", "third", "fourth"])
    prune.retire(ReleaseStore(home), [FIRST], acts.Act(by="housekeeping", reason="old", operation="prune-1"))
    Chain(home, followers).spread()


def _prune(home: Store, followers: Sequence[Store], folder: Path) -> None:
    act = acts.Act(by="housekeeping", reason="old", operation="prune-2")
    with agreeing():
        prune.prune(ReleaseStore(Later(home), [Follower(Later(each)) for each in followers]), _SHORT, act)


def _one_and_claimed(home: Store, followers: Sequence[Store], folder: Path) -> None:
    """A release, and a number that nobody has come back for."""
    _one(home, followers, folder)
    claim = Chain(home, followers).claim(make(folder, "died", card=False))
    for target in (*followers, home):
        place(ReleaseStore(home), claim, target)


def _sweep(home: Store, followers: Sequence[Store], folder: Path) -> None:
    with agreeing():
        sweep(ReleaseStore(Later(home), [Follower(Later(each)) for each in followers]), by="housekeeping", remove=True)


def flushing_nothing() -> AbstractContextManager[object]:
    """Do without waiting for the disk: what a killed process has written is there, flushed or not."""
    return mock.patch.object(os, "fsync", lambda _: None)


def agreeing() -> AbstractContextManager[object]:
    """Let this machine's clock agree with a store's that is weeks ahead."""
    return mock.patch.object(prune, "CLOCKS_APART", 2 * LATER)


def _release(home: Store, followers: Sequence[Store], folder: Path) -> None:
    Chain(home, followers).release(next_release(folder), since=1)


def _release_and_roll_back(home: Store, followers: Sequence[Store], folder: Path) -> None:
    _release(home, followers, folder)
    _roll_back(home, followers, folder)


SCENES: dict[str, Scene] = {
    "publish": Scene(_one, _publish),
    "promote": Scene(_one_and_published, _promote),
    "rollback": Scene(_two, _roll_back),
    "prune": Scene(_four, _prune),
    "sweep": Scene(_one_and_claimed, _sweep),
}

RELEASE = Scene(_one, _release)
ROLLED_BACK = Scene(_one, _release_and_roll_back)


class Eyes:
    """Sees what lies in a store. What was read once is not read again while it stays as it was written."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[Entry, bytes] = {}

    def bodies(self) -> dict[str, bytes]:
        """Return every object by its key."""
        return {entry.key: self._body(entry) for entry in self.store.list()}

    def _body(self, entry: Entry) -> bytes:
        if entry not in self._known:
            body = body_of(self.store, entry.key)
            if datetime.now(UTC) - entry.modified < FRESH:  # it may be written again within the same tick
                return body
            self._known[entry] = body
        return self._known[entry]


def body_of(store: Store, key: str) -> bytes:
    """Return an object that is there."""
    stored = store.get(key)
    assert stored is not None, f"{store.uri}/{key}"
    return stored.body


def plain(body: bytes) -> object:
    """Return an object without what chance and the clock have put into it."""
    try:
        return _without_chance(json.loads(body))
    except ValueError:  # a file
        return body


def _without_chance(value: object) -> object:
    if isinstance(value, dict):
        return {key: "" if key in _BY_CHANCE else _without_chance(each) for key, each in value.items()}
    return [_without_chance(each) for each in value] if isinstance(value, list) else value
