"""A file as columns of text, whatever its form."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_release.errors import DataInvalid, UsageError
from model_release.modelling.dataset.form import CONVERT, Form, open_quote, open_text, recognise


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The cells of a file.

    Attributes:
        form: of the file.
        columns: by name, the cells as text without blanks around them, in the file's order.
        notes: what is not as a plain CSV file has it, and what was made of it, in sentences.
    """

    form: Form
    columns: dict[str, list[str]]
    notes: list[str]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), []))


def read_table(path: Path) -> Table:
    """Read a CSV or Parquet file.

    Raises:
        UsageError: the file cannot be read, or is of no form that can be.
        DataInvalid: rows do not have one width, or a quote is left open.
    """
    try:
        form = recognise(path)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror or error}", where=str(path)) from error
    if form.kind == "parquet":
        return Table(form, _parquet(path), [])
    if form.kind != "delimited":
        raise UsageError(CONVERT[form.kind], where=str(path))
    notes = [*_notes(form)]
    with open_text(path, form) as opened:
        try:
            names, cells = _cells(path, form, opened)
        except UnicodeDecodeError as error:
            raise DataInvalid(f"is not {form.encoding} throughout", where=str(path)) from error
        except csv.Error as error:
            line = open_quote(path, form)
            what = f"a quote is opened on line {line} and not closed" if line else f"is not CSV: {error}"
            raise DataInvalid(what, where=str(path), hint="close or remove the quote") from error
    if not form.header:
        notes.append(f"the file has no header line: the columns are called {names[0]} to {names[-1]}")
    return Table(form, dict(zip(names, cells, strict=True)), notes)


def with_point(cell: str) -> str:
    """Return a cell with a decimal comma as one with a point; any other cell as it is."""
    whole, _, fraction = cell.partition(",")
    return f"{whole}.{fraction}" if fraction.isdigit() and whole.lstrip("+-").isdigit() else cell


def _notes(form: Form) -> Iterator[str]:
    if form.compression:
        yield f"the file is compressed ({form.compression})"
    if form.encoding not in ("utf-8", "utf-8-sig"):
        yield f"the file's encoding is {form.encoding}"
    if form.delimiter != ",":
        yield f"the cells are separated by {form.delimiter!r}"
    if form.decimal == ",":
        yield "the numbers have a decimal comma"
    if form.skip_lines:
        lines = "line is" if form.skip_lines == 1 else f"{form.skip_lines} lines are"
        yield f"the first {lines} a title and no data"


def _cells(path: Path, form: Form, opened: Any) -> tuple[list[str], list[list[str]]]:
    reader: Any = csv.reader(opened, delimiter=form.delimiter, strict=True)
    rows = (row for row in reader if row)
    first = [cell.strip() for cell in next(rows, [])]
    if not first:
        raise DataInvalid("is empty", where=str(path))
    names = first if form.header else [f"column_{place}" for place in range(1, len(first) + 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataInvalid(
            f"the header names {', '.join(map(repr, twice))} more than once",
            where=f"{path} line {form.skip_lines + reader.line_num}",
            hint="give each column a name of its own",
        )
    cells: list[list[str]] = [[] if form.header else [cell] for cell in first]
    for row in rows:
        if len(row) != len(names):
            line = open_quote(path, form)
            if line is not None:
                raise DataInvalid(f"a quote is opened on line {line} and not closed", where=str(path))
            raise DataInvalid(
                f"the row has {len(row)} cells and the header {len(names)}",
                where=f"{path} line {form.skip_lines + reader.line_num}",
            )
        for column, cell in zip(cells, row, strict=True):
            column.append(cell.strip())
    return names, cells


def _parquet(path: Path) -> dict[str, list[str]]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        table = parquet.read_table(path, partitioning=None)
    except (OSError, arrow.ArrowException) as error:
        raise DataInvalid(f"is not readable as Parquet: {error}", where=str(path)) from error
    return {name: [_text(value) for value in table[name].to_pylist()] for name in table.column_names}


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return "" if value != value else repr(value)
        case _:
            return str(value).strip()
