"""The MLflow runs of one night: a parent, and below it a run per candidate with its making, figures and pipeline.

Runs are found by what they are tagged with, so that retries, and tasks on other machines, meet the same ones.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import pickle
import re
import tempfile
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from pandas.api.types import is_numeric_dtype

from model_release.documents.base import canonical_json, sha256_of
from model_release.documents.layout import CODE
from model_release.documents.manifest import FileEntry, TrackedRun
from model_release.errors import Corrupt
from model_release.model_files.own_code import unpack
from model_release.modelling import provenance
from model_release.modelling.gate import intervals_of
from model_release.modelling.trained import MODEL_FILE, PREPROCESSOR_FILE, Trained
from model_release.spec.tracking import Tracking
from model_release.tracking.connection import connected, experiment_id

if TYPE_CHECKING:  # only a task that trains has them in memory already
    from sklearn.pipeline import Pipeline

    from model_release.modelling.dataset import Snapshot

KEY = "model_release.key"
"""Tag: digest over the identity of a run, so that a retry finds the run that it logged before."""

CONTENT = "model_release.content"
"""Tag: digest over the candidate's files and figures."""

DEAD = timedelta(days=1)
"""A night that still runs after so long counts as dead, as its staging folder does."""

_PICKLED = "model.pkl"
_PYTHON = "python_env.yaml"
_PARENT = "mlflow.parentRunId"
_TAG_LENGTH = 5000
_METRICS_AT_ONCE = 1000


def begin(tracking: Tracking, *, name: str, facts: Mapping[str, str], tags: Mapping[str, str]) -> str:
    """Begin a night's parent run, or continue the existing one; end those of nights that died.

    Args:
        tracking: the place of MLflow, prepared.
        name: of the run, for people.
        facts: the identity of the night.
        tags: further facts of it.

    Returns:
        The id of the one parent that every process finds from now on.
    """
    with connected(tracking) as client:
        experiment = experiment_id(client, tracking)
        _end_the_dead(client, experiment)
        night = _night(client, experiment, facts)
        if night is None:
            made = client.create_run(experiment, run_name=name, tags={**facts, **tags, KEY: _night_key(facts)})
            night = _night(client, experiment, facts) or made  # of two that begin at once, the older one
        if night.info.status != "RUNNING":
            client.update_run(night.info.run_id, status="RUNNING")
        return str(night.info.run_id)


def conclude(
    tracking: Tracking,
    *,
    facts: Mapping[str, str],
    tags: Mapping[str, str],
    candidates: Mapping[str, Mapping[str, str]],
) -> None:
    """Tag a night's parent run and its candidates, by run id, with their outcome, and end the parent."""
    with connected(tracking) as client:
        night = _night(client, experiment_id(client, tracking), facts)
        for run_id, words in [*candidates.items(), *([(night.info.run_id, tags)] if night else [])]:
            client.log_batch(run_id, tags=[RunTag(key, value[:_TAG_LENGTH]) for key, value in words.items()])
        if night and night.info.status == "RUNNING":
            client.set_terminated(night.info.run_id)


def page(tracking: Tracking, run_id: str) -> str | None:
    """Return the address of a run's page, for people; None for a database without named pages."""
    uri = tracking.pages_address()
    if uri is None:
        return None
    with connected(tracking) as client:
        return f"{uri}/experiments/{client.get_run(run_id).info.experiment_id}/runs/{run_id}"


def log_candidate(
    tracking: Tracking,
    *,
    facts: Mapping[str, str],
    tags: Mapping[str, str],
    trained: Trained,
    folder: Path,
    frame: pd.DataFrame,
    inputs: Sequence[str],
    snapshot: Snapshot,
    files: Mapping[str, bytes],
) -> TrackedRun:
    """Log a candidate as one MLflow run: parameters, figures, the snapshot that it saw, the fitted pipeline.

    A retry gets the run that is already there; an unfinished run of an earlier attempt is deleted.

    Args:
        tracking: the place of MLflow.
        facts: the identity of the night; with the candidate's name, that of the run.
        tags: further facts of the run.
        trained: the result of training.
        folder: the folder that training wrote into.
        frame: the snapshot's rows.
        inputs: the columns of it that the model takes.
        snapshot: the snapshot's record.
        files: kept with the run, by their path among its artifacts.
    """
    key = sha256_of(canonical_json({**facts, "candidate": trained.name, "snapshot": snapshot.fingerprint}))
    content = sha256_of(
        canonical_json([trained.scores.model_dump(mode="json"), *(each.sha256 for each in trained.files)])
    )
    told = {
        **facts,
        **tags,
        KEY: key,
        CONTENT: content,
        "candidate": trained.name,
        "snapshot": snapshot.fingerprint,
        "onnx": trained.onnx,
        **({"searched": trained.searched} if trained.searched else {}),
        "python": provenance.python_version(),
    }
    pipeline = pipeline_of(folder, trained.files)
    with connected(tracking) as client:
        experiment = experiment_id(client, tracking)
        for earlier in client.search_runs([experiment], f"tags.`{KEY}` = '{key}'"):
            models = _logged_models(client, earlier)
            if earlier.info.status != "FINISHED":
                for each in models:
                    client.delete_logged_model(each.model_id)
                client.delete_run(earlier.info.run_id)
            elif models and earlier.data.tags.get(CONTENT) == content:
                return TrackedRun(run_id=earlier.info.run_id, model_uri=models[0].model_uri)
        night = _night(client, experiment, facts)
        parent = {_PARENT: night.info.run_id} if night else {}
        run = client.create_run(experiment, tags={**told, **parent}, run_name=trained.name)
        run_id = run.info.run_id
        parameters = _parameters(trained, pipeline)
        seen = _dataset(tracking, frame, snapshot)
        client.log_batch(run_id, params=[Param(name, value) for name, value in parameters.items()])
        log_inputs(client, run_id, seen)
        wheels = [each.read_bytes() for each in sorted((folder / CODE).glob("*.whl"))]
        model = _log_model(client, run, pipeline, frame[[*inputs]], parameters, trained.requirements, wheels)
        metrics = _metrics(trained, model, seen.dataset)
        for start in range(0, len(metrics), _METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=metrics[start : start + _METRICS_AT_ONCE])
        _keep(client, run_id, {**files, "environment.txt": _environment()})
        client.set_terminated(run_id)
    return TrackedRun(run_id=run_id, model_uri=model.model_uri)


def attach(tracking: Tracking, tracked: TrackedRun, files: Mapping[str, bytes]) -> None:
    """Keep files with a run that was logged before, by their path among its artifacts; may be repeated."""
    with connected(tracking) as client:
        _keep(client, tracked.run_id, files)


def log_inputs(client: MlflowClient, run_id: str, seen: DatasetInput) -> None:
    """Log the dataset of a run, even while another run logs the same one for the first time.

    MLflow looks for a dataset and inserts a missing one. The second of two runs is refused, and finds it when it asks
    again: the refusal came after the first one's commit.
    """
    try:
        client.log_inputs(run_id, [seen])
    except MlflowException as error:
        if error.error_code != "BAD_REQUEST":
            raise
        client.log_inputs(run_id, [seen])


def _night_key(facts: Mapping[str, str]) -> str:
    return sha256_of(canonical_json(dict(facts)))


def _night(client: MlflowClient, experiment: str, facts: Mapping[str, str]) -> Run | None:
    """The night's parent run; the oldest, if two processes have made one each."""
    wanted = f"tags.`{KEY}` = '{_night_key(facts)}'"
    found = client.search_runs([experiment], wanted, max_results=1, order_by=["attributes.start_time ASC"])
    return found[0] if found else None


def _end_the_dead(client: MlflowClient, experiment: str) -> None:
    since = int((time.time() - DEAD.total_seconds()) * 1000)
    dead = f"tags.`{KEY}` != '' AND attributes.status = 'RUNNING' AND attributes.start_time < {since}"
    for each in client.search_runs([experiment], dead):
        client.set_terminated(each.info.run_id, status="FAILED")


def _keep(client: MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        for path, body in files.items():
            place = Path(scratch) / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
        client.log_artifacts(run_id, scratch)


def _environment() -> bytes:
    """The packages that training ran with, as pip reads them."""
    packages = "".join(f"{name}=={version}\n" for name, version in provenance.package_versions().items())
    return f"# Python {provenance.python_version()}\n{packages}".encode()


def _logged_models(client: MlflowClient, run: Run) -> list[LoggedModel]:
    owned = f"source_run_id = '{run.info.run_id}'"
    return list(client.search_logged_models([run.info.experiment_id], filter_string=owned))


def pipeline_of(folder: Path, files: Iterable[FileEntry]) -> Pipeline:
    """Return preprocessor and estimator as one, from the very files that a release would hold.

    Args:
        folder: holds the files.
        files: their entries, as training has written them.

    Raises:
        Corrupt: a file is not the one that training has written.
    """
    from sklearn.pipeline import Pipeline

    promised = {entry.path: entry.sha256 for entry in files}
    steps = []
    for step, path in {"preprocessor": PREPROCESSOR_FILE, "classifier": MODEL_FILE}.items():
        body = (folder / path).read_bytes()
        if sha256_of(body) != promised.get(path):
            raise Corrupt("is not the file that training has written", where=str(folder / path))
        steps.append((step, pickle.loads(body)))  # noqa: S301 - the bytes that this task has just written
    return Pipeline(steps)


def _metrics(trained: Trained, model: LoggedModel, seen: Dataset) -> list[Metric]:
    """Figures by their plain names, as in the manifest, with the bounds of their 95 % intervals; and fold by fold.

    A fold's number is the step.
    """
    figures: dict[str, float] = {"training_seconds": trained.seconds}
    steps: list[tuple[str, int, float]] = []
    for metric, over_folds in intervals_of(trained.scores, trained.design.overlap).items():
        name = _allowed(metric)
        figures |= {name: over_folds.mean, f"{name}_low": over_folds.low, f"{name}_high": over_folds.high}
    for metric, values in trained.scores.folds.items():
        steps += [(f"fold/{_allowed(metric)}", step, value) for step, value in enumerate(values) if value is not None]
    for metric, holdout in trained.scores.holdout.items():
        if holdout is not None:
            figures[f"holdout_{_allowed(metric)}"] = holdout
    for metric, interval in trained.scores.holdout_intervals.items():
        if interval is not None:
            name = f"holdout_{_allowed(metric)}"
            figures |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    if trained.costs is not None:
        figures["artifact_bytes"] = float(trained.costs.artifact_bytes)
        figures |= {
            f"latency_p95_ms_{form}": each for form, each in trained.costs.latency_p95_ms.items() if each is not None
        }
    now = int(time.time() * 1000)
    about = {"model_id": model.model_id, "dataset_name": seen.name, "dataset_digest": seen.digest}
    return [
        *(Metric(name, value, now, 0, **about) for name, value in figures.items() if math.isfinite(value)),
        *(Metric(name, value, now, step) for name, step, value in steps if math.isfinite(value)),
    ]


def _allowed(metric: str) -> str:
    """Return a figure's name as MLflow takes it: a class may be called anything."""
    name, slash, of = metric.partition("/")
    return f"{name}{slash}{re.sub(r'[^0-9A-Za-z_. -]', '_', of).strip('.') or '_'}" if slash else name


def _parameters(trained: Trained, pipeline: Pipeline) -> dict[str, str]:
    """The recipe, every setting of the estimator, its defaults included, the border of two classes, and the design."""
    settings = pipeline[-1].get_params()
    plain = {
        name.removeprefix("estimator__estimator__"): value  # what stands behind a threshold
        for name, value in settings.items()
        if not hasattr(value, "get_params")
    }
    recipe = {"recipe.estimator": trained.recipe.made_by, "recipe.seed": trained.recipe.seed}
    border = {"threshold": trained.output.threshold} if trained.output.form == "probability" else {}
    design = {f"design.{name}": value for name, value in trained.design if name != "batches" and value not in (None, 0)}
    return {name: str(value)[:500] for name, value in {**recipe, **plain, **border, **design}.items()}


def _dataset(tracking: Tracking, frame: pd.DataFrame, snapshot: Snapshot) -> DatasetInput:
    return DatasetInput(
        Dataset(
            name=tracking.registered_model,
            digest=snapshot.fingerprint[:36],  # the width of MLflow's column; the tag has all of it
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


def _answer(pipeline: Pipeline) -> DataType:
    """Return what `predict` gives: a number, or the class's code."""
    from sklearn.base import is_regressor

    return DataType.double if is_regressor(pipeline) else DataType.long


def _log_model(
    client: MlflowClient,
    run: Run,
    pipeline: Pipeline,
    inputs: pd.DataFrame,
    parameters: Mapping[str, str],
    requirements: Mapping[str, str],
    wheels: Sequence[bytes],
) -> LoggedModel:
    """Log the fitted pipeline as the run's model, in MLflow's format for scikit-learn.

    Its requirements are those of the release's pickles, and MLflow itself; the team's own code lies beside the pickle.

    MLflow's own `log_model` takes seconds to infer requirements and signature, .4 s to compare given ones with every
    package that is installed, and leaves the address in this process's environment for good.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about type hints of MLflow's own
        import mlflow.pyfunc

    run_id = run.info.run_id
    experiment = run.info.experiment_id
    code = CODE if wheels else None
    logged = client.create_logged_model(experiment, name="model", source_run_id=run_id, params=dict(parameters))
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    model = mlflow.models.Model(
        artifact_path=logged.artifact_location,
        run_id=run_id,
        model_id=logged.model_id,
        model_uuid=logged.model_id,
        signature=ModelSignature(_schema(inputs), Schema([ColSpec(_answer(pipeline))])),
    )
    mlflow.pyfunc.add_to_model(
        model, loader_module="mlflow.sklearn", model_path=_PICKLED, python_env=_PYTHON, predict_fn="predict", code=code
    )
    versions = {"mlflow": importlib.metadata.version("mlflow"), **requirements}
    model.add_flavor(
        "sklearn",
        pickled_model=_PICKLED,
        sklearn_version=versions["scikit-learn"],
        serialization_format="pickle",
        code=code,
    )
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        place = Path(scratch)
        if code:
            unpack(wheels, place / code, where="the candidate's code")
        (place / _PICKLED).write_bytes(pickle.dumps(pipeline, protocol=5))
        (place / "requirements.txt").write_text("\n".join(f"{name}=={each}" for name, each in versions.items()))
        (place / _PYTHON).write_text(
            f"python: {provenance.python_version()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
        )
        model.save(str(place / "MLmodel"))
        client.log_model_artifacts(logged.model_id, scratch)
    return client.finalize_logged_model(logged.model_id, "READY")
