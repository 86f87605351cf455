"""The mirror with MLflow itself: what is restored elsewhere is the same history, and every model in it loads."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlruns_mirror import database
from mlruns_mirror.local import Source
from mlruns_mirror.pull import pull
from mlruns_mirror.push import push
from model_release import tracking
from model_release.cli import app
from model_release.spec.tracking import Tracking
from model_release.stores.local import LocalStore
from model_release.stores.reader.reader import open_reader
from support.mlflow_history import log, look, register


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs with models, all registered, the last one the champion, the first one deleted."""
    folder = tmp_path_factory.mktemp("logged") / "var" / "mlflow"
    folder.mkdir(parents=True)
    uri = f"sqlite:///{folder}/mlflow.db"
    tracking.prepare(Tracking(uri=uri, experiment="hearts", registered_model="heart"))
    log(uri, 3)
    register(uri)
    return folder


def command(*words: object) -> dict[str, Any]:
    ran = CliRunner().invoke(app, ["mlruns", *map(str, words), "--json"])
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_what_is_restored_elsewhere_is_the_same_history(history: Path, tmp_path: Path) -> None:
    bucket = (tmp_path / "bucket" / "mlruns").as_uri()
    done = command("push", bucket, "--from", history)
    assert (done["runs"], done["sent"], done["outside"]) == (3, 18, [])
    assert [*(tmp_path / "bucket/mlruns/1/models").glob("m-*/artifacts/model.pkl")], "where the reference has it"
    (tmp_path / "a place").mkdir()
    moved = history.rename(tmp_path / "out of reach")
    try:
        command("pull", bucket, "--to", tmp_path / "a place" / "mlflow")
        again = command("push", bucket, "--from", tmp_path / "a place" / "mlflow")
        assert (again["sent"], again["database"]) == (0, True), "the same files; the database names another place"
        there = look(tmp_path / "a place" / "mlflow")
    finally:
        moved.rename(history)
    here = look(history)
    assert all(place.startswith((tmp_path / "a place" / "mlflow/mlruns/1").as_uri()) for place in there["places"])
    assert {**there, "places": None} == {**here, "places": None}
    assert [stage for _, stage, *_ in here["runs"]].count("deleted") == 1
    assert len(here["predictions"]) == 3 * 3 + 1


def test_no_column_names_the_old_place(history: Path, tmp_path: Path) -> None:
    """Whatever a newer MLflow adds: every text of the database is looked at."""
    copy, root = tmp_path / "mlflow.db", history / "mlruns"
    database.snapshot(history / "mlflow.db", copy)
    with closing(sqlite3.connect(copy)) as opened, opened:
        run, place = opened.execute("SELECT run_uuid, artifact_uri FROM runs").fetchone()
        opened.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (place.removeprefix("file://"), run))
        opened.execute("UPDATE model_versions SET source = ? WHERE version = 1", (f"{place}/model",))
        opened.execute("UPDATE experiments SET artifact_location = '/elsewhere/mlruns/0' WHERE experiment_id = 0")

    def holding(text: str) -> set[str]:
        with closing(sqlite3.connect(copy)) as opened:
            tables = [each for (each,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            columns = [(table, each[1]) for table in tables for each in opened.execute(f"PRAGMA table_info('{table}')")]
            return {
                f"{table}.{column}"
                for table, column in columns
                if opened.execute(f'SELECT 1 FROM "{table}" WHERE "{column}" LIKE ?', (f"%{text}%",)).fetchone()  # noqa: S608
            }

    assert holding(str(root)) == {
        "experiments.artifact_location",
        "runs.artifact_uri",
        "logged_models.artifact_location",
        "model_versions.source",
        "model_versions.storage_location",
    }
    database.relocate(copy, [str(root)], tmp_path / "new ü" / "mlruns")
    assert holding(str(history.parent)) == holding("/elsewhere") == set()
    with closing(sqlite3.connect(copy)) as opened:
        assert opened.execute("SELECT artifact_uri FROM runs WHERE run_uuid = ?", (run,)).fetchone()[0] == str(
            tmp_path / "new ü" / "mlruns" / "1" / run / "artifacts"
        )
        assert (
            opened.execute("SELECT source FROM model_versions WHERE version = 1")
            .fetchone()[0]
            .startswith((tmp_path / "new ü" / "mlruns" / "1").as_uri())
        )


def test_while_runs_are_logged_what_the_database_names_is_there(tmp_path: Path) -> None:
    """Pushed again and again while another process logs; after each push, what a restore would have is complete."""
    folder, done = tmp_path / "here", tmp_path / "done"
    uri = f"sqlite:///{folder}/mlflow.db"
    tracking.prepare(Tracking(uri=uri, experiment="hearts", registered_model="heart"))
    code = f"from pathlib import Path; from support.mlflow_history import log; log({uri!r}, 15, Path({str(done)!r}))"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    writer = subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.DEVNULL)
    store = LocalStore(tmp_path / "bucket")
    seen: list[int] = []
    while writer.poll() is None:
        if done.exists():
            push(store, Source(folder / "mlflow.db", folder / "mlruns"))
            there = tmp_path / f"there{len(seen)}"
            pull(open_reader(store.uri), there)
            with closing(sqlite3.connect(there / "mlflow.db")) as opened:
                assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                ready = opened.execute("SELECT artifact_location FROM logged_models WHERE status = 2").fetchall()
                finished = opened.execute("SELECT artifact_uri FROM runs WHERE status = 'FINISHED'").fetchall()
            for (place,) in ready:
                folder_of_model = Path(place.removeprefix("file://"))
                assert {each.name for each in folder_of_model.iterdir()} >= {"MLmodel", "model.pkl", "conda.yaml"}
            for (place,) in finished:
                assert (Path(place.removeprefix("file://")) / "notes" / "of the run.txt").exists()
            seen.append(len(ready))
    assert writer.returncode == 0
    assert len(seen) >= 3 and 0 < seen[0] < seen[-1], seen


def test_an_old_file_store_is_imported_by_mlflow(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    log(str(old / "mlruns"), 2)
    assert [*(old / "mlruns").glob("*/meta.yaml")]
    moved = old.rename(tmp_path / "moved")
    bucket = (tmp_path / "bucket" / "mlruns").as_uri()
    ran = CliRunner().invoke(app, ["mlruns", "push", bucket, "--from", str(moved / "mlruns")])
    assert ran.exit_code == 0, ran.output
    assert "imported by MLflow's own migration" in ran.output
    command("pull", bucket, "--to", tmp_path / "there")
    there = look(tmp_path / "there")
    assert [params for _, _, params, _ in there["runs"]].count({"number": "1"}) == 1
    assert len(there["predictions"]) == 4 and sorted(there["notes"]) == ["0", "1"]

    metric = next((moved / "mlruns").glob("*/*/metrics/accuracy"))
    metric.write_text(metric.read_text() * 2)  # as MLflow writes what is logged before a model, and cannot import
    ran = CliRunner().invoke(app, ["mlruns", "push", (tmp_path / "other").as_uri(), "--from", str(moved)])
    assert ran.exit_code == 0 and "mirrored as files, since MLflow's migration" in ran.output, ran.output

    mended = Path(shutil.copytree(moved.rename(old), tmp_path / "mended"))
    for each in mended.glob("mlruns/**/metrics/*"):
        each.write_text("".join(dict.fromkeys(each.read_text().splitlines(keepends=True))))
    ran = CliRunner().invoke(app, ["mlruns", "push", (tmp_path / "third").as_uri(), "--from", str(mended)])
    assert "imported by" in ran.output and "not mirrored" not in ran.output, ran.output


def test_an_old_file_store_without_mlflow_is_mirrored_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_release.workflows.mlruns_sources.find_spec", lambda name: None)
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("name: Default\n")
    bucket = (tmp_path / "bucket" / "mlruns").as_uri()
    ran = CliRunner().invoke(app, ["mlruns", "push", bucket, "--from", str(tmp_path)])
    assert "mirrored as files" in ran.output
    done = command("pull", bucket, "--to", tmp_path / "there")
    assert (done["files"], done["database"]) == (1, None)
    assert (tmp_path / "there" / "mlruns" / "0" / "meta.yaml").read_text() == "name: Default\n"
