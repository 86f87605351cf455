"""The chain on a tracking server: PostgreSQL behind it, each of the clouds, a login or a token before it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from emulators.azurite import ACCOUNT, connection_string
from emulators.clouds import BUCKET, Clouds, azure_service, clouds, gcs_client, s3_client
from emulators.mlflow_server import PASSWORD, USER, mlflow_server
from emulators.postgres import postgres
from emulators.process import Server
from emulators.seaweedfs import WRITER
from emulators.token_gate import TOKEN, token_gate
from model_release import tracking
from model_release.documents.manifest import TrackedRun
from model_release.errors import CredentialsRefused, UsageError
from model_release.modelling import training
from model_release.spec.split import Validation
from model_release.spec.tracking import Tracking
from model_release.tracking.runs import log_inputs
from support import reference_model
from support.dag_runs import load, run, states, xcom
from support.retrain_steps import SIMPLE

DAG = "retrain_heart_disease"
BUTTONS = ["ingest", "train", "gate", "update_latest"]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as running:
        yield running.create("mlflow")


@pytest.fixture(scope="module")
def sky() -> Iterator[Clouds]:
    with clouds() as running:
        yield running


def kept_in_s3(sky: Clouds) -> list[str]:
    listed = s3_client(sky.s3.url).list_objects_v2(Bucket=BUCKET)
    return [each["Key"] for each in listed.get("Contents", [])]


def kept_in_gcs(sky: Clouds) -> list[str]:
    return [each.name for each in gcs_client(sky.gcs.url).list_blobs(BUCKET)]


def kept_in_azure(sky: Clouds) -> list[str]:
    return [*azure_service(sky.azure).get_container_client(BUCKET).list_blob_names()]


@pytest.fixture(scope="module")
def server(database: str, sky: Clouds) -> Iterator[Server]:
    bucket = {
        "AWS_ACCESS_KEY_ID": WRITER.access,
        "AWS_SECRET_ACCESS_KEY": WRITER.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "MLFLOW_S3_ENDPOINT_URL": sky.s3.url,
    }
    with mlflow_server(database, f"s3://{BUCKET}/runs", login=True, env=bucket) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task has neither a cloud's credentials nor MLflow's."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "AZURE_", "GOOGLE_", "STORAGE_", "MLFLOW_TRACKING_", "MLFLOW_S3_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `log_candidate` takes of a candidate."""
    folder = tmp_path_factory.mktemp("trained")
    spec = reference_model.spec(validation=Validation(folds=2, repeats=1))
    rows, snapshot = reference_model.rows()
    done = training.train(spec, "simple", reference_model.candidate("LogisticRegression"), rows, folder)
    inputs = [*rows.frame.columns]
    return {
        "trained": done, "folder": folder, "frame": rows.frame, "inputs": inputs, "snapshot": snapshot
    }  # fmt: skip


def log_night(where: Tracking, name: str, trained: dict[str, Any]) -> tuple[str, TrackedRun]:
    """Log a night of one candidate; return its run and the candidate's."""
    facts = {"airflow.run_id": name}
    tracking.prepare(where)
    night = tracking.begin(where, name=name, facts=facts, tags={})
    files = {"figures/roc.svg": b"<svg/>"}
    return night, tracking.log_candidate(where, facts=facts, tags={}, files=files, **trained)


def connection(**facts: Any) -> str:
    return json.dumps({"conn_type": "http", **facts})


@pytest.mark.usefixtures("airflow_database")
def test_a_night_on_a_tracking_server(
    server: Server, sky: Clouds, specs: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    own = connection(host=host, port=int(port), login=USER, password=PASSWORD)
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_SERVER", own)
    where = {"uri": "airflow://mlflow_server", "experiment": "nights", "registered_model": "heart-disease"}
    specs(tracking=where, candidates=SIMPLE)
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
    stored = {key.rpartition("/artifacts/")[2] for key in kept_in_s3(sky)}
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
    frame = reference_model.rows()[0].frame
    assert (champion.predict_proba(frame) == live[1].predict_proba(live[0].transform(frame))).all()


@pytest.mark.usefixtures("server")
def test_two_candidates_that_log_the_same_snapshot_at_once(database: str, tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput
    from mlflow.store.tracking.dbmodels.models import SqlDataset
    from sqlalchemy import event

    client = MlflowClient(database)
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


@pytest.mark.parametrize(
    ("artifacts", "environment", "kept"),
    [
        (
            f"gs://{BUCKET}/runs",
            lambda sky: {"STORAGE_EMULATOR_HOST": sky.gcs.url},
            kept_in_gcs,
        ),
        (
            f"wasbs://{BUCKET}@{ACCOUNT}.blob.core.windows.net/runs",
            lambda sky: {"AZURE_STORAGE_CONNECTION_STRING": connection_string(sky.azure)},
            kept_in_azure,
        ),
    ],
    ids=["gcs", "azure"],
)
def test_the_server_keeps_artifacts_in_any_cloud_and_its_clients_know_of_none(
    artifacts: str,
    environment: Callable[[Clouds], dict[str, str]],
    kept: Callable[[Clouds], list[str]],
    database: str,
    sky: Clouds,
    trained: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    night = request.node.callspec.id
    assert not [each for each in os.environ if each.startswith(("AWS_", "AZURE_", "GOOGLE_", "STORAGE_"))]
    with mlflow_server(database, artifacts, env=environment(sky)) as server:
        where = Tracking(uri=server.url, experiment=night, registered_model=night)
        _, tracked = log_night(where, night, trained)
        tracking.attach(where, tracked, {"model_card.html": b"<html/>"})
        tracking.challenge(where, tracked, tags={}, judged=True)

        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
        import mlflow.sklearn

        assert mlflow.get_run(tracked.run_id).info.artifact_uri.startswith("mlflow-artifacts:/")
        loaded = mlflow.sklearn.load_model(f"models:/{night}@challenger")
        card = mlflow.artifacts.load_text(f"runs:/{tracked.run_id}/model_card.html")
    frame = trained["frame"]
    preprocessor, model = (_pickled(trained["folder"] / name) for name in ("preprocessor", "best_model"))
    assert (loaded.predict_proba(frame) == model.predict_proba(preprocessor.transform(frame))).all()
    assert card == "<html/>"
    stored = {key.rpartition("/artifacts/")[2] for key in kept(sky) if key.startswith("runs/")}
    assert {"model.pkl", "MLmodel", "requirements.txt", "figures/roc.svg", "model_card.html"} <= stored


def test_a_managed_server_is_reached_with_a_token(
    server: Server, trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.airflow_glue import mlflow_at

    with token_gate(server.url, user=USER, password=PASSWORD) as gate:
        managed = Tracking(uri="airflow://managed", experiment="managed", registered_model="managed")
        managed = managed.reached_by(mlflow_at)
        monkeypatch.setenv("AIRFLOW_CONN_MANAGED", connection(host=gate, password="wrong"))
        with pytest.raises(CredentialsRefused) as refused:
            tracking.prepare(managed)
        assert "wrong" not in str(refused.value)

        monkeypatch.setenv("AIRFLOW_CONN_MANAGED", connection(host=gate, password=TOKEN))
        night, tracked = log_night(managed, "managed", trained)
        registered = tracking.challenge(managed, tracked, tags={}, judged=True)
        tracking.dismiss(managed, tracked)

        assert registered.registered_version == "1"
        assert tracking.page(managed, night) == f"{gate}/#/experiments/{_experiment(managed)}/runs/{night}"


def test_databricks_client_shows_the_connections_token_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """MLflow's own client for workspaces, up to where the server would have to be one: artifacts and Unity Catalog."""
    from model_release.airflow_glue import mlflow_at

    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "another-way")  # of which the client would make a contradiction
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "another-secret")
    where = {"uri": "airflow://workspace", "experiment": "/Shared/hearts", "registered_model": "main.hearts.heart"}
    with token_gate(server.url, user=USER, password=PASSWORD) as gate:
        workspace = Tracking(**where).reached_by(mlflow_at)
        monkeypatch.setenv("AIRFLOW_CONN_WORKSPACE", connection(conn_type="databricks", host=gate, password="wrong"))
        with pytest.raises(CredentialsRefused) as refused:
            tracking.prepare(workspace)

        monkeypatch.setenv("AIRFLOW_CONN_WORKSPACE", connection(conn_type="databricks", host=gate, password=TOKEN))
        tracking.prepare(workspace)
        facts = {"airflow.run_id": "night"}
        night = tracking.begin(workspace, name="night", facts=facts, tags={})
        tracking.conclude(workspace, facts=facts, tags={"verdict": "accepted"}, candidates={})
        page = tracking.page(workspace, night)

        assert page == f"{gate}/ml/experiments/{_experiment(workspace)}/runs/{night}"
        bare = workspace.model_copy(update={"experiment": "hearts"}).reached_by(mlflow_at)
        with pytest.raises(UsageError, match="by its path in the workspace: /Shared/hearts"):
            tracking.prepare(bare)
    written = capfd.readouterr()
    said = written.out + written.err + str(refused.value)
    assert not [each for each in (TOKEN, "wrong", "another-secret") if each in said]


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
            {"conn_type": "databricks", "host": "adb.azuredatabricks.net", "login": "token", "password": "s"},
            "databricks",
            {
                "DATABRICKS_HOST": "https://adb.azuredatabricks.net",
                "DATABRICKS_TOKEN": "s",
                "DATABRICKS_AUTH_TYPE": "pat",
            },
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
