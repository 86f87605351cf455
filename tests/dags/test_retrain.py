"""The DAG `retrain_<model>`: its graph, what parsing it costs, and whole runs of the chain on real data."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from model_release.documents.version import FIRST
from model_release.errors import SpecError, UsageError
from model_release.signing import verify
from model_release.spec.summary import Summary, summaries
from support.dag_runs import DAGS, load, note, run, states, xcom
from support.signing_keys import pem_of, private_key, public_pem
from support.statsd import Receiver

CHAIN = ["reconcile", "ingest", "train", "evaluate", "gate", "upload", "update_latest", "announce", "report"]
DAG = "retrain_heart_disease"


def pointer(tmp_path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((tmp_path / "store/heart-disease-models/latest.json").read_text())
    return value


def test_the_graph_is_the_designed_chain(specs: Callable[..., Path]) -> None:
    specs()
    dag = load(DAG)
    assert [task.task_id for task in dag.topological_sort()] == CHAIN
    for task_id, following in zip(CHAIN, [*CHAIN[1:], None], strict=True):
        assert dag.get_task(task_id).downstream_task_ids == ({following} if following else set())
    mapped = {task.task_id for task in dag.tasks if task.is_mapped}
    assert mapped == {"train", "upload"}


def test_the_nightly_interval_is_a_day_and_nothing_is_caught_up(specs: Callable[..., Path]) -> None:
    specs()
    dag = load(DAG)
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("0 2 * * *", "UTC")
    assert dag.timetable.interval == timedelta(days=1)
    assert not dag.catchup


@pytest.mark.usefixtures("airflow_database")
def test_nights_in_a_row(specs: Callable[..., Path], tmp_path: Path, listen: Callable[..., Receiver]) -> None:
    """Released; nothing new; forced; rejected: each with the states that a person sees in the grid, and its metrics."""
    specs()
    receiver = listen(tags=True)
    first = run(DAG)
    assert str(first.state) == "success"
    assert states(first) == {name: ["success"] * (2 if name == "train" else 1) for name in CHAIN}
    released = pointer(tmp_path)
    assert (released["version"], released["epoch"], released["change"]["kind"]) == ("v1.0.0", 1, "first")
    assert xcom(first, "gate", "verdict")["accepted"]
    assert xcom(first, "update_latest")["promoted"]
    told = xcom(first, "report")
    assert (told["ending"], told["summary"]) == ("released", "v1.0.0 is published and live")
    said = note(first) or ""
    assert said.startswith("**Report: released**\n\nv1.0.0 is published and live\n\n- live: v1.0.0, since 20")
    assert said.endswith(" UTC (epoch 1)")
    measured, model = receiver.read(), "model=heart-disease"
    assert {name for name, value in measured.items() if name.startswith("runs,") and value} == {
        f"runs,{model},ending=released"
    }
    began, ended = first.start_date.timestamp(), first.end_date.timestamp()
    assert measured[f"run.ended_timestamp_seconds,{model},ending=released"] == pytest.approx(ended)
    assert measured[f"run.duration_seconds,{model}"] == pytest.approx(ended - began)
    assert 0 < measured[f"task.duration_seconds,{model},task=train"] < ended - began
    assert began < measured[f"latest.since_timestamp_seconds,{model}"] < ended
    assert measured[f"destination.epoch,{model},destination=local"] == 1

    idle = run(DAG)
    assert str(idle.state) == "success"
    assert states(idle) == {name: ["success" if name in (*CHAIN[:2], "report") else "skipped"] for name in CHAIN}
    assert "v1.0.0" in xcom(idle, "ingest", "outcome")["reason"]
    assert xcom(idle, "report")["summary"].startswith("nothing is new: the same data, code")
    assert (note(idle) or "").startswith("**Report: nothing new**")
    assert receiver.read()[f"runs,{model},ending=nothing_new"] == 1

    forced = run(DAG, force=True)
    assert states(forced)["gate"] == ["success"]
    assert states(forced)["upload"] == ["skipped"]
    assert xcom(forced, "gate", "verdict")["summary"] == "reproduced v1.0.0 byte for byte"

    rejected = run(DAG, accuracy_floor=0.99)
    assert str(rejected.state) == "success"
    assert states(rejected)["gate"] == ["success"]
    assert (
        states(rejected)["upload"] == states(rejected)["update_latest"] == states(rejected)["announce"] == ["skipped"]
    )
    verdict = xcom(rejected, "gate", "verdict")
    assert not verdict["accepted"]
    assert any("below the 0.9900 required" in reason for reason in verdict["reasons"])

    told = xcom(rejected, "report")
    assert "below the 0.9900 required" in told["summary"]
    assert (told["ending"], told["live"], told["epoch"]) == ("rejected", "v1.0.0", 1)
    assert (note(rejected) or "").startswith("**Report: rejected**")

    repeated = run(DAG, accuracy_floor=0.99)
    assert states(repeated)["train"] == ["skipped"]
    assert "rejected" in xcom(repeated, "ingest", "outcome")["reason"]
    assert pointer(tmp_path) == released


@pytest.mark.usefixtures("airflow_database")
def test_an_unknown_key_in_the_conf_fails_at_once(specs: Callable[..., Path], tmp_path: Path) -> None:
    specs()
    done = run(DAG, accuracy_flor=0.5)
    assert str(done.state) == "failed"
    assert states(done)["reconcile"] == ["failed"]
    (failure,) = xcom(done, "report")["failures"]
    assert (failure["task"], failure["error"]) == ("reconcile", "UsageError")
    assert "accuracy_flor" in failure["what"]
    assert not (tmp_path / "store/heart-disease-models/latest.json").exists()


@pytest.mark.parametrize(
    ("manager", "users", "expected"),
    [("SimpleAuthManager", ["admin"], None), ("SimpleAuthManager", ["admin", "admn"], "admn"), ("Fab", ["admn"], None)],
)
def test_an_approver_whom_nobody_bears_the_name_of_is_found_at_the_start(
    manager: str, users: list[str], expected: str | None, specs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.airflow_glue import check_approvers

    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"airflow.somewhere.{manager}")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "admin:admin, ann:user")
    specs(approval="required", approvers={"users": users})
    (spec,) = summaries(DAGS / "retrain.py")
    assert isinstance(spec, Summary)
    if expected is None:
        check_approvers(spec)
        return
    with pytest.raises(SpecError, match=f"nobody logs in to this Airflow as '{expected}'; did you mean 'admin'"):
        check_approvers(spec)


@pytest.mark.parametrize(("manager", "asked"), [("SimpleAuthManager", ["ann"]), ("FabAuthManager", None)])
def test_airflow_is_told_who_may_answer_where_it_compares_names(
    manager: str, asked: list[str] | None, specs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"airflow.somewhere.{manager}")
    specs(approval="required", approvers={"users": ["ann"]})
    users = load(DAG).get_task("approve").assigned_users
    assert (users and [each["id"] for each in users]) == asked


@pytest.mark.usefixtures("airflow_database")
def test_a_failed_night_has_a_result_that_says_what_failed_and_what_to_do(specs: Callable[..., Path]) -> None:
    specs(tracking=None)
    done = run(DAG, as_of="1900-02-01")
    assert str(done.state) == "failed"
    found = states(done)
    assert (found["ingest"], found["announce"], found["report"]) == (["failed"], ["upstream_failed"], ["failed"])
    told = xcom(done, "report")
    assert (told["ending"], told["live"]) == ("failed", None)
    assert told["summary"].startswith("ingest failed: ")
    (failure,) = told["failures"]
    assert (failure["task"], failure["error"]) == ("ingest", "NotFound")
    assert "no data had arrived by 1900-02-01" in failure["what"]
    assert failure["hint"]
    said = note(done) or ""
    assert said.startswith("**Report: failed**\n\ningest failed: ")
    assert f"- ingest: {' '.join(failure['hint'].split())}" in said


@pytest.mark.usefixtures("airflow_database")
def test_a_night_signs_with_the_key_of_a_connection(
    specs: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The key shows nowhere: not in logs, not in XCom, not in the error about a wrong passphrase."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    key = private_key()
    extra = {"private_key": pem_of(key, passphrase="open sesame").decode()}
    connection = {"conn_type": "generic", "password": "wrong sesame", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_SIGNING", json.dumps(connection))
    candidate = {"logistic_regression": {"estimator": "LogisticRegression"}}
    quick = {"candidates": candidate, "validation": {"folds": 2, "repeats": 1}, "tracking": None}
    specs(signing={"connection": "model_signing"}, **quick)
    caplog.set_level(logging.DEBUG)
    assert states(run(DAG))["reconcile"] == ["failed"]
    monkeypatch.setenv("AIRFLOW_CONN_MODEL_SIGNING", json.dumps(connection | {"password": "open sesame"}))
    done = run(DAG)
    assert states(done)["update_latest"] == ["success"]
    trust = tmp_path / "trust.pem"
    trust.write_bytes(public_pem(key))
    folder = tmp_path / "store/heart-disease-models/v1.0.0"
    assert verify(folder, trust, model="heart-disease-models", version=FIRST).model_name == "heart-disease"

    with create_session() as session:
        handed_on = "".join(str(value) for value in session.scalars(select(XComModel.value)))
    assert "logistic_regression" in handed_on
    said = "".join([caplog.text, *capfd.readouterr(), handed_on])
    assert "holds no private key in PEM that can be read with this passphrase" in said
    for secret in (*pem_of(key).splitlines()[1:-1], *extra["private_key"].encode().splitlines()[1:-1]):
        assert secret.decode() not in said
    assert "open sesame" not in said


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({}, "connection model_signing: its extra has no private_key"),
        ({"private_key": "x", "certificate": "y"}, "its extra has certificate\n.*known: certificates, private_key"),
        ({"private_key": "not PEM"}, "holds no private key"),
    ],
)
def test_a_connection_without_a_key_is_refused(
    extra: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.airflow_glue.hooks import key_of_connection

    monkeypatch.setenv("AIRFLOW_CONN_MODEL_SIGNING", json.dumps({"conn_type": "generic", "extra": extra}))
    with pytest.raises(UsageError, match=words):
        key_of_connection("model_signing")


@pytest.mark.parametrize(
    ("timezone", "end", "as_of"),
    [
        ("Asia/Tokyo", "2026-11-30T17:00:00+00:00", "2026-12-01"),  # 02:00 there
        ("America/Los_Angeles", "2026-12-01T04:00:00+00:00", "2026-11-30"),  # 20:00 there
        ("UTC", "2026-12-01T02:00:00+00:00", "2026-12-01"),
    ],
)
def test_the_day_of_a_run_is_that_of_its_schedule_s_time_zone(timezone: str, end: str, as_of: str) -> None:
    from model_release.airflow_glue.running import _as_of

    run = SimpleNamespace(data_interval_end=datetime.fromisoformat(end), run_after=NOON)
    assert _as_of(run, None, ZoneInfo(timezone)).isoformat() == as_of


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TWO = datetime(2026, 11, 21, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_type", "interval_end", "conf", "as_of", "promote"),
    [
        ("scheduled", TWO, {}, "2026-11-21", "auto"),
        ("manual", None, {}, "2026-11-21", "auto"),
        ("manual", TWO, {"as_of": "2026-10-09"}, "2026-10-09", "auto"),
        ("backfill", TWO, {}, "2026-11-21", "never"),
        ("backfill", TWO, {"promote": "auto"}, "2026-11-21", "auto"),
        ("asset_triggered", None, {}, "2026-11-21", "auto"),
    ],
)
def test_the_facts_of_every_kind_of_run(
    run_type: str, interval_end: datetime | None, conf: dict[str, Any], as_of: str, promote: str
) -> None:
    from airflow.sdk.api.datamodels._generated import DagRunType  # the enum that tasks see

    from model_release.airflow_glue import run_facts

    params: dict[str, Any] = {
        "as_of": None,
        "candidates": [],
        "accuracy_floor": None,
        "promote": "auto",
        "bump": "auto",
        "force": False,
    }
    dag_run = SimpleNamespace(
        run_id="r",
        dag_id="d",
        run_type=DagRunType(run_type),
        conf=conf,
        data_interval_end=interval_end,
        run_after=NOON,
        triggering_user_name=None,
    )
    ti = SimpleNamespace(bundle_instance=SimpleNamespace(version="abc"))
    dag = SimpleNamespace(params=params)
    facts = run_facts({"dag": dag, "dag_run": dag_run, "params": params | conf, "ti": ti})  # type: ignore[typeddict-item]
    assert (facts.as_of.isoformat(), facts.promote, facts.by) == (as_of, promote, "airflow")
    assert facts.run_type == run_type
