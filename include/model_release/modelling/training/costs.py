"""What a candidate costs to serve: the time for one row in each form. For `fitting`.

Wall time on the machine that trained it, with whatever else runs there; a ceiling leaves room for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd

from model_release.modelling.tasks.base import Task
from model_release.modelling.training import onnx_export

WARM_UP = 10
CALLS = 300
SECONDS = 1.0
"""At most, for one form; a slow one is called less often."""


def latencies(
    task: Task, preprocessor: Any, estimator: Any, graph: bytes | None, rows: pd.DataFrame
) -> dict[str, float | None]:
    """Return the 95th percentile over one-row calls in milliseconds, by form, in a loader's order.

    Args:
        task: what is answered.
        preprocessor: fitted.
        estimator: fitted on what it puts out.
        graph: both as ONNX, if that form is released.
        rows: inputs that are asked about in turn.
    """
    found: dict[str, float | None] = {}
    if graph is not None:
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        names = [column.name for column in task.output().columns]
        found["onnx"] = _p95(
            [onnx_export.feed(rows.iloc[[number]]) for number in range(len(rows))],
            lambda row: session.run(names, row),
        )
    found["pickle"] = _p95(
        [rows.iloc[[number]] for number in range(len(rows))],
        lambda row: task.predict(estimator, preprocessor.transform(row)),
    )
    return found


def _p95(rows: list[Any], ask: Callable[[Any], object]) -> float:
    """Return the 95th percentile of the time of one call in milliseconds, warmed up."""
    taken: list[float] = []
    while len(taken) < WARM_UP + CALLS and (sum(taken) < SECONDS or len(taken) < 2 * WARM_UP):
        began = time.perf_counter()
        ask(rows[len(taken) % len(rows)])
        taken.append(time.perf_counter() - began)
    return float(np.percentile(taken[WARM_UP:], 95)) * 1000
