"""From the values of a request to the inputs of a model: one door for the service, the client and the golden rows.

What ingest understands of a column stands in the release's schema, and is understood here in the same way: readings
that mean "not measured", blanks around texts, spellings of truths, categories and dates. All else is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date, datetime
from numbers import Real
from typing import Any, Final

from model_release.documents.manifest import InputColumn
from model_release.documents.readings import (
    LARGEST,
    age_days,
    canonical,
    finder,
    label,
    moment,
    number,
    on_clocks,
    parts_of,
    truth,
)

Input = float | str | None
"""One input of a model; None is missing."""

UNKNOWN: Final = " unknown"
"""What a model is given for a category that is not in its list: no cell has a blank at its beginning."""

Read = Callable[[Any, date], tuple[Input, ...]]
"""From a value and the reference day, or the time of the request, to the inputs that are made of it.

Raises:
    Unfit: the column does not take the value.
"""

_SHOWN = 20


class Unfit(Exception):
    """A column does not take a value."""


class Misfit(Exception):
    """A value that a column does not take: row from 0, column, and what the column takes, in words."""

    def __init__(self, row: int, column: str, what: str) -> None:
        super().__init__(f"row {row}, {column}: {what}")
        self.row, self.column, self.what = row, column, what


class Inputs:
    """The columns that a model takes.

    Args:
        columns: of the release's manifest.

    Attributes:
        columns: by name, in their order.
        features: the names of the model's inputs, in their order: a date has one for each of its parts.
        has_text: whether an input is text.
        readers: what reads each column.
    """

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self.columns = {column.name: column for column in columns}
        self.features = tuple(name for column in columns for name in column.features)
        self.has_text = any(
            column.kind == "text"
            or column.unknown == "allow"
            or any(isinstance(each, str) for each in column.values or ())
            for column in columns
        )
        self.readers: list[Read] = [_reader(column) for column in columns]

    def encode(self, table: Mapping[str, Sequence[Any]], at: date) -> dict[str, list[Input]]:
        """Return the model's inputs for rows by column, which has all columns; NaN is missing, as in tables.

        Args:
            table: the cells of each column.
            at: the reference day; or a time with its zone, whose day on the clocks of each date's zone it is.

        Raises:
            Misfit: a column does not take a value.
        """
        found: dict[str, list[Input]] = {}
        for (name, column), read in zip(self.columns.items(), self.readers, strict=True):
            cells = []
            for row, value in enumerate(table[name]):
                try:
                    cells.append(read(None if value != value else value, at))
                except Unfit:
                    raise Misfit(row, name, takes(column)) from None
            lists = zip(*cells, strict=True) if cells else ([] for _ in column.features)
            found |= {feature: [*each] for feature, each in zip(column.features, lists, strict=True)}
        return found


def takes(column: InputColumn) -> str:
    """Return the values of a column in words: `must be a number from 18 to 110`."""
    match column.kind:
        case "datetime":
            form = f"in the form {column.form}" if column.form else "such as 2026-11-30 or 2026-11-30T14:00:00Z"
            bounds = _bounds(column)
            said = f"a date {form}" + (f", whose age in days is{bounds}" if bounds else "")
        case "boolean":
            said = "true or false"
        case "text":
            said = "text"
        case _ if column.values is not None and column.unknown == "allow":
            said = "text, or a number"
        case _ if column.values is not None:
            listed = [json.dumps(value, ensure_ascii=False) for value in column.values[:_SHOWN]]
            more = len(column.values) - len(listed)
            said = "one of " + ", ".join(listed) + (f" and {more} more" if more else "")
        case _:
            said = ("a whole number" if column.kind == "integer" else "a number") + _bounds(column)
    return f"must be {said}" + (", or null where it is not known" if column.nullable else "")


def _bounds(column: InputColumn) -> str:
    low, high = column.minimum, column.maximum
    return (f" from {low:g}" if low is not None else "") + (f" to {high:g}" if high is not None else "")


def _reader(column: InputColumn) -> Read:
    """Return what reads the values of a column: what means "not measured", then what its kind takes."""
    read = _READERS[column.kind](column)
    is_mark = _marks(column)
    nothing: tuple[Input, ...] = (None,) * len(column.features)

    def measured(value: Any, at: date) -> tuple[Input, ...]:
        if isinstance(value, str):
            value = value.strip()
        if value is not None and not is_mark(value):
            return read(value, at)
        if not column.nullable:
            raise Unfit
        return nothing

    return measured


def _marks(column: InputColumn) -> Callable[[Any], bool]:
    """Return what tells whether a value means "not measured": the same text, number or time as a mark."""
    if not column.missing_values:
        return lambda _value: False
    texts = {mark for mark in column.missing_values if isinstance(mark, str)}
    numbers = {number(mark) if isinstance(mark, str) else float(mark) for mark in column.missing_values} - {None}
    zone = column.timezone or "UTC"
    times = {moment(mark, column.form, zone) for mark in texts} - {None} if column.kind == "datetime" else set()

    def is_mark(value: Any) -> bool:
        if isinstance(value, str):
            return (
                value in texts
                or (bool(numbers) and number(value) in numbers)
                or (bool(times) and _time(value, column) in times)
            )
        if isinstance(value, date):
            return bool(times) and _time(value, column) in times
        return isinstance(value, Real) and not isinstance(value, bool) and value in numbers

    return is_mark


def _number(column: InputColumn) -> Read:
    low = -LARGEST if column.minimum is None else max(column.minimum, -LARGEST)
    high = LARGEST if column.maximum is None else min(column.maximum, LARGEST)
    whole = column.kind == "integer"

    def read(value: Any, _at: date) -> tuple[Input, ...]:
        found = _real(value)
        if not low <= found <= high or (whole and not found.is_integer()):
            raise Unfit
        return (found,)

    return read


def _boolean(_column: InputColumn) -> Read:
    def read(value: Any, _at: date) -> tuple[Input, ...]:
        found = truth(value) if isinstance(value, str) else float(value) if value in (0, 1) else None
        if found is None:
            raise Unfit
        return (found,)

    return read


def _category(column: InputColumn) -> Read:
    """Categories that are all numbers take numbers alone. Those that are text take a number by its one spelling."""
    if column.values is None:  # a release that was made by hand may list none
        return _number(column)
    if column.unknown == "refuse" and not any(isinstance(value, str) for value in column.values):
        codes = {float(value) for value in column.values}

        def read_code(value: Any, _at: date) -> tuple[Input, ...]:
            found = _real(value)
            if found not in codes:
                raise Unfit
            return (found,)

        return read_code
    known: dict[str, Input] = {
        label(value): value if isinstance(value, str) else float(value) for value in column.values
    }
    find = _learned(known) if column.learned else finder([*known])

    def read(value: Any, _at: date) -> tuple[Input, ...]:
        if not isinstance(value, str | Real):
            raise Unfit
        found = find(value if isinstance(value, str) else label(value if isinstance(value, int) else float(value)))
        if found is not None:
            return (known[found],)
        if column.unknown == "refuse":
            raise Unfit
        return (UNKNOWN,)

    return read


def _learned(known: Container[str]) -> Callable[[str], str | None]:
    """Return what finds a learned category, by the one spelling in which ingest learns it."""
    return lambda text: found if (found := canonical(text)) in known else None


def _text(_column: InputColumn) -> Read:
    def read(value: Any, _at: date) -> tuple[Input, ...]:
        if not isinstance(value, str):
            raise Unfit
        return (value,)

    return read


def _datetime(column: InputColumn) -> Read:
    low, high, zone = column.minimum, column.maximum, column.timezone or "UTC"

    def read(value: Any, at: date) -> tuple[Input, ...]:
        found = _time(value, column)
        if found is None:
            raise Unfit
        day = on_clocks(at, zone).date() if isinstance(at, datetime) else at
        age = age_days(found, day)
        if (low is not None and age < low) or (high is not None and age > high):
            raise Unfit
        return parts_of(found, column.parts, day)

    return read


def _time(value: Any, column: InputColumn) -> datetime | None:
    zone = column.timezone or "UTC"
    if isinstance(value, str):
        return moment(value, column.form, zone)
    if isinstance(value, datetime):
        return on_clocks(value, zone)
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None  # noqa: DTZ001


def _real(value: Any) -> float:
    """Return a number as a float.

    Raises:
        Unfit: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise Unfit
    try:
        return float(value)
    except OverflowError:
        raise Unfit from None


_READERS: Final[dict[str, Callable[[InputColumn], Read]]] = {
    "numeric": _number,
    "integer": _number,
    "boolean": _boolean,
    "categorical": _category,
    "datetime": _datetime,
    "text": _text,
}
