"""What earlier verdicts mean for a run that comes later."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from model_release.documents.evaluation import Evaluation, Scores
from model_release.documents.pointer import Hold, Pointer
from model_release.documents.verdict import Decision
from model_release.documents.version import FIRST, Version
from model_release.releases.catalog import read_pointer
from model_release.releases.claims import abandon
from model_release.releases.decisions import DecisionRecord, judged, nothing_new, record
from model_release.releases.pointer_cas import move
from model_release.releases.store import ReleaseStore
from support.memory_store import MemoryStore
from support.release_builder import AS_OF, Chain, fingerprint_of, make

NIGHT = fingerprint_of("night")


def verdict(accepted: bool, *, since: int | None = 1, run: str = "run-night") -> DecisionRecord:
    return DecisionRecord(
        fingerprint=NIGHT,
        baseline=FIRST if since else None,
        since=since,
        run=run,
        staging=run,
        as_of=date(2024, 5, 1),
        judged_at=datetime(2024, 5, 1, 2, 0, tzinfo=UTC),
        decision=Decision(
            accepted=accepted,
            chosen="forest",
            reasons=["every floor holds"] if accepted else ["accuracy 0.71 is below 0.78"],
            checks=[],
            intervals={},
            comparison=None,
        ),
        evaluation=Evaluation(
            candidates={"forest": Scores(folds={"accuracy": [0.7, None]})},
            champion=None,
            rows=242,
            holdout_rows=61,
            folds=2,
            repeats=1,
            dummy_brier=0.25,
        ),
    )


def live(store: MemoryStore) -> Pointer | None:
    found = read_pointer(store)
    return found.pointer if found else None


@pytest.fixture
def home(memory: MemoryStore, tmp_path: Path) -> MemoryStore:
    """A store with one release live."""
    Chain(memory).release(make(tmp_path, "before"))
    return memory


def ask(home: MemoryStore, *, may_promote: bool = True) -> str | None:
    return nothing_new(ReleaseStore(home), live(home), NIGHT, may_promote=may_promote)


def test_a_fingerprint_that_nobody_knows_is_news(home: MemoryStore, memory: MemoryStore) -> None:
    assert ask(home) is None
    assert nothing_new(ReleaseStore(MemoryStore()), None, NIGHT, may_promote=True) is None


def test_a_rejection_stands_against_its_baseline_only(home: MemoryStore) -> None:
    record(ReleaseStore(home), verdict(False))
    said = ask(home)
    assert said is not None
    assert said.startswith("rejected against v1.0.0 already (decisions/")
    assert "accuracy 0.71 is below 0.78" in said
    pointer = live(home)
    assert pointer is not None
    moved = pointer.model_copy(update={"since": 2})
    assert nothing_new(ReleaseStore(home), moved, NIGHT, may_promote=True) is None
    assert nothing_new(ReleaseStore(home), None, NIGHT, may_promote=True) is None


def test_a_rejected_first_release() -> None:
    home = MemoryStore()
    record(ReleaseStore(home), verdict(False, since=None))
    said = nothing_new(ReleaseStore(home), None, NIGHT, may_promote=True)
    assert said is not None
    assert said.startswith("rejected before anything was live already")


def test_an_accepted_verdict_that_became_nothing_is_resumed(home: MemoryStore, tmp_path: Path) -> None:
    record(ReleaseStore(home), verdict(True))
    assert ask(home) is None
    Chain(home).claim(make(tmp_path, "night", since=1))
    assert ask(home) is None, "a number alone is not a release"


def test_a_number_given_up_is_no_release(home: MemoryStore, tmp_path: Path) -> None:
    record(ReleaseStore(home), verdict(True))
    claim = Chain(home).claim(make(tmp_path, "night", since=1))
    abandon(ReleaseStore(home), claim.metadata.version, by="housekeeping", reason="stale")
    assert ask(home) is None


def test_a_published_release(home: MemoryStore, tmp_path: Path) -> None:
    record(ReleaseStore(home), verdict(True))
    chain, made = Chain(home), make(tmp_path, "night", since=1)
    manifest = chain.publish(made)
    assert ask(home) is None, "it may become live now"
    assert (
        ask(home, may_promote=False) == "the same data, code, packages and parameters made v1.1.0, which is published"
    )
    chain.promote(manifest, since=1)
    for may_promote in (True, False):
        said = ask(home, may_promote=may_promote)
        assert said == "the same data, code, packages and parameters made v1.1.0, live since epoch 2"


def test_a_release_that_a_rule_keeps_from_being_live(home: MemoryStore, tmp_path: Path) -> None:
    record(ReleaseStore(home), verdict(True))
    Chain(home).publish(make(tmp_path, "night", since=1))
    hold = Hold(by="ada", reason="audit", at=datetime(2024, 6, 1, tzinfo=UTC), operation="op")

    def holding(holds: list[Hold]) -> None:
        def decide(current: Pointer | None) -> Pointer:
            assert current is not None
            return current.model_copy(
                update={"epoch": current.epoch + 1, "holds": holds, "write_id": str(current.epoch)}
            )

        move(ReleaseStore(home), decide)

    holding([hold])
    said = ask(home)
    assert said is not None
    assert said.startswith(
        "the same data, code, packages and parameters made v1.1.0, which is not live: latest is held"
    )
    holding([])
    assert ask(home) is None, "the hold was lifted, so it is promoted"


def test_a_release_that_others_have_passed(home: MemoryStore, tmp_path: Path) -> None:
    record(ReleaseStore(home), verdict(True))
    chain = Chain(home)
    chain.publish(make(tmp_path, "night", since=1, as_of=AS_OF))
    chain.release(make(tmp_path, "later", since=1, as_of=date(2024, 5, 9)), since=1)
    said = ask(home)
    assert said is not None
    assert "made v1.1.0, which is not live: latest only moves forward" in said


def test_a_published_release_without_a_pointer_is_resumed(memory: MemoryStore, tmp_path: Path) -> None:
    record(ReleaseStore(memory), verdict(True, since=None))
    Chain(memory).publish(make(tmp_path, "night"))
    assert ask(memory) is None
    assert "which is published" in str(ask(memory, may_promote=False))


def test_a_published_release_rejected_against_a_newer_baseline(home: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(home)
    chain.publish(make(tmp_path, "night", since=1, as_of=date(2024, 5, 9)))
    chain.release(make(tmp_path, "other", since=1), since=1)
    assert ask(home) is None
    record(ReleaseStore(home), verdict(False, since=2))
    assert str(ask(home)).startswith("rejected against v1.0.0 already")


def test_the_verdict_of_a_run_is_kept_once(home: MemoryStore) -> None:
    first = record(ReleaseStore(home), verdict(False))
    assert record(ReleaseStore(home), verdict(True)) == first, "the same run again: what it said first stands"
    other = record(ReleaseStore(home), verdict(True, run="run-other"))
    assert other.decision.accepted
    assert judged(ReleaseStore(home), NIGHT, 1) in (first, other)
    assert judged(ReleaseStore(home), NIGHT, 2) is None
    assert judged(ReleaseStore(home), NIGHT, None) is None


def test_versions_of_a_fingerprint_are_told_apart(home: MemoryStore) -> None:
    assert nothing_new(ReleaseStore(home), live(home), fingerprint_of("before"), may_promote=True) == (
        f"the same data, code, packages and parameters made {Version(1, 0, 0)}, live since epoch 1"
    )
