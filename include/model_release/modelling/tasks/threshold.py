"""The decision threshold of two classes, tuned on predictions of rows that were left out. For `binary`.

Training sees neither the metric nor the costs, so that the probabilities stay proper; the border between the classes
alone follows from them (Elkan, *The foundations of cost-sensitive learning*, IJCAI 2001).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model_release.documents.metric import Metric
from model_release.spec.gate import MistakeCosts

Floats = NDArray[np.float64]


def tuned_threshold(
    target: NDArray[np.int64], probabilities: Floats, wanted: Metric | MistakeCosts, weight: Floats | None = None
) -> float:
    """Return the threshold that is best for a figure, or that costs least; of equal ones, the nearest to one half.

    Thresholds lie halfway between neighbouring probabilities, or beyond all of them.

    Args:
        target: `int64[rows]`, 1 for the positive class.
        probabilities: `float64[rows]` of the positive class, each of a row that its model was not fitted to.
        wanted: `accuracy`, `balanced_accuracy` or `f1`; or the costs of the two mistakes.
        weight: `float64[rows]`, how much each row counts; None: all the same.
    """
    order = np.argsort(-probabilities, kind="stable")
    counts = np.ones(len(target)) if weight is None else weight[order]
    scores, positive = probabilities[order], counts * (target[order] == 1)
    ends = np.concatenate([[0], np.flatnonzero(np.diff(scores)) + 1, [len(scores)]])  # so many rows are called positive
    borders = np.concatenate([[1.0], scores, [0.0]])
    thresholds = (borders[ends] + borders[ends + 1]) / 2
    possible = (thresholds > 0) & (thresholds < 1)
    right = np.concatenate([[0], np.cumsum(positive)])[ends]
    called = np.concatenate([[0], np.cumsum(counts)])[ends]
    worth = _worth(wanted, right=right, called=called, positive=float(positive.sum()), rows=float(counts.sum()))
    best = possible & (worth == worth[possible].max(initial=-np.inf))
    return float(min(thresholds[best], key=lambda each: abs(each - 0.5), default=0.5))


def _worth(wanted: Metric | MistakeCosts, *, right: Floats, called: Floats, positive: float, rows: float) -> Floats:
    """Return by threshold what is to be highest, from the rows that are called positive and those that are right."""
    false_positive, false_negative = called - right, positive - right
    if isinstance(wanted, MistakeCosts):
        return -(wanted.false_positive * false_positive + wanted.false_negative * false_negative).astype(np.float64)
    with np.errstate(invalid="ignore"):  # a figure that is undefined is no reason to choose a threshold
        found: Floats = {
            "accuracy": lambda: 1 - (false_positive + false_negative) / rows,
            "balanced_accuracy": lambda: (right / positive + 1 - false_positive / (rows - positive)) / 2,
            "f1": lambda: 2 * right / (called + positive),
        }[wanted]()
    return np.nan_to_num(found, nan=-np.inf)
