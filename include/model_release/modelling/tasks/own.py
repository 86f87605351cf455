"""The metrics that a spec brings beside its task's own, measured on rows with all their columns.

Names are looked up in each process that measures, and only packages that the deployment allows are imported.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from model_release.documents.evaluation import Interval
from model_release.documents.metric import Metric
from model_release.errors import SpecError
from model_release.modelling.imports import imported
from model_release.modelling.tasks.base import Predictions, Sample, Target, Task, Weight, jackknife
from model_release.spec.metrics import OwnMetric
from model_release.spec.model import Spec

Measure = Callable[[Task, pd.DataFrame, Target, Predictions, Weight | None], float]


@dataclass(frozen=True)
class OwnMetrics:
    """The metrics of one spec.

    Attributes:
        measures: how each is measured.
        column: of the target, which a function finds in its frame beside all columns of the data: 1 or 0, of more than
            two classes the class in words, or the number.
    """

    measures: Mapping[Metric, Measure]
    column: str

    def figures(
        self, task: Task, rows: pd.DataFrame, target: Target, predictions: Predictions, weight: Weight | None = None
    ) -> dict[Metric, float | None]:
        """Return each figure; None if it is not a finite number.

        Args:
            task: as the model answers it, by its own threshold.
            rows: all their columns.
            target: of the rows.
            predictions: for them.
            weight: how much each row counts for a scorer; None: all the same. A function finds it in the rows.

        Raises:
            SpecError: a function fails.
        """
        if not self.measures or not len(target) or not np.isfinite(predictions).all():
            return dict.fromkeys(self.measures)
        words = np.array(task.classes, dtype=object)
        told = words[target] if len(words) > 2 else target
        frame = rows.assign(**{self.column: told})
        values = {name: each(task, frame, target, predictions, weight) for name, each in self.measures.items()}
        return {name: value if math.isfinite(value) else None for name, value in values.items()}

    def asked(self, names: Collection[Metric]) -> OwnMetrics:
        """Return those among these names."""
        return replace(self, measures={name: each for name, each in self.measures.items() if name in names})

    def intervals(
        self, task: Task, rows: pd.DataFrame, target: Target, predictions: Predictions, sample: Sample
    ) -> dict[Metric, Interval]:
        """Return the figures with the 95 % intervals of a jackknife; none that does not exist."""

        def measured(side: NDArray[np.bool_]) -> dict[Metric, float | None]:
            return self.figures(task, rows[side], target[side], predictions[side], sample.take(side).weight)

        return jackknife(measured, len(target), sample) if self.measures else {}


def own_metrics(spec: Spec) -> OwnMetrics:
    """Return the metrics that a spec brings.

    Raises:
        SpecError: a scorer has no such name, or a function may not be imported.
    """
    return OwnMetrics({name: _measure(name, each) for name, each in spec.gate.own.items()}, spec.dataset.target.column)


def constant(task: Task, target: Target, weight: Weight | None = None) -> Predictions:
    """Return the constant answer for each row: the mean, or the classes' shares."""
    if not task.shape:
        return np.full(len(target), float(np.average(target, weights=weight)))
    counts = np.bincount(target, weight, minlength=len(task.classes))
    return np.tile(counts / counts.sum(), (len(target), 1))


def _measure(name: Metric, metric: OwnMetric) -> Measure:
    where = f"gate.metrics.{name}"
    if metric.scorer is not None:
        return _by_scorer(metric.scorer, where)
    function = imported(metric.source, where=where)
    if not callable(function):
        raise SpecError(f"{metric.source} is no function", where=where)

    def measure(
        _task: Task, frame: pd.DataFrame, _target: Target, predictions: Predictions, _weight: Weight | None
    ) -> float:
        try:
            return float(function(frame, predictions.copy()))
        except Exception as error:  # of whatever kind: the function may be anybody's
            said = " ".join(str(error).split())[:300]
            raise SpecError(f"{metric.source} failed: {type(error).__name__}: {said}", where=where) from error

    return measure


def _by_scorer(name: str, where: str) -> Measure:
    try:
        scorer: Any = get_scorer(name)
    except ValueError as error:
        raise SpecError(f"scikit-learn has no scorer called {name!r}", where=where) from error
    sign = -1.0 if name.startswith("neg_") else 1.0

    def measure(
        task: Task, _frame: pd.DataFrame, target: Target, predictions: Predictions, weight: Weight | None
    ) -> float:
        answers = (_Classes if task.classes else _Numbers)(task, predictions)
        weighted = {} if weight is None else {"sample_weight": weight}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such a figure is None
                return sign * float(scorer(answers, np.arange(len(target))[:, None], target, **weighted))
        except ValueError:  # undefined on these rows
            return math.nan
        except Exception as error:  # a scorer of another kind of task, or one that takes no weights
            said = " ".join(str(error).split())[:300]
            raise SpecError(f"the scorer {name} cannot measure this task: {said}", where=where) from error

    return measure


class _Answers(BaseEstimator):  # type: ignore[misc]
    """An estimator that answers with predictions that are there already; its rows are their positions."""

    def __init__(self, task: Task, predictions: Predictions) -> None:
        self.task = task
        self.predictions = predictions

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _of(self, rows: NDArray[np.int64]) -> Predictions:
        return self.predictions[rows[:, 0]]


class _Numbers(RegressorMixin, _Answers):  # type: ignore[misc]
    def predict(self, rows: NDArray[np.int64]) -> Predictions:
        return self._of(rows)


class _Classes(ClassifierMixin, _Answers):  # type: ignore[misc]
    @property
    def classes_(self) -> NDArray[np.int64]:
        return np.arange(len(self.task.classes))

    def predict(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.task.called(self._of(rows))

    def predict_proba(self, rows: NDArray[np.int64]) -> Predictions:
        found = self._of(rows)
        return found if found.ndim == 2 else np.stack([1 - found, found], axis=1)
