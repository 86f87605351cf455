"""Two classes: the answer is the positive class's probability, and a row is called positive above the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier

from model_release.documents.evaluation import Interval
from model_release.documents.golden import Golden
from model_release.documents.metric import Metric
from model_release.documents.output import Output
from model_release.modelling.tasks.base import Predictions, Target, Task, Weight, mean_interval, share_interval
from model_release.modelling.tasks.classification import entropy
from model_release.modelling.tasks.threshold import tuned_threshold
from model_release.spec.gate import MistakeCosts
from model_release.spec.model import Spec

if TYPE_CHECKING:
    from markupsafe import Markup

_Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Binary(Task):
    """Every figure goes by the positive class, whose code is 1.

    Attributes:
        threshold: of the positive class's probability, above which a row is called positive.
        tuned_for: the figure or the costs that the threshold is yet to be tuned for; None if it is decided.
    """

    estimators: ClassVar[Literal["classifier", "regressor"]] = "classifier"
    row_loss: ClassVar[str] = "Brier score"
    number: ClassVar[str] = "probability"

    threshold: float = 0.5
    tuned_for: Metric | MistakeCosts | None = None

    def under(self, spec: Spec) -> Self:
        """Return the task with the spec's threshold; one that is to be tuned is one half until then."""
        threshold = spec.gate.threshold
        return replace(self, threshold=0.5 if threshold == "tuned" else threshold, tuned_for=spec.gate.tuned_for)

    @property
    def is_tuned(self) -> bool:
        """Whether the threshold is to be tuned."""
        return self.tuned_for is not None

    def tuned(self, target: Target, left_out: Predictions, weight: Weight | None = None) -> Self:
        """Return the task with the threshold that is best over all repeats together; one half if one is not finite."""
        if self.tuned_for is None or not np.isfinite(left_out).all():
            return self
        repeats = left_out.shape[1]
        weights = None if weight is None else np.tile(weight, repeats)
        threshold = tuned_threshold(np.tile(target, repeats), left_out.ravel(order="F"), self.tuned_for, weights)
        return replace(self, threshold=threshold)

    def answering(self, output: Output) -> Self:
        """Return the task with a model's threshold."""
        return replace(self, threshold=output.threshold)

    def released(self, estimator: Any) -> Any:
        """Return the estimator behind its threshold; one whose border is one half is its own.

        scikit-learn calls a row positive from its threshold on, and a release calls it so above: the next number.
        """
        if self.threshold == 0.5:
            return estimator
        border = float(np.nextafter(self.threshold, 1.0))
        held = FixedThresholdClassifier(
            FrozenEstimator(estimator), threshold=border, pos_label=1, response_method="predict_proba"
        )
        return held.fit(np.zeros((2, 1)), [0, 1])  # fits nothing: what it holds is frozen

    def _measures(
        self, target: Target, predictions: Predictions, weight: Weight | None = None
    ) -> Mapping[Metric, Callable[[], float]]:
        called = self.called(predictions)
        share: dict[str, Any] = {"zero_division": np.nan, "sample_weight": weight}
        return {
            "accuracy": lambda: metrics.accuracy_score(target, called, sample_weight=weight),
            "balanced_accuracy": lambda: _balanced(target, called, weight),
            "precision": lambda: metrics.precision_score(target, called, **share),
            "recall": lambda: metrics.recall_score(target, called, **share),
            "f1": lambda: metrics.f1_score(target, called, **share),
            "roc_auc": lambda: metrics.roc_auc_score(target, predictions, sample_weight=weight),
            "average_precision": lambda: metrics.average_precision_score(target, predictions, sample_weight=weight),
            "brier": lambda: metrics.brier_score_loss(target, predictions, sample_weight=weight, pos_label=1),
            "log_loss": lambda: metrics.log_loss(target, predictions, sample_weight=weight, labels=[0, 1]),
        }

    def _intervals(self, target: Target, predictions: Predictions) -> Mapping[Metric, Interval | None]:
        """Return the figures whose interval has a formula.

        - Accuracy, precision and recall are shares: Wilson, *Probable inference, the law of succession, and statistical
          inference*, JASA 22, 1927.
        - F1 grows with the share of right ones among the rows that are or are called positive, F* = F1 / (2 - F1)
          (Hand, Christen & Kirielle, "F*: an interpretable transformation of the F-measure", Machine Learning 110,
          2021): Wilson's bounds of F*, transformed.
        - ROC AUC: normal, with the variance of DeLong, DeLong & Clarke-Pearson, *Comparing the areas under two or more
          correlated receiver operating characteristic curves*, Biometrics 44, 1988.
        - Brier score and log loss, means over rows: Student's t (Bradley, Schwartz & Hashino, *Sampling uncertainty and
          confidence intervals for the Brier score*, Weather and Forecasting 23, 2008).
        """
        actual, called = target == 1, self.called(predictions) == 1
        right, named, positive = int((actual & called).sum()), int(called.sum()), int(actual.sum())
        either = named + positive - right
        return {
            "accuracy": share_interval(int((actual == called).sum()), len(target)),
            "precision": share_interval(right, named),
            "recall": share_interval(right, positive),
            "f1": _f1(share_interval(right, either)),
            "roc_auc": _auc(predictions[actual], predictions[~actual]),
            "brier": mean_interval((predictions - target) ** 2),
            "log_loss": mean_interval(_surprise(target, predictions)),
        }

    def row_losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64]:
        """Return the squared difference of probability and class of each row."""
        losses: NDArray[np.float64] = (predictions - target) ** 2
        return losses

    def losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64] | None:
        """Return each row's part of the Brier score or of the log loss."""
        rows = {"brier": self.row_losses, "log_loss": _surprise}.get(self.loss)
        return rows(target, predictions) if rows else None

    def dummy(self, target: Target, weight: Weight | None = None) -> float:
        """Return the loss of always answering the positive class's share."""
        share = float(np.average(target, weights=weight))
        return share * (1 - share) if self.loss == "brier" else entropy(target, weight)

    def predict(self, estimator: Any, features: Any) -> Predictions:
        """Return the positive class's probability for each row."""
        both: Predictions = estimator.predict_proba(features)
        return both[:, 1]

    def called(self, predictions: Predictions) -> NDArray[np.int64]:
        """Return 1 for each row above the threshold, else 0."""
        return (predictions > self.threshold).astype(np.int64)

    def output(self) -> Output:
        """Return that the answer is a probability."""
        return Output(task=self.kind.name, form="probability", classes=list(self.classes), threshold=self.threshold)

    def golden(self, rows: dict[str, list[Any]], predictions: Predictions, target: Target) -> Golden:  # noqa: ARG002 - a probability has a scale of its own
        """Return made-up rows with probabilities and classes."""
        return Golden(
            rows=rows,
            probabilities=predictions.tolist(),
            classes=self.called(predictions).tolist(),
            threshold=self.threshold,
        )

    def made_up(self) -> tuple[NDArray[np.float64], Target]:
        """Return 400 rows of two classes."""
        rows, target = make_classification(n_samples=400, n_features=32, random_state=0)
        return rows, target

    def curves(self, target: Target, predictions: Predictions) -> dict[str, Markup]:
        """Draw how well probabilities tell the classes apart, and how well they are calibrated."""
        from model_release.modelling.plots import curves

        return {
            "Receiver operating characteristic": curves.roc(target, predictions),
            "Precision and recall": curves.precision_recall(target, predictions),
            "Calibration": curves.calibration(target, predictions),
        }

    def summary(self, target: Target) -> float | None:
        """Return the positive class's share."""
        return float(target.mean())


def _surprise(target: Target, probability: Predictions) -> NDArray[np.float64]:
    """Return each row's log loss, clipped as scikit-learn clips it."""
    tiny = np.finfo(np.float64).eps
    of_class = np.clip(np.where(target == 1, probability, 1 - probability), tiny, 1 - tiny)
    losses: NDArray[np.float64] = -np.log(of_class)
    return losses


def _balanced(target: Target, called: NDArray[np.int64], weight: Weight | None) -> float:
    """Return the mean of both classes' recalls; NaN if a class has no row that counts."""
    counts = np.ones(len(target)) if weight is None else weight
    sides = [(counts[target == code], called[target == code] == code) for code in (0, 1)]
    if not all(side.any() for side, _ in sides):
        return math.nan
    return float(np.mean([np.average(right, weights=side) for side, right in sides]))


def _f1(share: Interval | None) -> Interval | None:
    if share is None:
        return None
    mean, low, high = (2 * each / (1 + each) for each in (share.mean, share.low, share.high))
    return Interval(mean=mean, low=low, high=high)


def _auc(positive: Predictions, negative: Predictions) -> Interval | None:
    """DeLong's interval by ranks (Sun & Xu, *Fast implementation of DeLong's algorithm*, IEEE SPL 21, 2014)."""
    if min(len(positive), len(negative)) < 2:
        return None
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - stats.rankdata(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - stats.rankdata(negative)) / len(positive)
    mean = float(above.mean())
    reach = _Z * math.sqrt(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    return Interval(mean=mean, low=max(0.0, mean - reach), high=min(1.0, mean + reach))
