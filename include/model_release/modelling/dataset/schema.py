"""What a release says of the columns that its model takes, so that every door understands what ingest understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from model_release.documents.manifest import InputColumn
from model_release.documents.readings import number
from model_release.spec.dataset import Column, Dataset

NOTHING_LEARNED: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


def input_schema(dataset: Dataset, learned: Mapping[str, Sequence[str]] = NOTHING_LEARNED) -> list[InputColumn]:
    """Return what the manifest says of the model's columns.

    Args:
        dataset: of the model's spec.
        learned: of the snapshot: by column, the values that the spec does not list.
    """
    return [
        InputColumn(
            name=name,
            kind=column.kind,
            nullable=column.nullable,
            minimum=column.min,
            maximum=column.max,
            values=[*learned[name]] if column.is_learned else _listed(column),
            missing_values=_readings(column, dataset),
            description=f"{column.description} ({column.unit})" if column.unit else column.description,
            unknown=column.unknown,
            learned=column.is_learned,
            parts=column.parts if column.kind == "datetime" else [],
            form=column.form,
            timezone=column.timezone if column.kind == "datetime" else None,
        )
        for name, column in dataset.inputs.items()
    ]


def _listed(column: Column) -> list[float | int | str] | None:
    """Return the categories as models take them: all numbers, or all text in one spelling."""
    if column.kind != "categorical":
        return None
    return column.listed if column.is_coded else [*column.labels]


def _readings(column: Column, dataset: Dataset) -> list[float | int | str]:
    """Return the readings of a column that mean "not measured", those of the whole dataset included.

    Of a column of numbers a mark that is a number is one in the release too.
    """
    marks = dict.fromkeys([*map(str, column.missing_values), *dataset.missing])
    if column.kind in ("datetime", "text") or (column.kind == "categorical" and not column.is_coded):
        return [*marks]
    return [*dict.fromkeys(mark if (value := number(mark)) is None else value for mark in marks)]
