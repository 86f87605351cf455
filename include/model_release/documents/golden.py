"""`golden.json`: made-up rows and the model's answers in training, by which a loader can tell that the model works.

The rows come from the input schema and not from the data, so that no release carries a person's data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from model_release.documents import limits
from model_release.documents.base import Document
from model_release.documents.manifest import InputColumn
from model_release.documents.readings import spelled, zone_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

GOLDEN_FILE = "golden.json"

TOLERANCE: Final = 1e-5
"""Largest difference in probability that still counts as the same model; single precision gives 1e-7."""

_ROWS = 8
_STEPS = 16

GOLDEN_DAY: Final = date(2026, 1, 1)
"""The day from which the ages of golden dates are counted, on whichever day the rows are asked about."""

_DAYS = 3650.0
"""The range of the ages of golden dates that have no bounds."""

_WORDS = ("one word", "two words, and a number: 3", "Ünïcode ✓")
_UNSEEN = "a value that no list has"

Cell = float | str | None
"""A value of a row; None is missing."""


class Golden(Document):
    """Rows with the answers that every form of the release must give.

    Attributes:
        rows: by column, in the order of the model's inputs.
        probabilities: of the positive class, by row; none unless that is what the model answers.
        classes: 1 for the positive class, else 0, by row; of more than two classes, the class in words.
        tolerance: largest difference in a number that is allowed.
        class_probabilities: of every class, by row; None unless there are more than two.
        values: the predicted numbers, by row; None if classes are predicted.
        threshold: of the positive class's probability, above which a row is called positive.
    """

    most_bytes: ClassVar[int] = limits.GOLDEN

    format: Literal[1] = 1
    rows: dict[str, list[Cell]]
    probabilities: list[float]
    classes: list[int | str]
    tolerance: float = Field(default=TOLERANCE, gt=0)
    class_probabilities: list[list[float]] | None = None
    values: list[float] | None = None
    threshold: float = Field(default=0.5, gt=0, lt=1)

    @property
    def numbers(self) -> list[list[float]]:
        """The numbers that the model answered, by row: one, or the probability of each class."""
        if self.class_probabilities is not None:
            return self.class_probabilities
        return [[each] for each in (self.probabilities if self.values is None else self.values)]

    def disagreement(self, classes: Sequence[Any] | None, numbers: Sequence[Any] | NDArray[Any] | None) -> str | None:
        """Return how other answers differ from these, in words; None if they agree.

        A class counts only if the probability is not within the tolerance of the border to another class.

        Args:
            classes: as `classes`, by row; None if numbers are predicted.
            numbers: by row, a number or those of all classes; None if the model tells none.
        """
        classes = () if classes is None else classes
        numbers = () if numbers is None else numbers
        if len(numbers) != len(self.numbers) or len(classes) != len(self.classes):
            return f"{len(self.numbers)} golden rows were asked about, and not as many answers came"
        for number, (wanted, told) in enumerate(zip(self.numbers, numbers, strict=True), 1):
            found = told if hasattr(told, "__len__") else [told]
            if len(found) != len(wanted):
                return f"golden row {number} gets {len(found)} numbers and not {len(wanted)}"
            for each, other in zip(wanted, found, strict=True):
                if not abs(other - each) <= self.tolerance:  # a NaN differs from everything
                    return f"golden row {number} gets {other:.6f} and not {each:.6f}, allowed {self.tolerance:.0e}"
            if self.classes and self.is_clear(wanted) and classes[number - 1] != self.classes[number - 1]:
                return f"golden row {number} gets class {classes[number - 1]} and not {self.classes[number - 1]}"
        return None

    def is_clear(self, probabilities: Sequence[float]) -> bool:
        """Whether probabilities are not within the tolerance of the border to another class."""
        if len(probabilities) == 1:
            return abs(probabilities[0] - self.threshold) > self.tolerance
        second, first = sorted(probabilities)[-2:]
        return first - second > self.tolerance


def made_up_rows(columns: Sequence[InputColumn], rows: int = _ROWS) -> dict[str, list[Cell]]:
    """Return a few rows within the schema, by column; the same ones for the same schema.

    A number lies on a grid between its bounds. A nullable column has a missing value in one row of four, and each
    column in another row; so has a column of categories that allows unknown ones a value that is in no list.
    """
    chance = Random(0)  # noqa: S311 - made-up rows, no secret
    return {
        column.name: [
            None
            if column.nullable and (row + place) % 4 == 3
            else _UNSEEN
            if column.unknown == "allow" and (row + place) % 4 == 1
            else _cell(column, chance.random())
            for row in range(rows)
        ]
        for place, column in enumerate(columns)
    }


def table(cells: Mapping[str, Sequence[Cell]]) -> pd.DataFrame:
    """Return columns in the form that models take: float64 or str objects, NaN for a missing value."""
    import pandas as pd

    return pd.DataFrame(
        {
            name: pd.Series(
                [math.nan if cell is None else cell for cell in column],
                dtype="object" if any(isinstance(cell, str) for cell in column) else "float64",
            )
            for name, column in cells.items()
        }
    )


def _cell(column: InputColumn, place: float) -> Cell:
    match column.kind:
        case "boolean":
            return float(place < 0.5)
        case "text":
            return _WORDS[int(place * len(_WORDS))]
        case "datetime":
            return _date(column, place)
        case _ if column.values:
            values = [value for value in column.values if value not in column.missing_values] or column.values
            value = values[int(place * len(values))]
            return value if isinstance(value, str) else float(value)
        case "integer":
            low, high = _bounds(column, span=100.0)
            cells = [float(round(cell)) for cell in _grid(math.ceil(low), math.floor(high), place)]
        case _:
            cells = _grid(*_bounds(column, span=1.0), place)
    return next((cell for cell in cells if cell not in column.missing_values), cells[0])


def _bounds(column: InputColumn, *, span: float) -> tuple[float, float]:
    """Return the bounds of a number, `span` apart if one is open."""
    low = column.minimum if column.minimum is not None else (column.maximum or 0.0) - span
    return low, column.maximum if column.maximum is not None else low + span


def _grid(low: float, high: float, place: float) -> list[float]:
    """Return points between two bounds, from the one at `place` on."""
    first = int(place * (_STEPS + 1))
    steps = [(first + further) % (_STEPS + 1) / _STEPS for further in range(_STEPS + 1)]
    return [min(max(low * (1 - step) + high * step, low), high) for step in steps]  # rounding may leave the bounds


def _date(column: InputColumn, place: float) -> str:
    """Return a day by its age, with a time of day if the model is given the hour."""
    low = column.minimum if column.minimum is not None else 0.0 if column.maximum is None else column.maximum - _DAYS
    high = column.maximum if column.maximum is not None else low + _DAYS
    age = math.ceil(low) + int(place * (math.floor(high) - math.ceil(low)))
    hour = time(int(place * 24)) if "hour" in column.parts else time()
    when = datetime.combine(GOLDEN_DAY - timedelta(days=age), hour)
    return spelled(when) if column.form is None else when.replace(tzinfo=zone_of(column.timezone)).strftime(column.form)
