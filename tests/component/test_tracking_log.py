"""Nights that are told to a real MLflow, which may be down at any task: what is tracked, and what waits for whom."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow.sklearn
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from model_release import tracking
from model_release.documents.version import Version
from model_release.errors import StoreUnavailable
from model_release.modelling.dataset import load, read_snapshot
from model_release.releases.catalog import published
from model_release.spec.tracking import Tracking
from model_release.spec.tracking_uri import Access
from model_release.workflows.checkup import MLFLOW, checkup
from model_release.workflows.destinations import Destinations
from model_release.workflows.messages import ApprovalResponse, UploadOrder
from model_release.workflows.result import run_result
from model_release.workflows.retrain import RetrainRun
from support.retrain_steps import SIMPLE, Nights, judged, through

TWO = {**SIMPLE, "nearest": {"estimator": "KNeighborsClassifier"}}
UNREACHABLE = {"cross_validation": {"accuracy": 0.99}}
MODEL = "heart-disease-four-sites"


@dataclass
class Team:
    """A team's MLflow, and its nights."""

    uri: str
    night: Nights
    up: bool = True

    def tracked(self, day: int, *, spec: dict[str, Any] | None = None, **facts: Any) -> RetrainRun:
        where = {"uri": "airflow://mlflow", "experiment": "nights", "registered_model": MODEL}
        one = self.night(day, spec={"tracking": where, **(spec or {})}, **facts)
        assert one.spec.tracking
        reached = one.spec.tracking.reached_by(lambda _: Access(self.uri if self.up else "http://127.0.0.1:9"))
        one.spec = one.spec.model_copy(update={"tracking": reached})
        return one

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def runs(self, night: RetrainRun, *, candidates: bool) -> dict[str, Run]:
        [experiment] = self.client.search_experiments(filter_string="name = 'nights'")
        wanted = f"tags.`airflow.run_id` = '{night.run.run_id}' AND tags.candidate {'!=' if candidates else 'IS NULL'}"
        found = self.client.search_runs([experiment.experiment_id], wanted + (" ''" if candidates else ""))
        return {str(each.info.run_name): each for each in found}

    def alias(self, name: str) -> str | None:
        try:
            return str(self.client.get_model_version_by_alias(MODEL, name).version)
        except mlflow.MlflowException:
            return None


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("migrated") / "mlflow.db"
    tracking.prepare(Tracking(uri=f"sqlite:///{file}", experiment="any", registered_model="any"))
    return file.read_bytes()


@pytest.fixture
def team(tmp_path: Path, migrated: bytes, night: Nights, monkeypatch: pytest.MonkeyPatch) -> Team:
    file = tmp_path / "mlflow" / "mlflow.db"
    file.parent.mkdir()
    file.write_bytes(migrated)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return Team(f"sqlite:///{file}", night)


def test_a_release_can_be_followed_from_mlflow_to_the_store_and_back(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = team.tracked(1, spec={"candidates": TWO}, url="https://airflow/runs/1", dag_id="retrain")
    done = through(night)

    assert (str(done.live), done.lagging, done.mlflow) == ("v1.0.0", [], None)
    [parent] = team.runs(night, candidates=False).values()
    candidates = team.runs(night, candidates=True)
    manifest = published(night.home, Version.parse("v1.0.0"))
    assert manifest.mlflow
    assert parent.info.status == "FINISHED"
    assert {each.data.tags["mlflow.parentRunId"] for each in candidates.values()} == {parent.info.run_id}
    assert candidates["logistic_regression"].info.run_id == manifest.mlflow.run_id
    assert {name: each.data.tags["verdict"] for name, each in candidates.items()} == {
        "logistic_regression": "accepted",
        "nearest": "not chosen",
    }
    for each in (parent, candidates["logistic_regression"]):
        assert each.data.tags["airflow.url"] == "https://airflow/runs/1"
        assert each.data.tags["release.version"] == "v1.0.0"
        assert each.data.tags["release.uris"] == f"{night.home.uri}/v1.0.0"
        assert each.data.tags["release.live"] == "yes"
    for each in candidates.values():
        plots = {file.path for file in team.client.list_artifacts(each.info.run_id, "figures")}
        assert {"figures/roc.svg", "figures/calibration.svg"} <= plots
    assert "model_card.html" in {file.path for file in team.client.list_artifacts(manifest.mlflow.run_id)}
    assert (team.alias("champion"), team.alias("challenger")) == (manifest.mlflow.registered_version, None)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.uri)
    champion = mlflow.sklearn.load_model(f"models:/{MODEL}@champion")
    assert manifest.dataset is not None and manifest.dataset.fingerprint is not None
    frame = load(night.spec, read_snapshot(night._data, manifest.dataset.fingerprint), data=night._data).frame
    kept = [night.home.get(f"v1.0.0/{name}") for name in ("preprocessor.pkl", "best_model.pkl")]
    made = [pickle.loads(each.body) for each in kept if each is not None]  # noqa: S301
    assert (champion.predict_proba(frame) == made[1].predict_proba(made[0].transform(frame))).all()


def test_what_the_gate_rejects_stays_as_runs_with_their_verdict(team: Team) -> None:
    night = team.tracked(1, spec={"candidates": TWO, "gate": UNREACHABLE})
    night.reconcile()
    verdict, orders = judged(night)

    assert (orders, verdict.accepted) == ([], False)
    [parent] = team.runs(night, candidates=False).values()
    assert (parent.info.status, parent.data.tags["verdict"]) == ("FINISHED", "rejected")
    for name, run in team.runs(night, candidates=True).items():
        chosen = name == verdict.chosen
        assert run.data.tags["verdict"] == ("rejected" if chosen else "not chosen")
        assert ("0.9900" in run.data.tags["verdict.reasons"]) == chosen
        assert team.client.list_artifacts(run.info.run_id, "figures")
    assert team.client.search_registered_models() == []


def test_without_mlflow_nothing_is_trained_and_the_task_is_tried_again(team: Team) -> None:
    night = team.tracked(1)
    _, work = night.ingest()

    team.up = False
    with pytest.raises(StoreUnavailable, match="MLflow"):
        team.tracked(1, run_id="other").ingest()
    with pytest.raises(StoreUnavailable, match="MLflow"):
        night.train(work[0])

    team.up = True
    for _ in range(2):
        night.train(work[0])
    [run] = team.runs(night, candidates=True).values()
    assert run.info.status == "FINISHED"


@pytest.mark.parametrize(("down_at", "healer"), [("gate", "doctor"), ("upload", "the next night")])
def test_no_release_waits_for_mlflow_and_what_it_missed_is_made_good(
    team: Team, down_at: str, healer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = through(team.tracked(1))
    night = team.tracked(8)
    _, work = night.ingest()
    evaluated = night.evaluate([night.train(each) for each in work])
    team.up = down_at != "gate"
    verdict, orders = night.gate(evaluated)
    team.up = False
    done = night.update_latest([night.upload(each) for each in orders if isinstance(each, UploadOrder)])

    assert (str(first.live), str(done.live), done.promoted) == ("v1.0.0", "v1.1.0", True)
    assert "MLflow lags behind" in done.lagging[0]
    assert bool(verdict.lagging) == (down_at == "gate")
    said = run_result([verdict, done], None)
    assert said.summary == "v1.1.0 is published and live"
    assert any("MLflow lags behind" in each for each in said.lagging)
    live = published(night.home, Version.parse("v1.1.0")).mlflow
    assert live
    assert (live.registered_version is None) == (down_at == "gate")

    monkeypatch.setattr("model_release.workflows.checkup.settling", lambda *_: False)  # which lets a fresh pointer be
    destinations = Destinations.of(night.spec)
    [silent] = [each for each in checkup(destinations).left if each.destination == MLFLOW]
    team.up = True
    assert team.alias("champion") == "1", "late, and never false: it names what was live"
    [late] = [each for each in checkup(destinations).left if each.where.endswith("@champion")]
    assert (silent.repairable, late.repairable) == (False, True)
    assert "it names version 1, and what is live is v1.1.0" in late.what

    heal: dict[str, Callable[[], Any]] = {
        "the next night": lambda: team.tracked(9).reconcile(),
        "doctor": lambda: checkup(destinations, repair=True),
    }
    heal[healer]()
    assert [each for each in checkup(destinations).left if each.destination == MLFLOW] == []
    assert (team.alias("champion"), team.alias("challenger")) == ("2", None)
    version = team.client.get_model_version(MODEL, "2")
    assert (version.run_id, version.tags["release.version"]) == (live.run_id, "v1.1.0")


def test_a_backfill_s_version_is_registered_and_challenges_nobody(team: Team) -> None:
    through(team.tracked(1))
    backfill = team.tracked(8, promote="never")
    _, orders = judged(backfill)
    assert team.alias("challenger") is None
    done = backfill.update_latest([backfill.upload(each) for each in orders])

    assert (str(done.version), str(done.live)) == ("v1.1.0", "v1.0.0")
    tags = team.client.get_model_version(MODEL, "2").tags
    assert tags["release.version"] == "v1.1.0"
    assert team.alias("champion") == "1"
    [parent] = team.runs(backfill, candidates=False).values()
    assert parent.data.tags["release.live"] == "this run publishes only"


@pytest.mark.parametrize("approved", [True, False])
def test_while_a_person_is_asked_there_is_a_challenger(team: Team, approved: bool) -> None:
    night = team.tracked(1, spec={"approval": "required"})
    _, proposed = judged(night)
    assert (team.alias("challenger"), team.alias("champion")) == ("1", None)

    answer = ApprovalResponse(approved=approved, by="ann")
    _, orders = night.consent(proposed, answer)

    assert team.alias("challenger") == ("1" if approved else None)
    [parent] = team.runs(night, candidates=False).values()
    assert "ann" in parent.data.tags["approval"]
    if approved:
        night.update_latest([night.upload(each) for each in orders])
        assert (team.alias("challenger"), team.alias("champion")) == (None, "1")
