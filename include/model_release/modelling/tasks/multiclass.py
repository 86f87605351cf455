"""Three classes or more: the answer is the most probable class in words, with a probability for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.datasets import make_classification

from model_release.documents.evaluation import Interval
from model_release.documents.golden import Golden
from model_release.documents.metric import Metric
from model_release.documents.output import Output
from model_release.modelling.tasks.base import Predictions, Target, Task, Weight, mean_interval, share_interval
from model_release.modelling.tasks.classification import entropy

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Multiclass(Task):
    """Figures over all classes, and precision and recall of each."""

    estimators: ClassVar[Literal["classifier", "regressor"]] = "classifier"
    row_loss: ClassVar[str] = "log loss"
    number: ClassVar[str] = "probability"

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of classes."""
        return (len(self.classes),)

    def _measures(
        self, target: Target, predictions: Predictions, weight: Weight | None = None
    ) -> Mapping[Metric, Callable[[], float]]:
        called, codes = self.called(predictions), list(range(len(self.classes)))
        whole: dict[str, Any] = {"labels": codes, "zero_division": np.nan, "sample_weight": weight}
        counts = np.ones(len(target)) if weight is None else weight
        measures: dict[Metric, Callable[[], float]] = {
            "accuracy": lambda: metrics.accuracy_score(target, called, sample_weight=weight),
            "balanced_accuracy": lambda: metrics.recall_score(target, called, average="macro", **whole),
            "macro_f1": lambda: metrics.f1_score(target, called, average="macro", **whole),
            "weighted_f1": lambda: metrics.f1_score(target, called, average="weighted", **whole),
            "roc_auc": lambda: metrics.roc_auc_score(
                target,
                predictions / predictions.sum(axis=1, keepdims=True),
                multi_class="ovr",
                labels=codes,
                sample_weight=weight,
            ),
            "brier": lambda: float(np.average(_squared(target, predictions), weights=weight)),
            "log_loss": lambda: metrics.log_loss(target, predictions, labels=codes, sample_weight=weight),
        }
        for code, words in enumerate(self.classes):
            actual, named = target == code, called == code
            right = float(counts[actual & named].sum())
            measures[f"precision/{words}"] = partial(_ratio, right, float(counts[named].sum()))
            measures[f"recall/{words}"] = partial(_ratio, right, float(counts[actual].sum()))
        return measures

    def _intervals(self, target: Target, predictions: Predictions) -> Mapping[Metric, Interval | None]:
        """Accuracy, precision and recall are shares; log loss and Brier score are means over rows."""
        called = self.called(predictions)
        found: dict[Metric, Interval | None] = {
            "accuracy": share_interval(int((called == target).sum()), len(target)),
            "brier": mean_interval(_squared(target, predictions)),
            "log_loss": mean_interval(self.row_losses(target, predictions)),
        }
        for code, words in enumerate(self.classes):
            actual, named = target == code, called == code
            right = int((actual & named).sum())
            found[f"precision/{words}"] = share_interval(right, int(named.sum()))
            found[f"recall/{words}"] = share_interval(right, int(actual.sum()))
        return found

    def row_losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64]:
        """Return the log loss of each row in nats, clipped as scikit-learn clips it."""
        tiny = np.finfo(np.float64).eps
        of_class = predictions[np.arange(len(target)), target]
        losses: NDArray[np.float64] = -np.log(np.clip(of_class, tiny, 1 - tiny))
        return losses

    def losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64] | None:
        """Return each row's part of the log loss or of the Brier score."""
        rows = {"brier": _squared, "log_loss": self.row_losses}.get(self.loss)
        return rows(target, predictions) if rows else None

    def dummy(self, target: Target, weight: Weight | None = None) -> float:
        """Return the loss of always answering the classes' shares."""
        if self.loss == "log_loss":
            return entropy(target, weight)
        counts = np.bincount(target, weight, minlength=len(self.classes))
        shares = counts / counts.sum()
        return float(1 - (shares**2).sum())

    def predict(self, estimator: Any, features: Any) -> Predictions:
        """Return the probability of each class for each row."""
        found: Predictions = estimator.predict_proba(features)
        return found

    def called(self, predictions: Predictions) -> NDArray[np.int64]:
        """Return the code of the most probable class of each row."""
        codes: NDArray[np.int64] = predictions.argmax(axis=1)
        return codes

    def output(self) -> Output:
        """Return that the answer is a class with the probabilities of all."""
        return Output(task=self.kind.name, form="classes", classes=list(self.classes))

    def golden(self, rows: dict[str, list[Any]], predictions: Predictions, target: Target) -> Golden:  # noqa: ARG002 - a probability has a scale of its own
        """Return made-up rows with the classes in words and the probabilities of all."""
        words = [self.classes[code] for code in self.called(predictions)]
        return Golden(rows=rows, probabilities=[], classes=words, class_probabilities=predictions.tolist())

    def made_up(self) -> tuple[NDArray[np.float64], Target]:
        """Return 400 rows of as many classes as the spec has."""
        rows, target = make_classification(
            n_samples=max(400, 20 * len(self.classes)),
            n_features=32,
            n_informative=12,
            n_classes=len(self.classes),
            n_clusters_per_class=1,
            random_state=0,
        )
        return rows, target

    def curves(self, target: Target, predictions: Predictions) -> dict[str, Markup]:
        """Draw each class against the others, and how well the probabilities are calibrated."""
        from model_release.modelling.plots import curves

        sides = {
            words: ((target == code).astype(np.int64), predictions[:, code]) for code, words in enumerate(self.classes)
        }
        return {
            "Receiver operating characteristic of each class against the others": curves.rocs(sides),
            "Calibration over all classes": curves.calibration(
                _one_hot(target, predictions).ravel(), predictions.ravel()
            ),
        }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _squared(target: Target, predictions: Predictions) -> NDArray[np.float64]:
    losses: NDArray[np.float64] = ((predictions - _one_hot(target, predictions)) ** 2).sum(axis=1)
    return losses


def _one_hot(target: Target, predictions: Predictions) -> NDArray[np.float64]:
    return np.eye(predictions.shape[1])[target]
