"""A real Airflow for the nights of a team: released, nothing new, forced, cleared, scheduled, caught up by a backfill.

Started once, on a home and a port of its own. What it did is looked at from outside, through its REST API and in the
files, with none of the code that did it.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient

from scripts.airflow_home import USER
from scripts.local_airflow import LocalAirflow
from scripts.waits import ticks
from support.airflow_homes import home_of
from support.quick_specs import MODELS, QUICK, quick_spec

pytestmark = pytest.mark.live(minutes=5)

HEART, SITES, BROKEN = "retrain_heart_disease", "retrain_heart_disease_four_sites", "heart_disease_as_published"
DAGS = {f"{kind}_{name}" for kind in ("retrain", "operate", "housekeeping") for name in (HEART[8:], SITES[8:])}
CONSUME = "consume_heart_disease"
EXAMPLE = Path(__file__).resolve().parents[2] / "include/examples/consume_release.py"
CHAIN = ["reconcile", "ingest", "train", "evaluate", "gate", "upload", "update_latest", "announce", "report"]
RELEASED = {name: ["success"] for name in CHAIN}
PUBLISHED = RELEASED | {"announce": ["skipped"]}
IDLE = {name: ["success" if name in ("reconcile", "ingest", "report") else "skipped"] for name in CHAIN}
SCHEMAS = Path(__file__).resolve().parents[2] / "include" / "model_release" / "documents" / "schemas"
CLEVELAND = MODELS / "data/heart-disease/dt=1988-07-01/processed.cleveland.csv"

NIGHTS = (1, 8, 11, 15, 22)
"""On which days of each month the four sites are due: when a hospital's data arrives, and once a few days later."""

MONTH = [date(2026, 10, each) for each in NIGHTS]
ROWS = {date(2026, 10, 1): 303, date(2026, 10, 8): 596, date(2026, 10, 15): 719, date(2026, 10, 22): 918}
"""How many rows there are from the day on which a hospital's data arrives; duplicates count once."""

RUN_SECONDS = 600.0
BACKFILL_SECONDS = 1200.0
BACKFILLS = 5


class Team:
    """An Airflow, and what it leaves behind."""

    def __init__(self, airflow: LocalAirflow, mlflow_uri: str) -> None:
        self.airflow = airflow
        self.home = airflow.home
        self.mlflow = MlflowClient(mlflow_uri)
        self.sessions = {int(each) for each in read(self.home.home / "standing.json")["sessions"]}

    @cached_property
    def api(self) -> httpx.Client:
        login = {"username": USER, "password": self.home.password}
        url = self.airflow.rest.url
        token = httpx.post(f"{url}/auth/token", json=login, trust_env=False).raise_for_status().json()["access_token"]
        headers = {"authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"{url}/api/v2", headers=headers, trust_env=False, timeout=30)

    def get(self, path: str, **query: Any) -> Any:
        return self.api.get(path, params=query).raise_for_status().json()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        for _ in ticks(10, pause=1):  # SQLite is locked while another component writes; nothing was done then
            answer = self.api.post(path, json=body)
            if "Database error" not in answer.text:
                break
        assert answer.is_success, answer.text
        return answer.json()

    def pause(self, dag_id: str, *, paused: bool) -> None:
        self.api.patch(f"/dags/{dag_id}", json={"is_paused": paused}).raise_for_status()

    def trigger(self, dag_id: str, *, logical_date: datetime | None = None, **conf: Any) -> str:
        moment = logical_date.isoformat() if logical_date else None
        made = self.post(f"/dags/{dag_id}/dagRuns", {"logical_date": moment, "conf": conf})
        assert (made["run_type"], made["logical_date"] is None) == ("manual", logical_date is None)
        return str(made["dag_run_id"])

    def succeed(self, dag_id: str, run_id: str) -> str:
        """Wait for a run; a failure shows the logs of the tasks that failed."""
        state = self.airflow.wait_for_run(dag_id, run_id, seconds=RUN_SECONDS)
        if state != "success":
            tasks = self.airflow.rest.tasks(dag_id, run_id)
            logs = [self.home.task_log(dag_id, run_id, each) for each in tasks if each.state == "failed"]
            pytest.fail("\n".join(f"{log}\n{log.read_text()[-4000:]}" for log in logs))
        return run_id

    def states(self, dag_id: str, run_id: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in CHAIN}
        for each in self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]:
            found[each["task_id"]].append(each["state"])
        return found

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        value = self.get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}")["value"]
        return json.loads(value) if isinstance(value, str) else value

    def announced(self, dag_id: str) -> list[dict[str, Any]]:
        """What consumers were told, oldest first."""
        events = self.get("/assets/events", source_dag_id=dag_id, order_by="timestamp")["asset_events"]
        return [dict(each) for each in events]

    def root(self, model: str) -> Path:
        return self.home.store / f"{model}-models"

    def backfill(self, *options: str) -> list[dict[str, Any]]:
        """Run a backfill to its end and return its runs in the order of their dates."""
        # A paused DAG's runs wait until all of them are there.
        self.pause(SITES, paused=True)
        for _ in range(BACKFILLS):
            done = self._create_backfill(*options)
            if "database is locked" not in done.stdout:
                break
            for each in self.get("/backfills", dag_id=SITES)["backfills"]:
                if each["completed_at"] is None:
                    self.api.put(f"/backfills/{each['id']}/cancel").raise_for_status()
        assert done.returncode == 0, done.stdout
        self.pause(SITES, paused=False)
        latest = max(each["id"] for each in self.get("/backfills", dag_id=SITES)["backfills"])
        for _ in ticks(BACKFILL_SECONDS, pause=0.5):
            if self.get(f"/backfills/{latest}")["completed_at"]:
                break
        else:
            pytest.fail("the backfill has not ended")
        query = {"run_type": "backfill", "order_by": "logical_date", "limit": 100}
        runs = self.get(f"/dags/{SITES}/dagRuns", **query)["dag_runs"]
        for each in runs:
            self.succeed(SITES, each["dag_run_id"])
        return list(runs)

    def _create_backfill(self, *options: str) -> subprocess.CompletedProcess[str]:
        window = (
            "--from-date",
            "2026-10-01",
            "--to-date",
            "2026-10-31",
            "--max-active-runs",
            "3",
        )
        others = self.processes()  # another writer at the same time locks SQLite
        for each in others:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        try:
            return subprocess.run(
                [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", SITES, *window, *options],
                env=self.home.environment(port=httpx.URL(self.airflow.rest.url).port or 0, schedule=True),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        finally:
            for each in others:
                with suppress(psutil.NoSuchProcess):
                    each.resume()

    def processes(self) -> list[psutil.Process]:
        """Every living process of the sessions that were started, whoever its parent is."""
        found = []
        for process in psutil.process_iter(["status"]):
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(process.pid) in self.sessions and process.info["status"] != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The Airflow, with timetables on. One model runs by hand alone, one nightly; one spec is broken."""
    folder = tmp_path_factory.mktemp("team")
    specs, var = folder / "specs", folder / "var"
    specs.mkdir()
    quick_spec(specs, "heart_disease", schedule=None)
    simple = {"logistic_regression": {"estimator": "LogisticRegression", "parameters": {"C": 0.1, "max_iter": 1000}}}
    schedule = {"cron": f"30 2 {','.join(map(str, NIGHTS))} * *", "timezone": "UTC", "interval_hours": 24}
    quick_spec(specs, "heart_disease_four_sites", schedule=schedule, candidates=simple, tracking=None)
    good = (MODELS / "examples" / f"{BROKEN}.yaml").read_text()
    (specs / f"{BROKEN}.yaml").write_text(good.replace("destinations:", "destination:"))
    with LocalAirflow(home_of(specs, var, **consumer_beside(folder / "consumers", var)), schedule=True) as airflow:
        for dag_id in (HEART, SITES, CONSUME):
            airflow.wait_for_dag(dag_id)
        team = Team(airflow, f"sqlite:///{var}/mlflow/mlflow.db")
        yield team
        team.api.close()


@pytest.fixture(scope="module")
def last_night(team: Team) -> date:
    """The last day on which the four sites were due, at half past two."""
    night = (datetime.now(UTC) - timedelta(hours=2, minutes=30)).date()
    while night.day not in NIGHTS:
        night -= timedelta(days=1)
    return night


@pytest.fixture(scope="module")
def released(team: Team) -> str:
    """The first run, by hand and without a logical date; meanwhile the scheduler makes the other model's run."""
    for dag_id in (SITES, CONSUME, HEART):
        team.pause(dag_id, paused=False)
    return team.succeed(HEART, team.trigger(HEART))


@pytest.fixture(scope="module")
def scheduled(team: Team, released: str) -> str:
    """The run that the scheduler made of last night's data interval."""
    for _ in ticks(RUN_SECONDS, pause=0.5):
        runs = team.get(f"/dags/{SITES}/dagRuns", run_type="scheduled")["dag_runs"]
        if runs:
            return team.succeed(SITES, runs[0]["dag_run_id"])
    pytest.fail("the scheduler made no run")


@pytest.fixture(scope="module")
def dated(team: Team, scheduled: str) -> str:
    """A run by hand with a logical date in the past, which goes on beside other tests."""
    return team.trigger(SITES, logical_date=datetime(2026, 10, 9, 9, 30, tzinfo=UTC))


@pytest.fixture(scope="module")
def backfilled(team: Team, dated: str) -> list[dict[str, Any]]:
    """The runs of a backfill over a month in which the hospitals' data arrived."""
    team.succeed(SITES, dated)
    return team.backfill()


def consumer_beside(folder: Path, var: Path) -> dict[str, str]:
    """The settings by which an Airflow has the example of a consumer, in a bundle of its own."""
    folder.mkdir()
    shutil.copy2(EXAMPLE, folder)
    local = {"classpath": "airflow.dag_processing.bundles.local.LocalDagBundle"}
    bundles = [
        {"name": "dags-folder", "kwargs": {}, **local},
        {"name": "consumers", "kwargs": {"path": str(folder)}, **local},
    ]
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "CONSUMED_MODEL": "heart-disease",
        "CONSUMED_URI": (var / "store/heart-disease-models").as_uri(),
    }


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """Every file with its digest; staging and what the store keeps for itself apart."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    names = {str(each.relative_to(folder)): each for each in files}
    return {name: sha256(path) for name, path in names.items() if not name.startswith((".", "staging/"))}


def versions(root: Path) -> list[str]:
    return sorted(each.name for each in root.glob("v*") if (each / "metadata.json").exists())


def assert_whole(folder: Path, manifest: dict[str, Any]) -> None:
    """The folder holds every file of the manifest, byte for byte."""
    for entry in manifest["files"]:
        path = folder / entry["path"]
        assert (path.stat().st_size, sha256(path)) == (entry["size"], entry["sha256"]), path


def assert_valid(path: Path, schema: str) -> None:
    jsonschema.validate(read(path), read(SCHEMAS / schema), cls=jsonschema.Draft202012Validator)


def test_a_broken_spec_is_an_import_error_and_the_other_models_are_well(team: Team) -> None:
    for _ in ticks(30, pause=0.5):
        if team.get("/importErrors")["import_errors"]:
            break
    assert_broken_spec_alone(team)


def assert_broken_spec_alone(team: Team) -> None:
    (problem,) = team.get("/importErrors")["import_errors"]
    assert f"{BROKEN}.yaml" in problem["stack_trace"]
    assert "did you mean 'destinations'?" in problem["stack_trace"]
    dags = {each["dag_id"]: each for each in team.get("/dags")["dags"]}
    assert set(dags) == DAGS | {CONSUME}
    assert not any(each["has_import_errors"] or each["is_stale"] for each in dags.values())


def test_a_run_by_hand_goes_through_every_task(team: Team, released: str) -> None:
    run = team.get(f"/dags/{HEART}/dagRuns/{released}")
    assert (run["state"], run["logical_date"], run["data_interval_end"]) == ("success", None, None)
    assert team.states(HEART, released) == RELEASED | {"train": ["success"] * len(QUICK)}
    tasks = team.get(f"/dags/{HEART}/dagRuns/{released}/taskInstances")["task_instances"]
    names = {(each["task_id"], each["rendered_map_index"]) for each in tasks if each["map_index"] >= 0}
    assert names == {("train", name) for name in QUICK} | {("upload", "local")}


def test_the_release_lies_in_the_store_as_designed(team: Team, released: str) -> None:
    root = team.root("heart-disease")
    pointer, claim = read(root / "latest.json"), read(root / "v1.0.0/claim.json")
    manifest = read(root / "v1.0.0/metadata.json")
    assert_valid(root / "latest.json", "latest.schema.json")
    assert_valid(root / "v1.0.0/metadata.json", "metadata.schema.json")
    assert (pointer["version"], pointer["epoch"], pointer["since"]) == ("v1.0.0", 1, 1)
    assert pointer["metadata_sha256"] == sha256(root / "v1.0.0/metadata.json")
    assert (pointer["change"]["kind"], pointer["change"]["by"]) == ("first", USER)
    assert pointer["data_as_of"] == manifest["dataset"]["as_of"] == run_after(team, HEART, released)
    assert claim["metadata"] == manifest
    assert manifest["run"] == {"dag_id": HEART, "run_id": released, "run_type": "manual"}
    assert manifest["gate"]["accepted"] and manifest["accuracy"] == manifest["metrics"]["accuracy"]["value"]

    files = {entry["path"] for entry in manifest["files"]}
    forms = {"best_model.pkl", "preprocessor.pkl", "model.onnx", "MLmodel", "golden.json"}
    assert forms | {"requirements.txt", "model_card.html"} == files
    assert_whole(root / "v1.0.0", manifest)
    assert_whole(root / "latest", manifest)
    assert {each.name for each in (root / "v1.0.0").iterdir()} == files | {"claim.json", "metadata.json"}
    assert {each.name for each in (root / "latest").iterdir()} == files | {"metadata.json"}
    assert sha256(root / "latest/metadata.json") == pointer["metadata_sha256"]
    assert [each.name for each in (root / "log").iterdir()] == ["000000000001.json"]
    assert (root / "log/000000000001.json").read_bytes() == (root / "latest.json").read_bytes()


def test_a_consumer_s_dag_is_woken_and_tries_the_release(team: Team, released: str) -> None:
    [event] = team.announced(HEART)[:1]
    assert {"version", "epoch", "metadata_sha256", "data_as_of"} <= {*event["extra"]}
    for _ in ticks(RUN_SECONDS, pause=0.5):
        if runs := team.get(f"/dags/{CONSUME}/dagRuns", order_by="run_after")["dag_runs"]:
            break
    else:
        pytest.fail("the event woke nobody")
    assert runs[0]["run_type"] == "asset_triggered"
    run_id = team.succeed(CONSUME, runs[0]["dag_run_id"])
    assert team.xcom(CONSUME, run_id, "smoke_predict", "return_value") == {"version": "v1.0.0", "rows": 8}


def run_after(team: Team, dag_id: str, run_id: str) -> str:
    """The day on which a run was due."""
    return str(team.get(f"/dags/{dag_id}/dagRuns/{run_id}")["run_after"])[:10]


def test_the_verdict_is_recorded_and_shown(team: Team, released: str) -> None:
    root = team.root("heart-disease")
    manifest = read(root / "v1.0.0/metadata.json")
    decisions = root / "decisions" / manifest["fingerprint"]
    verdict = team.xcom(HEART, released, "gate", "verdict")
    assert (verdict["accepted"], verdict["version"], verdict["baseline"]) == (True, "v1.0.0", None)
    assert verdict["reasons"] == manifest["gate"]["reasons"]
    assert verdict["decision"] == manifest["gate"]["decision"]
    record = read(root / verdict["decision"])
    assert (record["run"], record["decision"]["accepted"]) == (released, True)
    assert set(record["evaluation"]["candidates"]) == set(QUICK)
    assert {each.name for each in decisions.iterdir()} == {Path(verdict["decision"]).name, "version.json"}
    assert read(decisions / "version.json")["version"] == "v1.0.0"


def test_the_snapshot_has_the_rows_that_came(team: Team, released: str) -> None:
    manifest = read(team.root("heart-disease") / "v1.0.0/metadata.json")
    facts = manifest["dataset"]
    path = Path(facts["uri"].removeprefix("file://"))
    assert path.is_relative_to(team.home.store / "datasets/heart-disease/processed" / facts["fingerprint"])
    assert len(pd.read_parquet(path)) == facts["rows"] == 303
    raw = [each for each in (team.home.store / "datasets/heart-disease/raw").rglob("*") if each.is_file()]
    assert [each.read_bytes() for each in raw] == [CLEVELAND.read_bytes()]


def test_the_released_model_predicts(team: Team, released: str) -> None:
    """Both forms, for every patient, in agreement with each other and mostly with the truth."""
    import onnxruntime

    root = team.root("heart-disease") / "v1.0.0"
    names = [each["name"] for each in read(root / "metadata.json")["input_schema"]]
    rows = pd.read_csv(CLEVELAND, na_values="?")
    preprocessor, model = (pickle.loads((root / name).read_bytes()) for name in ("preprocessor.pkl", "best_model.pkl"))  # noqa: S301 - made by this test
    answers = model.predict(preprocessor.transform(rows[names]))
    session = onnxruntime.InferenceSession(str(root / "model.onnx"), providers=["CPUExecutionProvider"])
    label, probability = session.run(["label", "probability"], {"inputs": rows[names].to_numpy(dtype=np.float64)})
    assert (answers == label).all() and ((probability > 0.5) == (label == 1)).all()
    assert (answers == (rows["num"] > 0)).mean() > 0.8


def test_mlflow_has_every_candidate_and_the_champion(team: Team, released: str) -> None:
    manifest = read(team.root("heart-disease") / "v1.0.0/metadata.json")
    experiment = team.mlflow.get_experiment_by_name("heart-disease")
    assert experiment is not None
    runs = {each.info.run_name: each for each in team.mlflow.search_runs([experiment.experiment_id])}
    night = runs.pop(released)
    assert (night.info.status, night.data.tags["verdict"]) == ("FINISHED", "accepted")
    assert night.data.tags["airflow.url"].endswith(f"/dags/{HEART}/runs/{quote(released, safe='')}")
    assert set(runs) == set(QUICK)
    for each in runs.values():
        assert each.info.status == "FINISHED"
        assert each.data.tags["mlflow.parentRunId"] == night.info.run_id
        assert {"recipe.estimator", "recipe.seed"} <= set(each.data.params)
        measured = {"accuracy", "precision", "recall", "f1", "roc_auc", "brier"}
        assert measured | {f"holdout_{name}" for name in measured} <= set(each.data.metrics)
        assert each.data.tags["airflow.run_id"] == released
        assert each.data.tags["snapshot"] == manifest["dataset"]["fingerprint"]
        assert each.inputs is not None
        assert manifest["dataset"]["fingerprint"].startswith(each.inputs.dataset_inputs[0].dataset.digest)
        owned = f"source_run_id = '{each.info.run_id}'"
        (logged,) = team.mlflow.search_logged_models([experiment.experiment_id], filter_string=owned)
        assert (Path(logged.artifact_location.removeprefix("file://")) / "MLmodel").is_file()
    assert runs["logistic_regression"].data.params["C"] == "0.1"
    assert runs["support_vectors"].data.params["estimator__C"] == "0.5"
    champion = team.mlflow.get_model_version_by_alias("heart-disease", "champion")
    assert champion.run_id == manifest["mlflow"]["run_id"] == runs[manifest["parameters"]["candidate"]].info.run_id
    assert str(champion.version) == manifest["mlflow"]["registered_version"]
    kept = {each.path for each in team.mlflow.list_artifacts(manifest["mlflow"]["run_id"])}
    assert {"model_card.html", "figures"} <= kept


def test_consumers_are_told_through_the_asset(team: Team, released: str) -> None:
    pointer = read(team.root("heart-disease") / "latest.json")
    (event,) = team.announced(HEART)
    assert (event["uri"], event["name"], event["group"]) == (
        "x-model://heart-disease/latest",
        "heart-disease",
        "model",
    )
    assert (event["source_task_id"], event["source_run_id"]) == ("announce", released)
    told = event["extra"]
    assert (told["version"], told["epoch"]) == ("v1.0.0", 1)
    assert told["metadata_sha256"] == pointer["metadata_sha256"]


def test_the_scheduler_runs_a_nights_interval(team: Team, scheduled: str, last_night: date) -> None:
    run = team.get(f"/dags/{SITES}/dagRuns/{scheduled}")
    assert (run["run_type"], run["data_interval_end"][:10]) == ("scheduled", last_night.isoformat())
    assert run["data_interval_start"][:10] == (last_night - timedelta(days=1)).isoformat()
    assert team.states(SITES, scheduled) == RELEASED
    pointer = read(team.root("heart-disease-four-sites") / "latest.json")
    assert (pointer["version"], pointer["data_as_of"]) == ("v1.0.0", last_night.isoformat())
    manifest = read(team.root("heart-disease-four-sites") / "v1.0.0/metadata.json")
    assert (manifest["run"]["run_type"], manifest["dataset"]["rows"]) == ("scheduled", 918)


def test_a_night_has_a_note_that_says_how_it_ended_and_a_failed_one_says_what_to_do(team: Team, released: str) -> None:
    assert str(team.get(f"/dags/{HEART}/dagRuns/{released}")["note"]).startswith("**Report: released**")
    failing = team.trigger(HEART, as_of="1900-02-01")
    assert team.airflow.wait_for_run(HEART, failing, seconds=RUN_SECONDS) == "failed"
    result = team.xcom(HEART, failing, "report", "return_value")
    (failure,) = result["failures"]
    assert (result["ending"], failure["task"], result["live"]) == ("failed", "ingest", "v1.0.0")
    assert failure["log"].endswith("/tasks/ingest")
    note = str(team.get(f"/dags/{HEART}/dagRuns/{failing}")["note"])
    assert note.startswith("**Report: failed**\n\ningest failed: ")
    assert "- ingest: choose a later as-of date" in note
    assert "- live: v1.0.0, since 20" in note


@pytest.mark.usefixtures("dated")
def test_a_second_run_finds_nothing_new(team: Team, released: str) -> None:
    before = tree(team.root("heart-disease"))
    again = team.succeed(HEART, team.trigger(HEART))
    assert team.states(HEART, again) == IDLE
    outcome = team.xcom(HEART, again, "ingest", "outcome")
    assert not outcome["new"] and "made v1.0.0, live since epoch 1" in outcome["reason"]
    assert tree(team.root("heart-disease")) == before
    assert len(team.announced(HEART)) == 1


@pytest.mark.usefixtures("dated")
def test_a_cleared_upload_ends_in_the_same_release(team: Team, released: str) -> None:
    before = tree(team.root("heart-disease"))
    team.post(
        f"/dags/{HEART}/clearTaskInstances",
        {
            "dry_run": False,
            "dag_run_id": released,
            "task_ids": ["upload"],
            "include_downstream": True,
            "only_failed": False,
        },
    )
    assert team.get(f"/dags/{HEART}/dagRuns/{released}")["state"] != "success"
    team.succeed(HEART, released)
    tasks = team.get(f"/dags/{HEART}/dagRuns/{released}/taskInstances")["task_instances"]
    tries = {each["task_id"]: each["try_number"] for each in tasks if each["state"] == "success"}
    assert (tries["gate"], tries["upload"], tries["update_latest"]) == (1, 2, 2)
    assert tree(team.root("heart-disease")) == before
    assert {each["extra"]["epoch"] for each in team.announced(HEART)} == {1}


def test_a_run_with_a_logical_date_takes_the_data_of_that_date(team: Team, dated: str) -> None:
    """Older data than what is live: the version is published, and `latest` moves forward only."""
    team.succeed(SITES, dated)
    run = team.get(f"/dags/{SITES}/dagRuns/{dated}")
    assert (run["run_type"], run["logical_date"][:10]) == ("manual", "2026-10-09")
    assert team.states(SITES, dated) == PUBLISHED
    manifest = read(team.root("heart-disease-four-sites") / "v1.1.0/metadata.json")
    assert (manifest["dataset"]["as_of"], manifest["dataset"]["rows"]) == ("2026-10-09", 596)
    assert "latest only moves forward" in team.xcom(SITES, dated, "update_latest", "return_value")["reason"]
    assert_only_scheduled_is_live(team)


def data_of(team: Team, runs: list[dict[str, Any]]) -> dict[date, tuple[str, int]]:
    """By date of a backfill's runs, the version whose data is the data as of that date, and its rows."""
    root = team.root("heart-disease-four-sites")
    manifests = [read(root / name / "metadata.json") for name in versions(root)]
    became = {each["fingerprint"]: each for each in manifests}
    assert len(became) == len(manifests)
    found = {}
    for each in runs:
        outcome = team.xcom(SITES, each["dag_run_id"], "ingest", "outcome")
        manifest = became[outcome["fingerprint"]]
        assert manifest["dataset"]["fingerprint"] == outcome["snapshot"]
        assert outcome["as_of"] == each["data_interval_end"][:10]
        found[date.fromisoformat(outcome["as_of"])] = (f"v{manifest['version']}", manifest["dataset"]["rows"])
    return found


def test_a_backfill_over_a_month_gives_each_date_the_model_of_its_data_and_leaves_latest_alone(
    team: Team, dated: str, backfilled: list[dict[str, Any]]
) -> None:
    root = team.root("heart-disease-four-sites")
    found = data_of(team, backfilled)
    assert [*found] == MONTH
    rows = {day: next(ROWS[since] for since in sorted(ROWS, reverse=True) if since <= day) for day in MONTH}
    assert {day: each for day, (_, each) in found.items()} == rows
    # The scheduled run had the last day's data, the run with a logical date the second hospital's.
    assert versions(root) == ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]
    by_rows = {each: version for version, each in found.values()}
    assert (by_rows[918], by_rows[596], {by_rows[303], by_rows[719]}) == ("v1.0.0", "v1.1.0", {"v1.2.0", "v1.3.0"})

    published = [each for each in backfilled if team.states(SITES, each["dag_run_id"]) != IDLE]
    assert all(team.states(SITES, each["dag_run_id"])["announce"] == ["skipped"] for each in published)
    assert len(published) <= 4  # three at once may begin with the same data, before one of them has a version
    for name in versions(root):
        manifest = read(root / name / "metadata.json")
        assert_whole(root / name, manifest)
        assert_valid(root / name / "metadata.json", "metadata.schema.json")
    assert_only_scheduled_is_live(team)


def assert_only_scheduled_is_live(team: Team) -> None:
    root = team.root("heart-disease-four-sites")
    pointer = read(root / "latest.json")
    assert (pointer["version"], pointer["epoch"]) == ("v1.0.0", 1)
    assert [each.name for each in (root / "log").iterdir()] == ["000000000001.json"]
    assert [each["extra"]["version"] for each in team.announced(SITES)] == ["v1.0.0"]


@pytest.mark.parametrize("behavior", ["none", "completed"])
def test_a_repeated_backfill_makes_nothing_twice(team: Team, backfilled: list[dict[str, Any]], behavior: str) -> None:
    before, data = tree(team.root("heart-disease-four-sites")), data_of(team, backfilled)
    again = team.backfill("--reprocess-behavior", behavior)
    assert [each["dag_run_id"] for each in again] == [each["dag_run_id"] for each in backfilled]
    # A mapped task that finds nothing to do now is "removed", not skipped, and what it gave before is still there for
    # those that follow: they find that all is done.
    states = [team.states(SITES, each["dag_run_id"]) for each in again]
    assert {state for run in states for found in run.values() for state in found} <= {"success", "skipped", "removed"}
    assert all(run["announce"] == ["skipped"] for run in states)
    if behavior == "completed":
        assert all(run["train"] in (["removed"], ["skipped"]) for run in states)
    assert data_of(team, again) == data
    assert tree(team.root("heart-disease-four-sites")) == before
    assert_only_scheduled_is_live(team)


def test_the_broken_spec_has_been_an_import_error_all_the_time(team: Team, backfilled: list[dict[str, Any]]) -> None:
    """Airflow forgets errors of files that are not in the bundle each time it looks through the folder."""
    for _ in ticks(8, pause=1):
        assert_broken_spec_alone(team)


def test_nothing_is_left_running(team: Team) -> None:
    assert len(team.processes()) >= 3
    team.airflow.stop()
    assert [each.cmdline() for each in team.processes()] == []
    assert not (team.home.home / "standing.json").exists()
