"""A tree of MLflow data of any size: one real run with a model, and as many copies of it as are wanted."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

_PLOT = 4096
_TRAINED = 512
_OF_RUNS = ("runs", "params", "metrics", "latest_metrics", "tags")
_OF_MODELS = ("logged_models", "logged_model_params", "logged_model_metrics", "logged_model_tags")


class History:
    """MLflow data in a folder, as MLflow writes it: `mlflow.db`, and `mlruns` with four files a run.

    Every run has a plot, three of five have a model of five files: a pickle and an `MLmodel` of its own, and the three
    that say what it needs, the same for all.
    """

    def __init__(self, folder: Path, runs: int) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._runs = 0
        self._run, self._model = _real_run(folder)
        with closing(sqlite3.connect(folder / "mlflow.db")) as database:
            self._rows = {name: _rows(database, name) for name in (*_OF_RUNS, *_OF_MODELS)}
        self.add(runs)

    def add(self, runs: int) -> None:
        """Log that many runs."""
        with closing(sqlite3.connect(self.folder / "mlflow.db")) as database, database:
            for _ in range(runs):
                run, model = uuid.uuid4().hex, f"m-{uuid.uuid4().hex}"
                with_model = self._runs % 5 < 3
                for name in (*_OF_RUNS, *(_OF_MODELS if with_model else ())):
                    _copy(database, name, self._rows[name], {self._run: run, self._model: model})
                self._files(run, model if with_model else None)
                self._runs += 1

    def _files(self, run: str, model: str | None) -> None:
        experiment = self.folder / "mlruns" / "1"
        plots = experiment / run / "artifacts" / "plots"
        plots.mkdir(parents=True)
        (plots / "roc.svg").write_bytes(os.urandom(_PLOT))
        if model:
            target = experiment / "models" / model / "artifacts"
            shutil.copytree(experiment / "models" / self._model / "artifacts", target)
            card = target / "MLmodel"
            card.write_text(card.read_text().replace(self._run, run).replace(self._model, model))
            with (target / "model.pkl").open("ab") as pickle:
                pickle.write(os.urandom(_TRAINED))  # behind its end, where no loader looks


def _real_run(folder: Path) -> tuple[str, str]:
    os.environ["MLFLOW_LOGGING_LEVEL"] = "ERROR"
    import mlflow
    import mlflow.sklearn
    from sklearn.linear_model import LogisticRegression

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("benchmark", artifact_location=(folder / "mlruns" / "1").as_uri())
    mlflow.set_experiment("benchmark")
    with mlflow.start_run() as run:
        mlflow.log_params({f"parameter_{number}": "0.1234" for number in range(15)})
        mlflow.log_metrics({f"metric_{number}": 0.1234 for number in range(15)})
        model = LogisticRegression().fit([[float(n)] * 13 for n in range(20)], [n % 2 for n in range(20)])
        logged = mlflow.sklearn.log_model(
            model, name="model", serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
        )
    return run.info.run_id, logged.model_id


def _rows(database: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    return database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608


def _copy(database: sqlite3.Connection, table: str, rows: list[tuple[Any, ...]], names: dict[str, str]) -> None:
    def renamed(value: Any) -> Any:
        for old, new in names.items():
            value = value.replace(old, new) if isinstance(value, str) else value
        return value

    if rows:
        marks = ", ".join("?" * len(rows[0]))
        database.executemany(
            f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608
            [tuple(renamed(value) for value in row) for row in rows],
        )
