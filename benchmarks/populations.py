"""Nights with a known truth: rows from a population whose probabilities are written down, and recipes fitted to them.

The population is like the heart data: thirteen columns and a logistic truth, with weights that give the recipe of all
columns about the Brier score and the accuracy that logistic regression has there. Recipes differ in the columns that
they may see: two that lack different columns of the same weight are exactly as good as each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split

from model_release.documents.evaluation import Scores
from model_release.documents.metric import Metric
from model_release.spec.split import Validation

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]
Positions = NDArray[np.intp]

WEIGHTS = np.array([2.2, 1.3, 1.2, 1.2, 1.0, -0.8, 0.8, 0.7, 0.6, -0.4, 0.4, 0.2, -0.2])
"""Log-odds per standard deviation of a column; the columns are independent and standard normal."""

LACKING: dict[str, list[int]] = {
    "everything": [],
    "without a weak one": [11],
    "without another weak one": [12],
    "without a middling one": [5],
    "without another middling one": [6],
    "without the strongest": [0],
}
"""Recipes, by the columns that they do not see. All are the logistic regression of the shipped spec."""


@dataclass(frozen=True)
class Population:
    """A champion and a challenger, by their recipes, and whether the challenger ought to be promoted."""

    name: str
    champion: str
    challenger: str
    good: bool


POPULATIONS = [
    Population("same recipe", "everything", "everything", good=True),
    Population("equal", "without a weak one", "without another weak one", good=True),
    Population("equal, unlike", "without a middling one", "without another middling one", good=True),
    Population("slightly worse", "everything", "without a middling one", good=False),
    Population("much worse", "everything", "without the strongest", good=False),
    Population("slightly better", "without a middling one", "everything", good=True),
    Population("much better", "without the strongest", "everything", good=True),
]


@dataclass(frozen=True)
class Fitted:
    """One recipe on one night.

    Attributes:
        scores: what the gate sees.
        right: whether each row of the holdout got its class, in the order of the rows.
        said: probabilities from the model that would be released, for the whole population.
    """

    scores: Scores
    right: NDArray[np.bool_]
    said: Floats

    @property
    def brier(self) -> float:
        """Expected Brier score over the population."""
        _, truth = _everyone()
        return float(((self.said - truth) ** 2 + truth * (1 - truth)).mean())

    @property
    def accuracy(self) -> float:
        """Expected accuracy over the population."""
        _, truth = _everyone()
        return float(np.where(self.said > 0.5, truth, 1 - truth).mean())


@dataclass(frozen=True)
class Night:
    """One night's sample and every recipe on it, on the same rows and folds."""

    rows: int
    holdout_rows: int
    dummy_brier: float
    recipes: dict[str, Fitted]


def night(number: int, rows: int, validation: Validation) -> Night:
    """Draw the sample of a night and measure every recipe on it; the number decides all that is left to chance."""
    inputs, target = _sample(number, rows)
    fit_rows, held_rows = train_test_split(np.arange(rows), test_size=0.2, stratify=target, random_state=number)
    plan = RepeatedStratifiedKFold(
        n_splits=validation.folds, n_repeats=validation.repeats, random_state=validation.seed
    )
    folds = [(fit_rows[fit], fit_rows[test]) for fit, test in plan.split(inputs[fit_rows], target[fit_rows])]
    share = float(target[fit_rows].mean())
    recipes = {
        name: _measure(np.delete(np.arange(len(WEIGHTS)), lacks), inputs, target, folds, fit_rows, held_rows)
        for name, lacks in LACKING.items()
    }
    return Night(len(fit_rows), len(held_rows), share * (1 - share), recipes)


def _measure(
    columns: Positions,
    inputs: Floats,
    target: Classes,
    folds: list[tuple[Positions, Positions]],
    fit_rows: Positions,
    held_rows: Positions,
) -> Fitted:
    seen = inputs[:, columns]
    by_fold: dict[Metric, list[float | None]] = {}
    for fit, test in folds:
        probability = _fit(seen[fit], target[fit])(seen[test])
        for metric, value in _figures(target[test], probability).items():
            by_fold.setdefault(metric, []).append(value)
    released = _fit(seen[fit_rows], target[fit_rows])
    held = released(seen[held_rows])
    everyone, _ = _everyone()
    return Fitted(
        scores=Scores(folds=by_fold, holdout=dict(_figures(target[held_rows], held))),
        right=(held > 0.5) == (target[held_rows] == 1),
        said=released(everyone[:, columns]),
    )


def _fit(inputs: Floats, target: Classes) -> Callable[[Floats], Floats]:
    model = LogisticRegression(C=0.1, max_iter=1000).fit(inputs, target)
    return lambda rows: expit(rows @ model.coef_[0] + model.intercept_[0])  # a tenth of the time of predict_proba


def _figures(target: Classes, probability: Floats) -> dict[Metric, float]:
    """The figures that the shipped spec sets floors on; by hand, since fifty folds of six recipes want them."""
    positive, said = target == 1, probability > 0.5
    pairs = positive.sum() * (~positive).sum()
    above = rankdata(probability)[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return {
        "accuracy": float((said == positive).mean()),
        "recall": float(said[positive].mean()),
        "roc_auc": float(above / pairs),
        "brier": float(((probability - target) ** 2).mean()),
    }


def _sample(seed: int, rows: int) -> tuple[Floats, Classes]:
    chance = np.random.default_rng(seed)
    inputs = chance.standard_normal((rows, len(WEIGHTS)))
    return inputs, (chance.random(rows) < expit(inputs @ WEIGHTS)).astype(np.int64)


@cache
def _everyone(rows: int = 20_000) -> tuple[Floats, Floats]:
    """A large sample with each row's true probability: expected figures have no chance of labels in them."""
    inputs = np.random.default_rng(2**32).standard_normal((rows, len(WEIGHTS)))
    return inputs, expit(inputs @ WEIGHTS)
