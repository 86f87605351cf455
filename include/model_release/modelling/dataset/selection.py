"""Which of the rows that arrived a model is trained on, and whether a partition repeats another one. For `snapshot`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_release.spec.rows import RowRules

_FEWEST = 20
"""Fewer rows than this repeat others by chance."""

_MOSTLY = 0.8
"""Share of a partition's rows that must have a value of their own, so that the value can tell rows apart."""

_LARGELY = 0.5

_SAMPLE = 500
"""Rows of a partition that are looked up in all others to find the one that is compared with it row by row."""

_Hashes = NDArray[np.uint64]


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

    Each partition is compared with all older ones. Two of them overlap if more than half of the rows, or of the values
    of an id, are in both; only rows and ids count that stand once in their partition, and only where most of them do.
    So rows of few distinct values, which agree by chance, are no overlap.

    Args:
        partitions: the cells by the partition's name, the oldest first.
        ids: columns that may tell what a row is about: those that the model does not see.
    """
    names = list(partitions)
    nearest = {column: _nearest([_once(frame, column) for frame in partitions.values()]) for column in (None, *ids)}
    for place, name in enumerate(names):
        column, (older, share) = max(((each, found[place]) for each, found in nearest.items()), key=lambda it: it[1][1])
        if share > _LARGELY:
            what = f"values of {column}" if column is not None else "rows"
            yield name, f"repeats {names[older]}: {share:.0%} of its {what} are there already"


def _once(frame: pd.DataFrame, column: str | None) -> _Hashes:
    """Return the hashes, in order, of the cells (of None: of the rows) that stand once; none if most stand twice."""
    cells = frame if column is None else frame[[column]].dropna()
    values, counts = np.unique(pd.util.hash_pandas_object(cells, index=False).to_numpy(), return_counts=True)
    once: _Hashes = values[counts == 1]
    return once if len(once) >= max(_FEWEST, _MOSTLY * len(frame)) else once[:0]


def _nearest(sets: Sequence[_Hashes]) -> list[tuple[int, float]]:
    """Return for each set the place of the earlier one that holds the most of it, and the share that it holds.

    The smallest hashes of a set are a random sample of it. They are looked up among those of all sets at once; then
    the share is counted exactly. So the cost grows with the rows, and not with the pairs of sets.
    """
    pool = np.concatenate(sets)
    order = np.argsort(pool, kind="stable")
    pool, owners = pool[order], np.repeat(np.arange(len(sets)), [len(each) for each in sets])[order]
    found = []
    for place, own in enumerate(sets):
        first, last = (np.searchsorted(pool, own[:_SAMPLE], side=side) for side in ("left", "right"))
        hits = np.concatenate([owners[low:high] for low, high in zip(first, last, strict=True)] or [owners[:0]])
        counts = np.bincount(hits, minlength=len(sets))[:place]
        older = int(counts.argmax()) if counts.any() else 0
        found.append((older, float(np.isin(own, sets[older]).mean()) if counts.any() else 0.0))
    return found
