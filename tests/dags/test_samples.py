"""Metrics: which samples say how a run ended and how `latest` stands, and the names that monitoring knows them by."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from model_release.airflow_glue import metrics
from model_release.airflow_glue.metrics import ENDINGS, METRICS, Sample, of_run, of_standing, of_tasks
from model_release.workflows.messages import Standing
from model_release.workflows.result import Ending

MIDNIGHT = datetime(2026, 11, 30, tzinfo=UTC)


def test_every_ending_of_a_result_is_one_of_the_metrics() -> None:
    assert {*get_args(Ending)} == {*ENDINGS} - {"unreported"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_run_counts_once_and_names_each_other_ending_with_nought(ending: str) -> None:
    ended = MIDNIGHT + timedelta(seconds=90)
    samples = [*of_run("churn", ending, MIDNIGHT, ended)]
    label = ending.replace(" ", "_")
    counted = {each.labels[1]: each.value for each in samples if each.metric is metrics.RUNS}
    assert counted == {each.replace(" ", "_"): int(each == ending) for each in ENDINGS}
    assert Sample(metrics.ENDED, ended.timestamp(), ("churn", label)) in samples
    assert Sample(metrics.RUN_SECONDS, 90.0, ("churn",)) in samples


def test_a_run_that_never_began_has_no_duration() -> None:
    assert metrics.RUN_SECONDS not in {each.metric for each in of_run("churn", "failed", None, MIDNIGHT)}


def test_a_standing_says_moments_and_epochs_and_leaves_out_what_is_unknown() -> None:
    stands = Standing(since=MIDNIGHT, data_as_of=date(2026, 11, 30), holds=1, epochs={"home": 12, "mirror": 11})
    assert [*of_standing("churn", json.loads(json.dumps(stands.to_json())))] == [
        Sample(metrics.SINCE, MIDNIGHT.timestamp(), ("churn",)),
        Sample(metrics.DATA, MIDNIGHT.timestamp(), ("churn",)),
        Sample(metrics.HOLDS, 1, ("churn",)),
        Sample(metrics.EPOCH, 12, ("churn", "home")),
        Sample(metrics.EPOCH, 11, ("churn", "mirror")),
    ]
    nothing = Standing(since=None, data_as_of=None, holds=0, epochs={"home": 0})
    assert [each.metric for each in of_standing("churn", nothing.to_json())] == [metrics.HOLDS, metrics.EPOCH]


def test_the_tasks_of_a_run() -> None:
    assert [*of_tasks("churn", {"train": 3.5})] == [Sample(metrics.TASK_SECONDS, 3.5, ("churn", "train"))]


def test_names_are_their_own_and_fit_into_prometheus_and_opentelemetry() -> None:
    assert len({each.name for each in METRICS}) == len(METRICS)
    for each in METRICS:
        assert re.fullmatch(r"model_release(\.[a-z_]+)+", each.name)
        assert each.labels[0] == "model"
        assert each.meaning


def test_the_page_names_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    told = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `model_release.")]
    assert told == [[f"`{each.name}`", each.kind, ", ".join(each.labels), each.meaning] for each in METRICS]
