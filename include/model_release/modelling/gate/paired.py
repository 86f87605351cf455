"""How sure a difference of two losses is, by what of the rows is independent of the rest. For `verdict`.

Where rows are independent and few, the folds of repeated cross-validation are compared, corrected for their overlap.
Where rows belong together, or come one after another, a fold's variance says too little: the same out-of-fold losses
are added up by group or by day, and the variance is taken over those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from model_release.documents.evaluation import Evaluation, Interval, Scores, UnitKind
from model_release.modelling.gate.statistics import corrected_error, t_quantile
from model_release.spec.tasks import kind_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A loss, or a difference of two, with its standard error and the degrees of freedom of Student's t.

    Attributes:
        independent: what of the rows the error takes to be so; empty: the folds, corrected for their overlap.
    """

    mean: float
    error: float
    degrees: int
    independent: tuple[UnitKind, ...] = ()

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the two-sided interval."""
        reach = t_quantile((1 + confidence) / 2, self.degrees) * self.error
        return Interval(mean=self.mean, low=self.mean - reach, high=self.mean + reach)

    def bound(self, confidence: float) -> float:
        """Return the one-sided lower bound."""
        return self.mean - t_quantile(confidence, self.degrees) * self.error


def loss_of(scores: Scores, evaluation: Evaluation) -> Estimate:
    """Return a recipe's loss."""
    batches = _batches(evaluation, scores)
    if not batches:
        return _over_folds(_finite(scores.folds[evaluation.loss]), evaluation.test_over_train)
    root = _is_root(evaluation)
    parts = {kind: _influence(weights, scores.losses[kind], root=root) for kind, weights in batches.items()}
    return _estimate([loss for loss, _ in parts.values()], {kind: each for kind, (_, each) in parts.items()})


def difference(theirs: Scores, mine: Scores, evaluation: Evaluation) -> Estimate:
    """Return by how much the second recipe's loss is lower than the first one's, on the same rows and folds."""
    batches = _batches(evaluation, theirs, mine)
    loss = evaluation.loss
    if not batches:
        pairs = zip(_finite(theirs.folds[loss]), _finite(mine.folds[loss]), strict=True)
        return _over_folds([their - my for their, my in pairs], evaluation.test_over_train)
    root, means, influences = _is_root(evaluation), [], {}
    for kind, weights in batches.items():
        their, their_influence = _influence(weights, theirs.losses[kind], root=root)
        my, my_influence = _influence(weights, mine.losses[kind], root=root)
        means.append(their - my)
        influences[kind] = their_influence - my_influence
    return _estimate(means, influences)


def clustered_variance(influence: Floats) -> float:
    """Return the variance of a sum of independent batches whose expected sum is zero.

    The cluster-robust estimator `b/(b - 1) * sum(influence^2)` (Liang & Zeger, *Longitudinal data analysis using
    generalized linear models*, Biometrika 73, 1986; its factor and the b - 1 degrees of freedom as in Cameron & Miller,
    *A practitioner's guide to cluster-robust inference*, Journal of Human Resources 50, 2015).

    Args:
        influence: `float64[batches]`.
    """
    batches = len(influence)
    return batches / (batches - 1) * float((influence**2).sum())


def serial_variance(influence: Floats) -> tuple[float, int]:
    """Return the variance of a sum of batches that stand in the order of time, with its degrees of freedom.

    A difference of losses through time is that of Diebold & Mariano, *Comparing predictive accuracy*, Journal of
    Business & Economic Statistics 13, 1995. Its long-run variance is the mean of the first v squared cosine transforms,
    with v = 0.4 * batches^(2/3) degrees of freedom (Lazarus, Lewis, Stock & Watson, *HAR inference: recommendations for
    practice*, ibid. 36, 2018), which keeps its level where Newey and West's estimator is too sure.

    Args:
        influence: `float64[batches]`, the oldest first.
    """
    batches = len(influence)
    degrees = max(1, int(0.4 * batches ** (2 / 3)))
    waves = np.cos(np.pi * np.outer(np.arange(1, degrees + 1), np.arange(batches) + 0.5) / batches)
    transforms = math.sqrt(2 / batches) * waves @ influence
    return batches * float((transforms**2).mean()), degrees


def _batches(evaluation: Evaluation, *recipes: Scores) -> Mapping[UnitKind, Sequence[float]]:
    """Return the weights of the batches that all of the recipes have losses of; empty: the folds are compared."""
    found = evaluation.design.batches if evaluation.design else {}
    return found if all(each.losses.keys() == found.keys() for each in recipes) else {}


def _influence(weights: Sequence[float], losses: Sequence[float], *, root: bool) -> tuple[float, Floats]:
    """Return a loss and the influence of each batch on it, by the delta method if it is the root of a mean."""
    whole = float(np.sum(weights))
    mean = float(np.sum(losses)) / whole
    influence = (np.array(losses) - np.array(weights) * mean) / whole
    if not root:
        return mean, influence
    loss = math.sqrt(mean)
    return loss, influence / (2 * loss) if loss else influence


def _estimate(means: Sequence[float], influences: Mapping[UnitKind, Floats]) -> Estimate:
    """Return an estimate whose variance is that over groups and that over days together, if there are both.

    Two-way clustering subtracts the variance over what both have in common (Cameron, Gelbach & Miller, *Robust
    inference with multiway clustering*, Journal of Business & Economic Statistics 29, 2011); the sum without that is
    never less.
    """
    variance, degrees = 0.0, []
    for kind, influence in influences.items():
        if kind == "days":
            part, freedom = serial_variance(influence)
        else:
            part, freedom = clustered_variance(influence), len(influence) - 1
        variance += part
        degrees.append(freedom)
    return Estimate(fmean(means), math.sqrt(variance), min(degrees), tuple(influences))


def _over_folds(values: Sequence[float], test_over_train: float) -> Estimate:
    return Estimate(fmean(values), corrected_error(values, test_over_train), len(values) - 1)


def _finite(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _is_root(evaluation: Evaluation) -> bool:
    measure = kind_of(evaluation.task).measure(evaluation.loss)
    return measure is not None and measure.root
