"""Asking a person: what they are shown, and what their answer means for the run and for those after it."""

from __future__ import annotations

from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.version import Version
from model_release.errors import Refused, SpecError
from model_release.releases.catalog import live_pointer, published, read_pointer, versions
from model_release.releases.decisions import ApprovalAnswer
from model_release.spec.load import load_spec
from model_release.workflows.messages import ApprovalResponse, ConsentOutcome, ReleaseOutcome
from model_release.workflows.retrain import RetrainRun
from support.quick_specs import quick_spec
from support.retrain_steps import Nights, judged

ASKS = {"approval": "required"}
YES = ApprovalResponse(approved=True, by="ada", comment="seen the card")
NO = ApprovalResponse(approved=False, by="bo", comment="the ward has moved")
NOBODY = ApprovalResponse(approved=False, by=None, comment="")


def proposed(nightly: RetrainRun) -> list[Any]:
    nightly.reconcile()
    _, proposals = judged(nightly)
    return proposals


def released(nightly: RetrainRun, orders: list[Any]) -> ReleaseOutcome:
    return nightly.update_latest([nightly.upload(each) for each in orders])


def test_the_evidence_and_the_answer(night: Nights) -> None:
    first = night(1, spec=ASKS)
    (proposal,) = proposed(first)
    assert proposal.subject.startswith("Release heart-disease-four-sites: logistic_regression, accuracy 0.")
    for words in ("from nothing to a new version", "| brier |", "✓ accuracy on cross-validation", "model card"):
        assert words.lower() in proposal.body.lower()
    assert versions(first.home) == [], "no number is taken before somebody has agreed"
    told, orders = first.consent([proposal], YES)
    assert told.summary.startswith("approved by ada, ")
    assert str(released(first, orders).live) == "v1.0.0"
    manifest = published(first.home, Version.parse("v1.0.0"))
    assert manifest.gate is not None
    assert manifest.gate.approved == told.summary
    assert live_pointer(first.home).change.reason == told.summary
    (second,) = proposed(night(8, spec=ASKS))
    assert "from v1.0.0, live since 20" in second.body
    assert " UTC (epoch 1) to a new version" in second.body
    assert "is a rejection." in second.body
    assert "What speaks against it" not in second.body


def test_a_question_about_a_forced_run_begins_with_what_speaks_against_it(night: Nights) -> None:
    strict = ASKS | {"gate": {"cross_validation": {"accuracy": 0.999}}}
    (proposal,) = proposed(night(1, spec=strict, promote="force"))
    assert proposal.subject.startswith("Release heart-disease-four-sites against the gate: ")
    first, second, third, *_ = proposal.body.splitlines()
    assert first == "#### What speaks against it"
    assert second == "- **the gate has rejected it, and ann has forced this run**"
    assert third.startswith("- ✗ accuracy on cross-validation is 0.")
    listed = proposal.body.split("#### What the gate says")[1].strip().splitlines()
    assert listed[0].startswith("- ✗ ")


def test_an_answer_by_a_person_whom_the_spec_does_not_name_is_refused_and_not_kept(night: Nights) -> None:
    first = night(1, spec=ASKS | {"approvers": {"users": ["ada"]}})
    proposals = proposed(first)
    with pytest.raises(Refused, match=r"bo has answered, and the spec's approvers\.users names ada"):
        first.consent(proposals, NO)
    assert not [each for each in first.home.list("decisions/") if f"/{layout.ANSWERS}/" in each.key]
    told, orders = first.consent(proposals, YES)
    assert told.approved
    assert orders


def test_a_rejection_stands_until_the_data_or_the_baseline_changes(night: Nights) -> None:
    first = night(1, spec=ASKS)
    told, orders = first.consent(proposed(first), NO)
    assert (told.approved, orders) == (False, [])
    assert read_pointer(first.home) is None
    assert versions(first.home) == []
    outcome, work = night(1, spec=ASKS, run_id="again").ingest()
    assert work == []
    assert "rejected by bo" in (outcome.reason or "")
    assert "the ward has moved already" in (outcome.reason or "")
    _, work = night(1, spec=ASKS, run_id="forced", force=True).ingest()
    assert work != []
    assert len(proposed(night(8, spec=ASKS))) == 1


def test_nobody_answering_is_a_rejection_of_that_run_alone(night: Nights) -> None:
    first = night(1, spec=ASKS)
    told, orders = first.consent(proposed(first), NOBODY)
    assert (told.summary, orders) == ("nobody answered in time, which is a rejection", [])
    assert len(proposed(night(1, spec=ASKS, run_id="again"))) == 1


def test_an_answer_given_late_holds_for_its_own_baseline_only(night: Nights) -> None:
    first = night(1, spec=ASKS)
    released(first, first.consent(proposed(first), YES)[1])
    slow, quick = night(15, spec=ASKS), night(8, spec=ASKS)
    waiting = proposed(slow)
    released(quick, quick.consent(proposed(quick), YES)[1])
    told, orders = slow.consent(waiting, YES)
    assert orders == []
    assert "another version became live meanwhile: a new run asks again" in told.summary
    assert str(live_pointer(slow.home).version) == "v1.1.0"
    again = night(15, spec=ASKS, run_id="again")
    assert str(released(again, again.consent(proposed(again), YES)[1]).live) == "v1.2.0"


def test_what_becomes_live_between_the_answer_and_the_swap_is_noticed(night: Nights) -> None:
    first = night(1, spec=ASKS)
    released(first, first.consent(proposed(first), YES)[1])
    slow, quick = night(15, spec=ASKS), night(8, spec=ASKS)
    _, orders = slow.consent(proposed(slow), YES)
    released(quick, quick.consent(proposed(quick), YES)[1])
    done = released(slow, orders)
    assert not done.promoted
    assert "the next run judges and asks again" in (done.reason or "")
    again = night(15, spec=ASKS, run_id="again")
    done = released(again, again.consent(proposed(again), YES)[1])
    assert (str(done.version), str(done.live)) == ("v1.1.0", "v1.1.0"), "the same bytes keep their number"


def test_the_first_answer_of_a_run_stands(night: Nights) -> None:
    first = night(1, spec=ASKS)
    proposal = proposed(first)
    first.consent(proposal, NO)
    told, orders = first.consent(proposal, YES)
    assert (told.approved, orders) == (False, [])
    (entry,) = [each for each in first.home.list("decisions/") if f"/{layout.ANSWERS}/" in each.key]
    stored = first.home.get(entry.key)
    assert stored is not None
    answer = ApprovalAnswer.read(stored.body, where=entry.key)
    assert (answer.by, answer.approved, answer.since) == ("bo", False, None)


def test_nobody_is_asked_about_what_cannot_become_live(night: Nights) -> None:
    backfill = night(1, spec=ASKS, promote="never")
    orders = proposed(backfill)
    assert [each.destination for each in orders] == ["local"]
    assert backfill.consent(orders, NOBODY) == (
        ConsentOutcome(asked=False, summary="nobody was to be asked"),
        orders,
    )
    rejected = night(8, spec=ASKS | {"gate": {"cross_validation": {"accuracy": 0.999}}})
    assert proposed(rejected) == []
    assert rejected.consent([], NOBODY)[1] == []


@pytest.mark.parametrize("approvers", [{"hours": 23}, {"hours": 0}, {"names": ["ada"]}])
def test_a_wait_longer_than_staging_is_kept_is_refused(tmp_path: Any, approvers: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="approvers"):
        load_spec(quick_spec(tmp_path, "heart_disease", approval="required", approvers=approvers))
