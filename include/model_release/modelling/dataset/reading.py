"""From a file of the source to cells as text: CSV or Parquet, compressed or not. For `dataset` alone.

Cells stay text until they have passed, so that a finding shows what the file says.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as parquet

from model_release.documents.suggest import did_you_mean
from model_release.modelling.dataset.findings import Finding
from model_release.modelling.dataset.form import Form, open_quote, remedy
from model_release.spec.dataset import Dataset

_CHUNK = 50_000
"""Rows that are held as Python lists at a time; the rest of a file lies in pandas' compact strings."""

_OPENERS: dict[str | None, Callable[[Path], Any]] = {
    None: lambda path: path.open("rb"),
    "gzip": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
    "zstd": lambda path: arrow.input_stream(path, compression="zstd"),
}


@dataclass(frozen=True, slots=True)
class Texts:
    """The cells of one file.

    Attributes:
        cells: the whole rows, columns in the spec's order, nothing in them resolved yet; the index is each row's line
            (of Parquet, its number), counted from 1.
        ragged: the rows that have more or fewer cells than the header.
        form: what is wrong with the file as a whole.
    """

    cells: pd.DataFrame
    ragged: list[Finding]
    form: list[Finding]


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
    chunks: list[pd.DataFrame] = [_frame([], [], names, names)]
    form: list[Finding] = []
    ragged: list[Finding] = []
    reader: Any = None
    try:
        with _opened(path, dataset.encoding, compression) as lines:
            reader = csv.reader(lines, strict=True, delimiter=dataset.delimiter)
            header = [cell.strip() for cell in next(reader, [])]
            form += _check_header(header, dataset, file)
            if not form:
                rows = _rows(reader, len(header), ragged, file)
                while chunk := list(islice(rows, _CHUNK)):
                    chunks.append(_frame([line for line, _ in chunk], [row for _, row in chunk], header, names))
    except csv.Error as error:
        form.append(_not_csv(path, dataset, file, compression, error, reader.line_num if reader else None))
    except UnicodeError:
        line = _undecodable_line(path, dataset.encoding, compression)
        form.append(Finding(file, None, f"is not {dataset.encoding.upper()} text", line))
    except (OSError, EOFError, lzma.LZMAError) as error:
        if compression is None:
            raise
        form.append(Finding(file, None, f"is not {compression}: {error}"))
    if form and form[0].column is None and (words := remedy(path, dataset, compression)) is not None:
        form = [replace(form[0], rule=f"{form[0].rule}; {words}")]
    return Texts(pd.concat(chunks), ragged, form)


def _not_csv(
    path: Path, dataset: Dataset, file: str, compression: str | None, error: csv.Error, line: int | None
) -> Finding:
    opened = open_quote(path, Form(compression, dataset.encoding, dataset.delimiter))
    if opened is not None:
        return Finding(file, None, "a quote is opened here and not closed: close or remove it", opened)
    return Finding(file, None, f"is not CSV: {error}", line)


def _read_parquet(path: Path, dataset: Dataset, names: list[str], file: str) -> Texts:
    nothing = _frame([], [], names, names)
    try:
        table = parquet.read_table(path, partitioning=None)
    except arrow.ArrowException as error:
        return Texts(nothing, [], [Finding(file, None, f"is not Parquet: {str(error).splitlines()[0]}")])
    form = _check_header(list(table.column_names), dataset, file)
    if form:
        return Texts(nothing, [], form)
    try:
        columns = {name: _texts(table[name]) for name in names}
    except arrow.ArrowException as error:
        return Texts(nothing, [], [Finding(file, None, f"holds more than plain values: {error}")])
    return Texts(pd.DataFrame(columns).set_axis(pd.RangeIndex(1, len(table) + 1)), [], [])


def _texts(column: arrow.ChunkedArray) -> pd.Series[str]:
    """Return the cells of a column as text, the shortest that means the same number; what is null or NaN as NA."""
    if arrow.types.is_floating(column.type):
        column = arrow.compute.if_else(arrow.compute.is_nan(column), None, column)
    return pd.Series(column.cast(arrow.string()).to_pandas(), dtype="str").str.strip()


@contextmanager
def _opened(path: Path, encoding: str, compression: str | None) -> Iterator[IO[str]]:
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    with _OPENERS[compression](path) as raw:
        yield io.TextIOWrapper(raw, encoding=encoding, newline="")


def _check_header(header: list[str], dataset: Dataset, file: str) -> list[Finding]:
    names = [*dataset.columns, dataset.target.column]
    if not set(header) & set(names):
        return [Finding(file, None, f"is no header line; expected {dataset.delimiter.join(names)}", 1)]
    unknown = [name for name in dict.fromkeys(header) if name not in names and dataset.others == "refuse"]
    missing = [name for name in names if name not in header]
    twice = [name for name in dict.fromkeys(header) if name in names and header.count(name) > 1]
    return [
        *(Finding(file, name, f"unknown column{did_you_mean(name, missing)}", 1) for name in unknown),
        *(Finding(file, name, "the column is missing", 1) for name in missing),
        *(Finding(file, name, "the column stands twice in the header", 1) for name in twice),
    ]


def _rows(reader: Any, width: int, ragged: list[Finding], file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each whole row; blank lines are passed over, ragged ones are found."""
    for row in reader:
        line: int = reader.line_num
        if len(row) == width:
            yield line, [cell.strip() for cell in row]
        elif row:
            ragged.append(Finding(file, None, f"the row has {len(row)} cells and the header {width}", line))


def _frame(lines: list[int], rows: list[list[str]], header: Sequence[str], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=pd.Index(lines, dtype="int64"), columns=pd.Index(header), dtype="str")[names]


def _undecodable_line(path: Path, encoding: str, compression: str | None) -> int | None:
    """Return the first line of a file that is not text in an encoding in which a line break is one byte."""
    if encoding.startswith("utf-16"):
        return None
    with _OPENERS[compression](path) as opened:
        for line, content in enumerate(opened, start=1):
            try:
                content.decode(encoding)
            except UnicodeError:
                return line
    return None
