"""What may enter a dataset: every breach of the spec's rules by file, line and column. For `dataset` alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from model_release.documents.readings import number, part_name, parts_of
from model_release.modelling.dataset.cells import Number, Reading, number_with, reading_of, time_of
from model_release.modelling.dataset.findings import Finding
from model_release.modelling.dataset.roles import rules_of
from model_release.spec.dataset import Column, Dataset, Target


def fields(dataset: Dataset) -> dict[str, Column | Target]:
    """Return every column that a file must have, the target last."""
    return {**dataset.columns, dataset.target.column: dataset.target}


def stored(dataset: Dataset) -> list[str]:
    """Return the columns of a snapshot: those of the files, and between them and the target what dates become."""
    return [*dataset.table, dataset.target.column]


def without_marks(texts: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Replace by NA every cell that equals a mark of its column, as text or, where both are numbers, as a number."""
    read = number_with(dataset.decimal)
    found = {}
    for name, column in fields(dataset).items():
        own = column.missing_values if isinstance(column, Column) else []
        marks = frozenset([*dataset.missing, *map(str, own)])
        dates = column if isinstance(column, Column) and column.kind == "datetime" else None
        times = frozenset(time for mark in marks if (time := time_of(mark, dates))) if dates else frozenset()
        numbers = frozenset(number(mark) for mark in marks)
        is_mark = partial(_is_mark, marks=marks, numbers=numbers, read=read, dates=dates, times=times)
        found[name] = texts[name].mask(_mapped(texts[name], is_mark).astype(bool))
    return pd.DataFrame(found, index=texts.index)


def check_rows(texts: pd.DataFrame, dataset: Dataset, *, file: str, day: date) -> list[Finding]:
    """Return every cell that breaks a rule of its column, by line and column; `day` is the partition's."""
    readings = {name: _reading(name, column, dataset, day) for name, column in fields(dataset).items()}
    if all(_is_sound(texts[name], column, readings[name]) for name, column in fields(dataset).items()):
        return []
    schema = pa.DataFrameSchema(
        {
            name: pa.Column(
                nullable=isinstance(column, Column) and column.nullable, checks=pa.Check(_passes(readings[name]))
            )
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
            else Finding(file, column, readings[column].broken(value) or "", int(line), value)
            for column, check, line, value in zip(
                cases["column"], cases["check"], cases["index"], cases["failure_case"], strict=True
            )
        ]
        return sorted(found, key=lambda finding: (finding.row or 0, finding.column or ""))
    return []


def to_values(texts: pd.DataFrame, dataset: Dataset, day: date) -> pd.DataFrame:
    """Turn rows that passed into the columns of a snapshot: float64 with NaN, or str objects with NaN.

    Args:
        texts: the rows.
        dataset: their columns.
        day: of the partition, at which the parts of dates are taken.
    """
    found: dict[str, pd.Series[Any]] = {}
    for name, column in fields(dataset).items():
        reading = reading_of(column, dataset, day)
        values = _mapped(texts[name], reading.value)
        if reading.is_number:
            found[name] = values.astype(np.float64)
        else:
            found[name] = values.astype(object).where(texts[name].notna(), np.nan)
    for name, column in dataset.columns.items():
        for place, part in enumerate(column.parts if column.kind == "datetime" else []):
            at = partial(_part, column=column, day=day, place=place)
            found[part_name(name, part)] = _mapped(texts[name], at).astype(np.float64)
    return pd.DataFrame({name: found[name] for name in stored(dataset)})


def set_aside(texts: pd.DataFrame, findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the rows that no finding is about."""
    return texts[~texts.index.isin([finding.row for finding in findings])]


def _reading(name: str, column: Column | Target, dataset: Dataset, day: date) -> Reading:
    reading = reading_of(column, dataset, day)
    return replace(reading, rules=[*reading.rules, *rules_of(name, dataset, reading.value)])


def _is_mark(
    text: str,
    *,
    marks: frozenset[str],
    numbers: frozenset[float | None],
    read: Number,
    dates: Column | None,
    times: frozenset[datetime],
) -> bool:
    if text in marks:
        return True
    if dates is not None:
        return time_of(text, dates) in times
    value = read(text)
    return value is not None and value in numbers


def _part(text: str, *, column: Column, day: date, place: int) -> float | None:
    found = time_of(text, column)
    return None if found is None else parts_of(found, column.parts, day)[place]


def _is_sound(texts: pd.Series[str], column: Column | Target, reading: Reading) -> bool:
    """Whether no cell of a column breaks a rule."""
    if not (isinstance(column, Column) and column.nullable) and texts.hasnans:
        return False
    return all(reading.broken(text) is None for text in texts.dropna().unique())


def _mapped(texts: pd.Series[str], function: Callable[[str], object]) -> pd.Series[Any]:
    """Apply a function to each distinct text once; what is missing stays so."""
    codes, distinct = pd.factorize(texts)  # what is missing has the code -1
    found = np.empty(len(distinct) + 1, dtype=object)
    found[:-1] = [function(text) for text in distinct]
    found[-1] = np.nan
    return pd.Series(found[codes], index=texts.index, dtype=object)


def _passes(reading: Reading) -> Callable[[pd.Series[str]], pd.Series[bool]]:
    return lambda texts: _mapped(texts, lambda text: reading.broken(text) is None).astype(bool)
