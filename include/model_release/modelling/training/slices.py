"""Figures of groups of rows, each row predicted while it was left out. For `fitting`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_release.documents.evaluation import Interval, SliceScores
from model_release.documents.metric import Metric
from model_release.modelling.tasks.base import Predictions, Sample, Target, Task
from model_release.modelling.tasks.own import OwnMetrics
from model_release.spec.dataset import Column
from model_release.spec.gate import SlicePolicy


def slice_scores(
    task: Task,
    policies: Sequence[SlicePolicy],
    columns: dict[str, Column],
    rows: pd.DataFrame,
    target: Target,
    out_of_fold: Predictions,
    sample: Sample | None = None,
    own: OwnMetrics | None = None,
) -> list[SliceScores]:
    """Measure groups of rows by predictions that were made while each row was left out.

    A repeat predicts every row once, so that a group is like a holdout of that many rows: its figures and their
    intervals are those of one repeat, mean over the repeats. How the repeats differ among themselves would tell how the
    folds fell, and nothing of how few rows there are.

    Args:
        task: what the rows are measured by.
        policies: which groups.
        columns: the spec's.
        rows: the rows, one line each.
        target: their targets.
        out_of_fold: `[rows, repeats]` or `[rows, repeats, classes]`, their predictions.
        sample: how the rows count, and what of them is independent.
        own: the spec's metrics, which are measured if a floor asks for one of them.
    """
    counted, beside = sample or Sample(), own or OwnMetrics({}, "")
    return [
        SliceScores(
            column=policy.column,
            group=words,
            rows=int(inside.sum()),
            figures=_over_repeats(
                task,
                policy,
                target[inside],
                out_of_fold[inside],
                counted.take(inside),
                beside.asked(policy.floors),
                rows[inside],
            ),
        )
        for policy in policies
        for words, inside in _groups(policy, columns[policy.column], rows[policy.column])
    ]


def _over_repeats(
    task: Task,
    policy: SlicePolicy,
    target: Target,
    out_of_fold: Predictions,
    sample: Sample,
    own: OwnMetrics,
    rows: pd.DataFrame,
) -> dict[Metric, Interval | None]:
    if not np.isfinite(out_of_fold).all():
        return dict.fromkeys([*task.metrics, *own.measures])
    if not len(target):
        return {}
    repeats = [
        task.intervals(
            target, out_of_fold[:, number], [each for each in policy.floors if each in task.metrics], sample=sample
        )
        | own.intervals(task, rows, target, out_of_fold[:, number], sample)
        for number in range(out_of_fold.shape[1])
    ]
    return {
        metric: Interval(
            mean=fmean(each[metric].mean for each in repeats),
            low=fmean(each[metric].low for each in repeats),
            high=fmean(each[metric].high for each in repeats),
        )
        for metric in [*task.metrics, *own.measures]
        if all(metric in each for each in repeats)
    }


def _values(column: Column, cells: pd.Series) -> Sequence[object]:
    """Return the categories as the rows have them."""
    if column.kind != "categorical":
        return []
    if column.is_learned:
        return sorted(cells.dropna().unique())
    return column.listed if column.is_coded else column.labels


def _groups(policy: SlicePolicy, column: Column, cells: pd.Series) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each group in words and its rows: all that the spec knows, and what is missing where something is."""
    name = policy.column
    for value in _values(column, cells):
        yield f"{name} = {value}", (cells == value).to_numpy()
    for low, high in pairwise([-math.inf, *(policy.bins or []), math.inf]) if policy.bins else []:
        words = f"{low:g} ≤ {name} < {high:g}".removeprefix("-inf ≤ ").removesuffix(" < inf")
        words = words if "<" in words else f"{name} ≥ {low:g}"
        yield words, ((cells >= low) & (cells < high)).to_numpy()
    if cells.isna().any():
        yield f"{name} missing", cells.isna().to_numpy()
