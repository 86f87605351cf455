"""Which form a file has: its kind, and of a text its encoding, delimiter, decimal sign, title lines and header.

For `init`, which reads a file that no spec describes yet, and for ingest's findings about a file of another form. Only
the first lines of a file are read, except in the search for an open quote.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from model_release.spec.dataset import Dataset

DELIMITERS = (",", ";", "\t", "|")

Kind = Literal["delimited", "parquet", "json", "excel", "zip"]

CONVERT: dict[Kind, str] = {
    "json": "it is JSON: convert it to CSV or Parquet, such as with pandas.read_json and DataFrame.to_parquet",
    "excel": "it is an Excel workbook: save the sheet as CSV",
    "zip": "it is a ZIP archive: unpack it, or pack the table with gzip",
}
"""What to do with a file of a kind that is not read."""


def _zstd(path: Path, mode: str) -> IO[bytes]:
    import pyarrow as arrow

    opened: IO[bytes] = arrow.input_stream(path, compression="zstd")
    return opened


_OPENERS: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zstd": _zstd}
_ENDINGS = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz", "zstd": ".zst"}
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_HEAD_BYTES = 1 << 18
_HEAD_ROWS = 200
_SPAN = 3
"""Lines of one row from which on an open quote is likelier than a text of many lines."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a file. What is not of its kind has no meaning.

    Attributes:
        kind: text with delimiters, or another one.
        compression: `gzip`, `bz2`, `xz` or `zstd`; None for none.
        encoding: as Python names it.
        decimal: the sign between whole and fraction, a dot or a comma.
        skip_lines: lines above the header, or above the rows if there is no header.
        header: whether the first row after them names the columns.
        width: cells of most rows.
    """

    kind: Kind = "delimited"
    compression: str | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    skip_lines: int = 0
    header: bool = True
    width: int = 0

    @property
    def ending(self) -> str:
        """The end of the name that files of this form have in a partition."""
        return ".parquet" if self.kind == "parquet" else f".csv{_ENDINGS.get(self.compression or '', '')}"


def recognise(path: Path) -> Form:
    """Return the form of a file, from its first rows."""
    with path.open("rb") as opened:
        mark = opened.read(8)
    if mark.startswith(b"PAR1"):
        return Form("parquet")
    if mark.startswith(_OLD_EXCEL):
        return Form("excel")
    if mark.startswith(b"PK\x03\x04"):
        return Form(_kind_of_archive(path))
    compression = next((name for start, name in _MAGIC.items() if mark.startswith(start)), None)
    with open_bytes(path, compression) as opened:
        head = opened.read(_HEAD_BYTES)
    encoding = _encoding(head)
    text = head.decode(encoding, errors="ignore")
    if _is_json(text):
        return Form("json", compression, encoding)
    delimiter, rows = max(((each, _rows(text, each)) for each in DELIMITERS), key=lambda pair: _fit(_cells(pair[1])))
    width = _width(_cells(rows))
    first = next((place for place, (_, row) in enumerate(rows) if len(row) == width), 0)
    cells = _cells(rows[first:])
    return Form(
        compression=compression,
        encoding=encoding,
        delimiter=delimiter,
        decimal=_decimal(cells[1:], delimiter),
        skip_lines=rows[first][0] - 1 if rows else 0,
        header=bool(cells) and not any(_NUMBER.fullmatch(cell.strip()) for cell in cells[0]),
        width=width,
    )


def remedy(path: Path, dataset: Dataset, compression: str | None) -> str | None:
    """Return what makes a file of another form readable, in words; None if its form seems to be the spec's.

    Args:
        path: the file on this disk.
        dataset: says which form was expected.
        compression: how the file was thought to be compressed.
    """
    try:
        found = recognise(path)
    except (OSError, EOFError, lzma.LZMAError, zlib.error):  # damaged, which is a finding of its own
        return None
    if found.kind == "parquet":
        return "it is Parquet: write under dataset format: parquet"
    if found.kind != "delimited":
        return CONVERT[found.kind]
    keys = []
    if found.compression != compression:
        keys.append(f"compression: {found.compression or 'none'}")
    if found.encoding.removesuffix("-sig") != dataset.encoding.removesuffix("-sig"):
        keys.append(f"encoding: {found.encoding}")
    if found.delimiter != dataset.delimiter:
        keys.append(f"delimiter: {found.delimiter!r}")
    if found.decimal != dataset.decimal and found.decimal == ",":
        keys.append("decimal: ','")
    if found.skip_lines != dataset.skip_lines:
        keys.append(f"skip_lines: {found.skip_lines}")
    if not found.header and dataset.header is None:
        keys.append(f"header: [the names of the {found.width} columns, in the file's order]")
    return f"if the file is meant so, write under dataset {' and '.join(keys)}" if keys else None


def open_bytes(path: Path, compression: str | None) -> IO[bytes]:
    """Open a file for reading its content without its compression."""
    opened: IO[bytes] = path.open("rb") if compression is None else _OPENERS[compression](path, "rb")
    return opened


def open_text(path: Path, form: Form) -> IO[str]:
    """Open a file for reading its text below the lines that are skipped, as the `csv` module wants it."""
    encoding = "utf-8-sig" if form.encoding == "utf-8" else form.encoding
    opened = io.TextIOWrapper(open_bytes(path, form.compression), encoding=encoding, newline="")
    for _ in range(form.skip_lines):
        opened.readline()
    return opened


def is_open_quote(row: list[str], delimiter: str) -> bool:
    """Whether a row has a cell of many lines with delimiters in them: a quote that was not closed, most likely."""
    return any(cell.count("\n") >= _SPAN - 1 and delimiter in cell for cell in row)


def open_quote(path: Path, form: Form) -> int | None:
    """Return the line on which a quote is opened and not closed before the end of the row; None if there is none.

    A quoted cell may hold line breaks. One of many lines with delimiters in them is taken for an open quote.
    """
    with open_text(path, form) as opened:
        reader: Any = csv.reader(opened, delimiter=form.delimiter, strict=True)
        began = form.skip_lines + 1
        try:
            for row in reader:
                if is_open_quote(row, form.delimiter):
                    return began
                began = form.skip_lines + reader.line_num + 1
        except csv.Error:
            return began
    return None


def _encoding(head: bytes) -> str:
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if head[::2].count(0) > len(head) // 4:
        return "utf-16-be"
    try:
        head[: head.rfind(b"\n") + 1 or None].decode()
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _is_json(text: str) -> bool:
    """Whether it begins with a JSON object, or with a list of them."""
    if not text.lstrip("\ufeff \t\r\n[").startswith("{"):
        return False
    try:
        json.JSONDecoder().raw_decode(text.lstrip("\ufeff \t\r\n["))
    except ValueError:
        return len(text) >= _HEAD_BYTES  # an object that ends later
    return True


def _kind_of_archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            return "excel" if any(name.startswith("xl/") for name in archive.namelist()) else "zip"
    except zipfile.BadZipFile:
        return "zip"


def _rows(text: str, delimiter: str) -> list[tuple[int, list[str]]]:
    """Return the first rows that are not blank, each with the line on which it begins."""
    rows: list[tuple[int, list[str]]] = []
    reader: Any = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    began = 1
    try:
        for row in reader:
            if row:
                rows.append((began, row))
            if len(rows) == _HEAD_ROWS:
                break
            began = reader.line_num + 1
    except csv.Error:
        return rows
    return rows


def _cells(rows: list[tuple[int, list[str]]]) -> list[list[str]]:
    return [row for _, row in rows]


def _width(rows: list[list[str]]) -> int:
    widths = Counter(map(len, rows))
    return widths.most_common(1)[0][0] if widths else 0


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """How well a delimiter fits: the share of rows of the usual width, none if that is one cell; then the width."""
    width = _width(rows)
    share = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
    return round(share, 1), width


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    """A comma where numbers have it and none has a dot, so that `1,5` is no text."""
    if delimiter == ",":
        return "."
    numbers = [cell.strip() for row in rows for cell in row if _NUMBER.fullmatch(cell.strip())]
    return "," if any("," in each for each in numbers) and not any("." in each for each in numbers) else "."
