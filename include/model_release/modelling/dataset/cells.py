"""How the cells of each column are read, by its kind: what a text becomes, and what is said of one that breaks a rule.

For `dataset` alone. What a text means is said by `documents.readings`, for files and requests alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from model_release.documents.readings import (
    EXACT,
    LARGEST,
    age_days,
    canonical,
    finder,
    moment,
    number,
    spelled,
    truth,
)
from model_release.spec.dataset import Column, Dataset, Target

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


def number_with(decimal: str) -> Number:
    """Return `number` for another decimal mark; a text that has a point as well is no number then."""
    if decimal == ".":
        return number
    return lambda text: None if "." in text else number(text.replace(decimal, "."))


def reading_of(column: Column | Target, dataset: Dataset, day: date) -> Reading:
    """Return how the cells of a column or of the target are read.

    Args:
        column: of the spec.
        dataset: which it belongs to.
        day: of the partition, from which the age of a date is counted.
    """
    if isinstance(column, Target):
        if column.classes is not None:
            return _listed(column.labels, ", ".join(column.classes))
        found = _number(column.min, column.max, number_with(dataset.decimal))
        return found if column.transform is None else _above(found, column.transform)
    match column.kind:
        case "categorical":
            return _category(column, number_with(dataset.decimal))
        case "boolean":
            return Reading(truth, [(lambda text: truth(text) is not None, "is neither true nor false")], True)
        case "text":
            return Reading(str, [], False)
        case "datetime":
            return _datetime(column, day)
        case "integer":
            return _integer(column)
        case "numeric":
            return _number(column.min, column.max, number_with(dataset.decimal), trained_on=column.input)


def time_of(text: str, column: Column) -> datetime | None:
    """Return the time that a cell of a datetime column names, on the clocks of the column's zone."""
    return moment(text, column.form, column.timezone)


def _category(column: Column, read: Number) -> Reading:
    words = ", ".join(map(str, column.listed))
    if column.is_coded:
        allowed = {float(value) for value in column.listed if not isinstance(value, str)}
        return Reading(read, [(lambda text: read(text) in allowed, f"is none of {words}")], True)
    if column.unknown == "refuse" and not column.is_learned:
        return _listed(column.labels, words)
    find = finder(column.labels)
    return Reading(lambda text: find(text) or canonical(text), [], False)


def _listed(labels: Sequence[str], words: str) -> Reading:
    find = finder(labels)
    return Reading(find, [(lambda text: find(text) is not None, f"is none of {words}")], False)


def _datetime(column: Column, day: date) -> Reading:
    what = f"is no date of the form {column.form}" if column.form else "is no date or time of ISO 8601, 2026-11-30"
    least, most = -math.inf if column.min is None else column.min, math.inf if column.max is None else column.max

    def in_range(text: str) -> bool:
        found = time_of(text, column)
        return found is None or least <= age_days(found, day) <= most

    def value(text: str) -> str | None:
        found = time_of(text, column)
        return None if found is None else spelled(found)

    return Reading(
        value,
        [
            (lambda text: time_of(text, column) is not None, what),
            (in_range, f"has an age outside {least:g} to {most:g} days on {day}"),
        ],
        False,
    )


def _number(low: float | None, high: float | None, read: Number, *, trained_on: bool = True) -> Reading:
    rules = [(lambda text: read(text) is not None, "is not a number"), _range(low, high, read)]
    if trained_on:
        rules.append(
            (lambda text: abs(read(text) or 0) <= LARGEST, f"is larger than {LARGEST:g}, the limit of training")
        )
    rules.append(
        (
            lambda text: abs(read(text) or 0) < EXACT or _is_exact(text),
            "is beyond 2^53, where two neighbours are one number; use kind: integer, or text if it is a name",
        )
    )
    return Reading(read, rules, True)


def _above(reading: Reading, transform: Literal["log", "log1p"]) -> Reading:
    """Return the reading of a number that has a logarithm, or has one after 1 was added."""
    border = 0 if transform == "log" else -1

    def has_logarithm(text: str) -> bool:
        value = reading.value(text)
        return not isinstance(value, float) or value > border

    words = f"is not above {border}, and the target is fitted by its {transform}"
    return replace(reading, rules=[*reading.rules, (has_logarithm, words)])


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
