"""The inputs and the target as a fit gets them: in fresh memory, so that pickles hold nothing of where they were."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from model_release.modelling.dataset import Rows
from model_release.modelling.tasks.base import Target
from model_release.spec.dataset import Dataset


def inputs_of(rows: Rows, dataset: Dataset) -> pd.DataFrame:
    """Return the model's inputs, with the one mark of an unknown category in the place of each.

    They lie in fresh memory: nothing of where the frame came from reaches the pickled bytes.
    """
    features = {sys.intern(name): column for name, column in dataset.features.items()}
    inputs = pd.DataFrame({name: _fresh(rows.known(name, column)) for name, column in features.items()})
    inputs.columns = pd.Index([*features], dtype=object)
    return inputs


def _fresh(column: pd.Series) -> pd.Series:
    if is_numeric_dtype(column.dtype):
        numbers = np.empty(len(column), dtype=np.float64)  # a copy would keep the dtype object of its source
        numbers[:] = column
        return pd.Series(numbers)
    values = [sys.intern(value) if isinstance(value, str) else np.nan for value in column]
    return pd.Series(values, dtype=object)


def target_of(rows: Rows) -> Target:
    """Return the target in fresh memory, for the same reason: `int64[rows]` or `float64[rows]`."""
    target: Target = np.empty(len(rows), dtype=np.int64 if rows.target.dtype == np.int64 else np.float64)
    target[:] = rows.target
    return target
