"""What a mistake costs the team."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MISSED = 60
"""Minutes that an urgent ticket costs if nobody looks at it first; each look costs five."""

LOOK = 5


def minutes(frame: pd.DataFrame, prediction: NDArray[Any]) -> float:
    """Return the minutes that a ticket costs on average; those of the plan `free` count half.

    Args:
        frame: every column of the rows, and `urgent`: 1 or 0.
        prediction: the probability that a ticket is urgent.
    """
    looked_at = prediction > 0.5
    cost = np.where(looked_at, LOOK, MISSED * frame["urgent"].to_numpy(np.float64))
    return float((cost * np.where(frame["plan"] == "free", 0.5, 1.0)).mean())
