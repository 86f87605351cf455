"""Kinds of damage to a healthy scene, each with what doctor must find of it: nothing less, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from model_release.documents import layout
from model_release.documents.evaluation import Evaluation, Scores
from model_release.documents.manifest import Abandoned, AbandonedManifest, Claim, Manifest
from model_release.documents.pointer import Hold, Pointer, Quarantine
from model_release.documents.verdict import Decision
from model_release.documents.version import FIRST, Version
from model_release.releases import acts
from model_release.releases.acts import Act
from model_release.releases.claims import Became, abandon
from model_release.releases.decisions import DecisionRecord, record
from model_release.releases.doctor.findings import Damage
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


@dataclass(frozen=True)
class Expected:
    """One thing that doctor must find."""

    kind: Damage
    store: MemoryStore
    key: str
    mends: bool

    @property
    def told(self) -> tuple[Damage, str, bool]:
        return self.kind, f"{self.store.uri}/{self.key}", self.mends


Do = Callable[[Scene], "list[Expected] | Expected"]


@dataclass(frozen=True)
class Case:
    """A kind of damage.

    Attributes:
        do: does it, and returns what must be found.
        deep: whether only reading every byte finds it.
        apart: beginnings of keys in which a mended scene differs from one that was never damaged.
        choices: whether a person is offered versions that may become live.
    """

    do: Do
    deep: bool
    apart: tuple[str, ...]
    choices: bool

    def __call__(self, scene: Scene) -> list[Expected]:
        found = self.do(scene)
        return found if isinstance(found, list) else [found]


CASES: dict[str, Case] = {}


def damage(*, deep: bool = False, apart: tuple[str, ...] = (), choices: bool = False) -> Callable[[Do], Do]:
    def kept(do: Do) -> Do:
        CASES[do.__name__] = Case(do, deep, apart, choices)
        return do

    return kept


def mended(kind: Damage, store: MemoryStore, key: str) -> Expected:
    return Expected(kind, store, key, mends=True)


def told(kind: Damage, store: MemoryStore, key: str) -> Expected:
    return Expected(kind, store, key, mends=False)


def flipped(body: bytes) -> bytes:
    """Return bytes of the same length, other bytes."""
    return body.translate(bytes((each + 1) % 256 for each in range(256)))


# ── the pointer ─────────────────────────────────────────────────────────────────────────────────────────────────────


@damage(choices=True)
def pointer_missing(scene: Scene) -> Expected:
    scene.drop(POINTER)
    return told(Damage.POINTER_MISSING, scene.home, POINTER)


@damage(choices=True)
def everything_at_home_is_gone(scene: Scene) -> list[Expected]:
    scene.home._objects.clear()
    return [
        told(Damage.POINTER_MISSING, scene.home, POINTER),
        *(told(Damage.VERSION_MISSING, scene.home, f"{each}/") for each in (V110, V120, V140)),
        mended(Damage.VERSION_MISSING, scene.home, f"{LIVE}/"),
    ]


@damage(choices=True)
def pointer_unreadable(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(POINTER)[:-200])
    return told(Damage.POINTER_UNREADABLE, scene.home, POINTER)


@damage()
def pointer_of_a_newer_format(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(POINTER).replace(b'"format": 1', b'"format": 2'))
    return told(Damage.UNREADABLE, scene.home, POINTER)


@damage(choices=True)
def pointer_with_another_home(scene: Scene) -> Expected:
    scene.rewrite(home="memory://elsewhere")
    return told(Damage.ANOTHER_HOME, scene.home, POINTER)


@damage(choices=True)
def live_version_in_quarantine(scene: Scene) -> Expected:
    entry = Quarantine(by="bo", reason="bad slice", at=OLD)
    scene.rewrite(quarantined={**scene.pointer().quarantined, str(LIVE): entry})
    return told(Damage.BARRED_LIVE, scene.home, POINTER)


# ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@damage()
def log_lacks_the_present_epoch(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(EPOCH))
    return mended(Damage.LOG_MISSING, scene.home, layout.log_entry(EPOCH))


@damage()
def log_of_a_follower_lacks_the_present_epoch(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(EPOCH), scene.follower)
    return mended(Damage.LOG_MISSING, scene.follower, layout.log_entry(EPOCH))


@damage()
def log_of_a_follower_lacks_an_epoch(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(3), scene.follower)
    return mended(Damage.LOG_MISSING, scene.follower, layout.log_entry(3))


@damage()
def log_lacks_an_epoch_that_another_has(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(3))
    return mended(Damage.LOG_MISSING, scene.home, layout.log_entry(3))


@damage()
def log_lacks_an_epoch_everywhere(scene: Scene) -> Expected:
    scene.drop(layout.log_entry(3), *scene.stores)
    return told(Damage.LOG_MISSING, scene.home, layout.log_entry(3))


@damage()
def log_unreadable_at_the_present_epoch(scene: Scene) -> Expected:
    scene.put(layout.log_entry(EPOCH), b"{}")
    return mended(Damage.LOG_UNREADABLE, scene.home, layout.log_entry(EPOCH))


@damage()
def log_unreadable(scene: Scene) -> Expected:
    scene.put(layout.log_entry(2), b"")
    return mended(Damage.LOG_UNREADABLE, scene.home, layout.log_entry(2))


@damage()
def log_under_a_wrong_name(scene: Scene) -> Expected:
    scene.put(layout.log_entry(3), scene.body(layout.log_entry(2)))
    return mended(Damage.LOG_UNREADABLE, scene.home, layout.log_entry(3))


@damage()
def log_of_a_follower_unreadable(scene: Scene) -> Expected:
    scene.put(layout.log_entry(2), b"", scene.follower)
    return mended(Damage.LOG_UNREADABLE, scene.follower, layout.log_entry(2))


@damage(choices=True)
def log_and_pointer_differ(scene: Scene) -> Expected:
    scene.put(layout.log_entry(EPOCH), scene.pointer().model_copy(update={"write_id": "another"}).to_bytes())
    return told(Damage.HISTORY_DIFFERS, scene.home, layout.log_entry(EPOCH))


@damage(choices=True)
def pointer_restored_from_a_backup(scene: Scene) -> list[Expected]:
    scene.put(POINTER, scene.body(layout.log_entry(3)))
    return [
        told(Damage.LOG_AHEAD, scene.home, layout.log_entry(EPOCH)),
        told(Damage.FORK, scene.follower, POINTER),
    ]


@damage()
def log_with_another_lineage(scene: Scene) -> Expected:
    entry = Pointer.read(scene.body(layout.log_entry(3)), where="")
    scene.put(layout.log_entry(3), entry.model_copy(update={"lineage": "0" * 32}).to_bytes())
    return told(Damage.LINEAGE_DIFFERS, scene.home, layout.log_entry(3))


@damage(deep=True)
def log_of_a_follower_differs(scene: Scene) -> Expected:
    body = scene.body(layout.log_entry(3)).replace(b'"reason": "better"', b'"reason": "BETTER"')
    scene.put(layout.log_entry(3), body, scene.follower)
    return told(Damage.HISTORY_DIFFERS, scene.follower, layout.log_entry(3))


# ── followers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@damage()
def follower_without_pointer(scene: Scene) -> Expected:
    scene.drop(POINTER, scene.follower)
    return mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER)


@damage()
def follower_with_an_unreadable_pointer(scene: Scene) -> Expected:
    scene.put(POINTER, b"not a pointer", scene.follower)
    return mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER)


@damage()
def follower_behind(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(layout.log_entry(6)), scene.follower)
    return mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER)


@damage()
def follower_of_a_newer_format(scene: Scene) -> Expected:
    scene.put(POINTER, scene.body(POINTER).replace(b'"format": 1', b'"format": 2'), scene.follower)
    return told(Damage.UNREADABLE, scene.follower, POINTER)


@damage(choices=True)
def follower_ahead(scene: Scene) -> Expected:
    scene.put(POINTER, scene.pointer().model_copy(update={"epoch": EPOCH + 1}).to_bytes(), scene.follower)
    return told(Damage.FORK, scene.follower, POINTER)


@damage(choices=True)
def follower_with_another_pointer_at_the_same_epoch(scene: Scene) -> Expected:
    scene.put(POINTER, scene.pointer().model_copy(update={"write_id": "another"}).to_bytes(), scene.follower)
    return told(Damage.FORK, scene.follower, POINTER)


@damage(choices=True)
def follower_of_another_lineage(scene: Scene) -> Expected:
    scene.put(POINTER, scene.pointer().model_copy(update={"lineage": "0" * 32}).to_bytes(), scene.follower)
    return told(Damage.FORK, scene.follower, POINTER)


@damage(apart=("v1.0.0/",))
def follower_emptied(scene: Scene) -> list[Expected]:
    scene.follower._objects.clear()
    lost = [mended(Damage.VERSION_MISSING, scene.follower, f"{each}/") for each in (V110, V120, V130, V140)]
    return [mended(Damage.FOLLOWER_BEHIND, scene.follower, POINTER), *lost]


# ── manifests and claims ────────────────────────────────────────────────────────────────────────────────────────────


@damage()
def live_manifest_missing(scene: Scene) -> Expected:
    scene.drop(layout.manifest(LIVE))
    return mended(Damage.MANIFEST_MISSING, scene.home, layout.manifest(LIVE))


@damage()
def live_manifest_changed(scene: Scene) -> Expected:
    scene.put(layout.manifest(LIVE), scene.manifest(LIVE).model_copy(update={"accuracy": 0.99}).to_bytes())
    return mended(Damage.MANIFEST_WRONG, scene.home, layout.manifest(LIVE))


@damage()
def live_manifest_only_in_latest(scene: Scene) -> list[Expected]:
    scene.drop(f"{LIVE}/metadata.json", *scene.stores)
    scene.drop(f"{LIVE}/claim.json", *scene.stores)
    return [
        each
        for store in scene.stores
        for each in (
            mended(Damage.MANIFEST_MISSING, store, f"{LIVE}/metadata.json"),
            told(Damage.CLAIM_MISSING, store, f"{LIVE}/claim.json"),
        )
    ]


@damage(choices=True)
def live_manifest_lost(scene: Scene) -> Expected:
    for key in (f"{LIVE}/metadata.json", f"{LIVE}/claim.json", "latest/metadata.json"):
        scene.drop(key, *scene.stores)
    return told(Damage.MANIFEST_MISSING, scene.home, f"{LIVE}/metadata.json")


@damage(choices=True)
def live_version_given_up(scene: Scene) -> Expected:
    scene.put(layout.manifest(LIVE), given_up(LIVE))
    return told(Damage.RELEASE_GIVEN_UP, scene.home, layout.manifest(LIVE))


@damage()
def older_manifest_unreadable(scene: Scene) -> Expected:
    scene.put(layout.manifest(V110), b"\x00" * 100)
    return mended(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V110))


@damage()
def manifest_of_another_version(scene: Scene) -> Expected:
    scene.put(layout.manifest(V120), scene.body(layout.manifest(V110)))
    return mended(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V120))


@damage()
def retired_manifest_missing(scene: Scene) -> Expected:
    scene.drop(layout.manifest(FIRST))
    return mended(Damage.MANIFEST_MISSING, scene.home, layout.manifest(FIRST))


@damage()
def manifest_that_nothing_vouches_for_unreadable(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), b"{")
    return told(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V140))


@damage()
def manifest_and_claim_differ(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), scene.manifest(V140).model_copy(update={"accuracy": 0.99}).to_bytes())
    return told(Damage.MANIFEST_WRONG, scene.home, layout.manifest(V140))


@damage()
def manifest_missing_at_a_follower(scene: Scene) -> Expected:
    scene.drop(layout.manifest(V140), scene.follower)
    return mended(Damage.MANIFEST_MISSING, scene.follower, layout.manifest(V140))


@damage()
def manifest_of_a_follower_changed(scene: Scene) -> Expected:
    body = scene.manifest(V140).model_copy(update={"accuracy": 0.99}).to_bytes()
    scene.put(layout.manifest(V140), body, scene.follower)
    return mended(Damage.MANIFEST_WRONG, scene.follower, layout.manifest(V140))


@damage()
def follower_gives_up_what_home_published(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), given_up(V140), scene.follower)
    return mended(Damage.MANIFEST_WRONG, scene.follower, layout.manifest(V140))


@damage()
def manifest_of_a_newer_format(scene: Scene) -> Expected:
    scene.put(layout.manifest(V140), scene.body(layout.manifest(V140)).replace(b'"format": 2', b'"format": 3'))
    return told(Damage.UNREADABLE, scene.home, layout.manifest(V140))


@damage()
def claim_missing(scene: Scene) -> Expected:
    scene.drop(layout.claim(V110))
    return mended(Damage.CLAIM_MISSING, scene.home, layout.claim(V110))


@damage()
def claim_missing_everywhere(scene: Scene) -> list[Expected]:
    scene.drop(layout.claim(V110), *scene.stores)
    return [told(Damage.CLAIM_MISSING, store, layout.claim(V110)) for store in scene.stores]


@damage()
def claim_unreadable(scene: Scene) -> Expected:
    scene.put(layout.claim(V140), b"[]")
    return mended(Damage.CLAIM_WRONG, scene.home, layout.claim(V140))


@damage()
def claim_of_another_run_at_a_follower(scene: Scene) -> Expected:
    claim = Claim.read(scene.body(layout.claim(V140)), where="").model_copy(update={"run": "another"})
    scene.put(layout.claim(V140), claim.to_bytes(), scene.follower)
    return mended(Damage.CLAIM_WRONG, scene.follower, layout.claim(V140))


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@damage()
def live_file_missing(scene: Scene) -> Expected:
    scene.drop(f"{LIVE}/{MODEL}")
    return mended(Damage.FILE_MISSING, scene.home, f"{LIVE}/{MODEL}")


@damage()
def live_file_cut_short(scene: Scene) -> Expected:
    scene.put(f"{LIVE}/{MODEL}", scene.body(f"{LIVE}/{MODEL}")[:-1])
    return mended(Damage.FILE_WRONG, scene.home, f"{LIVE}/{MODEL}")


@damage(deep=True)
def live_file_rotten(scene: Scene) -> Expected:
    scene.put(f"{LIVE}/{MODEL}", flipped(scene.body(f"{LIVE}/{MODEL}")))
    return mended(Damage.FILE_WRONG, scene.home, f"{LIVE}/{MODEL}")


@damage()
def live_file_only_in_latest(scene: Scene) -> list[Expected]:
    scene.drop(f"{LIVE}/{MODEL}", *scene.stores)
    scene.put(f"latest/{MODEL}", flipped(scene.body(f"latest/{MODEL}")), scene.follower)
    return [mended(Damage.FILE_MISSING, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage(apart=("staging/",))
def live_file_only_in_staging(scene: Scene) -> list[Expected]:
    body = scene.body(f"{LIVE}/{MODEL}")
    scene.put(layout.staged("run", scene.manifest(LIVE).file(MODEL).sha256), body, age=timedelta())
    for folder in (LIVE, "latest"):
        scene.drop(f"{folder}/{MODEL}", *scene.stores)
    return [mended(Damage.FILE_MISSING, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage(choices=True)
def live_file_lost(scene: Scene) -> list[Expected]:
    for folder in (LIVE, "latest"):
        scene.drop(f"{folder}/{MODEL}", *scene.stores)
    return [told(Damage.FILE_MISSING, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage(deep=True, choices=True)
def live_file_rotten_everywhere(scene: Scene) -> list[Expected]:
    for folder in (LIVE, "latest"):
        scene.put(f"{folder}/{MODEL}", flipped(scene.body(f"{folder}/{MODEL}")), *scene.stores)
    return [told(Damage.FILE_WRONG, store, f"{LIVE}/{MODEL}") for store in scene.stores]


@damage()
def file_that_another_version_has_too(scene: Scene) -> list[Expected]:
    scene.drop(f"{V140}/{MODEL}", *scene.stores)
    return [mended(Damage.FILE_MISSING, store, f"{V140}/{MODEL}") for store in scene.stores]


@damage(deep=True)
def file_of_a_quarantined_version_rotten(scene: Scene) -> Expected:
    scene.put(f"{V120}/{MODEL}", flipped(scene.body(f"{V120}/{MODEL}")))
    return mended(Damage.FILE_WRONG, scene.home, f"{V120}/{MODEL}")


@damage()
def file_missing_at_a_follower(scene: Scene) -> Expected:
    scene.drop(f"{V110}/{MODEL}", scene.follower)
    return mended(Damage.FILE_MISSING, scene.follower, f"{V110}/{MODEL}")


@damage()
def version_missing_at_a_follower(scene: Scene) -> Expected:
    scene.drop(f"{V140}/", scene.follower)
    return mended(Damage.VERSION_MISSING, scene.follower, f"{V140}/")


@damage()
def version_missing_at_home(scene: Scene) -> Expected:
    scene.drop(f"{V110}/")
    return mended(Damage.VERSION_MISSING, scene.home, f"{V110}/")


@damage()
def version_that_home_knows_nothing_of(scene: Scene) -> Expected:
    scene.drop(f"{V140}/")
    return told(Damage.VERSION_MISSING, scene.home, f"{V140}/")


@damage()
def retired_files_left(scene: Scene) -> Expected:
    for epoch in range(1, EPOCH):
        redate(scene, epoch, -AGED)
    scene.put(f"{FIRST}/{MODEL}", b"left")
    return told(Damage.RETIRED_FILES, scene.home, f"{FIRST}/")


# ── latest/ ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@damage()
def copy_missing(scene: Scene) -> Expected:
    scene.drop("latest/metadata.json")
    return mended(Damage.COPY_MISSING, scene.home, "latest/metadata.json")


@damage()
def copies_missing_at_a_follower(scene: Scene) -> list[Expected]:
    names = [key for key in scene.follower._objects if key.startswith("latest/")]
    scene.drop("latest/", scene.follower)
    return [mended(Damage.COPY_MISSING, scene.follower, key) for key in names]


@damage(deep=True)
def copy_rotten(scene: Scene) -> Expected:
    scene.put(f"latest/{MODEL}", flipped(scene.body(f"latest/{MODEL}")))
    return mended(Damage.COPY_WRONG, scene.home, f"latest/{MODEL}")


@damage()
def copies_of_an_older_version(scene: Scene) -> list[Expected]:
    for path in (MODEL, "metadata.json"):
        scene.put(f"latest/{path}", scene.body(f"{V110}/{path}"))
    return [mended(Damage.COPY_WRONG, scene.home, f"latest/{path}") for path in (MODEL, "metadata.json")]


@damage()
def copy_of_nothing(scene: Scene) -> Expected:
    scene.put("latest/left_over.bin", b"of an older version", scene.follower)
    return mended(Damage.COPY_EXTRA, scene.follower, "latest/left_over.bin")


# ── what runs that died have left ───────────────────────────────────────────────────────────────────────────────────


@damage(apart=("v1.6.0/", "staging/"))
def claim_that_nobody_came_back_for(scene: Scene) -> list[Expected]:
    for key in [key for key in scene.home._objects if key.startswith((f"{V160}/", "staging/"))]:
        scene.put(key, scene.body(key))
    staging = next(key for key in scene.home._objects if key.startswith("staging/")).rpartition("/")[0]
    return [
        mended(Damage.LITTER, scene.home, f"{V160}/"),
        mended(Damage.LITTER, scene.home, f"{staging}/"),
    ]


@damage(apart=("v1.9.0/",))
def files_without_a_claim(scene: Scene) -> Expected:
    scene.put(f"v1.9.0/{MODEL}", b"whose?")
    return mended(Damage.LITTER, scene.home, "v1.9.0/")


@damage()
def old_staging(scene: Scene) -> Expected:
    scene.put(layout.staged("run-of-old", "0" * 64), b"made by a run that died", scene.follower)
    return mended(Damage.LITTER, scene.follower, "staging/run-of-old/")


@damage()
def files_of_a_number_that_was_given_up(scene: Scene) -> Expected:
    scene.put(f"{V150}/{MODEL}", b"left")
    return mended(Damage.LITTER, scene.home, f"{V150}/")


@damage(apart=("v1.5.0/",))
def follower_has_published_what_home_gave_up(scene: Scene) -> Expected:
    claim = Claim.read(scene.body(layout.claim(V150)), where="")
    scene.put(layout.claim(V150), claim.to_bytes(), scene.follower)
    scene.put(f"{V150}/{MODEL}", b"left", scene.follower)
    scene.put(layout.manifest(V150), claim.metadata.to_bytes(), scene.follower)
    return mended(Damage.LITTER, scene.follower, f"{V150}/")


# ── verdicts ────────────────────────────────────────────────────────────────────────────────────────────────────────


@damage()
def verdict_unreadable(scene: Scene) -> Expected:
    scene.put(verdict("d").key, b"{}")
    return told(Damage.VERDICT_UNREADABLE, scene.home, verdict("d").key)


@damage()
def verdict_under_a_wrong_name(scene: Scene) -> Expected:
    key = layout.decision(fingerprint_of("e"), 4, "run-d")
    scene.put(key, verdict("d").to_bytes())
    return told(Damage.VERDICT_MISPLACED, scene.home, key)


@damage()
def version_record_missing(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.drop(key)
    return mended(Damage.RECORD_MISSING, scene.home, key)


@damage()
def version_record_unreadable(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.put(key, b"v1.4.0")
    return told(Damage.RECORD_WRONG, scene.home, key)


@damage()
def version_record_of_no_version(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.put(key, Became(version=Version(9, 0, 0)).to_bytes())
    return told(Damage.RECORD_WRONG, scene.home, key)


@damage()
def version_record_of_another_fingerprint(scene: Scene) -> Expected:
    key = layout.version_of(fingerprint_of("e"))
    scene.put(key, Became(version=V110).to_bytes())
    return told(Damage.RECORD_WRONG, scene.home, key)


@damage()
def one_fingerprint_released_twice(scene: Scene) -> Expected:
    version = Version(1, 7, 0)
    manifest = scene.manifest(V140).model_copy(update={"version": version})
    claim = Claim(run="another", metadata=manifest)
    for entry in manifest.files:
        scene.put(f"{version}/{entry.path}", scene.body(f"{V140}/{entry.path}"), *scene.stores)
    scene.put(layout.claim(version), claim.to_bytes(), *scene.stores)
    scene.put(layout.manifest(version), manifest.to_bytes(), *scene.stores)
    return told(Damage.RELEASED_TWICE, scene.home, layout.version_of(manifest.fingerprint))


# ── what no manifest names, and what each object by itself does not show ────────────────────────────────────────────


@damage()
def file_of_no_manifest(scene: Scene) -> Expected:
    scene.put(f"{LIVE}/notes.txt", b"for whom?")
    return told(Damage.FILE_EXTRA, scene.home, f"{LIVE}/notes.txt")


@damage()
def second_model_below_a_version_at_a_follower(scene: Scene) -> list[Expected]:
    for path in ("old/best_model.pkl", "best_model.pkl.bak"):
        scene.put(f"{V110}/{path}", b"another model", scene.follower)
    return [
        told(Damage.FILE_EXTRA, scene.follower, f"{V110}/{path}")
        for path in ("old/best_model.pkl", "best_model.pkl.bak")
    ]


@damage()
def file_of_no_manifest_in_a_quarantined_version(scene: Scene) -> Expected:
    scene.put(f"{V120}/METADATA.json", b"{}")
    return told(Damage.FILE_EXTRA, scene.home, f"{V120}/METADATA.json")


@damage()
def foreign_names_beside_versions(scene: Scene) -> list[Expected]:
    for key in ("v1.3.0.bak/best_model.pkl", "v1.3.0.bak/metadata.json", "README.md", "V1.3.0/best_model.pkl"):
        scene.put(key, b"by hand")
    return [told(Damage.FOREIGN, scene.home, key) for key in ("v1.3.0.bak/", "README.md", "V1.3.0/best_model.pkl")]


@damage()
def foreign_names_in_the_log_and_among_verdicts(scene: Scene) -> list[Expected]:
    for key in ("log/8.json", "decisions/notes.txt"):
        scene.put(key, b"by hand", scene.follower, scene.home)
    return [told(Damage.FOREIGN, store, key) for store in scene.stores for key in ("log/8.json", "decisions/notes.txt")]


@damage()
def object_with_the_name_of_a_folder(scene: Scene) -> list[Expected]:
    for key in (f"{V140}", "log", "v1.3.0/"):
        scene.put(key, b"")
    return [told(Damage.FOREIGN, scene.home, key) for key in (f"{V140}", "log")]


@damage()
def hold_of_long_ago(scene: Scene) -> Expected:
    scene.rewrite(holds=[Hold(by="ada", reason="holidays", at=OLD, operation="hold"), *scene.pointer().holds])
    return told(Damage.LONG_HOLD, scene.home, POINTER)


@damage()
def log_whose_times_go_back(scene: Scene) -> list[Expected]:
    for epoch in (3, 4):
        redate(scene, epoch, -AGED)
    return [told(Damage.TIME_DIFFERS, scene.home, layout.log_entry(epoch)) for epoch in (3, 4)]


@damage()
def log_from_the_future(scene: Scene) -> Expected:
    redate(scene, 5, timedelta(days=400))
    return told(Damage.TIME_DIFFERS, scene.home, layout.log_entry(5))


@damage()
def pointer_from_the_future(scene: Scene) -> Expected:
    change = scene.pointer().change
    scene.rewrite(change=change.model_copy(update={"at": change.at + AGED}))
    return told(Damage.TIME_DIFFERS, scene.home, layout.log_entry(EPOCH))


@damage()
def version_of_another_model(scene: Scene) -> Expected:
    manifest = scene.manifest(V140).model_copy(update={"model_name": "wine-quality"})
    claim = Claim.read(scene.body(layout.claim(V140)), where="").model_copy(update={"metadata": manifest})
    scene.put(layout.claim(V140), claim.to_bytes(), *scene.stores)
    scene.put(layout.manifest(V140), manifest.to_bytes(), *scene.stores)
    return told(Damage.ANOTHER_MODEL, scene.home, layout.manifest(V140))


def redate(scene: Scene, epoch: int, by: timedelta) -> None:
    """Change the time of an entry of the log everywhere, as only a hand can, or a clock that was set."""
    entry = Pointer.read(scene.body(layout.log_entry(epoch)), where="")
    change = entry.change.model_copy(update={"at": entry.change.at + by})
    scene.put(layout.log_entry(epoch), entry.model_copy(update={"change": change}).to_bytes(), *scene.stores)


def given_up(version: Version) -> bytes:
    """Return the note that a number was given up."""
    return AbandonedManifest(version=version, abandoned=Abandoned(by="bo", reason="stale", at=OLD)).to_bytes()
