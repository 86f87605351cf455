"""What a model of a column would predict: two classes, several, or a number; and what follows for its first spec."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_release.errors import DataInvalid, UsageError
from model_release.workflows.drafting.columns import Described

_POSITIVE = ("1", "1.0", "yes", "y", "true", "t", "positive", "pos", "bad", "fraud", "default")
_PLAIN_LABELS = frozenset({*_POSITIVE, "0", "0.0", "no", "n", "false", "f", "negative", "neg"})
_LABELS = 20
"""A target with more different values than this is a number or a text, and no class."""

_LEAST = 10
_FEW = 50


@dataclass(frozen=True, slots=True)
class Goal:
    """What is predicted.

    Attributes:
        task: as in a spec.
        target: the spec's words for the column.
        counts: the rows of each class, or the range of the number, in words.
        invalid: the share of rows that may be set aside since they lack the target; 0 if none do.
        folds: of cross-validation.
        split: how the holdout is set apart.
        candidates: estimators with their parameters, by name, the simplest first.
        floor: a figure that guessing cannot reach, its floor, and what guessing gets, in words.
        guesses: what was guessed, in sentences.
    """

    task: str
    target: Mapping[str, Any]
    counts: str
    invalid: float
    folds: int
    split: str
    candidates: Mapping[str, tuple[str, str]]
    floor: tuple[str, float, str]
    guesses: Sequence[str]


_CLASSIFIERS = {
    "logistic_regression": ("LogisticRegression", "{C: 0.1, max_iter: 1000}"),
    "random_forest": ("RandomForestClassifier", "{n_estimators: 100, min_samples_leaf: 5}"),
}
_REGRESSORS = {
    "ridge": ("Ridge", "{alpha: 1.0}"),
    "random_forest": ("RandomForestRegressor", "{n_estimators: 100, min_samples_leaf: 5}"),
}


def goal_of(target: str, cells: Sequence[str], what: Described) -> Goal:
    """Return what a model of the target predicts.

    Args:
        target: the name of the column.
        cells: of it, with a decimal point where they are numbers.
        what: of it.

    Raises:
        UsageError: the column has one value alone, or is a text of many values.
        DataInvalid: most rows lack it, or a class has too few rows.
    """
    rows = len(cells)
    if 2 * what.missing > rows:
        raise DataInvalid(f"the target {target!r} is missing in {what.missing:,} of {rows:,} rows")
    invalid = math.ceil(100 * what.missing / rows + 5) / 100 if what.missing else 0.0
    guesses = []
    if what.missing:
        guesses.append(f"{what.missing:,} rows lack the target: they are set aside (rows.invalid: drop)")
    labels = Counter(cell for cell in cells if cell not in what.marks)
    if len(labels) < 2:
        raise UsageError(f"the target {target!r} has one value alone: {next(iter(labels), 'none')!r}")
    if len(labels) > _LABELS and what.kind in ("numeric", "integer"):
        guesses.append(f"the target is a number from {what.low:g} to {what.high:g}: task: regression")
        return Goal(
            task="regression",
            target={"column": target},
            counts=what.words,
            invalid=invalid,
            folds=5,
            split="content_hash",
            candidates=_REGRESSORS,
            floor=("r2", 0.1, "the best constant gets 0"),
            guesses=guesses,
        )
    if len(labels) > _LABELS:
        raise UsageError(
            f"the target {target!r} is text with {len(labels):,} different values, too many for classes",
            hint="name a column of fewer values, or join some in the file",
        )
    label, least = min(labels.items(), key=lambda pair: pair[1])
    if least < _LEAST:
        raise DataInvalid(
            f"{least} rows are {label!r} in the target {target!r}: too few to train, to validate and to hold some out",
            hint=f"{_LEAST} rows of each class are the least",
        )
    made, words = _classes(target, dict(sorted(labels.items())))
    if len(labels) == 2:
        one = str(made["positive"])
        share = labels[one] / labels.total()
        guesses.append(f"the positive class is {words[one]!r}: {labels[one]:,} of {rows:,} rows, {share:.1%}")
    else:
        guesses.append(f"the target has {len(labels)} classes: {', '.join(words.values())}")
        if what.kind in ("numeric", "integer"):
            guesses.append("if the target is an amount and no name of a class, write task: regression")
    return Goal(
        task="classification",
        target=made,
        counts="; ".join(f"{words[each]}: {labels[each]:,} rows" for each in words),
        invalid=invalid,
        folds=min(5, least // 2),
        split="stratified" if least < _FEW else "content_hash",
        candidates=_CLASSIFIERS,
        floor=("roc_auc", 0.6, "guessing gets 0.5"),
        guesses=guesses,
    )


def _classes(target: str, labels: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the spec's words for the target, and each class in words."""
    if len(labels) > 2:
        words = {label: label for label in labels}
        return {"column": target, "classes": words}, words
    positive = _positive(labels)
    words = _words(target, list(labels), positive)
    return {"column": target, "classes": words, "positive": positive}, words


def _positive(labels: Mapping[str, int]) -> str:
    """The label that usually means yes, else the rarer one."""
    usual = [label for label in labels if label.lower() in _POSITIVE]
    return usual[0] if len(usual) == 1 else min(labels, key=lambda label: labels[label])


def _words(target: str, labels: list[str], positive: str) -> dict[str, str]:
    """Each class in words: a label that says something stands for itself, `1` and `yes` get the target's name."""
    if not {label.lower() for label in labels} <= _PLAIN_LABELS:
        return {label: label for label in labels}
    return {label: target if label == positive else f"not {target}" for label in labels}
