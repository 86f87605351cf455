"""How a subject is written, in numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class Wording(TransformerMixin, BaseEstimator):
    """From a column of text to its length in words, its share of capitals and its exclamation marks."""

    def fit(self, texts: pd.Series[Any], target: Any = None) -> Self:
        """Learn nothing."""
        return self

    def transform(self, texts: pd.Series[Any]) -> NDArray[np.float64]:
        """Return `float64[rows, 3]`; a missing text has no words."""
        known = texts.fillna("")
        length = known.str.len().clip(lower=1)
        parts = [known.str.split().str.len(), known.str.count("[A-Z]") / length, known.str.count("!")]
        return np.column_stack([part.to_numpy(np.float64) for part in parts])

    def get_feature_names_out(self, names: Any = None) -> NDArray[np.object_]:
        """Return the names of the three numbers."""
        return np.array(["words", "capitals", "exclamations"], dtype=object)
