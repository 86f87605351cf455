"""What may enter a dataset: CSV files read strictly; every breach of the spec's rules by file and line.

For `dataset` alone. Cells stay text until they have passed, so that a finding shows what the file says.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from model_release.documents.base import JSON_TYPE, canonical_json, sha256_of
from model_release.documents.suggest import did_you_mean
from model_release.errors import DataInvalid
from model_release.modelling.dataset.arrivals import Delivery
from model_release.spec.dataset import Column, Dataset, Target
from model_release.stores.base import Store

REPORTED = 10_000
"""Findings that a report lists; it says how many there are."""

_SHOWN = 5

_MEND = "mend the data at its source, or the rules in the spec"

_CHUNK = 50_000
"""Rows that are held as Python lists at a time; the rest of a file lies in pandas' compact strings."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule.

    Attributes:
        row: the line in the file, counted from 1; None where the finding is about the file as a whole.
        value: the cell as the file has it; None where there is none.
    """

    file: str
    column: str | None
    rule: str
    row: int | None = None
    value: str | None = None

    def __str__(self) -> str:
        line = "" if self.row is None else f" line {self.row}"
        column = "" if self.column is None else f" {self.column}:"
        value = "" if self.value is None else f" {self.value!r}"
        return f"{self.file}{line}:{column}{value} {self.rule}"


def number(text: str) -> float | None:
    """Return the finite decimal number that `text` spells, else None: no `nan`, no `inf`, no `1_000`."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text) + 0.0  # there is no negative zero
    return value if math.isfinite(value) else None


def is_coded(column: Column | Target) -> bool:
    """Whether the column's values are numbers: numeric, a category of numbers, or a target without `classes`."""
    if isinstance(column, Target):
        return column.classes is None
    values = column.values
    return values is None or not any(isinstance(value, str) for value in values)


def fields(dataset: Dataset) -> dict[str, Column | Target]:
    """Return every column that a file must have, the target last."""
    return {**dataset.columns, dataset.target.column: dataset.target}


def read_texts(path: Path, dataset: Dataset, *, file: str) -> tuple[pd.DataFrame, list[Finding]]:
    """Read a CSV file as text.

    Args:
        path: the file on this disk; UTF-8, with or without a byte-order mark.
        dataset: says which columns there are; the file may have them in any order, and no others.
        file: what findings call the file.

    Returns:
        The sound rows, columns in the spec's order, missing marks as NA, each row's line as its index; and
        what is wrong with the file's form.
    """
    names = list(fields(dataset))
    chunks: list[pd.DataFrame] = [_frame([], [], names, names)]
    findings: list[Finding] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            findings += _check_header(header, names, file)
            if not findings:
                rows = _rows(reader, len(header), findings, file)
                while chunk := list(islice(rows, _CHUNK)):
                    chunks.append(_frame([line for line, _ in chunk], [row for _, row in chunk], header, names))
    except csv.Error as error:
        findings.append(Finding(file, None, f"is not CSV: {error}", reader.line_num))
    except UnicodeDecodeError:
        findings.append(Finding(file, None, "is not UTF-8 text", _undecodable_line(path)))
    frame = pd.concat(chunks)
    for name, column in fields(dataset).items():
        own = column.missing_values if isinstance(column, Column) else []
        frame[name] = _without_marks(frame[name], [*dataset.missing, *map(str, own)])
    return frame, findings


def check_rows(texts: pd.DataFrame, dataset: Dataset, *, file: str) -> list[Finding]:
    """Return every cell that breaks a rule of its column, by line and column."""
    schema = pa.DataFrameSchema(
        {
            name: pa.Column(nullable=isinstance(column, Column) and column.nullable, checks=_checks(column))
            for name, column in fields(dataset).items()
        }
    )
    try:
        schema.validate(texts, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        found = [
            Finding(file, column, "is missing", int(line))
            if check == "not_nullable"
            else Finding(file, column, check, int(line), value)
            for column, check, line, value in zip(
                cases["column"], cases["check"], cases["index"], cases["failure_case"], strict=True
            )
        ]
        return sorted(found, key=lambda finding: (finding.row or 0, finding.column or ""))
    return []


def label_of(text: str, labels: Sequence[str]) -> str | None:
    """Return the label that a cell spells, else None: the same text, number, or `true` or `false` in any case."""
    if text in labels:
        return text
    if text.lower() in ("true", "false"):
        return text.lower() if text.lower() in labels else None
    value = number(text)
    return None if value is None else next((each for each in labels if number(each) == value), None)


def to_values(texts: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Turn rows that passed into values: float64 with NaN, or str objects with NaN where values are words."""
    return pd.DataFrame(
        {
            name: _mapped(texts[name], number).astype(np.float64)
            if is_coded(column)
            else _words(texts[name], column).astype(object).where(texts[name].notna(), np.nan)
            for name, column in fields(dataset).items()
        }
    )


def rejected(findings: list[Finding], deliveries: list[Delivery], data: Store, *, hint: str = _MEND) -> DataInvalid:
    """Keep the report by its content, and return the error that names it."""
    report = [asdict(finding) for finding in findings[:REPORTED]]
    files = [{"path": each.path, "sha256": each.sha256} for each in deliveries]
    body = canonical_json({"format": 1, "files": files, "findings": len(findings), "listed": report})
    key = f"processed/rejected-{sha256_of(body)[:16]}/report.json"
    data.create(key, body, content_type=JSON_TYPE)
    count = "one finding" if len(findings) == 1 else f"{len(findings)} findings"
    shown = "".join(f"\n  - {finding}" for finding in findings[:_SHOWN])
    return DataInvalid(
        f"the data breaks the spec's rules, {count}:{shown}" + ("\n  - …" if len(findings) > _SHOWN else ""),
        where=data.uri,
        hint=f"all of them: {data.uri}/{key}; {hint}",
        report=report,
    )


def _check_header(header: list[str], names: list[str], file: str) -> list[Finding]:
    if not header:
        return [Finding(file, None, "the file is empty")]
    if not set(header) & set(names):
        return [Finding(file, None, f"is no header line; expected {','.join(names)}", 1)]
    unknown = [name for name in dict.fromkeys(header) if name not in names]
    missing = [name for name in names if name not in header]
    twice = [name for name in dict.fromkeys(header) if name in names and header.count(name) > 1]
    return [
        *(Finding(file, name, f"unknown column{did_you_mean(name, missing)}", 1) for name in unknown),
        *(Finding(file, name, "the column is missing", 1) for name in missing),
        *(Finding(file, name, "the column stands twice in the header", 1) for name in twice),
    ]


def _rows(
    reader: Iterator[list[str]], width: int, findings: list[Finding], file: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield line and cells of each sound row; blank lines are passed over, ragged ones are found."""
    for row in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]
        if len(row) == width:
            yield line, [cell.strip() for cell in row]
        elif row:
            findings.append(Finding(file, None, f"the row has {len(row)} cells and the header {width}", line))


def _frame(lines: list[int], rows: list[list[str]], header: list[str], names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=pd.Index(lines, dtype="int64"), columns=header, dtype="str")[names]


def _undecodable_line(path: Path) -> int | None:
    with path.open("rb") as opened:
        for line, content in enumerate(opened, start=1):
            try:
                content.decode("utf-8")
            except UnicodeDecodeError:
                return line
    return None


def _mapped(texts: pd.Series[str], function: Callable[[str], object]) -> pd.Series[Any]:
    """Apply a function to each distinct text once; what is missing stays so."""
    return texts.map({text: function(text) for text in texts.dropna().unique()})


def _words(texts: pd.Series[str], column: Column | Target) -> pd.Series[Any]:
    if isinstance(column, Column):
        return texts
    return _mapped(texts, lambda text: label_of(text, column.labels))


def _without_marks(texts: pd.Series[str], marks: Sequence[str]) -> pd.Series[str]:
    """Replace by NA whatever equals a mark, as text or, where both are numbers, as a number."""
    numbers = {number(mark) for mark in marks} - {None}
    return texts.mask(_mapped(texts, lambda text: text in marks or number(text) in numbers).astype(bool))


def _checks(column: Column | Target) -> list[pa.Check]:
    if isinstance(column, Target) and column.classes is not None:
        labels = column.labels
        return [_check(lambda text: label_of(text, labels) is not None, f"is none of {', '.join(column.classes)}")]
    if isinstance(column, Column) and column.values is not None:
        allowed: set[object] = set(column.values) if is_coded(column) else {str(value) for value in column.values}
        words = ", ".join(map(str, column.values))
        read: Callable[[str], object] = number if is_coded(column) else str
        return [_check(lambda text: read(text) in allowed, f"is none of {words}")]
    low = -math.inf if column.min is None else column.min
    high = math.inf if column.max is None else column.max

    def in_range(text: str) -> bool:
        value = number(text)
        return value is None or low <= value <= high

    return [
        _check(lambda text: number(text) is not None, "is not a number"),
        _check(in_range, f"lies outside {low:g} to {high:g}"),
    ]


def _check(passes: Callable[[str], bool], words: str) -> pa.Check:
    return pa.Check(lambda texts: _mapped(texts, passes).astype(bool), error=words)
