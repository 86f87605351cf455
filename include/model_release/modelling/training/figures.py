"""Figures of predictions, with intervals where the rows are independent. For `fitting`.

Every figure goes by the positive class; a row is called positive above one half.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics
from sklearn.exceptions import UndefinedMetricWarning

from model_release.documents.evaluation import Interval, SliceScores
from model_release.documents.metric import Metric
from model_release.spec.dataset import Column
from model_release.spec.gate import SlicePolicy

Classes = NDArray[np.int64]
Floats = NDArray[np.float64]

_Z = float(stats.norm.ppf(0.975))


def figures(target: Classes, probability: Floats) -> dict[Metric, float | None]:
    """Return each metric of these predictions; None where it is not a finite number."""
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


def intervals(target: Classes, probability: Floats) -> dict[Metric, Interval]:
    """Return each metric of predictions of independent rows with its 95 % interval; without those that do not exist.

    - Accuracy, precision and recall are shares: Wilson, *Probable inference, the law of succession, and statistical
      inference*, JASA 22, 1927.
    - F1 grows with the share of right ones among the rows that are or are called positive, F* = F1 / (2 - F1) (Hand,
      Christen & Kirielle, "F*: an interpretable transformation of the F-measure", Machine Learning 110, 2021):
      Wilson's bounds of F*, transformed.
    - ROC AUC: normal, with the variance of DeLong, DeLong & Clarke-Pearson, *Comparing the areas under two or more
      correlated receiver operating characteristic curves*, Biometrics 44, 1988.
    - Brier score, a mean over rows: Student's t (Bradley, Schwartz & Hashino, *Sampling uncertainty and confidence
      intervals for the Brier score*, Weather and Forecasting 23, 2008).
    """
    if not np.isfinite(probability).all():
        return {}
    actual, said = target == 1, probability > 0.5
    right, called, positive = int((actual & said).sum()), int(said.sum()), int(actual.sum())
    either = called + positive - right
    found = {
        Metric.ACCURACY: _share(int((actual == said).sum()), len(target)),
        Metric.PRECISION: _share(right, called),
        Metric.RECALL: _share(right, positive),
        Metric.F1: _f1(_share(right, either)),
        Metric.ROC_AUC: _auc(probability[actual], probability[~actual]),
        Metric.BRIER: _mean((probability - target) ** 2),
    }
    return {metric: interval for metric, interval in found.items() if interval is not None}


def slice_scores(
    policies: Sequence[SlicePolicy],
    columns: dict[str, Column],
    rows: pd.DataFrame,
    target: Classes,
    out_of_fold: Floats,
) -> list[SliceScores]:
    """Measure groups of rows by predictions that were made while each row was left out.

    A repeat predicts every row once, so that a group is like a holdout of that many rows: its figures and their
    `intervals` are those of one repeat, mean over the repeats. How the repeats differ among themselves would
    tell how the folds fell, and nothing of how few rows there are.

    Args:
        policies: which groups.
        columns: the spec's.
        rows: the rows, one line each.
        target: their classes.
        out_of_fold: their probabilities, one column per repeat.
    """
    return [
        SliceScores(
            column=policy.column,
            group=words,
            rows=int(inside.sum()),
            figures=_over_repeats(target[inside], out_of_fold[inside]),
        )
        for policy in policies
        for words, inside in _groups(policy, columns[policy.column], rows[policy.column])
    ]


def _over_repeats(target: Classes, out_of_fold: Floats) -> dict[Metric, Interval | None]:
    if not np.isfinite(out_of_fold).all():
        return dict.fromkeys(Metric)
    if not len(target):
        return {}
    repeats = [intervals(target, probability) for probability in out_of_fold.T]
    return {
        metric: Interval(
            mean=fmean(each[metric].mean for each in repeats),
            low=fmean(each[metric].low for each in repeats),
            high=fmean(each[metric].high for each in repeats),
        )
        for metric in Metric
        if all(metric in each for each in repeats)
    }


def _groups(policy: SlicePolicy, column: Column, cells: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each group in words and its rows: all that the spec knows, and what is missing where something is."""
    name = policy.column
    for value in column.values or []:
        yield f"{name} = {value}", (cells == value).to_numpy()
    for low, high in pairwise([-math.inf, *(policy.bins or []), math.inf]) if policy.bins else []:
        words = f"{low:g} ≤ {name} < {high:g}".removeprefix("-inf ≤ ").removesuffix(" < inf")
        words = words if "<" in words else f"{name} ≥ {low:g}"
        yield words, ((cells >= low) & (cells < high)).to_numpy()
    if cells.isna().any():
        yield f"{name} missing", cells.isna().to_numpy()


def _share(part: int, rows: int) -> Interval | None:
    if not rows:
        return None
    bounds = stats.binomtest(part, rows).proportion_ci(method="wilson")
    return Interval(mean=part / rows, low=float(bounds.low), high=float(bounds.high))


def _f1(share: Interval | None) -> Interval | None:
    if share is None:
        return None
    mean, low, high = (2 * each / (1 + each) for each in (share.mean, share.low, share.high))
    return Interval(mean=mean, low=low, high=high)


def _auc(positive: Floats, negative: Floats) -> Interval | None:
    """DeLong's interval by ranks (Sun & Xu, *Fast implementation of DeLong's algorithm*, IEEE SPL 21, 2014)."""
    if min(len(positive), len(negative)) < 2:
        return None
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - stats.rankdata(positive)) / len(negative)
    below = 1 - (ranks[len(positive) :] - stats.rankdata(negative)) / len(positive)
    mean = float(above.mean())
    reach = _Z * math.sqrt(above.var(ddof=1) / len(positive) + below.var(ddof=1) / len(negative))
    return Interval(mean=mean, low=max(0.0, mean - reach), high=min(1.0, mean + reach))


def _mean(values: Floats) -> Interval | None:
    if len(values) < 2:
        return None
    mean = float(values.mean())
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return Interval(mean=mean, low=max(0.0, mean - reach), high=mean + reach)
