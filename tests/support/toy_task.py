"""A fourth task, for the test that a task is one file and one line: how often something happens, by its deviance."""

from __future__ import annotations

from dataclasses import dataclass

from model_release.modelling.tasks.regression import Regression
from model_release.spec.tasks import Measure, TaskKind

COUNTS = TaskKind(
    "counts",
    room="support.toy_task:Counts",
    measures=(
        Measure("poisson_deviance", called="Poisson deviance", less_is_better=True, share=False),
        Measure("mae", called="MAE", less_is_better=True, share=False),
    ),
    losses=("poisson_deviance",),
    margin="5 %",
    headline=("poisson_deviance", "mae"),
    constant="the mean count",
    folds="cross-validation",
)


@dataclass(frozen=True)
class Counts(Regression):
    """Counts are numbers that are never negative."""
