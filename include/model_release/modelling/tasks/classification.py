"""What the tasks with classes have in common. For `binary` and `multiclass`."""

from __future__ import annotations

import numpy as np

from model_release.modelling.tasks.base import Target, Weight


def entropy(target: Target, weight: Weight | None = None) -> float:
    """Return the log loss of always answering the classes' shares, in nats."""
    counts = np.bincount(target, weight)
    shares = counts / counts.sum()
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
