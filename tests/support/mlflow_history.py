"""A history that MLflow itself has written, and what MLflow shows of it: in this process or in one of its own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def mlflow_at(uri: str) -> Iterator[Any]:
    """Yield mlflow with an address, and without its warnings."""
    before = dict(os.environ)
    os.environ |= {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "GIT_PYTHON_REFRESH": "quiet"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.pyfunc
        import mlflow.sklearn

        mlflow.set_tracking_uri(uri)
        try:
            yield mlflow
        finally:
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type] # not "", which is ./mlruns
            os.environ.clear()
            os.environ.update(before)


def log(uri: str, count: int, done: Path | None = None) -> None:
    """Log runs, each with a parameter, a metric, a file and a model; a line of `done` for each that has ended."""
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="constant", constant=1).fit([[0.0]], [1])
    with mlflow_at(uri) as mlflow:
        mlflow.set_experiment("hearts")
        for number in range(count):
            with mlflow.start_run(run_name=str(number)) as run:
                mlflow.log_param("number", number)
                mlflow.log_text(str(number), "notes/of the run.txt")
                mlflow.sklearn.log_model(
                    model, name="model", serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
                )
                mlflow.log_metric("accuracy", number / 10)
            if done is not None:
                with done.open("a") as out:
                    out.write(f"{run.info.run_id}\n")


def register(uri: str) -> None:
    """Register every model, make the last one champion, and delete a run."""
    with mlflow_at(uri) as mlflow:
        client = mlflow.MlflowClient()
        (number,) = (each.experiment_id for each in client.search_experiments(filter_string="name = 'hearts'"))
        client.create_registered_model("heart")
        for each in client.search_logged_models([number]):
            named = {"run_id": each.source_run_id, "model_id": each.model_id}
            version = client.create_model_version("heart", each.model_uri, **named).version
        client.set_registered_model_alias("heart", "champion", version)
        client.delete_run(client.search_runs([number], "params.number = '0'")[0].info.run_id)


def look(folder: Path) -> dict[str, Any]:
    """Return what MLflow shows of a history, with every model loaded, by every name."""
    with mlflow_at(f"sqlite:///{folder}/mlflow.db") as mlflow:
        client = mlflow.MlflowClient()
        numbers = [each.experiment_id for each in client.search_experiments(view_type=3)]
        runs = client.search_runs(numbers, run_view_type=3, order_by=["run_id"])
        models = client.search_logged_models(numbers)
        versions = client.search_model_versions()
        table = mlflow.search_runs(numbers)
        names = [f"runs:/{each.source_run_id}/model" for each in models] + [each.model_uri for each in models]
        names += [f"models:/{each.name}/{each.version}" for each in versions]
        names += ["models:/heart@champion"] if versions else []
        return {
            "runs": [
                [each.info.run_id, each.info.lifecycle_stage, each.data.params, each.data.metrics] for each in runs
            ],
            "table": table[sorted({*table.columns} - {"artifact_uri"})].to_json(),
            "aliases": {each.name: {**each.aliases} for each in client.search_registered_models()},
            "predictions": {name: mlflow.pyfunc.load_model(name).predict([[1.0]]).tolist() for name in names},
            "notes": [mlflow.artifacts.load_text(f"{each.info.artifact_uri}/notes/of the run.txt") for each in runs],
            "places": [each.info.artifact_uri for each in runs],
        }
