"""Tracking against a real MLflow on SQLite: parallel candidates, retries, one version, an alias that follows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from model_release.tracking.address import without_credentials

import cleveland
from model_release import tracking, training
from model_release.errors import Contended, NotFound, Refused, Stop, StoreUnavailable, UsageError
from model_release.gate import Metric
from model_release.metadata import TrackedRun
from model_release.spec import Tracking, Validation
from model_release.training import Trained

TAGS = {
    "airflow.dag_id": "retrain_heart_disease",
    "airflow.run_id": "manual__2026-11-21T02:00:00+00:00 o'clock",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is migrated, to be copied: a migration takes seconds."""
    folder = tmp_path_factory.mktemp("prepared")
    tracking.prepare(at(folder))
    return folder / "mlflow.db"


@pytest.fixture
def there(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracking]:
    """An MLflow of one test's own; the test runs in another folder, where nothing may appear."""
    home, elsewhere = tmp_path / "mlflow", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "mlflow.db").write_bytes(prepared.read_bytes())
    monkeypatch.chdir(elsewhere)
    yield at(home, experiment="of this test")
    assert not list(elsewhere.iterdir())


def at(folder: Path, *, experiment: str = "heart-disease") -> Tracking:
    uri = f"sqlite:///{folder}/mlflow.db"
    return Tracking(uri=uri, experiment=experiment, registered_model="heart-disease")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Path]:
    folder = tmp_path_factory.mktemp("made")
    spec = cleveland.spec(validation=Validation(folds=2, repeats=1))
    recipe = cleveland.candidate("RandomForestClassifier", n_estimators=10)
    return training.train(spec, "forest", recipe, cleveland.rows()[0], folder), folder


def log(where: Tracking, made: tuple[Trained, Path], **tags: str) -> TrackedRun:
    frame, snapshot = cleveland.rows()
    trained, folder = made
    return tracking.log_candidate(
        where, run_tags={**TAGS, **tags}, trained=trained, folder=folder, frame=frame, snapshot=snapshot
    )


def client(where: Tracking) -> MlflowClient:
    return MlflowClient(where.uri)


def runs(where: Tracking) -> list[str]:
    experiment = client(where).get_experiment_by_name(where.experiment)
    assert experiment is not None
    return [run.info.run_id for run in client(where).search_runs([experiment.experiment_id])]


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("s3://bucket/mlflow", "--artifacts-destination"),
        ("gs://bucket", "--artifacts-destination"),
        ("wasbs://container@account/mlflow", "--artifacts-destination"),
        ("./mlruns", "sqlite:////folder/mlflow.db"),
        ("mlruns", "sqlite:////folder/mlflow.db"),
        ("/srv/mlruns", "sqlite:////folder/mlflow.db"),
        ("file:///srv/mlruns", "sqlite:////folder/mlflow.db"),
        ("sqlite:///mlflow.db", "four slashes"),
        ("", "sqlite:////folder/mlflow.db"),
    ],
)
def test_an_address_that_mlflow_only_seems_to_take_is_refused(uri: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        tracking.check_uri(uri)

    assert caught.value.where == "tracking.uri"
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "uri",
    [
        "sqlite:////srv/mlflow.db",
        "postgresql://user:secret@db/mlflow",
        "postgresql+psycopg2://db/mlflow",
        "mysql+pymysql://db/mlflow",
        "http://127.0.0.1:5000",
        "https://mlflow.example.org/path",
        "databricks",
        "databricks://profile",
    ],
)
def test_databases_and_servers_are_taken(uri: str) -> None:
    tracking.check_uri(uri)


def test_a_refused_address_shows_no_password() -> None:
    with pytest.raises(UsageError) as caught:
        tracking.check_uri("ftp://user:hunter2@host/mlruns")

    assert "hunter2" not in str(caught.value)
    assert without_credentials("x http://a:b@host/p y") == "x http://host/p y"


def test_preparing_twice_makes_one_experiment_beside_its_database(there: Tracking, tmp_path: Path) -> None:
    tracking.prepare(there)
    tracking.prepare(there)

    experiment = client(there).get_experiment_by_name(there.experiment)
    assert experiment is not None
    assert experiment.artifact_location == (tmp_path / "mlflow" / "mlruns").as_uri()


def test_three_processes_prepare_and_log_at_once(
    tmp_path: Path, made: tuple[Trained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = at(tmp_path / "new" / "folder")
    code = (
        "import sys, cleveland; from pathlib import Path; from model_release import tracking\n"
        "from model_release.spec import Tracking; from model_release.training import Trained\n"
        "where = Tracking.model_validate_json(sys.argv[1]); folder = Path(sys.argv[2])\n"
        "trained = Trained.read((folder / 'trained.json').read_bytes(), where='trained.json')\n"
        "frame, snapshot = cleveland.rows()\n"
        "tracking.prepare(where)\n"
        "for number in range(3):\n"
        "    tracking.log_candidate(where, run_tags={'airflow.run_id': f'{sys.argv[3]} {number}'},\n"
        "        trained=trained, folder=folder, frame=frame, snapshot=snapshot)\n"
    )
    trained, folder = made
    (folder / "trained.json").write_bytes(trained.to_bytes())
    path = os.pathsep.join(filter(None, sys.path))
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code, where.model_dump_json(), str(folder), str(number)],
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [process.communicate(timeout=180)[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert said == ["", "", ""]
    assert len(runs(where)) == 9


def test_a_run_tells_recipe_figures_snapshot_and_model(there: Tracking, made: tuple[Trained, Path]) -> None:
    trained, _ = made
    frame, snapshot = cleveland.rows()

    tracked = log(there, made)

    run = client(there).get_run(tracked.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "forest"
    assert run.data.params["n_estimators"] == "10"
    assert run.data.params["max_features"] == "sqrt"
    assert run.data.params["recipe.seed"] == "42"
    assert run.data.metrics["holdout_accuracy"] == trained.scores.holdout[Metric.ACCURACY]
    assert {"accuracy", "precision", "recall", "f1", "roc_auc", "brier"} <= run.data.metrics.keys()
    assert run.data.metrics["artifact_bytes"] == sum(entry.size for entry in trained.files)
    assert run.data.metrics["latency_p95_ms_onnx"] > 0
    assert run.data.tags["airflow.run_id"] == TAGS["airflow.run_id"]
    assert run.data.tags["snapshot"] == snapshot.fingerprint
    assert run.inputs is not None
    [seen] = run.inputs.dataset_inputs
    assert snapshot.fingerprint.startswith(seen.dataset.digest)
    import mlflow.sklearn

    pipeline = mlflow.sklearn.load_model(tracked.model_uri)
    assert (pipeline.predict(frame) == frame["target"]).mean() > 0.9


def test_a_retry_finds_its_run(there: Tracking, made: tuple[Trained, Path]) -> None:
    assert log(there, made) == log(there, made)
    assert len(runs(there)) == 1


def test_files_are_attached_to_a_run_that_is_over(there: Tracking, made: tuple[Trained, Path]) -> None:
    tracked = log(there, made)

    for _ in range(2):
        tracking.attach(there, tracked, {"model_card.html": b"<p>", "figures/roc.svg": b"<svg/>"})

    found = client(there).list_artifacts(tracked.run_id)
    assert {"model_card.html", "figures"} <= {each.path for each in found}
    assert Path(client(there).download_artifacts(tracked.run_id, "figures/roc.svg")).read_bytes() == b"<svg/>"
    assert client(there).get_run(tracked.run_id).info.status == "FINISHED"


def test_another_run_or_other_figures_are_logged_apart(there: Tracking, made: tuple[Trained, Path]) -> None:
    trained, folder = made
    other = trained.model_copy(update={"scores": trained.scores.model_copy(update={"holdout": {}})})

    found = {
        log(there, made).run_id,
        log(there, made, fingerprint="b").run_id,
        log(there, (other, folder)).run_id,
    }

    assert len(found) == 3


def test_what_a_killed_attempt_left_is_deleted(
    there: Tracking, made: tuple[Trained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.tracking import runs as module

    with monkeypatch.context() as patch:
        patch.setattr(module, "_log_model", lambda *_: Path("/nowhere").stat())
        with pytest.raises(FileNotFoundError):
            log(there, made)
    assert len(runs(there)) == 1

    tracked = log(there, made)

    assert runs(there) == [tracked.run_id]


def test_a_deleted_experiment_is_not_revived_in_silence(there: Tracking) -> None:
    tracking.prepare(there)
    experiment = client(there).get_experiment_by_name(there.experiment)
    assert experiment is not None
    client(there).delete_experiment(experiment.experiment_id)

    with pytest.raises(Refused, match="deleted"):
        tracking.prepare(there)


def test_registering_twice_makes_one_version(there: Tracking, made: tuple[Trained, Path]) -> None:
    tracked = log(there, made)

    first = tracking.register(there, tracked, tags={"snapshot": "abc"})
    second = tracking.register(there, tracked, tags={"snapshot": "abc"})
    third = tracking.register(there, log(there, made, fingerprint="b"), tags={})

    assert first == second
    assert (first.registered_model, first.registered_version) == ("heart-disease", "1")
    assert third.registered_version == "2"
    version = client(there).get_model_version("heart-disease", "1")
    assert (version.run_id, version.tags) == (tracked.run_id, {"snapshot": "abc"})


def test_a_run_without_a_model_cannot_be_registered(there: Tracking) -> None:
    with pytest.raises(Stop, match="logged no model"):
        tracking.register(there, TrackedRun(run_id="0" * 32), tags={})


@pytest.fixture
def two_versions(there: Tracking, made: tuple[Trained, Path]) -> Tracking:
    for fingerprint in ("a", "b"):
        tracking.register(there, log(there, made, fingerprint=fingerprint), tags={})
    return there


def champion(where: Tracking) -> str:
    return str(client(where).get_model_version_by_alias("heart-disease", "champion").version)


def test_the_alias_follows_the_pointer(two_versions: Tracking) -> None:
    assert tracking.follow_pointer(two_versions, read_live=lambda: (1, "1")) == [
        "MLflow's champion of heart-disease: none → 1"
    ]
    assert tracking.follow_pointer(two_versions, read_live=lambda: (1, "1")) == []
    assert tracking.follow_pointer(two_versions, read_live=lambda: (2, "2")) == [
        "MLflow's champion of heart-disease: 1 → 2"
    ]
    assert champion(two_versions) == "2"
    assert tracking.champion(two_versions) == "2"


def test_where_nothing_was_registered_nobody_is_champion(there: Tracking) -> None:
    assert tracking.champion(there) is None


def test_the_alias_is_set_again_where_the_pointer_moved_meanwhile(two_versions: Tracking) -> None:
    answers = iter([(5, "1"), (6, "2"), (6, "2"), (6, "2")])

    changed = tracking.follow_pointer(two_versions, read_live=lambda: next(answers))

    assert champion(two_versions) == "2"
    assert len(changed) == 2


def test_a_pointer_that_never_rests_is_left_to_the_next_run(two_versions: Tracking) -> None:
    epochs = iter(range(1000))

    with pytest.raises(Contended):
        tracking.follow_pointer(two_versions, read_live=lambda: (next(epochs), "1"))


def test_what_is_live_without_a_registered_version_has_no_champion(two_versions: Tracking) -> None:
    tracking.follow_pointer(two_versions, read_live=lambda: (1, "1"))

    assert tracking.follow_pointer(two_versions, read_live=lambda: (2, None)) == [
        "MLflow's champion of heart-disease: 1 → none"
    ]
    assert tracking.follow_pointer(two_versions, read_live=lambda: (2, None)) == []


def test_a_version_that_somebody_deleted_is_told_and_nothing_is_lost(
    two_versions: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    tracking.follow_pointer(two_versions, read_live=lambda: (1, "1"))

    assert tracking.follow_pointer(two_versions, read_live=lambda: (2, "9")) == []
    assert champion(two_versions) == "1"
    assert "no longer has version 9" in caplog.text


def test_a_look_up_of_the_pointer_that_fails_changes_nothing(two_versions: Tracking) -> None:
    def gone() -> tuple[int, str | None]:
        raise NotFound("latest.json was there and is gone")

    with pytest.raises(NotFound):
        tracking.follow_pointer(two_versions, read_live=gone)


def test_a_server_that_does_not_answer_is_a_reason_to_retry(
    made: tuple[Trained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    where = Tracking(uri="http://user:hunter2@127.0.0.1:9", experiment="e", registered_model="m")

    with pytest.raises(StoreUnavailable) as caught:
        tracking.prepare(where)

    assert "hunter2" not in str(caught.value)
