"""Which of the rows that arrived a model is trained on, and whether a partition repeats another one. For `snapshot`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_release.spec.dataset import RowRules

_FEWEST = 20
"""Fewer rows than this repeat others by chance."""

_MOSTLY = 0.8
"""Share of a partition's rows that must have a value of their own, so that the value can tell rows apart."""

_LARGELY = 0.5


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows that count, with what became of the others.

    Attributes:
        rows: in the order received.
        superseded: rows left out because a later one has the same key.
        duplicates: rows left out because an earlier one has the same values in every column.
    """

    rows: pd.DataFrame
    superseded: int
    duplicates: int


def select(received: pd.DataFrame, rules: RowRules, *, columns: Sequence[str]) -> Selection:
    """Apply the spec's `rows.key`, then `rows.duplicates`, to all rows in the order received.

    Args:
        received: the rows.
        rules: of the spec.
        columns: those of the files: what was made of them does not tell duplicates apart.
    """
    newest = received.drop_duplicates(rules.key_columns, keep="last") if rules.key_columns else received
    rows = newest.drop_duplicates(list(columns)) if rules.duplicates == "drop" else newest
    return Selection(rows.reset_index(drop=True), len(received) - len(newest), len(newest) - len(rows))


def overlaps(partitions: Mapping[str, pd.DataFrame], ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each partition that largely repeats an older one, by name, and what it repeats, in words.

    A partition is compared with the one before it, and the newest one with all. Two of them overlap if more than half
    of the rows, or of the values of an id, are in both; only rows and ids count that stand once in their partition, and
    only where most of them do. So rows of few distinct values, which agree by chance, are no overlap.

    Args:
        partitions: the cells by the partition's name, the oldest first.
        ids: columns that may tell what a row is about: those that the model does not see.
    """
    names = list(partitions)
    marks = {name: _marks(frame, ids) for name, frame in partitions.items()}
    pairs = {*zip(names, names[1:], strict=False), *((older, names[-1]) for older in names[:-1])}
    for newer in names[1:]:
        for older in [name for name in names if (name, newer) in pairs]:
            found = _largest(marks[older], marks[newer])
            if found is not None:
                column, share = found
                what = f"values of {column}" if column is not None else "rows"
                yield newer, f"repeats {older}: {share:.0%} of its {what} are there already"
                break


_Marks = dict[str | None, NDArray[np.uint64]]
"""By column, and by None for the whole row: the hashes of the cells that stand once in a partition."""


def _marks(frame: pd.DataFrame, ids: Sequence[str]) -> _Marks:
    found: _Marks = {}
    for name in [None, *ids]:
        cells = frame if name is None else frame[[name]].dropna()
        values, counts = np.unique(pd.util.hash_pandas_object(cells, index=False).to_numpy(), return_counts=True)
        once = values[counts == 1]
        if len(once) >= max(_FEWEST, _MOSTLY * len(frame)):
            found[name] = once
    return found


def _largest(older: _Marks, newer: _Marks) -> tuple[str | None, float] | None:
    shares = {name: float(np.isin(newer[name], older[name]).mean()) for name in newer if name in older}
    name = max(shares, key=lambda each: shares[each], default=None)
    return (name, shares[name]) if shares and shares[name] > _LARGELY else None
