"""What a task must know. Everything in `modelling` that differs from task to task asks its task."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit
from sklearn.exceptions import UndefinedMetricWarning

from model_release.documents.evaluation import Interval
from model_release.documents.golden import Golden
from model_release.documents.metric import Metric
from model_release.documents.output import Output
from model_release.spec.model import Spec
from model_release.spec.tasks import TaskKind

if TYPE_CHECKING:
    from markupsafe import Markup

Target = NDArray[Any]
"""`int64[rows]` class codes 0, 1, …, or `float64[rows]` numbers in the target's unit."""

Predictions = NDArray[np.float64]
"""`float64[rows]`: the positive class's probability, or a number. `float64[rows, classes]`: a probability for each."""

Weight = NDArray[np.float64]
"""`float64[rows]`: how much each row counts."""

GROUPS = 20
"""Into which rows are divided for a jackknife."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """How rows count, and what of them is independent.

    Attributes:
        weight: of each row; None: all count the same.
        unit: `int[rows]`, the number of the group, among at most `GROUPS` of a jackknife, that holds the row with all
            that it depends on; None: each row is independent.
    """

    weight: Weight | None = None
    unit: NDArray[np.intp] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the rows are independent and count the same."""
        return self.weight is None and self.unit is None

    def take(self, positions: NDArray[Any]) -> Sample:
        """Return the same of the rows at these positions, or under this mask."""
        return Sample(*(None if each is None else each[positions] for each in (self.weight, self.unit)))


@dataclass(frozen=True)
class Task(ABC):
    """A task as one spec sets it.

    Attributes:
        kind: its name and its figures.
        loss: the figure that recipes are compared by.
        asked: figures that the spec names.
        classes: in words, in the order of their codes; none if numbers are predicted.
        unit: of the numbers, in words.
    """

    estimators: ClassVar[Literal["classifier", "regressor"]]
    """What fits it: a classifier or a regressor, as scikit-learn's tags tell them apart."""

    row_loss: ClassVar[str]
    """What `row_losses` returns, in words."""

    number: ClassVar[str]
    """What a model answers, in words: `probability`."""

    kind: TaskKind
    loss: Metric
    asked: tuple[Metric, ...] = ()
    classes: tuple[str, ...] = ()
    unit: str = ""

    def under(self, spec: Spec) -> Self:  # noqa: ARG002 - for tasks that have keys of their own
        """Return the task with what a spec says of this kind of task alone."""
        return self

    @property
    def is_tuned(self) -> bool:
        """Whether figures depend on what `tuned` decides, so that each fold needs a decision of its own."""
        return False

    def tuned(self, target: Target, left_out: Predictions, weight: Weight | None = None) -> Self:  # noqa: ARG002 - for tasks that decide something
        """Return the task with what is decided by predictions of rows that were left out of training.

        Args:
            target: of the rows.
            left_out: `[rows, repeats]` or `[rows, repeats, classes]`, their predictions.
            weight: how much each row counts; None: all the same.
        """
        return self

    def answering(self, output: Output) -> Self:  # noqa: ARG002 - for tasks that decide something
        """Return the task as a model answers it that was trained for it."""
        return self

    @property
    def fitted_to(self) -> str:
        """What estimators are fitted to, in words; empty if that is the target itself."""
        return ""

    @property
    def decides(self) -> bool:
        """Whether `tuned` decides anything that a released model answers by."""
        return self.is_tuned

    def around(self, estimator: Any) -> Any:
        """Return an estimator, not fitted, as it is fitted to this task's target."""
        return estimator

    def released(self, estimator: Any) -> Any:
        """Return a fitted estimator whose own `predict` answers as the task does."""
        return estimator

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one row's prediction: nothing for one number, or the number of classes."""
        return ()

    @property
    def metrics(self) -> list[Metric]:
        """The figures that every candidate is measured by."""
        found: list[Metric] = []
        for each in self.kind.measures:
            if each.own:
                continue
            if each.of == "class":
                found += [f"{each.name}/{words}" for words in self.classes]
            elif each.asked or each.of:
                found += [metric for metric in self.asked if metric.partition("/")[0] == each.name]
            else:
                found.append(each.name)
        return found

    def figures(
        self, target: Target, predictions: Predictions, weight: Weight | None = None
    ) -> dict[Metric, float | None]:
        """Return each figure of these predictions; None if it is not a finite number.

        Args:
            target: of the rows.
            predictions: for them.
            weight: how much each row counts; None: all the same.
        """
        if not np.isfinite(predictions).all():
            return dict.fromkeys(self.metrics)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)  # such a figure is None
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            measures = self._measures(target, predictions, weight)
            values = {metric: self._measured(measures[metric]) for metric in self.metrics}
        return {metric: value if math.isfinite(value) else None for metric, value in values.items()}

    @staticmethod
    def _measured(measure: Callable[[], float]) -> float:
        try:
            return float(measure())
        except (ValueError, ZeroDivisionError):  # undefined on these rows: an AUC of one class, a mean of no weight
            return math.nan

    @abstractmethod
    def _measures(
        self, target: Target, predictions: Predictions, weight: Weight | None = None
    ) -> Mapping[Metric, Callable[[], float]]:
        """Return how each of `metrics` is measured on finite predictions."""

    def intervals(
        self, target: Target, predictions: Predictions, asked: Iterable[Metric] = (), *, sample: Sample | None = None
    ) -> dict[Metric, Interval]:
        """Return figures of predictions with their 95 % intervals; none that does not exist.

        The formulas are those of independent rows that count the same. For others every interval takes a jackknife.

        Args:
            target: of the rows.
            predictions: for them.
            asked: figures that are needed even if their interval takes a jackknife.
            sample: how the rows count, and what of them is independent; None: all the same, and each row is.
        """
        if not np.isfinite(predictions).all():
            return {}
        found = dict(self._intervals(target, predictions))
        if sample is not None and not sample.is_plain:
            asked, found = [*found, *asked], {}
        for metric in asked:
            if metric not in found:
                found[metric] = self._jackknife(metric, target, predictions, sample or Sample())
        return {metric: interval for metric, interval in found.items() if interval is not None}

    @abstractmethod
    def _intervals(self, target: Target, predictions: Predictions) -> Mapping[Metric, Interval | None]:
        """Return the figures whose interval has a formula, of finite predictions."""

    def _jackknife(self, metric: Metric, target: Target, predictions: Predictions, sample: Sample) -> Interval | None:
        """Return a figure with the interval of the jackknife; None if there are too few rows."""

        def measured(side: NDArray[np.bool_]) -> dict[Metric, float | None]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                weight = sample.take(side).weight
                return {metric: self._measured(self._measures(target[side], predictions[side], weight)[metric])}

        measure = self.kind.measure(metric)
        shares = [metric] if measure is not None and measure.share else []
        return jackknife(measured, len(target), sample, shares=shares).get(metric)

    @abstractmethod
    def row_losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64]:
        """Return the loss of each row, of which a column's importance is the rise."""

    @abstractmethod
    def losses(self, target: Target, predictions: Predictions) -> NDArray[np.float64] | None:
        """Return what the compared loss is the mean of over the rows, or the root of it; None if it is no such mean."""

    @abstractmethod
    def dummy(self, target: Target, weight: Weight | None = None) -> float:
        """Return the loss of the constant answer that is best on these rows."""

    @abstractmethod
    def predict(self, estimator: Any, features: Any) -> Predictions:
        """Return what a fitted estimator predicts for prepared rows."""

    def called(self, predictions: Predictions) -> NDArray[np.int64]:
        """Return the class code that each row is called; only of tasks with classes."""
        raise NotImplementedError(f"a {self.kind.name} model calls no class")

    @abstractmethod
    def output(self) -> Output:
        """Return what a released model answers."""

    @abstractmethod
    def golden(self, rows: dict[str, list[Any]], predictions: Predictions, target: Target) -> Golden:
        """Return made-up rows with a model's answers.

        Args:
            rows: by column.
            predictions: for them.
            target: of the rows that the model was fitted to, which tell how large a difference is small.
        """

    @abstractmethod
    def made_up(self) -> tuple[NDArray[np.float64], Target]:
        """Return rows with targets that any estimator for this task must be able to fit."""

    @abstractmethod
    def curves(self, target: Target, predictions: Predictions) -> dict[str, Markup]:
        """Draw out-of-fold predictions, all repeats one after the other, by the plots' titles."""

    def summary(self, target: Target) -> float | None:
        """Return the share of the positive class, of which a change counts as drift; None if there is no such class."""
        return None


def jackknife(
    measured: Callable[[NDArray[np.bool_]], Mapping[Metric, float | None]],
    rows: int,
    sample: Sample,
    *,
    shares: Collection[Metric] = (),
) -> dict[Metric, Interval]:
    """Return figures with the intervals of the delete-a-group jackknife; none if there are too few rows.

    The variance is `(g - 1)/g * sum((figure without group i - their mean)^2)` over g groups of rows, with g - 1
    degrees of freedom (Shao & Tu, *The jackknife and bootstrap*, 1995, 2.3). A share's interval is taken on the
    scale of its logit, as Boyd, Eng & Page, *Area under the precision-recall curve*, ECML PKDD 2013, advise; one of
    0 or 1, which has no logit, gets Wilson's bounds of as many rows as there are groups.

    Args:
        measured: from a side of the rows, as a mask, to the figures.
        rows: how many there are.
        sample: how the rows count, and what of them is independent.
        shares: the figures that lie between 0 and 1.
    """
    units = np.arange(rows) % GROUPS if sample.unit is None else sample.unit
    known = np.unique(units)
    groups = len(known)
    if rows < 2 * groups or groups < 2:
        return {}
    whole, *parts = (measured(side) for side in [np.ones(rows, dtype=bool), *(units != each for each in known)])
    found = {name: _spread(value, [each[name] for each in parts], name in shares) for name, value in whole.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def _spread(whole: float | None, parts: list[float | None], share: bool) -> Interval | None:
    without = [math.nan if each is None else each for each in parts]
    if whole is None or not np.isfinite([whole, *without]).all():
        return None
    groups = len(without)
    reach = float(stats.t.ppf(0.975, groups - 1)) * math.sqrt((groups - 1) * float(np.var(without)))
    if not share:
        return Interval(mean=whole, low=whole - reach, high=whole + reach)
    if whole in (0, 1):
        return share_interval(int(whole) * groups, groups)
    if not 0 < whole < 1:
        return None
    stretch = reach / (whole * (1 - whole))
    low, high = expit(logit(whole) - stretch), expit(logit(whole) + stretch)
    return Interval(mean=whole, low=float(low), high=float(high))


def mean_interval(values: NDArray[np.float64]) -> Interval | None:
    """Return the mean over rows with Student's 95 % interval; None for fewer than two rows."""
    if len(values) < 2:
        return None
    mean = float(values.mean())
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(mean=mean, low=max(0.0, mean - reach), high=mean + reach)


def share_interval(part: int, rows: int) -> Interval | None:
    """Return a share with its 95 % interval (Wilson, JASA 22, 1927); None if there are no rows."""
    if not rows:
        return None
    bounds = stats.binomtest(part, rows).proportion_ci(method="wilson")
    return Interval(mean=part / rows, low=float(bounds.low), high=float(bounds.high))
