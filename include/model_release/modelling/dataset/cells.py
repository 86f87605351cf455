"""What the text of a cell means, by the kind of its column. For `dataset` alone.

One text has one meaning in files, categories, labels and marks: a number is a plain decimal, and two spellings of one
number are equal; beyond 2^53, where a float no longer tells neighbours apart, only equal digits are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from model_release.spec.dataset import EXACT, Column, Dataset, Target

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_LARGEST = 3.4e38
"""Of single precision, to which forests and ONNX cast what they are given."""

_TRUTHS = {"true": 1.0, "t": 1.0, "yes": 1.0, "y": 1.0, "1": 1.0, "false": 0.0, "f": 0.0, "no": 0.0, "n": 0.0, "0": 0.0}

Number = Callable[[str], float | None]
"""From a text to the finite number that it spells, else None."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the cells of a column are read.

    Attributes:
        value: from a text that breaks no rule to a float, or to a str.
        rules: what a text must pass, each with what is said of one that does not.
        is_number: whether `value` gives floats.
    """

    value: Callable[[str], float | str | None]
    rules: Sequence[tuple[Callable[[str], bool], str]]
    is_number: bool

    def broken(self, text: str) -> str | None:
        """Return what is said of the first rule that a text does not pass; None if it passes all."""
        return next((words for passes, words in self.rules if not passes(text)), None)


def number(text: str) -> float | None:
    """Return the finite decimal number that `text` spells, else None: no `nan`, no `inf`, no `1_000`."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text) + 0.0  # there is no negative zero
    return value if math.isfinite(value) else None


def number_with(decimal: str) -> Number:
    """Return `number` for another decimal mark; a text that has a point as well is no number then."""
    if decimal == ".":
        return number
    return lambda text: None if "." in text else number(text.replace(decimal, "."))


def label_of(text: str, labels: Sequence[str]) -> str | None:
    """Return the label that a cell spells, else None: the same text, number, or `true` or `false` in any case."""
    if text in labels:
        return text
    if text.lower() in ("true", "false"):
        return text.lower() if text.lower() in labels else None
    value = number(text)
    if value is None or abs(value) >= EXACT:
        return None
    return next((each for each in labels if number(each) == value), None)


def reading_of(column: Column | Target, dataset: Dataset) -> Reading:
    """Return how the cells of a column or of the target are read."""
    if isinstance(column, Target):
        if column.classes is not None:
            return _listed(column.labels, ", ".join(column.classes))
        return _number(column.min, column.max, number_with(dataset.decimal))
    match column.kind:
        case "categorical":
            return _category(column, number_with(dataset.decimal))
        case "boolean":
            return Reading(_truth, [(lambda text: _truth(text) is not None, "is neither true nor false")], True)
        case "text":
            return Reading(str, [], False)
        case "integer":
            return _integer(column)
        case "numeric":
            return _number(column.min, column.max, number_with(dataset.decimal), trained_on=column.input)


def _truth(text: str) -> float | None:
    return _TRUTHS.get(text.lower())


def _category(column: Column, read: Number) -> Reading:
    words = ", ".join(map(str, column.values or []))
    if not column.is_coded:
        return _listed(column.labels, words)
    allowed = {float(value) for value in column.values or []}
    return Reading(read, [(lambda text: read(text) in allowed, f"is none of {words}")], True)


def _listed(labels: Sequence[str], words: str) -> Reading:
    return Reading(
        lambda text: label_of(text, labels), [(lambda text: label_of(text, labels) is not None, f"is none of {words}")],
        False,
    )  # fmt: skip


def _number(low: float | None, high: float | None, read: Number, *, trained_on: bool = True) -> Reading:
    rules = [(lambda text: read(text) is not None, "is not a number"), _range(low, high, read)]
    if trained_on:
        rules.append(
            (lambda text: abs(read(text) or 0) <= _LARGEST, f"is larger than {_LARGEST:g}, the limit of training")
        )
    rules.append(
        (
            lambda text: abs(read(text) or 0) < EXACT or _is_exact(text),
            "is beyond 2^53, where two neighbours are one number; use kind: integer, or text if it is a name",
        )
    )
    return Reading(read, rules, True)


def _integer(column: Column) -> Reading:
    """An integer that the model sees is a float, and must be one that a float tells from its neighbours."""
    rules = [(lambda text: _whole(text) is not None, "is not a whole number"), _range(column.min, column.max, number)]
    if not column.input:
        return Reading(lambda text: str(_whole(text)), rules, False)
    rules.append((lambda text: abs(_whole(text) or 0) <= EXACT, "is beyond 2^53: too large for a model to tell apart"))
    return Reading(number, rules, True)


def _range(low: float | None, high: float | None, read: Number) -> tuple[Callable[[str], bool], str]:
    least, most = -math.inf if low is None else low, math.inf if high is None else high
    return lambda text: (value := read(text)) is None or least <= value <= most, f"lies outside {least:g} to {most:g}"


def _whole(text: str) -> int | None:
    """Return the whole number that a text spells exactly, `3.0` and `1e3` included, else None."""
    if number(text) is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return None
    return int(value) if value == value.to_integral_value() else None


def _is_exact(text: str) -> bool:
    """Whether the float of a number has just its digits; of one with an exponent or a fraction, nobody expects it."""
    return not text.lstrip("+-").isdecimal() or int(text) == int(float(text))
