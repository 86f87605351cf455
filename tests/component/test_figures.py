"""Figures with their intervals: scikit-learn's own values, bounds that hold what they promise, groups of rows."""

from __future__ import annotations

import math
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_release.documents.evaluation import Interval
from model_release.documents.metric import Metric
from model_release.modelling.tasks import Predictions, task_of
from model_release.modelling.tasks.base import Target
from model_release.modelling.training import slices
from model_release.spec.dataset import Column
from model_release.spec.gate import SlicePolicy
from support import reference_model

COLUMNS = reference_model.spec().dataset.columns
TASK = task_of(reference_model.spec())
figures, intervals, slice_scores = TASK.figures, TASK.intervals, partial(slices.slice_scores, TASK)
WITH_A_FORMULA = ["accuracy", "precision", "recall", "f1", "roc_auc", "brier", "log_loss"]


def predictions(rows: int, seed: int, *, skill: float = 1.5) -> tuple[Target, Predictions]:
    chance = np.random.default_rng(seed)
    target = (chance.random(rows) < 0.45).astype(np.int64)
    return target, 1 / (1 + np.exp(-chance.normal(skill * (2 * target - 1), 1.5)))


@settings(deadline=None)
@given(st.integers(4, 80), st.integers(0, 10**6))
def test_a_figure_with_an_interval_is_the_figure_and_lies_within(rows: int, seed: int) -> None:
    target, probability = predictions(rows, seed)
    if not 2 <= target.sum() <= rows - 2:
        return

    plain, found = figures(target, probability), intervals(target, probability, TASK.metrics)

    for metric, interval in found.items():
        assert interval.mean == pytest.approx(plain[metric])
        assert interval.low <= interval.mean + 1e-12
        assert interval.mean - 1e-12 <= interval.high
    assert all(found[metric].low >= 0 for metric in WITH_A_FORMULA if metric in found)
    assert {metric for metric in WITH_A_FORMULA if plain[metric] is not None} <= set(found)


def test_the_interval_of_an_auc_is_delong_s() -> None:
    target, probability = predictions(60, 1)
    sick, well = probability[target == 1], probability[target == 0]
    # the structural components as DeLong et al. define them, pair by pair
    pairs = (sick[:, None] > well) + 0.5 * (sick[:, None] == well)
    error = math.sqrt(pairs.mean(axis=1).var(ddof=1) / len(sick) + pairs.mean(axis=0).var(ddof=1) / len(well))

    found = intervals(target, probability)["roc_auc"]

    assert found.mean == pytest.approx(pairs.mean())
    assert found.high - found.mean == pytest.approx(min(1.959964 * error, 1 - found.mean))
    assert found.mean - found.low == pytest.approx(1.959964 * error)


@cache
def studies() -> list[dict[Metric, Interval]]:
    """The same study, made many times with other people."""
    return [intervals(*predictions(100, seed), TASK.metrics) for seed in range(1, 301)]


@pytest.mark.parametrize("metric", TASK.metrics)
def test_the_intervals_hold_the_truth_about_as_often_as_they_say(metric: Metric) -> None:
    truth = figures(*predictions(200_000, 0))[metric]
    assert truth is not None

    held = [each[metric].low <= truth <= each[metric].high for each in studies()]

    assert 0.91 <= sum(held) / len(held) <= 0.985


def test_a_figure_that_cannot_exist_has_no_interval() -> None:
    well, probability = np.zeros(5, dtype=np.int64), np.full(5, 0.2)

    assert set(intervals(well, probability)) == {"accuracy", "brier", "log_loss"}
    assert intervals(well, np.array([0.2, 0.2, np.nan, 0.2, 0.2])) == {}


CELLS = st.one_of(st.none(), st.floats(20, 90))


@settings(deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=40), st.lists(st.floats(20, 90), min_size=1, max_size=4, unique=True))
def test_the_groups_of_a_column_are_all_of_its_rows_each_in_one(cells: list[float | None], bins: list[float]) -> None:
    rows = pd.DataFrame({"age": pd.Series(cells, dtype=np.float64)})
    target = np.arange(len(cells), dtype=np.int64) % 2

    found = slice_scores(
        [SlicePolicy(column="age", bins=sorted(bins))], COLUMNS, rows, target, np.full((len(cells), 1), 0.3)
    )

    assert sum(each.rows for each in found) == len(cells)
    assert len({each.group for each in found}) == len(found)
    right = sum(
        each.rows * (each.figures["accuracy"] or Interval(mean=0, low=0, high=0)).mean for each in found if each.rows
    )
    assert right == pytest.approx((target == 0).sum())


def test_groups_are_named_in_words_and_those_without_rows_are_there_too() -> None:
    rows = pd.DataFrame({"age": [49.0, 50.0, 60.0, np.nan], "sex": [1.0] * 4, "site": ["va", "va", "bern", np.nan]})
    columns = {**COLUMNS, "site": Column(kind="categorical", values=["va", "bern"], input=False)}
    policies = [SlicePolicy(column="age", bins=[50.0, 60.0]), SlicePolicy(column="sex"), SlicePolicy(column="site")]

    found = slice_scores(policies, columns, rows, np.array([0, 1, 0, 1]), np.full((4, 2), 0.3))

    assert [(each.group, each.rows) for each in found] == [
        ("age < 50", 1),
        ("50 ≤ age < 60", 1),
        ("age ≥ 60", 1),
        ("age missing", 1),
        ("sex = 0", 0),
        ("sex = 1", 4),
        ("site = va", 2),
        ("site = bern", 1),
        ("site missing", 1),
    ]
    assert found[4].figures == {}


def test_a_group_is_measured_in_each_repeat_and_its_interval_knows_how_few_rows_there_are() -> None:
    target, probability = predictions(80, 3)
    rows = pd.DataFrame({"sex": np.zeros(80)})
    repeats = np.column_stack([probability, 1 - probability])

    women = slice_scores([SlicePolicy(column="sex")], COLUMNS, rows, target, repeats)[0]

    one, other = intervals(target, probability), intervals(target, 1 - probability)
    for metric in WITH_A_FORMULA:
        found = women.figures[metric]
        assert found is not None
        assert found.mean == pytest.approx((one[metric].mean + other[metric].mean) / 2)
        assert found.low == pytest.approx((one[metric].low + other[metric].low) / 2)


def test_a_probability_that_is_not_finite_is_a_hole_in_every_figure_of_its_group() -> None:
    rows = pd.DataFrame({"sex": [0.0, 0.0, 1.0, 1.0]})
    repeats = np.array([[0.1], [np.nan], [0.8], [0.2]])

    women, men = slice_scores([SlicePolicy(column="sex")], COLUMNS, rows, np.array([0, 1, 1, 0]), repeats)

    assert women.figures == dict.fromkeys(TASK.metrics)
    assert None not in men.figures.values()
