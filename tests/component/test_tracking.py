"""Tracking against a real MLflow on SQLite: parallel candidates, retries, one version, an alias that follows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from model_release import tracking
from model_release.documents.manifest import Manifest, TrackedRun
from model_release.documents.version import Version
from model_release.errors import Contended, NotFound, Refused, SpecError, Stop, StoreUnavailable, UsageError
from model_release.modelling import training
from model_release.modelling.trained import Trained
from model_release.spec.candidate import Candidate
from model_release.spec.split import Validation
from model_release.spec.tracking import Tracking
from model_release.spec.tracking_uri import Access, without_credentials
from support import own_package, reference_model
from support.release_builder import make

FACTS = {
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
    spec = reference_model.spec(validation=Validation(folds=2, repeats=1))
    recipe = reference_model.candidate("RandomForestClassifier", n_estimators=10)
    return training.train(spec, "forest", recipe, reference_model.rows()[0], folder), folder


def log(where: Tracking, made: tuple[Trained, Path], **facts: str) -> TrackedRun:
    rows, snapshot = reference_model.rows()
    trained, folder = made
    return tracking.log_candidate(
        where,
        facts={**FACTS, **facts},
        tags={"fingerprint": "f"},
        trained=trained,
        folder=folder,
        frame=rows.frame,
        inputs=[*rows.frame.columns],
        snapshot=snapshot,
        files={"figures/roc.svg": b"<svg/>"},
    )


def client(where: Tracking) -> MlflowClient:
    return MlflowClient(where.uri)


def children(where: Tracking) -> list[Run]:
    experiment = client(where).get_experiment_by_name(where.experiment)
    assert experiment is not None
    return list(client(where).search_runs([experiment.experiment_id], "tags.candidate != ''"))


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
        ("airflow://user:hunter2@mlflow", "airflow://mlflow_server"),
        ("ftp://user:hunter2@host/mlruns", "sqlite:////folder/mlflow.db"),
        ("", "sqlite:////folder/mlflow.db"),
    ],
)
def test_an_address_that_mlflow_only_seems_to_take_is_refused(
    uri: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="MLflow|absolute|connection") as caught:
        Tracking(uri=uri, experiment="e", registered_model="m")
    assert hint in str(caught.value)
    assert "hunter2" not in str(caught.value).partition("input_value")[0]

    monkeypatch.delenv("TRACKING", raising=False)
    late = Tracking(uri="${TRACKING}", experiment="e", registered_model="m")
    with pytest.raises(SpecError, match="TRACKING"):
        late.access()
    monkeypatch.setenv("TRACKING", uri)
    with pytest.raises(UsageError) as refused:
        late.access()
    assert refused.value.where == "tracking.uri"
    assert hint in str(refused.value)


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
    assert Tracking(uri=uri, experiment="/Shared/e", registered_model="main.hearts.m").access() == Access(uri)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"experiment": "hearts"}, "/Shared/hearts"),
        ({"registered_model": "heart"}, "catalog.schema.heart"),
        ({"registered_model": "main.heart"}, "three parts"),
        ({"registry_uri": "databricks"}, "has no aliases"),
        ({"registry_uri": "databricks://profile"}, "has no aliases"),
        ({"uri": "http://mlflow:5000", "registry_uri": "databricks-uc", "registered_model": "heart"}, "three parts"),
    ],
)
def test_names_that_databricks_has_no_place_for_are_refused(changes: dict[str, str], told: str) -> None:
    where = {"uri": "databricks", "experiment": "/Shared/hearts", "registered_model": "main.hearts.heart"}
    Tracking(**where)

    with pytest.raises(ValueError, match=told):
        Tracking(**{**where, **changes})


def test_addresses_are_told_without_passwords() -> None:
    assert without_credentials("x http://a:b@host/p y") == "x http://host/p y"
    assert "hunter2" not in repr(Access("http://host", {"MLFLOW_TRACKING_PASSWORD": "hunter2"}))


def test_only_airflow_knows_its_connections() -> None:
    where = Tracking(uri="airflow://mlflow", experiment="e", registered_model="m")

    with pytest.raises(UsageError, match="only Airflow"):
        where.access()

    assert where.reached_by(lambda name: Access(f"http://{name}")).access() == Access("http://mlflow")
    with pytest.raises(UsageError, match="bucket"):
        where.reached_by(lambda _: Access("s3://mlflow")).access()


def test_credentials_of_a_connection_are_there_while_mlflow_is_asked_and_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from model_release.tracking.connection import connected

    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "ambient")
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "airflow://mlflow")
    own = {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "hunter2"}
    where = Tracking(uri="airflow://mlflow", experiment="e", registered_model="m")

    def named() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_TRACKING_")}

    before = named()
    with pytest.raises(ZeroDivisionError), connected(where.reached_by(lambda _: Access("http://host", own))):
        assert named() == {**own, "MLFLOW_TRACKING_URI": "http://host"}
        raise ZeroDivisionError
    assert named() == before


@pytest.mark.parametrize(
    ("uri", "pages", "address"),
    [
        ("sqlite:////srv/mlflow.db", None, None),
        ("sqlite:////srv/mlflow.db", "http://localhost:5000/", "http://localhost:5000/#"),
        ("https://ann:hunter2@mlflow.example.org/", None, "https://mlflow.example.org/#"),
        ("http://mlflow:5000", "https://mlflow.example.org", "https://mlflow.example.org/#"),
    ],
)
def test_people_see_the_server_or_the_pages_that_are_named(uri: str, pages: str | None, address: str | None) -> None:
    where = Tracking(uri=uri, pages=pages, experiment="e", registered_model="m")

    assert where.pages_address() == address
    assert where.has_pages == (address is not None)


def test_preparing_twice_makes_one_experiment_beside_its_database(there: Tracking, tmp_path: Path) -> None:
    tracking.prepare(there)
    tracking.prepare(there)

    experiment = client(there).get_experiment_by_name(there.experiment)
    assert experiment is not None
    place = tmp_path / "mlflow" / "mlruns" / experiment.experiment_id
    assert experiment.artifact_location == place.as_uri()


def test_three_processes_prepare_and_log_at_once(
    tmp_path: Path, made: tuple[Trained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    where = at(tmp_path / "new" / "folder")
    code = (
        "import sys, time; from pathlib import Path; from support import own_package, reference_model\n"
        "from model_release import tracking\n"
        "from model_release.spec.tracking import Tracking; from model_release.modelling.trained import Trained\n"
        "where = Tracking.model_validate_json(sys.argv[1]); folder = Path(sys.argv[2])\n"
        "trained = Trained.read((folder / 'trained.json').read_bytes(), where='trained.json')\n"
        "rows, snapshot = reference_model.rows()\n"
        "tracking.prepare(where)\n"
        "nights = [{'airflow.run_id': f'night {number}'} for number in range(3)]\n"
        "begun = folder / 'begun'\n"
        "if sys.argv[3] == '0':  # one task begins a night, and those that train come after it\n"
        "    for facts in nights: tracking.begin(where, name='night', facts=facts, tags={})\n"
        "    begun.touch()\n"
        "while not begun.exists(): time.sleep(0.1)\n"
        "for facts in nights:\n"
        "    tracking.log_candidate(where, facts=facts, tags={}, files={}, snapshot=snapshot,\n"
        "        frame=rows.frame, inputs=[*rows.frame.columns],\n"
        "        trained=trained.model_copy(update={'name': sys.argv[3]}), folder=folder)\n"
    )
    trained, folder = made
    (folder / "trained.json").write_bytes(trained.to_bytes())
    path = os.pathsep.join(filter(None, sys.path))
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-W",
                "error",
                "-W",
                "ignore::ResourceWarning",
                "-c",
                code,
                where.model_dump_json(),
                str(folder),
                str(number),
            ],
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    said = [process.communicate(timeout=180)[1] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert said == ["", "", ""]
    candidates = children(where)
    assert len(candidates) == 9
    assert len({each.data.tags["mlflow.parentRunId"] for each in candidates}) == 3


def test_a_run_tells_recipe_figures_snapshot_and_model(
    there: Tracking, made: tuple[Trained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, _ = made
    rows, snapshot = reference_model.rows()

    tracked = log(there, made)

    run = client(there).get_run(tracked.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "forest"
    assert run.data.params["n_estimators"] == "10"
    assert run.data.params["max_features"] == "sqrt"
    assert run.data.params["recipe.seed"] == "42"
    assert run.data.metrics["holdout_accuracy"] == trained.scores.holdout["accuracy"]
    assert {"accuracy", "precision", "recall", "f1", "roc_auc", "brier"} <= run.data.metrics.keys()
    assert run.data.metrics["artifact_bytes"] == sum(entry.size for entry in trained.files)
    assert run.data.metrics["latency_p95_ms_onnx"] > 0
    assert run.data.metrics["brier_low"] < run.data.metrics["brier"] < run.data.metrics["brier_high"]
    assert run.data.metrics["holdout_accuracy_low"] < run.data.metrics["holdout_accuracy"]
    folds = client(there).get_metric_history(tracked.run_id, "fold/accuracy")
    assert [each.value for each in sorted(folds, key=lambda each: each.step)] == trained.scores.folds["accuracy"]
    kept = {each.path for each in client(there).list_artifacts(tracked.run_id)}
    assert kept == {"figures", "environment.txt"}
    assert run.data.tags["airflow.run_id"] == FACTS["airflow.run_id"]
    assert run.data.tags["snapshot"] == snapshot.fingerprint
    assert run.inputs is not None
    [seen] = run.inputs.dataset_inputs
    assert snapshot.fingerprint.startswith(seen.dataset.digest)
    import mlflow.sklearn

    monkeypatch.setenv("MLFLOW_TRACKING_URI", there.uri)
    pipeline = mlflow.sklearn.load_model(tracked.model_uri)
    assert (pipeline.predict(rows.frame) == rows.target).mean() > 0.9


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
        log(there, made, night="b").run_id,
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


def release(tmp_path: Path, tracked: TrackedRun | None, number: int = 1) -> Manifest:
    draft = make(tmp_path, f"release-{tracked.run_id if tracked else 'unknown'}-{number}").draft
    return draft.model_copy(update={"mlflow": tracked, "version": Version(1, number, 0)})


def test_a_team_s_own_code_lies_beside_the_logged_pickle(
    there: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, code, folder = "logged_model_of_tests", tmp_path / "code", tmp_path / "made"
    own_package.write_package(code, name)
    folder.mkdir()
    rows, _ = reference_model.rows()
    recipe = Candidate(pipeline=f"{name}.recipes:build", parameters={"C": 0.1})
    with own_package.importable(code, name, monkeypatch):
        spec = reference_model.spec(validation=Validation(folds=2, repeats=1))
        trained = training.train(spec, "ours", recipe, rows, folder)
        tracked = log(there, (trained, folder))
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(code)])
    shutil.rmtree(code)

    with tracking.connection.connected(there):
        import mlflow.pyfunc

        loaded = mlflow.pyfunc.load_model(tracked.model_uri)
        answers = loaded.predict(rows.frame.head(5))
    own_package.forget(name)

    assert set(answers) <= {0, 1}


@pytest.fixture
def two(there: Tracking, made: tuple[Trained, Path], tmp_path: Path) -> tuple[Tracking, Manifest, Manifest]:
    """Two releases that are versions 1 and 2 in the registry."""
    tracked = [log(there, made, night=each) for each in ("a", "b")]
    first, second = [tracking.challenge(there, each, tags={}, judged=False) for each in tracked]
    return there, release(tmp_path, first), release(tmp_path, second, 2)


def follow(where: Tracking, *live: tuple[int, Manifest]) -> list[str]:
    """Let the registry follow a pointer that is read as `live` says, and then always as at last."""
    answers = iter(live)
    last = live[-1]
    return tracking.follow_pointer(where, folders=["s3://b/m", "gs://b/m"], read_live=lambda: next(answers, last))


def alias(where: Tracking, name: str = "champion") -> str | None:
    version = client(where).get_registered_model("heart-disease").aliases.get(name)
    return None if version is None else str(version)


def test_registering_twice_makes_one_version(there: Tracking, made: tuple[Trained, Path]) -> None:
    tracked = log(there, made)

    first = tracking.challenge(there, tracked, tags={"snapshot": "abc"}, judged=False)
    second = tracking.challenge(there, tracked, tags={"snapshot": "abc"}, judged=False)
    third = tracking.challenge(there, log(there, made, night="b"), tags={}, judged=False)

    assert first == second
    assert (first.registered_model, first.registered_version) == ("heart-disease", "1")
    assert third.registered_version == "2"
    version = client(there).get_model_version("heart-disease", "1")
    assert (version.run_id, version.tags) == (tracked.run_id, {"snapshot": "abc"})
    assert alias(there, "challenger") is None


def test_a_run_without_a_model_cannot_be_registered(there: Tracking) -> None:
    with pytest.raises(Stop, match="logged no model"):
        tracking.challenge(there, TrackedRun(run_id="0" * 32), tags={}, judged=True)


def test_the_alias_follows_the_pointer_and_leads_to_the_release(two: tuple[Tracking, Manifest, Manifest]) -> None:
    where, first, second = two

    assert follow(where, (1, first)) == ["MLflow's champion of heart-disease: none → 1"]
    assert follow(where, (1, first)) == []
    assert follow(where, (2, second)) == ["MLflow's champion of heart-disease: 1 → 2"]

    assert second.mlflow
    assert tracking.aliases(where) == tracking.Aliases("2", second.mlflow.run_id, None)
    tags = client(where).get_model_version("heart-disease", "2").tags
    assert tags["release.version"] == "v1.2.0"
    assert tags["release.uris"] == "s3://b/m/v1.2.0 gs://b/m/v1.2.0"
    assert tags["release.metadata_sha256"] == second.sha256()
    assert json.loads(tags["release.sha256"])["best_model.pkl"] == second.file("best_model.pkl").sha256


def test_whoever_is_judged_is_challenger_until_that_is_decided(two: tuple[Tracking, Manifest, Manifest]) -> None:
    where, first, second = two
    assert first.mlflow
    assert second.mlflow
    follow(where, (1, first))

    tracking.challenge(where, second.mlflow, tags={}, judged=True)
    assert alias(where, "challenger") == "2"
    assert follow(where, (1, first)) == [], "it may still be judged"
    tracking.dismiss(where, first.mlflow)
    assert alias(where, "challenger") == "2", "another one's end is not its own"
    tracking.dismiss(where, second.mlflow)
    assert alias(where, "challenger") is None

    tracking.challenge(where, second.mlflow, tags={}, judged=True)
    assert len(follow(where, (2, second))) == 2
    assert (alias(where), alias(where, "challenger")) == ("2", None)


def test_a_challenger_of_yesterday_is_none(
    two: tuple[Tracking, Manifest, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, first, second = two
    assert second.mlflow
    tracking.challenge(where, second.mlflow, tags={}, judged=True)
    assert tracking.aliases(where).stale is None

    monkeypatch.setattr("model_release.tracking.registry.JUDGED_FOR", timedelta())
    assert tracking.aliases(where).stale == "2"
    assert "MLflow's challenger of heart-disease: 2 → none" in follow(where, (1, first))
    assert tracking.aliases(where).stale is None


def test_where_nothing_was_registered_nobody_is_champion(there: Tracking) -> None:
    assert tracking.aliases(there) == tracking.Aliases()


def test_the_alias_is_set_again_where_the_pointer_moved_meanwhile(two: tuple[Tracking, Manifest, Manifest]) -> None:
    where, first, second = two

    assert len(follow(where, (5, first), (6, second))) == 2
    assert alias(where) == "2"


def test_a_pointer_that_never_rests_is_left_to_the_next_run(two: tuple[Tracking, Manifest, Manifest]) -> None:
    where, first, _ = two

    with pytest.raises(Contended):
        follow(where, *((epoch, first) for epoch in range(100)))


def test_what_mlflow_does_not_know_has_no_champion(two: tuple[Tracking, Manifest, Manifest], tmp_path: Path) -> None:
    where, first, _ = two
    operate_run = release(tmp_path, None, 3)
    follow(where, (1, first))

    assert follow(where, (2, operate_run)) == ["MLflow's champion of heart-disease: 1 → none"]
    assert follow(where, (2, operate_run)) == []


@pytest.mark.parametrize("lost", [False, True], ids=["never registered", "deleted by somebody"])
def test_what_is_live_and_not_registered_is_registered(
    two: tuple[Tracking, Manifest, Manifest], made: tuple[Trained, Path], tmp_path: Path, lost: bool
) -> None:
    where, first, second = two
    follow(where, (1, first))
    live = second if lost else release(tmp_path, log(where, made, night="c"), 3)
    if lost:
        client(where).delete_model_version("heart-disease", "2")

    assert follow(where, (2, live)) == ["MLflow's champion of heart-disease: 1 → 3"]
    assert live.mlflow
    assert tracking.aliases(where).champion_run == live.mlflow.run_id


def test_a_look_up_of_the_pointer_that_fails_changes_nothing(two: tuple[Tracking, Manifest, Manifest]) -> None:
    where, _, _ = two

    def gone() -> tuple[int, Manifest]:
        raise NotFound("latest.json was there and is gone")

    with pytest.raises(NotFound):
        tracking.follow_pointer(where, folders=[], read_live=gone)


def test_a_night_is_begun_once_and_ended_with_its_verdict(there: Tracking, made: tuple[Trained, Path]) -> None:
    def begin() -> str:
        return tracking.begin(there, name="night 1", facts=FACTS, tags={"as_of": "2026-11-21"})

    night = begin()
    assert begin() == night
    tracked = log(there, made)
    assert client(there).get_run(tracked.run_id).data.tags["mlflow.parentRunId"] == night
    assert client(there).get_run(night).info.status == "RUNNING"

    verdict = {"verdict": "rejected", "verdict.reasons": "x" * 9000}
    for _ in range(2):
        tracking.conclude(there, facts=FACTS, tags=verdict, candidates={tracked.run_id: verdict})

    for run_id in (night, tracked.run_id):
        run = client(there).get_run(run_id)
        assert (run.info.status, run.data.tags["verdict"]) == ("FINISHED", "rejected")
        assert len(run.data.tags["verdict.reasons"]) == 5000
    assert begin() == night, "a run that is cleared goes on with its night"


def test_a_night_that_died_is_ended_by_the_next(there: Tracking, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tracking.begin(there, name="1", facts={"run": "1"}, tags={})
    second = tracking.begin(there, name="2", facts={"run": "2"}, tags={})
    assert client(there).get_run(first).info.status == "RUNNING"

    monkeypatch.setattr("model_release.tracking.runs.DEAD", timedelta())
    tracking.begin(there, name="3", facts={"run": "3"}, tags={})

    assert [client(there).get_run(each).info.status for each in (first, second)] == ["FAILED", "FAILED"]


def test_a_server_that_does_not_answer_is_a_reason_to_retry(
    made: tuple[Trained, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    where = Tracking(uri="http://user:hunter2@127.0.0.1:9", experiment="e", registered_model="m")

    with pytest.raises(StoreUnavailable) as caught:
        tracking.prepare(where)

    assert "hunter2" not in str(caught.value)
