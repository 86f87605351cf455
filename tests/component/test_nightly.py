"""Whole nights without Airflow, on the shipped data: what the rules of a release mean for a run of the chain."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.base import canonical_json
from model_release.documents.pointer import Hold, Pointer, Quarantine
from model_release.documents.version import Version
from model_release.errors import Corrupt, Refused
from model_release.model_files import sandbox
from model_release.modelling.training.forms import golden_answers
from model_release.releases import acts
from model_release.releases.catalog import live_pointer, published, read_pointer, versions
from model_release.releases.decisions import DecisionRecord
from model_release.releases.pointer_cas import move
from model_release.releases.store import ReleaseStore
from model_release.spec.load import load_spec
from model_release.workflows.messages import (
    ApprovalResponse,
    ArtifactsOfRun,
    ConsentOutcome,
    Failure,
    IngestOutcome,
    ReconcileOutcome,
    ReleaseOutcome,
    RetrainOutcome,
    Uploaded,
    UploadOrder,
    Verdict,
)
from model_release.workflows.result import run_result
from model_release.workflows.retrain import RetrainRun
from support.retrain_steps import Nights, judged, through

OPENS = sandbox.check
NOBODY = ApprovalResponse(approved=False, by=None)


def test_each_arrival_is_one_release_and_a_night_without_news_is_none(night: Nights) -> None:
    for number, day in enumerate((1, 8, 15)):
        assert str(through(night(day)).live) == f"v1.{number}.0"
        outcome, work = night(day + 1).ingest()
        assert (work, outcome.new) == ([], False)
        assert f"made v1.{number}.0, live since epoch {number + 1}" in (outcome.reason or "")
    assert [str(each) for each in versions(night(15).home)] == ["v1.0.0", "v1.1.0", "v1.2.0"]
    gates = [night(15).releases.manifest(Version(1, minor, 0)).gate for minor in range(3)]
    assert [gate and gate.anchor for gate in gates] == [None, Version(1, 0, 0), Version(1, 0, 0)]


def test_a_run_that_is_overtaken_is_judged_again(night: Nights) -> None:
    through(night(1))
    slow = night(15)
    verdict, orders = judged(slow)
    assert str(verdict.baseline) == "v1.0.0"
    assert str(through(night(8)).live) == "v1.2.0"
    done = slow.update_latest([slow.upload(each) for each in orders])
    assert (str(done.version), str(done.live), done.epoch) == ("v1.1.0", "v1.1.0", 3)
    manifest = published(slow.home, Version.parse("v1.1.0"))
    keys = [each.key for each in slow.home.list(f"{layout.decisions_of(manifest.fingerprint)}/0")]
    assert [key.rpartition("/")[2][:12] for key in keys] == ["000000000001", "000000000002"]


def test_a_slower_run_on_older_data_publishes_and_says_why_latest_stays(night: Nights) -> None:
    through(night(1))
    slow = night(8)
    _, orders = judged(slow)
    through(night(15))
    done = slow.update_latest([slow.upload(each) for each in orders])
    assert not done.promoted
    assert "latest only moves forward" in (done.reason or "")
    assert str(done.live) == "v1.2.0"


def test_a_run_that_may_not_promote_publishes_and_announces_nothing(night: Nights) -> None:
    through(night(1))
    backfill = night(8, promote="never")
    done = through(backfill)
    assert (str(done.version), done.promoted, str(done.live)) == ("v1.1.0", False, "v1.0.0")
    assert backfill.announcement(None) is None
    outcome, work = night(8, run_id="again", promote="never").ingest()
    assert (work, outcome.new) == ([], False)


def test_a_published_version_is_promoted_by_the_night_that_may(night: Nights) -> None:
    through(night(1))
    through(night(8, promote="never"))
    done = through(night(9))
    assert (str(done.version), str(done.live), done.epoch) == ("v1.1.0", "v1.1.0", 2)
    assert [str(each) for each in versions(night(9).home)] == ["v1.0.0", "v1.1.0"]


def test_a_hold_stops_promotion_until_it_is_lifted(night: Nights) -> None:
    home = night(1).home
    through(night(1))
    hold = Hold(by="bob", reason="audit", at=datetime(2026, 10, 2, tzinfo=UTC), operation="h")

    def holds(each: list[Hold]) -> Callable[[Pointer | None], Pointer | None]:
        def decide(current: Pointer | None) -> Pointer | None:
            assert current is not None
            changes = {"holds": each, "epoch": current.epoch + 1, "write_id": f"w{current.epoch}"}
            return current.model_copy(update=changes)

        return decide

    move(ReleaseStore(home), holds([hold]))
    done = through(night(8))
    assert (str(done.version), done.promoted) == ("v1.1.0", False)
    assert "held at v1.0.0 by bob" in (done.reason or "")
    assert night(9).ingest()[1] == []
    move(ReleaseStore(home), holds([]))
    assert str(through(night(10)).live) == "v1.1.0"


def test_an_accepted_verdict_that_never_became_a_release_is_resumed(night: Nights) -> None:
    through(night(1))
    verdict, orders = judged(night(8))  # and then its machine was lost
    assert str(verdict.version) == "v1.1.0"
    assert orders
    done = through(night(9))
    assert (str(done.version), str(done.live)) == ("v1.1.0", "v1.1.0")


def test_a_rejection_can_be_overruled_and_the_manifest_says_by_whom(night: Nights) -> None:
    through(night(1))
    strict = {"gate": {"cross_validation": {"accuracy": 0.99}}}
    verdict, orders = judged(night(8, spec=strict))
    assert (verdict.accepted, orders) == (False, [])
    forced = through(night(8, spec=strict, run_id="forced", promote="force"))
    assert str(forced.live) == "v1.1.0"
    gate = published(night(8).home, Version.parse("v1.1.0")).gate
    assert gate is not None
    assert (gate.accepted, gate.overruled) == (False, "ann")


def test_a_risen_schema_revision_makes_a_major_version(night: Nights) -> None:
    through(night(1))
    assert str(through(night(8, spec={"schema_revision": 2})).live) == "v2.0.0"
    assert str(through(night(15, spec={"schema_revision": 2})).live) == "v2.1.0"


def test_a_forced_run_says_what_it_reproduced(night: Nights) -> None:
    through(night(1))
    verdict, orders = judged(night(2, force=True))
    assert (verdict.summary, orders) == ("reproduced v1.0.0 byte for byte", [])


def test_other_bytes_from_the_same_inputs_are_an_error(night: Nights) -> None:
    through(night(1))
    through(night(8, promote="never"))
    home = night(1).home
    key = "v1.1.0/metadata.json"
    stored = home.get(key)
    assert stored is not None
    manifest = json.loads(stored.body)
    for entry in manifest["files"]:
        entry["sha256"] = "0" * 64
    home.replace(key, canonical_json(manifest), stored.token)
    with pytest.raises(Corrupt, match=r"differs now"):
        judged(night(9, force=True))


def test_consumers_are_told_once_of_each_epoch(night: Nights) -> None:
    through(night(1))
    news = night(1).announcement(None)
    assert news is not None
    assert (str(news.version), news.epoch) == ("v1.0.0", 1)
    assert night(2).announcement(news.model_dump(mode="json")) is None
    through(night(8))
    assert night(8).announcement(news.model_dump(mode="json")) is not None


def test_the_pointer_names_the_run_and_who_started_it(night: Nights) -> None:
    through(night(1, run_type="scheduled"))
    change = live_pointer(night(1).home).change
    assert (change.by, change.reason) == ("ann", "scheduled run night-1")


def evidence(night: RetrainRun, verdict: Verdict) -> DecisionRecord:
    assert verdict.decision is not None
    stored = night.home.get(verdict.decision)
    assert stored is not None
    return DecisionRecord.read(stored.body, where="here")


def test_a_new_hospital_is_told_as_drift_and_stops_the_night_where_the_policy_says_so(night: Nights) -> None:
    through(night(1))
    verdict, _ = judged(night(8))
    assert verdict.accepted
    told = next(each for each in verdict.checks if each.name == "drift")
    assert told.warning
    assert told.words.startswith("the data has drifted since v1.0.0: ")
    policy = {**night(1).spec.gate.model_dump(mode="json"), "drift": {"policy": "stop"}}
    stopped, orders = judged(night(8, spec={"gate": policy}, run_id="strict"))
    assert (stopped.reasons, orders) == ([told.words], [])


def test_a_decision_record_holds_all_evidence_and_every_threshold(night: Nights) -> None:
    through(night(1))
    second = night(8)
    verdict, _ = judged(second)

    record = evidence(second, verdict)

    assert record.policy == second.spec.model_dump(mode="json", include={"choose", "gate", "forms"})
    facts = record.evaluation
    scores = facts.candidates["logistic_regression"]
    assert {each.column for each in scores.slices} == {"sex", "age", "site"}
    assert None not in scores.holdout_intervals.values()
    assert list(facts.costs["logistic_regression"].latency_p95_ms) == ["onnx", "pickle"]
    assert facts.drift is not None
    assert (facts.drift.rows_before, facts.drift.rows_now) == (303, 596)
    assert facts.champion is not None
    assert facts.champion.candidate == "logistic_regression"
    assert verdict.reasons[-1] == "the recipe is that of the live v1.0.0, on newer data"


def test_data_of_which_the_snapshot_is_gone_is_said_and_is_no_error(night: Nights, tmp_path: Path) -> None:
    through(night(1))
    for folder in (tmp_path / "store" / "datasets").glob("*/processed/*"):
        shutil.rmtree(folder)

    verdict, orders = judged(night(8))

    assert orders
    words = "drift of the data since v1.0.0 was not measured: its snapshot cannot be read: there is no such snapshot"
    assert words in verdict.reasons


def test_nothing_is_released_against_a_live_version_in_quarantine(night: Nights) -> None:
    through(night(1))

    def bar(current: Pointer | None) -> Pointer | None:
        assert current is not None
        entry = Quarantine(by="bob", reason="wrong labels", at=datetime(2026, 10, 2, tzinfo=UTC))
        changes = {"quarantined": {"v1.0.0": entry}, "epoch": current.epoch + 1, "write_id": "bar"}
        return current.model_copy(update=changes)

    move(ReleaseStore(night(1).home), bar)
    verdict, orders = judged(night(8))

    assert orders == []
    why = "the live v1.0.0 is no baseline, and there is no other: v1.0.0 is quarantined by bob: wrong labels"
    assert why in verdict.reasons


def test_what_answers_otherwise_in_a_clean_process_gets_no_number(
    night: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = night(1)
    monkeypatch.setattr(sandbox, "check", OPENS)

    def wrong(*fitted: Any) -> Any:
        answers = golden_answers(*fitted)
        return answers.model_copy(update={"probabilities": [1 - each for each in answers.probabilities]})

    monkeypatch.setattr("model_release.modelling.training.fitting.golden_answers", wrong)
    with pytest.raises(
        Refused, match=r"a clean process cannot serve this model\n  model\.onnx: ValueError: golden row 1"
    ):
        judged(first)
    assert versions(first.home) == []


def test_bytes_that_came_back_and_cannot_be_served_are_not_published(
    night: Nights, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    back = (tmp_path / "back").as_uri()
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "store").as_uri())
    both = {"destinations": [{"name": "home", "uri": "${MODEL_RELEASE_STORE}"}, {"name": "back", "uri": back}]}
    first = night(1, spec=both)
    _, orders = judged(first)
    seen: list[set[str]] = []

    def refuse(folder: Path, manifest: Any) -> None:
        seen.append({path.name for path in folder.iterdir()})
        assert seen[-1] == {entry.path for entry in manifest.files}
        raise Refused("cannot be served")

    monkeypatch.setattr(sandbox, "check", refuse)
    for order in orders:
        with pytest.raises(Refused, match="cannot be served"):
            first.upload(order)

    assert len(seen) == 2
    for store in first.destinations.releases.stores:
        assert store.get("v1.0.0/best_model.pkl") is not None
        assert store.get("v1.0.0/metadata.json") is None
        assert read_pointer(store) is None


FOUND = IngestOutcome(
    new=False, reason="the same as v1.0.0", rows=1, as_of=date(2026, 10, 1), snapshot="s", fingerprint="f"
)
REJECTED = Verdict(accepted=False, summary="lr: rejected", reasons=["low"])
REPRODUCED = Verdict(accepted=True, reproduced=True, summary="reproduced v1.0.0", reasons=[])
RELEASED = ReleaseOutcome(
    version=Version(1, 1, 0), promoted=True, reason=None, live=Version(1, 1, 0), epoch=2, mended=[], lagging=[]
)
FAILED = Failure(
    task="train [forest]",
    error="StoreUnavailable",
    what="the disk is full",
    hint="free some space",
    log="http://airflow/log",
)
HELD = RELEASED.model_copy(update={"promoted": False, "reason": "latest is held", "live": Version(1, 0, 0)})


@pytest.mark.parametrize(
    ("outcomes", "summary"),
    [
        ([FOUND], "nothing is new: the same as v1.0.0"),
        ([FOUND, REJECTED], "lr: rejected: low"),
        ([REPRODUCED], "reproduced v1.0.0"),
        ([ConsentOutcome(asked=True, summary="rejected by bo")], "rejected by bo"),
        ([ConsentOutcome(asked=False, summary="nobody was to be asked"), REJECTED], "lr: rejected: low"),
        ([RELEASED, ConsentOutcome(asked=True, summary="approved by ada")], "v1.1.0 is published and live"),
        ([HELD], "v1.1.0 is published and not live: latest is held"),
        (
            [REJECTED.model_copy(update={"overruled": "ann"}), RELEASED],
            "v1.1.0, forced by ann against the verdict, is published and live",
        ),
        ([FOUND, FAILED], "train [forest] failed: the disk is full"),
        (
            [FAILED, FAILED.model_copy(update={"task": "evaluate"})],
            "train [forest] failed: the disk is full (1 more failed: evaluate)",
        ),
        ([RELEASED, FAILED], "v1.1.0 is published and live, but train [forest] failed: the disk is full"),
    ],
)
def test_what_became_of_a_run(outcomes: list[RetrainOutcome], summary: str) -> None:
    assert run_result(outcomes, None).summary == summary


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        ([RELEASED], "released"),
        ([HELD], "published"),
        ([REJECTED.model_copy(update={"overruled": "ann"}), RELEASED], "released, forced"),
        ([RELEASED.model_copy(update={"lagging": ["gs://b lags behind"]})], "released, lagging"),
        ([FOUND, REJECTED], "rejected"),
        ([REPRODUCED], "reproduced"),
        ([ConsentOutcome(asked=True, summary="rejected by bo")], "refused"),
        ([FOUND], "nothing new"),
        ([FOUND, FAILED], "failed"),
    ],
)
def test_each_ending_of_a_night_has_a_headline_of_its_own(outcomes: list[RetrainOutcome], headline: str) -> None:
    note = run_result(outcomes, None).note()
    assert note.startswith(f"**Report: {headline}**\n\n")
    long = [FAILED.model_copy(update={"what": "x" * 3000}), *outcomes]
    assert len(run_result(long, None).note()) == 1000


def test_the_log_of_a_failed_night_has_the_summary_and_then_a_fact_a_line() -> None:
    assert [*run_result([REJECTED, FAILED], None).lines()] == [
        "train [forest] failed: the disk is full",
        "train [forest]: free some space (http://airflow/log)",
        "reason: low",
    ]


def test_what_any_task_found_to_lag_behind_is_in_the_result_once() -> None:
    order = UploadOrder(
        spec="0" * 64,
        destination="azure",
        version=Version(1, 1, 0),
        basis=ArtifactsOfRun(staging="s", snapshot="s", trained={}),
    )
    outcomes: list[RetrainOutcome] = [
        ReconcileOutcome(live=None, epoch=None, mended=[], lagging=["gs://b lags behind: no answer"]),
        FOUND,
        REJECTED.model_copy(update={"lagging": ["MLflow lags behind: no answer"]}),
        Uploaded(spec="0" * 64, order=order, sent=[], lagging="no answer"),
        RELEASED.model_copy(update={"lagging": ["gs://b lags behind: no answer"]}),
    ]
    assert run_result(outcomes, None).lagging == [
        "gs://b lags behind: no answer",
        "MLflow lags behind: no answer",
        "azure lags behind: no answer",
    ]


def test_what_ingest_did_to_the_rows_is_in_the_result() -> None:
    dropped = "2 of 920 rows are equal to an earlier one and dropped"
    found = FOUND.model_copy(update={"data": [dropped]})

    assert run_result([found, REJECTED], None).data == [dropped]


def test_the_result_of_a_run_that_releases_nothing_names_what_is_live_and_what_holds_it(night: Nights) -> None:
    through(night(1))
    acts.hold(night(1).releases, acts.Act(by="bob", reason="audit", operation="h"))
    idle = night(2)
    outcome, _ = idle.ingest()
    result = idle.report([outcome])
    assert (str(result.live), result.version, result.held) == ("v1.0.0", None, ["by bob: audit"])
    rejected = night(8, spec={"gate": {"cross_validation": {"accuracy": 0.99}}})
    assert str(rejected.report([judged(rejected)[0]]).live) == "v1.0.0"


EDITED = {"gate": {"cross_validation": {"accuracy": 0.5}}}


def test_a_run_stops_at_the_first_task_that_reads_another_spec(night: Nights) -> None:
    run, edited = night(1), night(1, spec=EDITED)
    _, work = run.ingest()
    trained = [run.train(each) for each in work]
    evaluated = run.evaluate(trained)
    _, orders = run.gate(evaluated)
    [order] = [each for each in orders if isinstance(each, UploadOrder)]
    uploaded = run.upload(order)
    steps: list[Callable[[], object]] = [
        lambda: edited.train(work[0]),
        lambda: edited.evaluate(trained),
        lambda: edited.gate(evaluated),
        lambda: edited.consent(orders, NOBODY),
        lambda: edited.upload(order),
        lambda: edited.update_latest([uploaded]),
    ]
    for step in steps:
        with pytest.raises(Refused, match="the spec was changed after this run began"):
            step()
    assert read_pointer(run.home) is None
    assert str(run.update_latest([uploaded]).live) == "v1.0.0"


def test_a_comment_or_the_order_of_keys_is_not_another_spec(night: Nights) -> None:
    run = night(1)
    _, work = run.ingest()
    path = run.spec.path
    path.write_text("# a word about the model\n" + path.read_text())
    again = RetrainRun(load_spec(path), run.run)
    assert again.train(work[0]).spec == work[0].spec
