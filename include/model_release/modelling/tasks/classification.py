"""What the tasks with classes have in common: folds that keep the classes' shares. For `binary` and `multiclass`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import RepeatedStratifiedKFold

from model_release.errors import DataInvalid
from model_release.modelling.tasks.base import Fold, Target
from model_release.spec.model import Validation


def stratified_folds(target: Target, classes: int, validation: Validation) -> Iterator[Fold]:
    """Yield the folds of repeated stratified cross-validation.

    Args:
        target: class codes.
        classes: how many there are.
        validation: how many folds, and the seed.

    Raises:
        DataInvalid: a class has fewer rows than there are folds.
    """
    fewest = int(np.bincount(target, minlength=classes).min())
    if fewest < validation.folds:
        raise DataInvalid(
            f"the rarest class has {fewest} rows outside the holdout, too few for {validation.folds} folds",
            hint="add data, or lower validation.folds in the spec",
        )
    plan = RepeatedStratifiedKFold(
        n_splits=validation.folds, n_repeats=validation.repeats, random_state=validation.seed
    )
    yield from plan.split(np.zeros((len(target), 1)), target)


def entropy(target: Target) -> float:
    """Return the log loss of always answering the classes' shares, in nats."""
    shares = np.bincount(target) / len(target)
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
