"""Notices: which event a run's end is, and its words for a chat, a mail and a machine."""

from __future__ import annotations

import json
from typing import Any

import pytest

from model_release.documents.version import Version
from model_release.errors import SpecError
from model_release.releases.request import Action
from model_release.spec.load import load_spec
from model_release.spec.notify import EVENTS, Channel
from model_release.workflows.messages import Failure, OperateOutcome
from model_release.workflows.notices import Notice, Told, of_act, of_deadline, of_failures, of_result
from model_release.workflows.result import RunResult
from support.quick_specs import quick_spec

TOLD = Told(model="churn", title="Churn", run="retrain_churn/night", links={"run": "http://airflow/run"})
RESULT: dict[str, Any] = {
    "ending": "nothing new",
    "summary": "so it ended",
    "version": None,
    "live": "v1.0.0",
    "epoch": 1,
    "since": None,
    "forced": None,
    "reasons": ["the loss is not lower"],
    "held": [],
    "lagging": [],
}


def result(**changes: Any) -> RunResult:
    return RunResult.model_validate(RESULT | changes)


def events(**changes: Any) -> list[str]:
    return [each.event for each in of_result(TOLD, result(**changes))]


@pytest.mark.parametrize(
    ("ending", "event"),
    [
        ("released", ["released"]),
        ("published", ["published"]),
        ("rejected", ["rejected"]),
        ("refused", ["rejected"]),
        ("failed", ["failed"]),
        ("reproduced", []),
        ("nothing new", []),
    ],
)
def test_each_ending_is_one_event_or_none(ending: str, event: list[str]) -> None:
    assert events(ending=ending) == event
    assert events(ending=ending, lagging=["cloud lags behind"]) == [*event, "lagging"]


def test_a_released_notice_has_version_reason_live_and_links() -> None:
    changes = {"ending": "released", "version": "v1.1.0", "live": "v1.1.0", "mlflow": "http://mlflow/#/run"}
    [found] = of_result(TOLD, result(**changes, forced="ann", held=["by ann: audit"], data=["2 rows dropped"]))
    assert (found.subject, str(found.version), str(found.live)) == ("Churn · released v1.1.0", "v1.1.0", "v1.1.0")
    assert found.details == [
        "the loss is not lower",
        "forced by ann",
        "live: v1.1.0, since epoch 1",
        "latest is held by ann: audit",
        "data: 2 rows dropped",
    ]
    assert found.links == {"run": "http://airflow/run", "MLflow": "http://mlflow/#/run"}


FAILURE = Failure(task="doctor", error="Corrupt", what="1 found\nmissing: v1.0.0", hint="repair", log=None)


def test_what_doctor_finds_is_an_event_of_its_own_and_a_store_that_is_away_is_not() -> None:
    [found] = of_failures(TOLD, [FAILURE], doctor="doctor")
    assert (found.event, found.details) == ("findings", ["missing: v1.0.0", "repair"])
    away = FAILURE.model_copy(update={"error": "StoreUnavailable"})
    assert [each.event for each in of_failures(TOLD, [away, FAILURE], doctor="doctor")] == ["findings", "failed"]


@pytest.mark.parametrize("action", Action)
def test_an_act_that_moves_latest_is_told(action: Action) -> None:
    done = OperateOutcome(live=Version(1, 0, 0), epoch=3, mended=[], lagging=[], summary="latest went back")
    found = [each.event for each in of_act(TOLD, action, done, by="ann", reason="worse")]
    assert found == {Action.ROLLBACK: ["rolled back"], Action.PROMOTE: ["released"]}.get(action, [])


def test_an_equal_end_makes_an_equal_notice_and_another_one_does_not() -> None:
    one, again = (next(of_result(TOLD, result(ending="rejected"))) for _ in range(2))
    other = next(of_result(TOLD, result(ending="rejected", reasons=["too few rows"])))
    assert one.digest == again.digest != other.digest


def test_words_of_data_are_escaped_and_cut_for_each_receiver() -> None:
    hostile = "<!channel> & <b>{{ 7 * 7 }}</b>\nBcc: all@example.org " + "x" * 600
    [found] = of_result(TOLD, result(ending="rejected", summary=hostile, reasons=[hostile] * 20))
    assert "<!channel>" not in found.slack and "&lt;!channel&gt; &amp;" in found.slack
    assert "<b>{{" not in found.mail and "&lt;b&gt;{{ 7 * 7 }}" in found.mail
    assert found.slack.count("•") == found.mail.count("<li>") == 13 and "and 9 more" in found.slack
    assert "\n" not in found.subject and len(found.slack) < 8_000
    sent = json.loads(json.dumps(found.to_json()))
    assert Notice.model_validate(sent) == found and len(sent["details"]) == 21


def test_a_late_run_is_named_with_its_hours() -> None:
    assert of_deadline(TOLD, 4).summary == "retrain_churn/night has not ended 4 hours after it was queued"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"notify": [{"to": "email", "connection": "smtp"}]}, "email needs addresses"),
        ({"notify": [{"to": "slack", "connection": "s", "addresses": ["a@b.org"]}]}, "addresses are for email"),
        ({"notify": [{"to": "email", "connection": "s", "addresses": ["a@b\nBcc: c@d"]}]}, "addresses"),
        ({"notify": [{"to": "slack", "connection": "s", "endpoint": "x"}]}, "endpoint is for webhook"),
        ({"notify": [{"to": "slack", "connection": "s", "on": ["relased"]}]}, "'released'"),
        ({"notify": [{"to": "slack", "connection": "s", "on": ["late"]}]}, "deadline_hours is not set"),
        ({"schedule": {"deadline_hours": 4}}, "no channel of notify has `late`"),
        ({"housekeeping": {"deadline_hours": 4}}, "deadline_hours"),
    ],
)
def test_what_would_tell_nobody_is_refused(tmp_path: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        load_spec(quick_spec(tmp_path, "heart_disease", **changes))


def test_by_default_a_channel_has_every_event() -> None:
    assert tuple(Channel(to="slack", connection="ml").on) == EVENTS
