"""Whole nights without Airflow, on the shipped data: the steps that tests take with them."""

from __future__ import annotations

from collections.abc import Callable

from model_release.workflows.retrain import Json, Nightly

SIMPLE = {"logistic_regression": {"estimator": "LogisticRegression", "parameters": {"C": 0.1, "max_iter": 1000}}}
"""One candidate that is fitted in no time."""

Nights = Callable[..., Nightly]
"""Makes the night of a day of October; other arguments are facts of its run, `spec` what its spec has otherwise."""


def judged(night: Nightly) -> tuple[Json, list[Json]]:
    """Take every step up to the gate."""
    _, work = night.ingest()
    return night.gate(night.evaluate([night.train(each) for each in work]))


def through(night: Nightly) -> Json:
    """Take every step."""
    night.reconcile()
    _, orders = judged(night)
    return night.update_latest([night.upload(each) for each in orders])
