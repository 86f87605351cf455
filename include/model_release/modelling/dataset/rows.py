"""The rows of a snapshot as training takes them: the columns as a frame, the target apart.

The target has no column of its own in the frame, so that a column may have any name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model_release.documents.inputs import UNKNOWN
from model_release.spec.dataset import Column, Target

Positions = NDArray[np.intp]
"""Of rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Rows in the order received.

    Attributes:
        frame: the spec's columns in its order, inputs or not, then the parts of its datetimes: float64 with NaN, or
            str objects with NaN.
        target: one value a row: the class's code as int64 (`Target.words` has its meaning; of two classes, 1 is the
            positive one), or a float64 if the target is a number.
        learned: by column, the categories that the training rows have, if the spec lists none.
    """

    frame: pd.DataFrame
    target: NDArray[Any]
    learned: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    def known(self, name: str, column: Column) -> pd.Series[Any]:
        """Return the cells of a column, with the one mark of an unknown category in the place of each."""
        cells = self.frame[name]
        if not column.has_unknown:
            return cells
        listed = self.learned[name] if column.is_learned else column.labels
        return cells.where(cells.isin([*listed]) | cells.isna(), UNKNOWN)

    def take(self, positions: Positions) -> Rows:
        """Return the rows at these positions, in this order."""
        return Rows(self.frame.iloc[positions].reset_index(drop=True), self.target[positions], self.learned)


def target_values(cells: pd.Series[Any], target: Target) -> NDArray[Any]:
    """Return class codes, or numbers, of the cells of a target column as a snapshot holds them."""
    if target.classes is not None:
        return cells.map({label: code for code, label in enumerate(target.labels)}).to_numpy(np.int64)
    if target.positive_above is not None:
        return (cells > target.positive_above).to_numpy(np.int64)
    return cells.to_numpy(np.float64)
