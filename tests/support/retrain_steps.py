"""Whole nights without Airflow, on the shipped data: the steps that tests take with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup

from model_release.model_files import sandbox
from model_release.modelling.plots.svg import Plot
from model_release.workflows.messages import ReleaseOutcome, Verdict
from model_release.workflows.retrain import RetrainRun

SIMPLE = {"logistic_regression": {"estimator": "LogisticRegression", "parameters": {"C": 0.1, "max_iter": 1000}}}
"""One candidate that is fitted in no time."""

Nights = Callable[..., RetrainRun]
"""Makes the night of a day of October; other arguments are facts of its run, `spec` what its spec has otherwise."""


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Open no model in a process of its own and draw no plot of the card: both take seconds of each night."""
    patch.setattr(sandbox, "check", lambda *_, **__: None)
    patch.setattr(Plot, "svg", lambda plot: Markup(f'<svg data-plot="{plot.name}"></svg>'))  # noqa: S704


def judged(night: RetrainRun) -> tuple[Verdict, list[Any]]:
    """Take every step up to the gate; return the verdict, and the orders or the proposal."""
    _, work = night.ingest()
    return night.gate(night.evaluate([night.train(each) for each in work]))


def through(night: RetrainRun) -> ReleaseOutcome:
    """Take every step."""
    night.reconcile()
    _, orders = judged(night)
    return night.update_latest([night.upload(each) for each in orders])
