"""One candidate, from the snapshot's rows to figures and files. For the chain, `evaluation` and `report`.

A fit is a function of rows, recipe and package versions alone: one thread, seeds from the spec, and inputs
rebuilt from scratch, so that the pickled files are the same bytes in every process that makes them.
"""

from __future__ import annotations

import pickle
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits

from model_release.documents.base import sha256_of
from model_release.documents.evaluation import Costs, Scores
from model_release.documents.golden import GOLDEN_FILE, made_up_rows, table
from model_release.documents.manifest import FileEntry
from model_release.documents.metric import Metric
from model_release.errors import DataInvalid
from model_release.model_files.opening import ONNX_FILE
from model_release.modelling.dataset import Positions, Rows, input_schema, rows_apart
from model_release.modelling.provenance import machine_facts
from model_release.modelling.trained import MLMODEL_FILE, MODEL_FILE, PREDICTIONS_FILE, PREPROCESSOR_FILE, Trained
from model_release.modelling.training import onnx_export
from model_release.modelling.training.costs import latencies
from model_release.modelling.training.effects import effects
from model_release.modelling.training.figures import figures, intervals, slice_scores
from model_release.modelling.training.forms import golden_answers, onnx_form, probability_of
from model_release.modelling.training.recipes import build
from model_release.spec.dataset import Dataset
from model_release.spec.model import Candidate, Spec, Validation


def cross_validate(
    candidate: Candidate,
    dataset: Dataset,
    rows: Rows,
    training_rows: Positions,
    validation: Validation,
) -> tuple[dict[Metric, list[float | None]], pd.DataFrame]:
    """Fit the recipe once per fold and measure it on the rows that the fold left out.

    The folds depend on the rows and on `validation` alone, so that recipes are compared pairwise, fold by
    fold.

    Returns:
        The figures by metric, `repeats x folds` values each, None where one was not finite; and the
        probabilities that each row got while it was left out: one line per training row (the index holds its
        position in `rows`), one column per repeat.

    Raises:
        DataInvalid: a class has fewer rows than there are folds.
    """
    inputs, target = _inputs(rows, dataset).iloc[training_rows], _target(rows)[training_rows]
    fewest = int(min((target == 0).sum(), (target == 1).sum()))
    if fewest < validation.folds:
        raise DataInvalid(
            f"the rarer class has {fewest} rows outside the holdout, too few for {validation.folds} folds",
            hint="add data, or lower validation.folds in the spec",
        )
    folds: dict[Metric, list[float | None]] = {metric: [] for metric in Metric}
    probabilities = np.full((len(target), validation.repeats), np.nan)
    plan = RepeatedStratifiedKFold(
        n_splits=validation.folds, n_repeats=validation.repeats, random_state=validation.seed
    )
    for number, (fit_rows, test_rows) in enumerate(plan.split(inputs, target)):
        model = _fit(candidate, dataset, inputs.iloc[fit_rows], target[fit_rows])
        probability = probability_of(*model, inputs.iloc[test_rows])
        probabilities[test_rows, number // validation.folds] = probability
        for metric, value in figures(target[test_rows], probability).items():
            folds[metric].append(value)
    columns = [f"repeat_{number + 1}" for number in range(validation.repeats)]
    return folds, pd.DataFrame(probabilities, columns=columns, index=pd.Index(training_rows, name="row"))


def train(spec: Spec, name: str, candidate: Candidate, rows: Rows, folder: Path) -> Trained:
    """Measure the candidate, fit it to the training rows, and write its files into `folder`.

    The holdout takes no part in any fit.

    Args:
        spec: the model's spec.
        name: the candidate's name in the spec.
        candidate: its recipe; may differ from the spec's where a run was asked to override it.
        rows: the snapshot, as `dataset.load` returns it.
        folder: an existing folder; files of the same names are replaced.
    """
    began = time.monotonic()
    training_rows, holdout_rows = rows_apart(spec, rows)
    folds, predictions = cross_validate(candidate, spec.dataset, rows, training_rows, spec.validation)
    inputs, target = _inputs(rows, spec.dataset), _target(rows)
    preprocessor, classifier = fit(spec, name, candidate, rows, training_rows)
    bodies = pickled(preprocessor, classifier)
    made_up = made_up_rows(input_schema(spec))
    graph, words = onnx_form(preprocessor, classifier, inputs, made_up)
    if graph is not None:
        bodies |= {ONNX_FILE: graph, MLMODEL_FILE: onnx_export.mlmodel(ONNX_FILE, list(spec.dataset.inputs))}
    bodies[GOLDEN_FILE] = golden_answers(preprocessor, classifier, made_up).to_bytes()
    files = [_write(folder, path, body) for path, body in bodies.items()]
    return Trained(
        name=name,
        recipe=candidate,
        scores=Scores(
            folds=folds,
            **_on_holdout(preprocessor, classifier, inputs.iloc[holdout_rows], target[holdout_rows]),
            slices=slice_scores(
                spec.gate.slices,
                spec.dataset.columns,
                rows.frame.iloc[training_rows],
                target[training_rows],
                predictions.to_numpy(),
            ),
        ),
        files=files,
        predictions=_write(folder, PREDICTIONS_FILE, predictions.to_parquet()),
        onnx=words,
        seconds=round(time.monotonic() - began, 3),
        machine=machine_facts(),
        costs=Costs(
            latency_p95_ms=latencies(preprocessor, classifier, graph, table(made_up)),
            artifact_bytes=sum(entry.size for entry in files),
        ),
        effects=effects(
            lambda changed: probability_of(preprocessor, classifier, changed),
            inputs.iloc[holdout_rows],
            target[holdout_rows],
            categorical={column for column, each in spec.dataset.inputs.items() if each.kind == "categorical"},
        ),
    )


def fit(
    spec: Spec, name: str, candidate: Candidate, rows: Rows, training_rows: Positions
) -> tuple[ColumnTransformer, Any]:
    """Fit the candidate to the training rows, as it is released.

    Returns:
        The preprocessor and the classifier.
    """
    inputs, target = _inputs(rows, spec.dataset).iloc[training_rows], _target(rows)[training_rows]
    preprocessor, classifier = _fit(candidate, spec.dataset, inputs, target, name)
    if "n_jobs" in classifier.get_params():
        classifier.set_params(n_jobs=None)  # how many threads fitted it is no part of the model
    return preprocessor, classifier


def pickled(preprocessor: ColumnTransformer, classifier: Any) -> dict[str, bytes]:
    """Return the two files of a release that must be reproducible, by name."""
    return {
        MODEL_FILE: pickle.dumps(classifier, protocol=5),
        PREPROCESSOR_FILE: pickle.dumps(preprocessor, protocol=5),
    }


def _on_holdout(
    preprocessor: ColumnTransformer, classifier: Any, inputs: pd.DataFrame, target: NDArray[np.int64]
) -> dict[str, Any]:
    """The figures on the rows that were set apart, with their intervals; None for each where there are no rows."""
    if not len(target):
        return {"holdout": dict.fromkeys(Metric), "holdout_intervals": dict.fromkeys(Metric)}
    probability = probability_of(preprocessor, classifier, inputs)
    found = intervals(target, probability)
    return {
        "holdout": figures(target, probability),
        "holdout_intervals": {metric: found.get(metric) for metric in Metric},
    }


def _inputs(rows: Rows, dataset: Dataset) -> pd.DataFrame:
    """The model's inputs in fresh memory: nothing of where the frame came from reaches the pickled bytes."""
    names = [sys.intern(name) for name in dataset.inputs]
    inputs = pd.DataFrame({name: _fresh(rows.frame[name]) for name in names})
    inputs.columns = pd.Index(names, dtype=object)
    return inputs


def _fresh(column: pd.Series) -> pd.Series:
    if is_numeric_dtype(column.dtype):
        numbers = np.empty(len(column), dtype=np.float64)  # a copy would keep the dtype object of its source
        numbers[:] = column
        return pd.Series(numbers)
    values = [sys.intern(value) if isinstance(value, str) else np.nan for value in column]
    return pd.Series(values, dtype=object)


def _target(rows: Rows) -> NDArray[np.int64]:
    target = np.empty(len(rows), dtype=np.int64)
    target[:] = rows.target
    return target


def _fit(
    candidate: Candidate,
    dataset: Dataset,
    inputs: pd.DataFrame,
    target: NDArray[np.int64],
    name: str | None = None,
) -> tuple[ColumnTransformer, Any]:
    preprocessor, classifier = build(candidate, dataset, name=name)
    with threadpool_limits(limits=1):  # the order of additions must not depend on the machine's cores
        classifier.fit(preprocessor.fit_transform(inputs), target)
    return preprocessor, classifier


def _write(folder: Path, path: str, body: bytes) -> FileEntry:
    (folder / path).write_bytes(body)
    return FileEntry(path=path, size=len(body), sha256=sha256_of(body))
