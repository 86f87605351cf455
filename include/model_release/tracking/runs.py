"""One MLflow run per candidate: its making, its figures and the fitted pipeline. For the `train` task."""

from __future__ import annotations

import importlib.metadata
import json
import math
import pickle
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModel, Metric, Param, Run
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from pandas.api.types import is_numeric_dtype
from sklearn.pipeline import Pipeline

from model_release.dataset import Snapshot
from model_release.documents import canonical_json, sha256_of
from model_release.metadata import TrackedRun
from model_release.spec import Tracking
from model_release.tracking.address import resolve
from model_release.tracking.connection import experiment_id, mapped_errors, quiet
from model_release.training import MODEL_FILE, PREPROCESSOR_FILE, Trained

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about type hints of MLflow's own
    import mlflow.pyfunc
    import mlflow.sklearn

KEY = "model_release.key"
"""Tag: digest over the run's facts and the candidate's name, so that a retry finds what it logged before."""

CONTENT = "model_release.content"
"""Tag: digest over the candidate's files and figures."""

_NEEDED_TO_LOAD = ("scikit-learn", "numpy", "scipy", "pandas", "cloudpickle")


def log_candidate(
    tracking: Tracking,
    *,
    run_tags: Mapping[str, str],
    trained: Trained,
    folder: Path,
    frame: pd.DataFrame,
    snapshot: Snapshot,
) -> TrackedRun:
    """Log a candidate as one MLflow run: parameters, figures, the snapshot that it saw, the fitted pipeline.

    A retry gets the run that is already there; what an attempt left unfinished is deleted.

    Args:
        tracking: where.
        run_tags: facts of the run; together with the candidate's name they tell runs apart.
        trained: what training gave.
        folder: the folder that training wrote into.
        frame: the snapshot's rows.
        snapshot: the snapshot's record.
    """
    uri = resolve(tracking)
    key = sha256_of(canonical_json({**run_tags, "candidate": trained.name}))
    content = sha256_of(
        canonical_json([trained.scores.model_dump(mode="json"), *(each.sha256 for each in trained.files)])
    )
    tags = {
        **run_tags,
        KEY: key,
        CONTENT: content,
        "candidate": trained.name,
        "snapshot": snapshot.fingerprint,
        "onnx": trained.onnx,
    }
    pipeline = _pipeline(folder)
    with mapped_errors(tracking):
        client = MlflowClient(uri)
        experiment = experiment_id(client, tracking, uri)
        for earlier in client.search_runs([experiment], f"tags.`{KEY}` = '{key}'"):
            models = _logged_models(client, earlier)
            if earlier.info.status != "FINISHED":
                for each in models:
                    client.delete_logged_model(each.model_id)
                client.delete_run(earlier.info.run_id)
            elif models and earlier.data.tags.get(CONTENT) == content:
                return TrackedRun(run_id=earlier.info.run_id, model_uri=models[0].model_uri)
        run = client.create_run(experiment, tags=tags, run_name=trained.name)
        client.log_batch(run.info.run_id, metrics=_metrics(trained), params=_parameters(trained, pipeline))
        client.log_inputs(run.info.run_id, [_dataset(tracking, frame, snapshot)])
        model_uri = _log_model(uri, run, pipeline, frame)
    return TrackedRun(run_id=run.info.run_id, model_uri=model_uri)


def attach(tracking: Tracking, tracked: TrackedRun, files: Mapping[str, bytes]) -> None:
    """Keep files with a run that was logged before, by their path among its artifacts; again is the same."""
    with mapped_errors(tracking), tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        for path, body in files.items():
            place = Path(scratch) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
        MlflowClient(resolve(tracking)).log_artifacts(tracked.run_id, scratch)


def _logged_models(client: MlflowClient, run: Run) -> list[LoggedModel]:
    owned = f"source_run_id = '{run.info.run_id}'"
    return list(client.search_logged_models([run.info.experiment_id], filter_string=owned))


def _pipeline(folder: Path) -> Pipeline:
    """Preprocessor and classifier as one, from the very files that a release would hold."""
    steps = {"preprocessor": PREPROCESSOR_FILE, "classifier": MODEL_FILE}
    return Pipeline(
        [
            (step, pickle.loads((folder / path).read_bytes()))  # noqa: S301 - this process has just written it
            for step, path in steps.items()
        ]
    )


def _metrics(trained: Trained) -> list[Metric]:
    """Means over cross-validation by their plain names, the holdout's with a prefix, as in the manifest."""
    figures: dict[str, float] = {"training_seconds": trained.seconds}
    for metric, values in trained.scores.folds.items():
        measured = [value for value in values if value is not None]
        if measured and len(measured) == len(values):
            figures[str(metric)] = fmean(measured)
    for metric, value in trained.scores.holdout.items():
        if value is not None:
            figures[f"holdout_{metric}"] = value
    if trained.costs is not None:
        figures["artifact_bytes"] = float(trained.costs.artifact_bytes)
        figures |= {
            f"latency_p95_ms_{form}": each for form, each in trained.costs.latency_p95_ms.items() if each is not None
        }
    now = int(time.time() * 1000)
    return [Metric(name, value, now, 0) for name, value in figures.items() if math.isfinite(value)]


def _parameters(trained: Trained, pipeline: Pipeline) -> list[Param]:
    """The recipe, and every setting of the classifier, the estimator's defaults included."""
    settings = pipeline["classifier"].get_params()
    plain = {name: value for name, value in settings.items() if not hasattr(value, "get_params")}
    recipe = {"recipe.estimator": trained.recipe.estimator.value, "recipe.seed": trained.recipe.seed}
    return [Param(name, str(value)[:500]) for name, value in {**recipe, **plain}.items()]


def _dataset(tracking: Tracking, frame: pd.DataFrame, snapshot: Snapshot) -> DatasetInput:
    return DatasetInput(
        Dataset(
            name=tracking.registered_model,
            digest=snapshot.fingerprint[:36],  # all that MLflow's column holds; the tag has it whole
            source_type="model-release",
            source=json.dumps({"uri": snapshot.key}),
            schema=json.dumps({"mlflow_colspec": _schema(frame).to_dict()}),
            profile=json.dumps({"num_rows": len(frame)}),
        ),
        tags=[InputTag("mlflow.data.context", "training")],
    )


def _schema(frame: pd.DataFrame) -> Schema:
    kinds: list[Any] = [
        ColSpec(DataType.double if is_numeric_dtype(frame[name].dtype) else DataType.string, str(name))
        for name in frame.columns
    ]
    return Schema(kinds)


def _log_model(uri: str, run: Run, pipeline: Pipeline, frame: pd.DataFrame) -> str:
    """Log the fitted pipeline and finish the run.

    Requirements and signature are given, since MLflow takes seconds to infer them.
    """
    mlflow.set_tracking_uri(uri)
    inputs = _schema(frame[list(pipeline[0].feature_names_in_)])
    # a release offers ONNX to whoever does not want to load a pickle; no need to warn of it each night
    with quiet("mlflow.sklearn"), mlflow.start_run(run_id=run.info.run_id):
        logged = mlflow.sklearn.log_model(
            pipeline,
            name="model",
            serialization_format="cloudpickle",
            signature=ModelSignature(inputs, Schema([ColSpec(DataType.long)])),
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in _NEEDED_TO_LOAD],
        )
    return str(logged.model_uri)
