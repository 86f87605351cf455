"""Which form a delimited file has: compression, encoding, delimiter, decimal sign, title lines, header.

For `init`, which reads a file that no spec describes yet, and for ingest's findings about a file of another form.
Only the standard library is used; a file is read up to its first lines, or as a whole if an open quote is looked for.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from model_release.spec.dataset import Dataset

DELIMITERS = (",", ";", "\t", "|")

_OPENERS: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bz2": bz2.open, "xz": lzma.open}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
    b"PAR1": "parquet",
}
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?", re.ASCII)
_HEAD_BYTES = 1 << 18
_HEAD_ROWS = 200
_SPAN = 3
"""Lines of one row from which on an open quote is likelier than a text of many lines."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a file.

    Attributes:
        compression: `gzip`, `bz2` or `xz`; None for none. `zip` and `parquet` are no text: the rest is not told then.
        encoding: as Python names it.
        decimal: the sign between whole and fraction, a dot or a comma.
        titles: lines above the header, or above the rows if there is no header.
        header: whether the first row after them names the columns.
    """

    compression: str | None = None
    encoding: str = "utf-8"
    delimiter: str = ","
    decimal: str = "."
    titles: int = 0
    header: bool = True

    @property
    def is_text(self) -> bool:
        """Whether it is a text with delimiters."""
        return self.compression not in ("zip", "parquet")

    @property
    def is_describable(self) -> bool:
        """Whether a spec can describe it: its keys know neither titles nor rows without a header."""
        return self.compression != "zip" and not self.titles and self.header

    @property
    def ending(self) -> str:
        """The end of the name that files of this form have in a partition."""
        if self.compression == "parquet":
            return ".parquet"
        return ".csv" + {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz"}.get(self.compression or "", "")


def recognise(path: Path) -> Form:
    """Return the form of a file, from its first rows."""
    with path.open("rb") as opened:
        compression = next((name for mark, name in _MAGIC.items() if opened.peek(8).startswith(mark)), None)
    if compression in ("zip", "parquet"):
        return Form(compression=compression)
    with open_bytes(path, compression) as opened:
        head = opened.read(_HEAD_BYTES)
    encoding = _encoding(head)
    text = head.decode(encoding, errors="ignore")
    delimiter, rows = max(((each, _rows(text, each)) for each in DELIMITERS), key=lambda pair: _fit(pair[1]))
    width = _width(rows)
    titles = next((place for place, row in enumerate(rows) if len(row) == width), 0)
    rows = rows[titles:]
    return Form(
        compression=compression,
        encoding=encoding,
        delimiter=delimiter,
        decimal=_decimal(rows[1:], delimiter),
        titles=titles,
        header=bool(rows) and not any(_NUMBER.fullmatch(cell.strip()) for cell in rows[0]),
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
    if found.compression == "zip":
        return "it is a ZIP archive or an Excel workbook: deliver the table as CSV"
    if found.compression == "parquet":
        return "it is Parquet: write under dataset format: parquet"
    keys = []
    if found.compression != compression:
        keys.append(f"compression: {found.compression or 'none'}")
    if found.encoding.removesuffix("-sig") != dataset.encoding.removesuffix("-sig"):
        keys.append(f"encoding: {found.encoding}")
    if found.delimiter != dataset.delimiter:
        keys.append(f"delimiter: {found.delimiter!r}")
    if found.decimal != dataset.decimal and found.decimal == ",":
        keys.append("decimal: ','")
    words = [f"if the file is meant so, write under dataset {' and '.join(keys)}"] if keys else []
    if found.titles:
        words.append(
            f"remove the {found.titles} lines above the header" if found.titles > 1 else "remove its title line"
        )
    if not found.header:
        words.append("deliver the file with a header line")
    return "; ".join(words) or None


def open_bytes(path: Path, compression: str | None) -> IO[bytes]:
    """Open a file for reading its content without its compression."""
    opened: IO[bytes] = path.open("rb") if compression is None else _OPENERS[compression](path, "rb")
    return opened


def open_text(path: Path, form: Form) -> IO[str]:
    """Open a file for reading its text, as the `csv` module wants it."""
    encoding = "utf-8-sig" if form.encoding == "utf-8" else form.encoding
    return io.TextIOWrapper(open_bytes(path, form.compression), encoding=encoding, newline="")


def open_quote(path: Path, form: Form) -> int | None:
    """Return the line on which a quote is opened and not closed before the end of the row; None if there is none.

    A quoted cell may hold line breaks. One of many lines with delimiters in them is taken for an open quote.
    """
    with open_text(path, form) as opened:
        reader: Any = csv.reader(opened, delimiter=form.delimiter, strict=True)
        began = 1
        try:
            for row in reader:
                broken = [cell for cell in row if cell.count("\n") >= _SPAN - 1 and form.delimiter in cell]
                if broken:
                    return began
                began = reader.line_num + 1
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


def _rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) == _HEAD_ROWS:
                break
    except csv.Error:
        return rows
    return rows


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
