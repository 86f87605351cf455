"""Rows as people hand them over: a frame, a dictionary, or one row after the other. For `opening`.

A frame is known by what it can do, so that neither pandas nor polars need be installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Protocol

from model_release.documents.golden import Cell
from model_release.errors import UsageError

_PLAIN = {str, float, int, bool, type(None)}
_MISSING = {"NAType", "NaTType"}
"""The types of pandas' own marks of a missing value, by name."""


class Frame(Protocol):
    """A data frame of pandas or polars."""

    @property
    def columns(self) -> Iterable[Any]:
        """The columns' names."""

    def __getitem__(self, name: Any, /) -> Any:
        """Return a column."""


Table = Frame | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Sequence[Sequence[Any]]
"""A frame; a dictionary of columns, or of one row's values; rows, each a dictionary, or values in the model's order."""


def by_column(rows: Table, columns: Sequence[str]) -> dict[str, list[Cell | bool | date]]:
    """Return rows by column: numbers, text, booleans, dates, and None or NaN for a missing value.

    Args:
        rows: at least one.
        columns: the model's, in the order of rows that are plain sequences.

    Raises:
        UsageError: they are no rows, are of different length, or name a column twice.
    """
    found = {name: [_cell(each) for each in cells] for name, cells in _columns(rows, columns).items()}
    if len({len(cells) for cells in found.values()}) > 1:
        raise UsageError(f"the columns are of different length: {', '.join(f'{k} {len(v)}' for k, v in found.items())}")
    return found


def _columns(rows: Any, columns: Sequence[str]) -> dict[str, Iterable[Any]]:
    if isinstance(rows, Mapping):
        if not any(_is_list(each) for each in rows.values()):
            return {str(name): [value] for name, value in rows.items()}
        return {str(name): cells if _is_list(cells) else [cells] for name, cells in rows.items()}
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):
        names = [str(name) for name in rows.columns]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UsageError(f"the frame has two columns that are called {twice}")
        return {str(name): rows[name].to_list() for name in rows.columns}
    if isinstance(rows, str | bytes) or not hasattr(rows, "__iter__"):
        raise UsageError(f"rows are a frame, a dictionary or a list of rows, and not {type(rows).__name__}")
    listed = list(rows)
    if listed and all(isinstance(row, Mapping) for row in listed):
        names = [*dict.fromkeys(str(name) for row in listed for name in row)]
        if short := next((place for place, row in enumerate(listed, 1) if len(row) < len(names)), None):
            missing = ", ".join(name for name in names if name not in listed[short - 1])
            raise UsageError(f"row {short} lacks {missing}, which others have; None says that a value is missing")
        return {name: [row[name] for row in listed] for name in names}
    if not listed or not all(_is_list(row) and len(row) == len(columns) for row in listed):
        raise UsageError(f"each row is a dictionary, or {len(columns)} values in the order {', '.join(columns)}")
    return {name: [row[place] for row in listed] for place, name in enumerate(columns)}


def _is_list(value: Any) -> bool:
    return hasattr(value, "__iter__") and hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)


def _cell(value: Any) -> Cell | bool | date:
    """Return a value of Python's own: NumPy's scalars and decimals as numbers or booleans, pandas' NA as None."""
    kind = type(value)
    if kind in _PLAIN:
        found: Cell | bool = value
        return found
    if isinstance(value, str):
        return str(value)
    if kind.__name__ in _MISSING:
        return None
    if isinstance(value, date):
        return value
    if kind.__name__ in ("bool", "bool_"):  # NumPy's, by either of its names
        return bool(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"a value of the type {kind.__name__} is neither a number nor text") from None
