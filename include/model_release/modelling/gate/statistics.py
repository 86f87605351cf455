"""Intervals of means over folds that overlap. For the gate, and for what shows its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

from model_release.documents.evaluation import Interval, Scores
from model_release.documents.metric import Metric


def corrected_interval(values: Sequence[float], test_over_train: float, *, confidence: float = 0.95) -> Interval:
    """Return the mean of per-fold values with an interval that allows for the folds' overlap.

    The variance of the mean is `(1/k + n_test/n_train) * var(values)` with k-1 degrees of freedom (Nadeau & Bengio,
    *Inference for the generalization error*, Machine Learning 52, 2003; the factor for repeated cross-validation as in
    Bouckaert & Frank, *Evaluating the replicability of significance tests*, PAKDD 2004).
    """
    error = corrected_error(values, test_over_train)
    mean = fmean(values)
    reach = t_quantile((1 + confidence) / 2, len(values) - 1) * error
    return Interval(mean=mean, low=mean - reach, high=mean + reach)


def intervals_of(scores: Scores, test_over_train: float) -> dict[Metric, Interval]:
    """Return the means over the folds with their 95 % intervals, of each figure that every fold has.

    Of one fold alone, an interval is that of its rows.
    """
    found = {}
    for metric, values in scores.folds.items():
        known = [value for value in values if value is not None and math.isfinite(value)]
        if len(known) == len(values) > 1:
            found[metric] = corrected_interval(known, test_over_train)
        elif len(known) == len(values) == 1 and (interval := scores.intervals.get(metric)):
            found[metric] = interval
    return found


def corrected_error(values: Sequence[float], test_over_train: float) -> float:
    """Return the corrected standard error of the mean of per-fold values; see `corrected_interval`."""
    return math.sqrt((1 / len(values) + test_over_train) * variance(values))


def t_quantile(probability: float, degrees: int) -> float:
    """Return a quantile of Student's t distribution."""
    from scipy import stats

    return float(stats.t.ppf(probability, degrees))
