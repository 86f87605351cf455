"""From a file of the source to cells as text: CSV or Parquet, compressed or not. For `dataset` alone.

Cells stay text until they have passed, so that a finding shows what the file says.
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as parquet

from model_release.documents.suggest import did_you_mean
from model_release.modelling.dataset.findings import Finding
from model_release.modelling.dataset.form import Form, is_open_quote, open_bytes, open_quote, open_text, remedy
from model_release.spec.dataset import Dataset

_CHUNK = 50_000
"""Rows that are held as Python lists at a time; the rest of a file lies in pandas' compact strings."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The cells of one file.

    Attributes:
        cells: the whole rows, columns in the spec's order, nothing in them resolved yet; the index is each row's line
            (of Parquet, its number), counted from 1.
        ragged: the rows that have more or fewer cells than the header.
        form: what is wrong with the file as a whole.
        spans: first lines, by last line, of the rows with a cell of many lines that holds delimiters: either a text, or
            rows that an open quote has swallowed.
    """

    cells: pd.DataFrame
    ragged: list[Finding]
    form: list[Finding]
    spans: dict[int, int] = field(default_factory=dict)

    def open_quotes(self, invalid: Sequence[Finding], file: str) -> list[Finding]:
        """Return a finding for each of `spans` that breaks a rule as well: other rows were swallowed there."""
        lines = dict.fromkeys(self.spans[each.row] for each in invalid if each.row in self.spans)
        return [_quote(file, line) for line in lines]


def read_texts(path: Path, dataset: Dataset, *, file: str, compression: str | None = None) -> Texts:
    """Read a file as text. One without a single byte has no rows.

    Args:
        path: the file on this disk.
        dataset: says its form, and which columns there are; the file may have them in any order, and no others.
        file: what findings call the file.
        compression: how it is compressed.
    """
    names = [*dataset.columns, dataset.target.column]
    if path.stat().st_size == 0:
        return Texts(_frame([], [], names, names), [], [])
    if dataset.file_format == "parquet":
        return _read_parquet(path, dataset, names, file)
    return _read_csv(path, dataset, names, file, compression)


def _read_csv(path: Path, dataset: Dataset, names: list[str], file: str, compression: str | None) -> Texts:
    told = Form(
        compression=compression,
        encoding=dataset.encoding,
        delimiter=dataset.delimiter,
        skip_lines=dataset.skip_lines,
    )
    made = Texts(_frame([], [], names, names), [], [])
    chunks, form = [made.cells], made.form
    reader: Any = None
    try:
        with open_text(path, told) as lines:
            reader = csv.reader(lines, strict=True, delimiter=dataset.delimiter)
            header = dataset.header or [cell.strip() for cell in next(reader, [])]
            form += _check_header(header, dataset, file)
            if not form:
                rows = _rows(reader, header, made, file, told)
                while chunk := list(islice(rows, _CHUNK)):
                    if chunk[0][1] == dataset.header:
                        rule = "is a header line, and dataset.header names the columns: remove one of them"
                        form.append(Finding(file, None, rule, chunk[0][0]))
                    chunks.append(_frame([line for line, _ in chunk], [row for _, row in chunk], header, names))
    except csv.Error as error:
        opened = open_quote(path, told)
        line = reader.line_num + told.skip_lines if reader else None
        form.append(Finding(file, None, f"is not CSV: {error}", line) if opened is None else _quote(file, opened))
    except UnicodeError:
        line = _undecodable_line(path, dataset.encoding, compression)
        form.append(Finding(file, None, f"is not {dataset.encoding.upper()} text", line))
    except (OSError, EOFError, lzma.LZMAError) as error:
        if compression is None:
            raise
        form.append(Finding(file, None, f"is not {compression}: {error}"))
    if form and form[0].column is None and (words := remedy(path, dataset, compression)) is not None:
        form[0] = replace(form[0], rule=f"{form[0].rule}; {words}")
    return replace(made, cells=pd.concat(chunks))


def _quote(file: str, line: int) -> Finding:
    return Finding(file, None, "a quote is opened here and not closed: close or remove it", line)


def _read_parquet(path: Path, dataset: Dataset, names: list[str], file: str) -> Texts:
    nothing = _frame([], [], names, names)
    try:
        table = parquet.read_table(path, partitioning=None)
        header = list(table.column_names)
    except UnicodeDecodeError:
        return Texts(nothing, [], [Finding(file, None, "is not Parquet: a column's name is not text in UTF-8")])
    except (arrow.ArrowException, OSError) as error:  # an OSError for pages that cannot be decoded
        words = str(error).splitlines()[0].replace(str(path), file)
        return Texts(nothing, [], [Finding(file, None, f"is not Parquet: {words}")])
    form = _check_header(header, dataset, file)
    if form:
        return Texts(nothing, [], form)
    try:
        columns = {name: _texts(table[name]) for name in names}
    except arrow.ArrowException as error:
        return Texts(nothing, [], [Finding(file, None, f"holds more than plain values: {error}")])
    return Texts(pd.DataFrame(columns).set_axis(pd.RangeIndex(1, len(table) + 1)), [], [])


def _texts(column: arrow.ChunkedArray) -> pd.Series[str]:
    """Return the cells of a column as text, the shortest that means the same number; what is null or NaN as NA."""
    column.validate(full=True)  # text that is not UTF-8 is found nowhere else before it is used
    if arrow.types.is_floating(column.type):
        column = arrow.compute.if_else(arrow.compute.is_nan(column), None, column)
    return pd.Series(column.cast(arrow.string()).to_pandas(), dtype="str").str.strip()


def _check_header(header: list[str], dataset: Dataset, file: str) -> list[Finding]:
    names = [*dataset.columns, dataset.target.column]
    line = dataset.skip_lines + 1
    if not set(header) & set(names):
        return [Finding(file, None, f"is no header line; expected {dataset.delimiter.join(names)}", line)]
    unknown = [name for name in dict.fromkeys(header) if name not in names and dataset.others == "refuse"]
    missing = [name for name in names if name not in header]
    twice = [name for name in dict.fromkeys(header) if name in names and header.count(name) > 1]
    return [
        *(Finding(file, name, f"unknown column{did_you_mean(name, missing)}", line) for name in unknown),
        *(Finding(file, name, "the column is missing", line) for name in missing),
        *(Finding(file, name, "the column stands twice in the header", line) for name in twice),
    ]


def _rows(reader: Any, header: list[str], made: Texts, file: str, told: Form) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each whole row; blank lines are passed over, ragged ones are found."""
    began = told.skip_lines + reader.line_num + 1
    for row in reader:
        line: int = told.skip_lines + reader.line_num
        if line > began and is_open_quote(row, told.delimiter):
            made.spans[line] = began
        if len(row) == len(header):
            yield line, [cell.strip() for cell in row]
        elif row:
            rule = f"the row has {len(row)} cells and the header {len(header)}"
            made.ragged.append(Finding(file, None, rule, line))
        began = line + 1


def _frame(lines: list[int], rows: list[list[str]], header: Sequence[str], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=pd.Index(lines, dtype="int64"), columns=pd.Index(header), dtype="str")[names]


def _undecodable_line(path: Path, encoding: str, compression: str | None) -> int | None:
    """Return the first line of a file that is not text in an encoding in which a line break is one byte."""
    if encoding.startswith("utf-16"):
        return None
    with open_bytes(path, compression) as opened:
        for line, content in enumerate(opened, start=1):
            try:
                content.decode(encoding)
            except UnicodeError:
                return line
    return None
