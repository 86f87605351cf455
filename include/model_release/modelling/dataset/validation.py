"""What may enter a dataset: every breach of the spec's rules by file, line and column. For `dataset` alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from model_release.modelling.dataset.cells import Number, Reading, number, number_with, reading_of
from model_release.modelling.dataset.findings import Finding
from model_release.modelling.dataset.roles import rules_of
from model_release.spec.dataset import Column, Dataset, Target


def fields(dataset: Dataset) -> dict[str, Column | Target]:
    """Return every column that a file must have, the target last."""
    return {**dataset.columns, dataset.target.column: dataset.target}


def without_marks(texts: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Replace by NA every cell that equals a mark of its column, as text or, where both are numbers, as a number."""
    read = number_with(dataset.decimal)
    found = {}
    for name, column in fields(dataset).items():
        own = column.missing_values if isinstance(column, Column) else []
        is_mark = partial(_is_mark, marks=frozenset([*dataset.missing, *map(str, own)]), read=read)
        found[name] = texts[name].mask(_mapped(texts[name], is_mark).astype(bool))
    return pd.DataFrame(found, index=texts.index)


def check_rows(texts: pd.DataFrame, dataset: Dataset, *, file: str) -> list[Finding]:
    """Return every cell that breaks a rule of its column, by line and column."""
    readings = {name: _reading(name, column, dataset) for name, column in fields(dataset).items()}
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


def to_values(texts: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """Turn rows that passed into values: float64 with NaN, or str objects with NaN where values are words."""
    found = {}
    for name, column in fields(dataset).items():
        reading = reading_of(column, dataset)
        values = _mapped(texts[name], reading.value)
        if reading.is_number:
            found[name] = values.astype(np.float64)
        else:
            found[name] = values.astype(object).where(texts[name].notna(), np.nan)
    return pd.DataFrame(found)


def set_aside(texts: pd.DataFrame, findings: Sequence[Finding]) -> pd.DataFrame:
    """Return the rows that no finding is about."""
    return texts[~texts.index.isin([finding.row for finding in findings])]


def _reading(name: str, column: Column | Target, dataset: Dataset) -> Reading:
    reading = reading_of(column, dataset)
    return replace(reading, rules=[*reading.rules, *rules_of(name, dataset, reading.value)])


def _is_mark(text: str, *, marks: frozenset[str], read: Number) -> bool:
    value = read(text)
    return text in marks or (value is not None and value in {number(mark) for mark in marks})


def _mapped(texts: pd.Series[str], function: Callable[[str], object]) -> pd.Series[Any]:
    """Apply a function to each distinct text once; what is missing stays so."""
    return texts.map({text: function(text) for text in texts.dropna().unique()})


def _passes(reading: Reading) -> Callable[[pd.Series[str]], pd.Series[bool]]:
    return lambda texts: _mapped(texts, lambda text: reading.broken(text) is None).astype(bool)
