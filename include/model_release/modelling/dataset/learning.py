"""The values of categorical columns that a spec does not list: learned from the training rows alone. For `snapshot`.

What only the holdout has is not learned, so that the holdout tells how the model does on values that it has not met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from model_release.modelling.dataset.findings import Finding
from model_release.modelling.dataset.rows import Positions, Rows
from model_release.spec.dataset import Dataset


def learn(dataset: Dataset, rows: Rows, training: Positions) -> dict[str, list[str]]:
    """Return the values of each learned input, sorted.

    Args:
        dataset: its columns with `values: learn`.
        rows: all rows.
        training: the positions of those outside the holdout.
    """
    found = {}
    for name, column in dataset.inputs.items():
        if column.is_learned:
            counts = Counter(rows.frame[name].iloc[training].dropna().tolist())
            by_frequency = sorted(counts, key=lambda value: (-counts[value], value))
            found[name] = sorted(by_frequency[: column.limit] if column.unknown == "allow" else by_frequency)
    return found


def too_many(dataset: Dataset, learned: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Yield the columns that have more values, or fewer, than can be learned."""
    for name, values in learned.items():
        limit = dataset.columns[name].limit
        if len(values) > limit:
            rule = (
                f"has {len(values):,} different values, and {limit} are learned at most: raise limit, or write "
                "unknown: allow, which learns the most frequent ones"
            )
            yield Finding("all files", name, rule)
        if not values:
            yield Finding("all files", name, "has no value in any training row, and none can be learned")


def unknown_rows(dataset: Dataset, rows: Rows, learned: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return by input the rows whose value is not among the listed or learned ones; no input that has no such row."""
    counts = {
        name: int((~rows.frame[name].isin([*(learned.get(name) or column.labels)]) & rows.frame[name].notna()).sum())
        for name, column in dataset.inputs.items()
        if column.has_unknown
    }
    return {name: count for name, count in counts.items() if count}
