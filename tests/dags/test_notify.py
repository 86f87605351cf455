"""The task *Notify* of each DAG, and the deadline's callback: what a Slack, a mailbox and a webhook receive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from model_release.airflow_glue import notifying
from model_release.spec.notify import Channel
from model_release.stores.local import LocalStore
from model_release.workflows.notices import Told
from support.dag_runs import load, note, run, states
from support.receivers import CHANNELS, Receivers, receivers
from support.release_builder import Chain, make

RETRAIN, OPERATE, HOUSEKEEPING = (f"{verb}_heart_disease" for verb in ("retrain", "operate", "housekeeping"))
LATE = {"channels": CHANNELS, "model": "heart-disease", "title": "Heart disease", "hours": 4.0}
CONTEXT = {"dag_run": {"dag_id": RETRAIN, "dag_run_id": "night"}}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receivers]:
    with receivers() as found:
        for name, value in found.connections().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(notifying, "_TRIES", 1)
        yield found


@pytest.fixture
def home(specs: Callable[..., Path], tmp_path: Path) -> None:
    """Two releases of a model one after the other, told of through a channel of each kind."""
    specs(tracking=None, notify=CHANNELS)
    store = LocalStore(tmp_path / "store" / "heart-disease-models")
    chain = Chain(store)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)


def body_of(mail: EmailMessage) -> str:
    [part] = [each for each in mail.walk() if each.get_content_type() == "text/html"]
    return str(part.get_content())


class State(dict[str, Any]):
    """The state of a task, which outlives its tries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def test_what_was_sent_is_not_sent_by_a_second_try_and_what_was_not_is(
    told: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"task_state_store": State()}
    monkeypatch.setattr(notifying, "get_current_context", lambda: kept)
    channels = [Channel.model_validate(each) for each in CHANNELS]
    notice = Told(model="churn", title="Churn", run="retrain_churn/night").notice("rejected", "too few rows")
    told.refuse["/events"] = 503
    assert [each.split(" was not told")[0] for each in notifying._send(notice, channels)] == ["webhook hook events"]
    told.refuse.clear()
    assert [*notifying._send(notice, channels)] == []
    assert [*notifying._send(notice, channels)] == []
    assert ([path for path, _ in told.posted], len(told.mails)) == (["/services/T0/B0/a-secret", "/events"], 1)


def test_notify_ends_each_dag_where_the_spec_has_channels_alone(specs: Callable[..., Path]) -> None:
    specs(notify=CHANNELS, schedule={"deadline_hours": 4})
    for dag_id in (RETRAIN, OPERATE, HOUSEKEEPING):
        assert [each.task_id for each in load(dag_id).leaves] == ["notify"]
    [deadline] = load(RETRAIN).deadline
    assert deadline.interval.total_seconds() == 4 * 3600
    assert deadline.callback.path == "model_release.airflow_glue.notifying.tell_of_late_run"
    specs()
    assert not any("notify" in load(dag_id).task_ids for dag_id in (RETRAIN, OPERATE, HOUSEKEEPING))
    assert not load(RETRAIN).deadline


@pytest.mark.usefixtures("airflow_database", "home")
def test_a_rollback_is_told_once_through_each_channel(told: Receivers) -> None:
    done = run(OPERATE, action="rollback", reason="worse on <b>Mondays</b>", overrule=True)
    assert states(done)["notify"] == ["success"], states(done)
    [(slack, chat), (hook, event)] = told.posted
    assert (slack, hook) == ("/services/T0/B0/a-secret", "/events")
    assert "rolled back v1.0.0" in chat["text"] and "&lt;b&gt;Mondays" in chat["text"]
    assert (event["event"], event["version"], event["run"]) == ("rolled back", "v1.0.0", f"{OPERATE}/{done.run_id}")
    [mail] = told.mails
    assert (mail["x-to"], mail["from"]) == ("ml@example.org, ops@example.org", "airflow@example.org")
    assert mail["subject"].endswith("rolled back v1.0.0") and "&lt;b&gt;Mondays" in body_of(mail)


@pytest.mark.usefixtures("airflow_database", "home")
def test_a_receiver_that_is_away_fails_no_run_and_stands_in_its_note_without_the_secret(
    told: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    told.refuse["/services/T0/B0/a-secret"] = 500
    with caplog.at_level(logging.INFO):
        done = run(OPERATE, action="rollback", reason="worse", overrule=True)
    assert (str(done.state), told.refused, len(told.mails)) == ("success", 1, 1)
    words = note(done) or ""
    assert words.startswith("**Report: done") and "slack slack_ml was not told" in words
    assert "a-secret" not in words + caplog.text


@pytest.mark.usefixtures("airflow_database", "home")
def test_an_act_that_is_refused_is_told_and_the_run_stays_failed(told: Receivers) -> None:
    done = run(OPERATE, action="promote", version="v9.9.9", reason="try")
    assert (str(done.state), states(done)["notify"]) == ("failed", ["failed"])
    assert [body["event"] for _, body in told.posted if "event" in body] == ["failed"]
    assert "act failed" in told.posted[0][1]["text"]


@pytest.mark.usefixtures("airflow_database", "home")
def test_a_night_without_data_is_told_with_its_next_step(specs: Callable[..., Path], told: Receivers) -> None:
    specs(tracking=None, notify=[CHANNELS[2] | {"on": ["failed"]}, CHANNELS[0] | {"on": ["released"]}])
    done = run(RETRAIN, as_of="1980-01-01")
    assert (str(done.state), states(done)["report"], states(done)["notify"]) == ("failed", ["failed"], ["failed"])
    [(path, event)] = told.posted
    assert (path, event["event"]) == ("/events", "failed")
    assert "no data had arrived by 1980-01-01" in event["summary"]
    assert "choose a later as-of date" in event["details"][0]


@pytest.mark.usefixtures("airflow_database", "home")
def test_what_doctor_finds_is_told(tmp_path: Path, told: Receivers) -> None:
    (tmp_path / "store/heart-disease-models/v1.0.0/metadata.json").unlink()
    done = run(HOUSEKEEPING)
    assert states(done)["doctor"] == ["failed"] and str(done.state) == "failed"
    [event] = [body for path, body in told.posted if path == "/events"]
    assert event["event"] == "findings" and "v1.0.0" in " ".join(event["details"])


@pytest.mark.usefixtures("airflow_database")
def test_a_late_run_is_told_through_each_channel_also_where_one_is_away(
    told: Receivers, caplog: pytest.LogCaptureFixture
) -> None:
    told.refuse["/services/T0/B0/a-secret"] = 404
    asyncio.run(notifying.tell_of_late_run(**LATE, context=CONTEXT))
    assert [body["event"] for _, body in told.posted] == ["late"]
    assert len(told.mails) == 1 and "has not ended 4 hours" in body_of(told.mails[0])
    assert "slack slack_ml was not told" in caplog.text and "a-secret" not in caplog.text


def test_a_channel_that_does_not_listen_hears_nothing(told: Receivers) -> None:
    quiet: list[dict[str, Any]] = [each | {"on": ["released"]} for each in CHANNELS]
    asyncio.run(notifying.tell_of_late_run(**LATE | {"channels": quiet}, context=CONTEXT))
    assert (told.posted, told.mails) == ([], [])
