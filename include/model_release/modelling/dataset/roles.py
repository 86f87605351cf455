"""What the spec's `group`, `time` and `weight` say of each row, and what they ask of their cells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_release.documents.readings import number
from model_release.modelling.dataset.rows import Rows
from model_release.spec.dataset import Dataset

Rule = tuple[Callable[[str], bool], str]
"""What a text must pass, and what is said of one that does not."""


def rules_of(name: str, dataset: Dataset, read: Callable[[str], float | str | None]) -> list[Rule]:
    """Return what the cells of a column must pass beside the rules of its kind, by which `read` reads them."""
    found: list[Rule] = []
    if name == dataset.time and dataset.columns[name].kind == "text":
        found.append((lambda text: _day(text) is not None, "is no date or time as ISO 8601 has it, such as 2026-11-30"))
    if name == dataset.weight:
        found.append((lambda text: float(read(text) or 0) >= 0, "is below 0, and no row counts less than nothing"))
    return found


def groups_of(rows: Rows, dataset: Dataset) -> NDArray[np.intp]:
    """Return the number of each row's group; without a group, each row is one of its own."""
    if dataset.group is None:
        return np.arange(len(rows))
    numbers, _ = pd.factorize(rows.frame[dataset.group])
    return numbers


def times_of(rows: Rows, dataset: Dataset) -> NDArray[np.float64]:
    """Return when each row is from: whole days, counted in UTC, or the number in the column; without a time, 0."""
    if dataset.time is None:
        return np.zeros(len(rows))
    cells = rows.frame[dataset.time]
    if cells.dtype == np.float64:
        return cells.to_numpy(np.float64)
    read = number if dataset.columns[dataset.time].kind == "integer" else _day
    return cells.map({text: read(text) for text in cells.unique()}).to_numpy(np.float64)


def weights_of(rows: Rows, dataset: Dataset) -> NDArray[np.float64] | None:
    """Return how much each row counts; None if all count the same."""
    if dataset.weight is None:
        return None
    return rows.frame[dataset.weight].to_numpy(np.float64)


def faults_of(rows: Rows, dataset: Dataset) -> list[tuple[str, str]]:
    """Return what makes a model of these rows impossible: the column, and the fault in words."""
    found = []
    for column, values in ((dataset.group, groups_of(rows, dataset)), (dataset.time, times_of(rows, dataset))):
        if column is not None and len(np.unique(values)) < 2:
            found.append((column, f"all {len(rows)} rows have one value, and a split needs two or more"))
    weights = weights_of(rows, dataset)
    if dataset.weight is not None and weights is not None:
        empty = [name for code, name in enumerate(dataset.target.words) if not weights[rows.target == code].any()]
        if not weights.any():
            found.append((dataset.weight, f"all {len(rows)} weights are 0"))
        elif empty:
            found.append((dataset.weight, f"all weights of class {', '.join(empty)} are 0"))
    return found


def _day(text: str) -> float | None:
    """Return the day of an ISO 8601 date or time, in UTC and counted from 0001-01-01; None if it is none."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return float((when.astimezone(UTC) if when.tzinfo else when).toordinal())
    except OverflowError:  # a time zone away from the first or the last day that there is
        return None
