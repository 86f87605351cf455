"""One candidate, from the snapshot's rows to figures and files. For the chain, `evaluation` and `report`.

A fit is a function of rows, recipe and package versions alone: one thread, seeds from the spec, and inputs
rebuilt from scratch, so that the pickled files are the same bytes in every process that makes them.
"""

from __future__ import annotations

import math
import pickle
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype
from pydantic import Field
from sklearn import metrics
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits

from model_release.dataset import TARGET, split
from model_release.documents import Document, sha256_of
from model_release.errors import DataInvalid
from model_release.gate import Metric, Scores
from model_release.loading import ONNX_FILE
from model_release.metadata import FileEntry, TrackedRun
from model_release.spec import Candidate, Dataset, Spec, Validation
from model_release.training import onnx_export
from model_release.training.effects import Effect, effects
from model_release.training.recipes import build

MODEL_FILE = "best_model.pkl"
PREPROCESSOR_FILE = "preprocessor.pkl"
MLMODEL_FILE = "MLmodel"
CARD_FILE = "model_card.html"
PREDICTIONS_FILE = "predictions.parquet"
"""Out-of-fold probabilities; for the model card, not part of a release."""

Positions = NDArray[np.intp]


class Trained(Document):
    """What training one candidate gave.

    Attributes:
        recipe: estimator, parameters and seed, as the spec has them.
        files: what a release of this candidate consists of, apart from the card.
        onnx: how well the ONNX form agrees, or why there is none, in words.
        seconds: wall time of fits and exports.
        effects: what the model makes of each column, the one that counts most first; empty without a holdout.
    """

    name: str
    recipe: Candidate
    scores: Scores
    files: list[FileEntry]
    predictions: FileEntry | None
    onnx: str
    seconds: float = Field(ge=0)
    mlflow: TrackedRun | None = None
    effects: list[Effect] = []

    @property
    def made(self) -> list[FileEntry]:
        """Every file that training wrote."""
        return [*self.files, *([self.predictions] if self.predictions else [])]


def rows_apart(spec: Spec, frame: pd.DataFrame) -> tuple[Positions, Positions]:
    """Return the positions of the training rows and of the holdout: the same ones for whoever asks."""
    return split(frame, spec.split, inputs=list(spec.dataset.inputs))


def cross_validate(
    candidate: Candidate,
    dataset: Dataset,
    frame: pd.DataFrame,
    training_rows: Positions,
    validation: Validation,
) -> tuple[dict[Metric, list[float | None]], pd.DataFrame]:
    """Fit the recipe once per fold and measure it on the rows that the fold left out.

    The folds depend on the rows and on `validation` alone, so that recipes are compared pairwise, fold by
    fold.

    Returns:
        The figures by metric, `repeats x folds` values each, None where one was not finite; and the
        probabilities that each row got while it was left out: one line per training row (the index holds its
        position in `frame`), one column per repeat.

    Raises:
        DataInvalid: a class has fewer rows than there are folds.
    """
    inputs, target = _inputs(frame, dataset).iloc[training_rows], _target(frame)[training_rows]
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
        probability = _probability(*model, inputs.iloc[test_rows])
        probabilities[test_rows, number // validation.folds] = probability
        for metric, value in _figures(target[test_rows], probability).items():
            folds[metric].append(value)
    columns = [f"repeat_{number + 1}" for number in range(validation.repeats)]
    return folds, pd.DataFrame(probabilities, columns=columns, index=pd.Index(training_rows, name="row"))


def train(spec: Spec, name: str, candidate: Candidate, frame: pd.DataFrame, folder: Path) -> Trained:
    """Measure the candidate, fit it to the training rows, and write its files into `folder`.

    The holdout takes no part in any fit.

    Args:
        spec: the model's spec.
        name: the candidate's name in the spec.
        candidate: its recipe; may differ from the spec's where a run was asked to override it.
        frame: the snapshot, as `dataset.load` returns it.
        folder: an existing folder; files of the same names are replaced.
    """
    began = time.monotonic()
    training_rows, holdout_rows = rows_apart(spec, frame)
    folds, predictions = cross_validate(candidate, spec.dataset, frame, training_rows, spec.validation)
    inputs, target = _inputs(frame, spec.dataset), _target(frame)
    preprocessor, classifier = _fit(candidate, spec.dataset, inputs.iloc[training_rows], target[training_rows], name)
    holdout = dict.fromkeys(Metric)
    if len(holdout_rows):
        held_out = _probability(preprocessor, classifier, inputs.iloc[holdout_rows])
        holdout = _figures(target[holdout_rows], held_out)
    if "n_jobs" in classifier.get_params():
        classifier.set_params(n_jobs=None)  # how many threads fitted it is no part of the model
    bodies = {MODEL_FILE: _pickled(classifier), PREPROCESSOR_FILE: _pickled(preprocessor)}
    graph, words = _onnx(preprocessor, classifier, inputs)
    if graph is not None:
        bodies |= {ONNX_FILE: graph, MLMODEL_FILE: onnx_export.mlmodel(ONNX_FILE, list(spec.dataset.inputs))}
    files = [_write(folder, path, body) for path, body in bodies.items()]
    return Trained(
        name=name,
        recipe=candidate,
        scores=Scores(folds=folds, holdout=holdout),
        files=files,
        predictions=_write(folder, PREDICTIONS_FILE, predictions.to_parquet()),
        onnx=words,
        seconds=round(time.monotonic() - began, 3),
        effects=effects(
            lambda rows: _probability(preprocessor, classifier, rows),
            inputs.iloc[holdout_rows],
            target[holdout_rows],
            categorical={column for column, each in spec.dataset.inputs.items() if each.kind == "categorical"},
        ),
    )


def _inputs(frame: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """The model's inputs in fresh memory: nothing of where the frame came from reaches the pickled bytes."""
    names = [sys.intern(name) for name in dataset.inputs]
    inputs = pd.DataFrame({name: _fresh(frame[name]) for name in names})
    inputs.columns = pd.Index(names, dtype=object)
    return inputs


def _fresh(column: pd.Series) -> pd.Series:
    if is_numeric_dtype(column.dtype):
        numbers = np.empty(len(column), dtype=np.float64)  # a copy would keep the dtype object of its source
        numbers[:] = column
        return pd.Series(numbers)
    values = [sys.intern(value) if isinstance(value, str) else np.nan for value in column]
    return pd.Series(values, dtype=object)


def _target(frame: pd.DataFrame) -> NDArray[np.int64]:
    target = np.empty(len(frame), dtype=np.int64)
    target[:] = frame[TARGET]
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


def _probability(preprocessor: ColumnTransformer, classifier: Any, inputs: pd.DataFrame) -> NDArray[np.float64]:
    with threadpool_limits(limits=1):
        both: NDArray[np.float64] = classifier.predict_proba(preprocessor.transform(inputs))
    return both[:, 1]


def _figures(target: NDArray[np.int64], probability: NDArray[np.float64]) -> dict[Metric, float | None]:
    """Measure predictions of the positive class; a row is called positive above one half."""
    if not np.isfinite(probability).all():
        return dict.fromkeys(Metric)
    said = (probability > 0.5).astype(np.int64)
    measures: dict[Metric, Callable[[], float]] = {
        Metric.ACCURACY: lambda: metrics.accuracy_score(target, said),
        Metric.PRECISION: lambda: metrics.precision_score(target, said, zero_division=np.nan),
        Metric.RECALL: lambda: metrics.recall_score(target, said, zero_division=np.nan),
        Metric.F1: lambda: metrics.f1_score(target, said, zero_division=np.nan),
        Metric.ROC_AUC: lambda: metrics.roc_auc_score(target, probability),
        Metric.BRIER: lambda: metrics.brier_score_loss(target, probability, pos_label=1),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # such a figure is None, and the gate rejects it
        values = {metric: float(measure()) for metric, measure in measures.items()}
    return {metric: value if math.isfinite(value) else None for metric, value in values.items()}


def _onnx(preprocessor: ColumnTransformer, classifier: Any, inputs: pd.DataFrame) -> tuple[bytes | None, str]:
    """The ONNX form where it gives what the pickled form gives on every row, and a word about it."""
    names = list(inputs.columns)
    texts = [name for name in names if inputs[name].dtype == object]
    if texts:
        return None, f"left out: its one input is a table of numbers, and {', '.join(texts)} holds text"
    try:
        graph = onnx_export.export(preprocessor, classifier, names)
        label, probability = onnx_export.predict(graph, inputs.to_numpy(np.float64))
    except Exception as error:  # noqa: BLE001 - the converter raises anything; the release goes without this form
        cause = error.__cause__ or error
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        return None, f"left out: the converter cannot write it ({reason})"
    expected = _probability(preprocessor, classifier, inputs)
    classes = np.asarray(classifier.predict(preprocessor.transform(inputs)))
    other = int((label != classes).sum())
    difference = float(np.abs(probability - expected).max())
    found = f"largest difference in probability {difference:.1e} over {len(inputs)} rows"
    if other or not difference <= onnx_export.TOLERANCE:
        return None, f"left out: {other} rows get another class, {found}, allowed {onnx_export.TOLERANCE:.0e}"
    return graph, f"the same class on all {len(inputs)} rows, {found}"


def _pickled(value: object) -> bytes:
    return pickle.dumps(value, protocol=5)


def _write(folder: Path, path: str, body: bytes) -> FileEntry:
    (folder / path).write_bytes(body)
    return FileEntry(path=path, size=len(body), sha256=sha256_of(body))
