"""What a fitted model makes of each column: how much it leans on it, and which way. For `fitting` and the card.

Of the very model that is released. Both figures say what the model does, not what is so in the world: where columns
go together, one may stand in for the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from model_release.documents.evaluation import Interval
from model_release.modelling.tasks.base import Target, Task, Weight
from model_release.modelling.trained import Effect

Floats = NDArray[np.float64]
Predict = Callable[[pd.DataFrame], Floats]

SHUFFLES = 10
SHOWN = 6
"""Columns whose partial dependence is taken: those that count most."""

_ROWS = 1000
_POINTS = 12


def effects(
    task: Task,
    predict: Predict,
    inputs: pd.DataFrame,
    target: Target,
    *,
    categorical: set[str],
    weight: Weight | None = None,
) -> list[Effect]:
    """Measure every column on rows that the model has not seen; the one that counts most comes first.

    Args:
        task: what is predicted; its loss rises as a column is shuffled.
        predict: from inputs to predictions.
        inputs: the holdout, one column per input. Of more than a thousand rows, a thousand in equal steps are taken.
        target: of the same rows.
        categorical: the columns whose values are marks, not amounts.
        weight: how much each row counts; None: all the same.

    Returns:
        An effect per column; none if there are no rows, or a prediction is not finite.
    """
    if len(inputs) < 2:
        return []
    taken = np.linspace(0, len(inputs) - 1, min(len(inputs), _ROWS)).astype(int)
    rows, truth = inputs.iloc[taken].reset_index(drop=True), target[taken]
    plain = predict(rows)
    if not np.isfinite(plain).all():
        return []
    losses = task.row_losses(truth, plain)
    counts = np.ones(len(rows)) if weight is None else weight[taken]
    if not counts.any():
        return []
    found = [
        Effect(column=name, importance=_importance(task, predict, rows, truth, losses, counts, name))
        for name in rows.columns
    ]
    found.sort(key=lambda each: -each.importance.mean)  # stable: equal ones stay in the spec's order
    plotted = {each.column for each in found[:SHOWN] if each.column in categorical or _is_amount(rows[each.column])}
    return [
        _with_dependence(each, task, predict, rows, each.column in categorical) if each.column in plotted else each
        for each in found
    ]


def _is_amount(column: pd.Series) -> bool:
    """Whether a column that is no category is a number: text has no order, and no few values."""
    return is_numeric_dtype(column.dtype)


def _importance(
    task: Task, predict: Predict, rows: pd.DataFrame, truth: Target, losses: Floats, counts: Floats, name: str
) -> Interval:
    """Return the permutation importance of a column with its 95 % interval.

    Mean over the rows of the rise of the row's loss, each row's own mean over the shuffles (Breiman, *Random forests*,
    Machine Learning 45, 2001; as a property of a fitted model, Fisher, Rudin & Dominici, *All models are wrong, but
    many are useful*, JMLR 20, 2019). The interval is the normal one over the rows: it allows for how few they are, not
    for another fit.
    """
    chance = np.random.default_rng(0)
    orders = np.concatenate([chance.permutation(len(rows)) for _ in range(SHUFFLES)])
    many = pd.concat([rows] * SHUFFLES, ignore_index=True)
    many[name] = rows[name].take(orders).reset_index(drop=True)
    shuffled = task.row_losses(np.tile(truth, SHUFFLES), predict(many))
    rises = shuffled.reshape(SHUFFLES, len(rows)).mean(axis=0) - losses
    mean = float(np.average(rises, weights=counts))
    error = math.sqrt(len(rows) / (len(rows) - 1) * float(((counts * (rises - mean)) ** 2).sum())) / float(counts.sum())
    reach = NormalDist().inv_cdf(0.975) * error
    return Interval(mean=mean, low=mean - reach, high=mean + reach)


def _with_dependence(effect: Effect, task: Task, predict: Predict, rows: pd.DataFrame, categorical: bool) -> Effect:
    """Add the partial dependence (Friedman, *Greedy function approximation*, Annals of Statistics 29, 2001, 8.2).

    A model whose predictions are several numbers a row has none.
    """
    column = rows[effect.column].dropna()
    if column.empty or task.shape:
        return effect
    points = _points(column, categorical)
    many = pd.concat([rows] * len(points), ignore_index=True)
    repeated = np.repeat(points, len(rows))
    many[effect.column] = pd.Series(repeated, dtype=repeated.dtype)  # pandas would make text of another kind of it
    means = predict(many).reshape(len(points), len(rows)).mean(axis=1)
    at = [_mark(each) for each in points] if categorical else [float(each) for each in points]
    return effect.model_copy(update={"at": at, "response": [float(each) for each in means]})


def _points(column: pd.Series, categorical: bool) -> NDArray[np.generic]:
    """Every value where they are few; else the most frequent marks, or quantiles in equal steps."""
    values: NDArray[np.generic] = np.unique(column.to_numpy())
    if len(values) <= _POINTS:
        return values
    if categorical:
        common = column.value_counts().sort_index(kind="stable").sort_values(ascending=False, kind="stable")
        return np.sort(common.index.to_numpy()[:_POINTS])
    return np.unique(np.quantile(column.to_numpy(np.float64), np.linspace(0.05, 0.95, _POINTS)))


def _mark(value: object) -> str:
    return f"{value:g}" if is_numeric_dtype(type(value)) else str(value)
