"""The healthy scene that is damaged: a home and a follower with a history, and what lies there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from model_release.documents import layout
from model_release.documents.evaluation import Evaluation, Scores
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.verdict import Decision
from model_release.documents.version import FIRST, Version
from model_release.releases import acts
from model_release.releases.acts import Act
from model_release.releases.claims import abandon
from model_release.releases.decisions import DecisionRecord, record
from model_release.releases.prune import remove_files, retire
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Store
from model_release.workflows.destinations import Destinations
from support.memory_store import MemoryStore, _Object
from support.release_builder import Chain, assert_settled, fingerprint_of, make

V110, V120, V130, V140, V150, V160 = (Version(1, minor, 0) for minor in range(1, 7))
LIVE = V130
EPOCH = 8
MODEL = "best_model.pkl"
POINTER = layout.POINTER
AGED = timedelta(days=3)
OLD = datetime(2024, 6, 1, 8, 30, tzinfo=UTC)


def build(chain: Chain, folder: Path) -> None:
    """Make the scene: releases, a rollback, a hold, one version retired, one never live, a number given up, one open.

    v1.0.0 retired   v1.1.0 went live twice   v1.2.0 quarantined   v1.3.0 live and held   v1.4.0 never live
    v1.5.0 given up  v1.6.0 on its way
    """
    home = chain.home

    def act(operation: str) -> Act:
        return Act(by="ada", reason=f"to {operation}", operation=operation)

    chain.release(make(folder, "a"))
    chain.release(make(folder, "b", since=1, model=b"the same model twice"), since=1)
    chain.release(make(folder, "c", since=2), since=2)
    acts.rollback(ReleaseStore(home), act("roll back"))
    chain.spread()
    acts.unhold(ReleaseStore(home), act("unhold"))
    chain.spread()
    chain.release(make(folder, "d", since=4), since=4)
    record(ReleaseStore(home), verdict("d"))
    chain.publish(make(folder, "e", since=6, as_of=date(2024, 4, 1), model=b"the same model twice"))
    chain.claim(make(folder, "f", since=6))
    abandon(ReleaseStore(home), V150, by="housekeeping", reason="stale")
    retire(ReleaseStore(home), [FIRST], act("make room"))
    chain.spread()
    for store in (home, *chain.followers):
        remove_files(store, FIRST)
    acts.hold(ReleaseStore(home), act("hold"))
    chain.spread()
    for entry in [*home.list(f"{layout.STAGING}/")]:
        home.delete(entry.key)
    chain.claim(make(folder, "g", since=6))


def verdict(name: str) -> DecisionRecord:
    """Return the verdict on a made-up run."""
    return DecisionRecord(
        fingerprint=fingerprint_of(name),
        baseline=V110,
        since=4,
        run=f"run-{name}",
        staging=f"run-{name}",
        as_of=date(2024, 5, 1),
        judged_at=OLD,
        decision=Decision(accepted=True, chosen="forest", reasons=["good"], checks=[], intervals={}, comparison=None),
        evaluation=Evaluation(
            candidates={"forest": Scores(folds={"accuracy": [0.8, None]})},
            champion=None,
            rows=242,
            holdout_rows=61,
            folds=2,
            repeats=1,
            dummy_brier=0.25,
        ),
    )


class Scene:
    """A home and a follower in memory, three days old but for what is on its way."""

    def __init__(self, folder: Path) -> None:
        self.home, self.follower = MemoryStore(), MemoryStore("memory://follower")
        build(Chain(self.home, [self.follower]), folder)
        self.age()
        self.healthy = self.state()

    @property
    def stores(self) -> tuple[MemoryStore, MemoryStore]:
        return self.home, self.follower

    @property
    def destinations(self) -> Destinations:
        return self.seen_through(lambda store: store)

    def seen_through(self, through: Callable[[Store], Store]) -> Destinations:
        return Destinations(through(self.home), [Follower(through(self.follower))])

    def state(self) -> list[dict[str, _Object]]:
        return [dict(store._objects) for store in self.stores]

    def reset(self, state: list[dict[str, _Object]] | None = None) -> None:
        for store, objects in zip(self.stores, state or self.healthy, strict=True):
            store._objects = dict(objects)

    def bodies(self, state: list[dict[str, _Object]] | None = None) -> list[dict[str, bytes]]:
        return [{key: each.body for key, each in objects.items()} for objects in state or self.state()]

    def age(self) -> None:
        """Let everything be three days old, but for the number that is on its way and its staging."""
        for store in self.stores:
            for key, each in store._objects.items():
                if not key.startswith((f"{V160}/", layout.STAGING)):
                    modified = min(each.modified, store.now() - AGED)
                    store._objects[key] = _Object(each.body, each.token, modified)

    def check(self) -> None:
        """Every destination has the live release whole, and the log and copies that go with it."""
        for store in self.stores:
            pointer = assert_settled(store)
            assert (pointer.version, pointer.epoch) == (LIVE, EPOCH)

    def body(self, key: str, store: MemoryStore | None = None) -> bytes:
        return (store or self.home)._objects[key].body

    def put(self, key: str, body: bytes, *stores: MemoryStore, age: timedelta = AGED) -> None:
        """Write an object at home, or at the stores that are named, as if it had been there for a while."""
        for store in stores or (self.home,):
            store._put(key, body)
            found = store._objects[key]
            store._objects[key] = _Object(body, found.token, store.now() - age)

    def drop(self, key: str, *stores: MemoryStore) -> None:
        """Remove an object, or a folder, at home or at the stores that are named."""
        for store in stores or (self.home,):
            found = [each for each in store._objects if each == key or (key.endswith("/") and each.startswith(key))]
            assert found, key
            for each in found:
                del store._objects[each]

    def pointer(self) -> Pointer:
        return Pointer.read(self.body(POINTER), where=POINTER)

    def rewrite(self, **update: object) -> bytes:
        """Change the pointer and its log entry everywhere, as only a hand can."""
        body = self.pointer().model_copy(update=update).to_bytes()
        for key in (POINTER, layout.log_entry(EPOCH)):
            self.put(key, body, *self.stores)
        return body

    def manifest(self, version: Version) -> Manifest:
        return Manifest.read(self.body(layout.manifest(version)), where=str(version))
