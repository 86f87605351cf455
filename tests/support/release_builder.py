"""Builders that tests share: a small but valid release, and the chain of steps that makes it live."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import Claim, DatasetFacts, FileEntry, GateVerdict, Manifest, Measured, RunFacts
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import FIRST, Bump
from model_release.errors import Retry
from model_release.releases.acts import Act
from model_release.releases.catalog import check_file, fetch, history, live_manifest, read_pointer
from model_release.releases.claims import take_number
from model_release.releases.promote import Promotion, follow, promote, refresh_latest
from model_release.releases.publish import place, seal, stage
from model_release.releases.store import ReleaseStore
from model_release.signing import SigningKey
from model_release.stores.base import Store
from support.memory_store import MemoryStore

AS_OF = date(2024, 5, 1)


def fingerprint_of(name: str) -> str:
    """Return the fingerprint of the made-up run called `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """What one made-up run has produced: files in a folder, and the manifest to be."""

    folder: Path
    draft: Manifest
    run: str


def make(
    folder: Path,
    name: str,
    *,
    run: str | None = None,
    as_of: date | None = AS_OF,
    schema_revision: int = 1,
    since: int | None = None,
    model: bytes | None = None,
    card: bool = True,
) -> Made:
    """Write a release's files and return them with their draft manifest.

    Args:
        folder: a new folder is made inside it.
        name: equal names have equal fingerprints and equal bytes.
        run: the run's id; by default one that is named after `name`.
        as_of: date of the data.
        schema_revision: of the spec.
        since: the baseline that the verdict was reached against.
        model: the model's bytes, where they shall not follow from the name.
        card: whether there is a card beside the model and its preprocessor.
    """
    run = layout.run_token(run or f"run-{name}")
    folder = folder / f"{run}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "best_model.pkl": model if model is not None else b"model of " + name.encode() * 10,
        "preprocessor.pkl": b"preprocessor of " + name.encode(),
    } | ({"model_card.html": f"<p>{name}, made by {run}</p>".encode()} if card else {})
    for path, body in contents.items():
        (folder / path).write_bytes(body)
    draft = Manifest(
        model_name="heart-disease",
        version=FIRST,
        trained_date=date(2024, 5, 2),
        accuracy=0.8525,
        accuracy_measured_on="holdout, 61 rows",
        model_file="best_model.pkl",
        preprocessor_file="preprocessor.pkl",
        framework="scikit-learn",
        python_version=platform.python_version(),
        dependencies=None,
        training_data="file:///data/heart-disease/processed",
        trained_at=datetime(2024, 5, 2, 2, 0, tzinfo=UTC),
        requirements={"scikit-learn": "1.9.1"},
        fingerprint=fingerprint_of(name),
        files=[FileEntry(path=path, size=len(body), sha256=sha256_of(body)) for path, body in contents.items()],
        metrics={"accuracy": Measured(value=0.8493, low=0.806, high=0.893, on="10x5 cross-validation")},
        gate=GateVerdict(accepted=True, reasons=["every floor holds"], decision=None, baseline=None, since=since),
        dataset=DatasetFacts(uri=None, fingerprint=fingerprint_of("data"), rows=303, as_of=as_of),
        schema_revision=schema_revision,
        parameters={"C": 1.0, "penalty": "l2", "max_iter": 100},
        seed=42,
        run=RunFacts(dag_id="retrain_heart_disease", run_id=run, run_type="manual"),
    )
    return Made(folder, draft, run)


@dataclass
class Chain:
    """The steps from `upload` to the copies, in the order in which the nightly chain takes them."""

    home: Store
    followers: Sequence[Store] = field(default=())
    key: SigningKey | None = None

    def claim(self, made: Made, *, bump: Bump | None = None) -> Claim:
        """Stage the files and take a number."""
        stage(ReleaseStore(self.home), made.run, made.folder, made.draft.files)
        return take_number(ReleaseStore(self.home), made.draft, run=made.run, bump=bump)

    def publish(self, made: Made, *, bump: Bump | None = None) -> Manifest:
        """Put the release in place everywhere; home's manifest comes last."""
        claim = self.claim(made, bump=bump)
        for target in [*self.followers, self.home]:
            place(ReleaseStore(self.home), claim, target, key=self.key)
        return seal(ReleaseStore(self.home), claim)

    def promote(self, manifest: Manifest, *, since: int | None = None) -> Promotion:
        """Make it live at home."""
        return promote(
            ReleaseStore(self.home),
            manifest,
            judged_since=since,
            by="retrain_heart_disease",
            reason="better",
            operation=manifest.run.run_id,
        )

    def spread(self) -> None:
        """Let followers and copies follow the pointer."""
        for follower in self.followers:
            follow(ReleaseStore(self.home), follower)
        for store in [self.home, *self.followers]:
            refresh_latest(store)

    def release(self, made: Made, *, since: int | None = None, bump: Bump | None = None) -> Promotion:
        """Take every step."""
        manifest = self.publish(made, bump=bump)
        promotion = self.promote(manifest, since=since)
        self.spread()
        return promotion

    def persist(self, made: Made, *, since: int | None = None, tries: int = 5) -> Promotion:
        """Take every step, again from the first one after each error that says so, as Airflow's retries do."""
        for _ in range(tries - 1):
            try:
                return self.release(made, since=since)
            except Retry:
                continue
        return self.release(made, since=since)


def begun(folder: Path, names: Iterable[str] = ("first",), *, home: MemoryStore | None = None) -> MemoryStore:
    """Return a store with releases that were made one after the other; the last one is live."""
    home = home or MemoryStore()
    since = None
    for days, name in enumerate(names):
        as_of = date(2024, 4, 1) + timedelta(days)
        promotion = Chain(home).release(make(folder, name, as_of=as_of, since=since), since=since)
        assert promotion.pointer is not None
        since = promotion.pointer.since
    return home


def act(operation: str, *, seen: int | None = None, by: str = "ada") -> Act:
    """Return what a person does, by the id of the act."""
    return Act(by=by, reason="a bad slice", operation=operation, seen=seen)


def assert_readable(store: Store) -> None:
    """Whoever follows the pointer now finds a whole, right release (or there is no pointer yet)."""
    live = read_pointer(store)
    if live is None:
        return
    manifest = live_manifest(store, live.pointer)
    for entry in manifest.files:
        fetch(store, layout.artifact(manifest.version, entry.path), entry, None)


def assert_settled(store: Store, *, log: bool = True) -> Pointer:
    """The pointer's release is right, the log has every epoch up to it, and `latest/` is its copy."""
    assert_readable(store)
    live = read_pointer(store)
    assert live is not None
    manifest = live_manifest(store, live.pointer)
    entries = [Pointer.read(_body(store, entry.key), where=entry.key) for entry in store.list(f"{layout.LOG}/")]
    assert entries[-1] == live.pointer
    if log:
        assert [entry.epoch for entry in entries] == list(range(1, live.pointer.epoch + 1))
    copies = {entry.key for entry in store.list(f"{layout.LATEST}/")}
    assert copies == {layout.latest_copy(each.path) for each in manifest.files} | {layout.latest_copy(layout.MANIFEST)}
    for each in manifest.files:
        fetch(store, layout.latest_copy(each.path), each, None)
    assert _body(store, layout.latest_copy(layout.MANIFEST)) == _body(store, layout.manifest(manifest.version))
    return live.pointer


def assert_lawful(home: Store) -> list[Kind]:
    """No epoch is missing from the log, each follows from the one before, and what is barred was never live.

    Returns:
        The kinds of change, first to last.
    """
    told = [*history(home)]
    assert [pointer.epoch for pointer in told] == list(range(1, len(told) + 1))
    for pointer in told:
        assert str(pointer.version) not in pointer.quarantined
        assert pointer.version not in pointer.retired
    for before, after in pairwise(told):
        assert after.change.from_version == before.version
        assert after.change.to_version == after.version
        assert {*before.retired} <= {*after.retired}
        moved = after.change.kind in (Kind.PROMOTE, Kind.ROLLBACK, Kind.RECOVER)
        assert after.since == (after.epoch if moved else before.since)
        assert moved or after.version == before.version
    return [pointer.change.kind for pointer in told]


def assert_files(folder: Path, manifest: Manifest) -> None:
    """A folder holds what the manifest lists."""
    for entry in manifest.files:
        check_file(folder / entry.path, entry, where=entry.path)


def _body(store: Store, key: str) -> bytes:
    stored = store.get(key)
    assert stored is not None, key
    return stored.body
