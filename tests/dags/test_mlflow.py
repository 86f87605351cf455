"""Whole runs of the chain on a tracking server: PostgreSQL behind it, S3 behind it, a login or a token before it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import cleveland
from dag_runs import load, run, states, xcom
from emulators.clouds import s3_client
from emulators.mlflow_server import PASSWORD, USER, mlflow_server
from emulators.postgres import postgres
from emulators.seaweedfs import WRITER, seaweedfs
from emulators.token_gate import TOKEN, token_gate
from model_release import tracking, training
from model_release.errors import CredentialsRefused
from model_release.spec import Tracking, Validation
from model_release.tracking.runs import log_inputs

DAG = "retrain_heart_disease"
BUTTONS = ["ingest", "train", "gate", "update_latest"]


class Server:
    """A tracking server, and what may look into it and behind it."""

    def __init__(self, url: str, database: str, s3_url: str) -> None:
        self.url = url
        self.database = database
        self._s3_url = s3_url

    def kept(self) -> list[str]:
        """Return what lies in the server's bucket."""
        listed = s3_client(self._s3_url).list_objects_v2(Bucket="mlflow")
        return [each["Key"] for each in listed.get("Contents", [])]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with ExitStack() as stack:
        database = stack.enter_context(postgres()).create("mlflow")
        s3 = stack.enter_context(seaweedfs())
        s3_client(s3.url).create_bucket(Bucket="mlflow")
        bucket = {
            "AWS_ACCESS_KEY_ID": WRITER.access,
            "AWS_SECRET_ACCESS_KEY": WRITER.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_S3_ENDPOINT_URL": s3.url,
        }
        running = stack.enter_context(mlflow_server(database, "s3://mlflow/runs", login=True, env=bucket))
        yield Server(running.url, database, s3.url)


@pytest.fixture(autouse=True)
def nothing_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task has neither the cloud's credentials nor MLflow's."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "MLFLOW_TRACKING_", "MLFLOW_S3_")):
            monkeypatch.delenv(name)


def connection(**facts: Any) -> str:
    return json.dumps({"conn_type": "http", **facts})


@pytest.mark.usefixtures("airflow_database")
def test_a_night_on_a_tracking_server(
    server: Server, specs: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    own = connection(host=host, port=int(port), login=USER, password=PASSWORD)
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_SERVER", own)
    where = {"uri": "airflow://mlflow_server", "experiment": "nights", "registered_model": "heart-disease"}
    specs(tracking=where)
    before = dict(os.environ)

    done = run(DAG)

    assert str(done.state) == "success", states(done)
    assert {name: value for name, value in os.environ.items() if "MLFLOW" in name} == {
        name: value for name, value in before.items() if "MLFLOW" in name
    }
    written = capfd.readouterr()
    everything = json.dumps([_all_xcoms(done), written.out, written.err])
    assert PASSWORD not in everything
    assert "Basic " not in everything

    pages = {name: xcom(done, name, "mlflow_run") for name in BUTTONS if name != "train"}
    assert all(each.startswith(f"{server.url}/#/experiments/") for each in pages.values())
    manifest = json.loads((tmp_path / "store/heart-disease-models/v1.0.0/metadata.json").read_text())
    assert pages["gate"] == pages["update_latest"]
    assert pages["gate"].endswith(manifest["mlflow"]["run_id"])
    stored = {key.rpartition("/artifacts/")[2] for key in server.kept()}
    assert {
        "model.pkl",
        "MLmodel",
        "requirements.txt",
        "figures/roc.svg",
        "model_card.html",
        "environment.txt",
    } <= stored

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", USER)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    import mlflow.sklearn

    champion = mlflow.sklearn.load_model("models:/heart-disease@champion")
    live = [_pickled(tmp_path / "store/heart-disease-models/v1.0.0" / name) for name in ("preprocessor", "best_model")]
    frame, _ = cleveland.rows()
    assert (champion.predict_proba(frame) == live[1].predict_proba(live[0].transform(frame))).all()


def test_two_candidates_that_log_the_same_snapshot_at_once(server: Server, tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput
    from mlflow.store.tracking.dbmodels.models import SqlDataset
    from sqlalchemy import event

    client = MlflowClient(server.database)
    experiment = client.create_experiment("at once", artifact_location=tmp_path.as_uri())
    one, other = (client.create_run(experiment).info.run_id for _ in range(2))
    seen = DatasetInput(Dataset("snapshot", "d1", "local", "{}"))

    def be_overtaken(*_: object) -> None:
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(client.log_inputs, other, [seen]).result()

    event.listen(SqlDataset, "before_insert", be_overtaken, once=True)
    log_inputs(client, one, seen)

    for each in (one, other):
        inputs = client.get_run(each).inputs
        assert inputs is not None
        assert [found.dataset.digest for found in inputs.dataset_inputs] == ["d1"]


def test_the_button_hangs_on_the_tasks_that_have_a_run(specs: Callable[..., Path]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    def buttons(uri: str, **other: str) -> list[str]:
        specs(tracking={"uri": uri, "experiment": "e", "registered_model": "m", **other})
        kept = DagSerialization.from_dict(DagSerialization.to_dict(load(DAG)))
        return [task.task_id for task in kept.tasks if "MLflow run" in task.extra_links]

    assert sorted(buttons("airflow://mlflow_server")) == sorted(BUTTONS)
    assert sorted(buttons("sqlite:////srv/mlflow.db", pages="http://localhost:5000")) == sorted(BUTTONS)
    assert buttons("sqlite:////srv/mlflow.db") == []


def test_a_managed_server_is_reached_with_a_token(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.airflow_glue import mlflow_at

    spec = cleveland.spec(validation=Validation(folds=2, repeats=1))
    frame, snapshot = cleveland.rows()
    trained = training.train(spec, "simple", cleveland.candidate("LogisticRegression"), frame, tmp_path)
    facts = {"airflow.run_id": "managed"}
    with token_gate(server.url, user=USER, password=PASSWORD) as gate:
        managed = Tracking(uri="airflow://managed", experiment="managed", registered_model="managed")
        managed = managed.reached_by(mlflow_at)
        monkeypatch.setenv("AIRFLOW_CONN_MANAGED", connection(host=gate, password="wrong"))
        with pytest.raises(CredentialsRefused) as refused:
            tracking.prepare(managed)
        assert "wrong" not in str(refused.value)

        monkeypatch.setenv("AIRFLOW_CONN_MANAGED", connection(host=gate, password=TOKEN))
        tracking.prepare(managed)
        night = tracking.begin(managed, name="managed", facts=facts, tags={})
        tracked = tracking.log_candidate(
            managed,
            facts=facts,
            tags={},
            trained=trained,
            folds=2,
            folder=tmp_path,
            frame=frame,
            snapshot=snapshot,
            files={},
        )
        registered = tracking.challenge(managed, tracked, tags={}, judged=True)
        tracking.dismiss(managed, tracked)

        assert registered.registered_version == "1"
        assert tracking.page(managed, night) == f"{gate}/#/experiments/{_experiment(managed)}/runs/{night}"


@pytest.mark.parametrize(
    ("facts", "uri", "environment"),
    [
        ({"host": "mlflow", "port": 5000}, "http://mlflow:5000", {}),
        (
            {"host": "mlflow.example.org", "schema": "https", "login": "ann", "password": "s"},
            "https://mlflow.example.org",
            {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "s"},
        ),
        (
            {"host": "https://mlflow.example.org/team", "password": "s"},
            "https://mlflow.example.org/team",
            {"MLFLOW_TRACKING_TOKEN": "s"},
        ),
        (
            {"conn_type": "databricks", "host": "https://adb.azuredatabricks.net", "login": "token", "password": "s"},
            "databricks",
            {"DATABRICKS_HOST": "https://adb.azuredatabricks.net", "DATABRICKS_TOKEN": "s"},
        ),
    ],
)
def test_a_connection_says_where_mlflow_is_and_who_asks(
    facts: dict[str, Any], uri: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.airflow_glue import mlflow_at

    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW", connection(**facts))

    found = mlflow_at("mlflow")

    assert (found.uri, found.environment) == (uri, environment)


def _all_xcoms(done: Any) -> list[str]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        return [str(each.value) for each in session.query(XComModel).filter_by(run_id=done.run_id)]


def _pickled(path: Path) -> Any:
    import pickle

    return pickle.loads(path.with_suffix(".pkl").read_bytes())  # noqa: S301 - the test has just had it made


def _experiment(where: Tracking) -> str:
    from model_release.tracking.connection import connected, experiment_id

    with connected(where) as client:
        return experiment_id(client, where)
