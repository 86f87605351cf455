"""A number is predicted, in the target's own unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import xlogy
from sklearn import metrics
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression

from model_release.documents.evaluation import Interval
from model_release.documents.golden import Golden
from model_release.documents.metric import Metric
from model_release.documents.output import Interval as PredictionInterval
from model_release.documents.output import Output
from model_release.modelling.tasks.base import Predictions, Target, Task, Weight, mean_interval, share_interval
from model_release.spec.model import Spec

if TYPE_CHECKING:
    from markupsafe import Markup

_SAME = 1e-4
"""Largest difference that still counts as the same model, in standard deviations of the target. Single precision, in
which the ONNX form answers, gives 1e-6 for a target whose mean is some ten standard deviations from zero."""

_TRANSFORMS: Final = {"log": (np.log, np.exp), "log1p": (np.log1p, np.expm1)}
"""By name: from the target's unit to the scale that estimators are fitted on, and back."""


@dataclass(frozen=True)
class Regression(Task):
    """Errors in the target's unit, and R². Deviances and pinball losses are measured if the spec asks for them.

    Attributes:
        transform: what estimators are fitted to: the target's logarithm, or that of the target and 1; None: itself.
        level: the share of new rows whose target shall lie within the interval; None: answers have none.
        interval: the bounds, once they are decided.
    """

    estimators: ClassVar[Literal["classifier", "regressor"]] = "regressor"
    row_loss: ClassVar[str] = "mean squared error"
    number: ClassVar[str] = "value"

    transform: Literal["log", "log1p"] | None = None
    level: float | None = None
    interval: PredictionInterval | None = None

    def under(self, spec: Spec) -> Self:
        """Return the task with what the spec says of its target."""
        target = spec.dataset.target
        return replace(self, transform=target.transform, level=target.interval)

    @property
    def fitted_to(self) -> str:
        """The transformed target, and what that makes of an answer; empty if it is fitted as it is."""
        if self.transform is None:
            return ""
        of = "its logarithm" if self.transform == "log" else "the logarithm of it and 1"
        return f"{of}, so that an answer lies nearer the median than the mean of rows like it"

    @property
    def decides(self) -> bool:
        """Whether the interval's bounds are to be decided."""
        return self.level is not None

    def tuned(self, target: Target, left_out: Predictions, weight: Weight | None = None) -> Self:
        """Return the task with the interval that holds its share of the rows that were left out of training.

        The half-length is a quantile of the absolute residuals of all repeats, on the scale that estimators are fitted
        on, raised to `level * (n + 1) / n` of n rows (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman,
        *Distribution-free predictive inference for regression*, JASA 113, 2018). The residuals are those of
        cross-validation (Barber, Candès, Ramdas & Tibshirani, *Predictive inference with the jackknife+*, Annals of
        Statistics 49, 2021), so that groups and times that its folds keep apart are apart here too.
        """
        if self.level is None or not np.isfinite(left_out).all():
            return self
        rows, repeats = left_out.shape
        with np.errstate(invalid="ignore", divide="ignore"):  # an answer without a logarithm has no finite residual
            residuals = np.abs(self._scaled(target)[:, None] - self._scaled(left_out))
        if not np.isfinite(residuals).all():
            return self
        share = min(1.0, self.level * (rows + 1) / rows)
        weights = None if weight is None else np.tile(weight, repeats)
        reach = _at(residuals.ravel(order="F"), share, weights)
        return replace(self, interval=PredictionInterval(level=self.level, reach=reach, transform=self.transform))

    def answering(self, output: Output) -> Self:
        """Return the task with a model's interval."""
        return replace(self, interval=output.interval)

    def around(self, estimator: Any) -> Any:
        """Return the estimator behind the target's transformation."""
        if self.transform is None:
            return estimator
        forth, back = _TRANSFORMS[self.transform]
        return TransformedTargetRegressor(estimator, func=forth, inverse_func=back, check_inverse=False)

    def _scaled(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = numbers if self.transform is None else _TRANSFORMS[self.transform][0](numbers)
        return found

    def _measures(
        self, target: Target, predictions: Predictions, weight: Weight | None = None
    ) -> Mapping[Metric, Callable[[], float]]:
        pair, weighted = (target, predictions), {"sample_weight": weight}
        measures: dict[Metric, Callable[[], float]] = {
            "rmse": lambda: metrics.root_mean_squared_error(*pair, **weighted),
            "mae": lambda: metrics.mean_absolute_error(*pair, **weighted),
            "median_absolute_error": lambda: metrics.median_absolute_error(*pair, **weighted),
            "r2": lambda: metrics.r2_score(*pair, **weighted) if len(target) > 1 else np.nan,
            "poisson_deviance": lambda: metrics.mean_poisson_deviance(*pair, **weighted),
            "gamma_deviance": lambda: metrics.mean_gamma_deviance(*pair, **weighted),
            "coverage": lambda: float(np.average(self._covered(target, predictions), weights=weight)),
        }
        for metric in self.metrics:
            if metric.startswith("pinball/"):
                measures[metric] = partial(metrics.mean_pinball_loss, *pair, alpha=_quantile(metric), **weighted)
        return measures

    def _intervals(self, target: Target, predictions: Predictions) -> Mapping[Metric, Interval | None]:
        """Means over rows have Student's interval, and the RMSE the root of its mean's.

        The median has the order statistics that hold it with a probability of 95 % (Conover, *Practical nonparametric
        statistics*, 1999, 3.2).
        """
        errors = np.abs(target - predictions)
        squared = mean_interval(errors**2)
        covered = self._covered(target, predictions)
        return {
            "coverage": share_interval(int(covered.sum()), len(target)) if self.interval else None,
            "rmse": squared and Interval(mean=squared.mean**0.5, low=squared.low**0.5, high=squared.high**0.5),
            "mae": mean_interval(errors),
            "median_absolute_error": _median_interval(errors),
        }

    def _covered(self, target: Target, predictions: Predictions) -> NDArray[np.float64]:
        """Return 1 for each row whose target lies within its interval, else 0; NaN if none is decided."""
        if self.interval is None:
            return np.full(len(target), np.nan)
        lower, upper = self.interval.bounds(predictions)
        return ((lower <= target) & (target <= upper)).astype(np.float64)

    def row_losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64]:
        """Return the squared error of each row."""
        losses: NDArray[np.float64] = (target - predictions) ** 2
        return losses

    def losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64] | None:
        """Return each row's part of the loss; of the RMSE, its squared error."""
        name, _, quantile = self.loss.partition("/")
        errors: NDArray[np.float64] = target - predictions
        losses: NDArray[np.float64] | None = None
        match name:
            case "rmse":
                losses = errors**2
            case "mae":
                losses = np.abs(errors)
            case "pinball":
                losses = np.maximum(float(quantile) * errors, (float(quantile) - 1) * errors)
            case "poisson_deviance":
                losses = 2 * (xlogy(target, target / predictions) - errors)
            case "gamma_deviance":
                losses = 2 * (np.log(predictions / target) + errors / predictions)
        return losses

    def dummy(self, target: Target, weight: Weight | None = None) -> float:
        """Return the loss of the mean; of the median for the MAE, of the quantile for its pinball loss."""
        if self.loss.startswith("pinball/"):
            constant = _at(target, _quantile(self.loss), weight)
        else:
            constant = _at(target, 0.5, weight) if self.loss == "mae" else float(np.average(target, weights=weight))
        return float(self._measures(target, np.full(len(target), constant), weight)[self.loss]())

    def predict(self, estimator: Any, features: Any) -> Predictions:
        """Return the predicted number for each row."""
        return np.asarray(estimator.predict(features), dtype=np.float64).reshape(-1)

    def output(self) -> Output:
        """Return that the answer is a number, and its interval."""
        return Output(task=self.kind.name, form="value", unit=self.unit, interval=self.interval)

    def golden(self, rows: dict[str, list[Any]], predictions: Predictions, target: Target) -> Golden:
        """Return made-up rows with predicted numbers; differences are small by the target's standard deviation."""
        tolerance = max(_SAME * float(np.std(target)), np.finfo(np.float64).tiny)
        return Golden(rows=rows, probabilities=[], classes=[], values=predictions.tolist(), tolerance=tolerance)

    def made_up(self) -> tuple[NDArray[np.float64], Target]:
        """Return 400 rows with positive targets, which every loss is defined for."""
        rows, target = make_regression(n_samples=400, n_features=32, n_informative=8, noise=1.0, random_state=0)
        return rows, target - target.min() + 1.0

    def curves(self, target: Target, predictions: Predictions) -> dict[str, Markup]:
        """Draw what was predicted over what was observed, and the errors."""
        from model_release.modelling.plots import curves

        return {
            "Predicted over observed": curves.predicted_over_observed(target, predictions, self.unit),
            "Errors": curves.errors(target, predictions, self.unit),
        }


def _at(target: Target, quantile: float, weight: Weight | None) -> float:
    if weight is None:
        return float(np.quantile(target, quantile))
    return float(np.quantile(target, quantile, weights=weight, method="inverted_cdf"))


def _quantile(metric: Metric) -> float:
    return float(metric.partition("/")[2])


def _median_interval(errors: NDArray[np.float64]) -> Interval | None:
    low, high = (int(stats.binom.ppf(probability, len(errors), 0.5)) for probability in (0.025, 0.975))
    if len(errors) < 6:  # no pair of order statistics holds the median with 95 %
        return None
    ordered = np.sort(errors)
    bounds = float(ordered[max(low - 1, 0)]), float(ordered[min(high, len(errors) - 1)])
    return Interval(mean=float(np.median(errors)), low=bounds[0], high=bounds[1])
