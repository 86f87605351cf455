"""The paired comparison keeps its confidence where rows belong together or come one after another. Truth is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from model_release.documents.evaluation import Champion, Design, Evaluation, Interval, Scores
from model_release.documents.version import Version
from model_release.modelling.gate import Choice, GatePolicy, choose, judge
from model_release.modelling.gate.paired import clustered_variance, difference, loss_of, serial_variance
from model_release.modelling.gate.statistics import t_quantile

NIGHTS = 1500
LEVEL = 0.95
POLICY = GatePolicy(cross_validation={"rmse": 100.0}, margin=0.5, beat_dummy=False)


def covered(rows: NDArray[np.float64], error: NDArray[np.float64], degrees: int | None) -> float:
    """How often the one-sided bound of a mean, which is zero in truth, lies below it; `[nights, units]`."""
    reach = norm.ppf(LEVEL) if degrees is None else t_quantile(LEVEL, degrees)
    return float((rows.mean(axis=1) - reach * error < 0).mean())


def influences(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (rows - rows.mean(axis=1, keepdims=True)) / rows.shape[1]
    return found


def test_a_bound_over_groups_holds_as_often_as_it_says_and_one_over_rows_does_not() -> None:
    chance = np.random.default_rng(0)
    shared = chance.standard_normal((NIGHTS, 40, 1))
    rows = 0.7 * shared + chance.standard_normal((NIGHTS, 40, 8))
    groups = rows.mean(axis=2)

    over_groups = np.sqrt([clustered_variance(each) for each in influences(groups)])
    over_rows = rows.reshape(NIGHTS, -1).std(axis=1, ddof=1) / math.sqrt(320)

    assert 0.935 < covered(groups, over_groups, 39) < 0.965
    assert covered(groups, over_rows, None) < 0.87


def test_a_bound_over_days_holds_where_days_go_together_and_newey_and_west_s_does_not() -> None:
    chance = np.random.default_rng(1)
    days, after = 120, 0.6
    series = np.zeros((NIGHTS, days))
    series[:, 0] = chance.standard_normal(NIGHTS) / math.sqrt(1 - after**2)
    for day in range(1, days):
        series[:, day] = after * series[:, day - 1] + chance.standard_normal(NIGHTS)

    found = [serial_variance(each) for each in influences(series)]
    ours = covered(series, np.sqrt([variance for variance, _ in found]), found[0][1])
    apart = covered(series, series.std(axis=1, ddof=1) / math.sqrt(days), None)
    centred, lags = series - series.mean(axis=1, keepdims=True), int(4 * (days / 100) ** (2 / 9))
    autocovariances = [(centred[:, lag:] * centred[:, : days - lag]).sum(axis=1) / days for lag in range(lags + 1)]
    bartlett = autocovariances[0] + 2 * sum((1 - lag / (lags + 1)) * autocovariances[lag] for lag in range(1, lags + 1))
    newey_west = covered(series, np.sqrt(bartlett / days), None)

    assert 0.92 < ours < 0.965
    assert apart < 0.82
    assert newey_west < ours - 0.02


def evaluation(mine: Scores, theirs: Scores, *, batches: Any, loss: str = "rmse") -> Evaluation:
    design = Design(
        split="group", validation="group", by="group", folds=2, repeats=1, measured=6, overlap=1.0, batches=batches
    )
    champion = Champion(version=Version(1, 0, 0), since=1, recipe="", same_data=False, scores=theirs, task="regression")
    return Evaluation(
        candidates={"mine": mine},
        champion=champion,
        rows=6,
        holdout_rows=0,
        folds=2,
        repeats=1,
        task="regression",
        loss=loss,
        design=design,
    )


def scores(losses: Any = None) -> Scores:
    return Scores(folds={"rmse": [2.0, 2.0], "mae": [2.0, 2.0]}, losses=losses or {})


def test_the_root_of_a_mean_has_the_variance_of_the_delta_method() -> None:
    chance = np.random.default_rng(2)
    theirs, mine = chance.chisquare(3, 100), chance.chisquare(3, 100) * 0.9
    weights = [1.0] * 100
    facts = evaluation(scores({"groups": [*mine]}), scores({"groups": [*theirs]}), batches={"groups": weights})

    found = difference(facts.champion.scores, facts.candidates["mine"], facts)  # type: ignore[union-attr]

    left_out = [
        math.sqrt(np.delete(theirs, each).mean()) - math.sqrt(np.delete(mine, each).mean()) for each in range(100)
    ]
    jackknife = math.sqrt(99 / 100 * sum((each - np.mean(left_out)) ** 2 for each in left_out))
    assert found.mean == pytest.approx(math.sqrt(theirs.mean()) - math.sqrt(mine.mean()))
    assert found.error == pytest.approx(jackknife, rel=0.02)
    assert found.degrees == 99


def test_groups_and_days_together_are_never_surer_than_either() -> None:
    chance = np.random.default_rng(3)
    their, my = ([*chance.chisquare(3, 30)] for _ in range(2))
    ones = [1.0] * 30
    errors = {}
    for kinds in (("groups",), ("days",), ("groups", "days")):
        mine, theirs, batches = (dict.fromkeys(kinds, each) for each in (my, their, ones))
        facts = evaluation(scores(mine), scores(theirs), batches=batches)
        found = difference(facts.champion.scores, facts.candidates["mine"], facts)  # type: ignore[union-attr]
        errors[kinds] = (found.error, found.degrees)
    both = errors["groups", "days"]
    assert both[0] == pytest.approx(math.hypot(errors["groups",][0], errors["days",][0]))
    assert both[1] == min(errors["groups",][1], errors["days",][1])


def test_a_batch_counts_by_its_weight() -> None:
    few = evaluation(
        scores({"groups": [6.0, 4.0]}), scores({"groups": [9.0, 1.0]}), batches={"groups": [3.0, 1.0]}, loss="mae"
    )
    assert loss_of(few.candidates["mine"], few).mean == 10 / 4
    assert choose(few, Choice.SIMPLEST_NOT_WORSE) == "mine"


def test_the_verdict_says_what_was_taken_for_independent_and_falls_back_to_the_folds() -> None:
    batches, mine = {"groups": [1.0, 2.0, 3.0]}, scores({"groups": [4.0, 8.0, 12.0]})
    with_groups = evaluation(mine, scores({"groups": [4.0, 8.1, 12.0]}), batches=batches)
    without = evaluation(mine, scores(), batches=batches)

    by_groups, by_folds = (judge(each, POLICY, chosen="mine").comparison for each in (with_groups, without))

    assert by_groups is not None
    assert by_groups.independent == ["groups"]
    assert by_folds is not None
    assert by_folds.independent == []
    assert by_folds.difference == Interval(mean=0, low=0, high=0)


@pytest.mark.parametrize(("share", "margin"), [(0.5, 0.005), (0.3, 0.005), (0.1, 0.025 * 0.09), (0.01, 0.025 * 0.0099)])
def test_the_default_margin_of_two_classes_shrinks_with_what_guessing_loses(share: float, margin: float) -> None:
    losses: Any = {"brier": [0.01, 0.011, 0.012, 0.01]}
    same = Scores(folds=losses)
    facts = Evaluation(
        candidates={"mine": same},
        champion=Champion(version=Version(1, 0, 0), since=1, recipe="", same_data=False, scores=same),
        rows=100,
        holdout_rows=0,
        folds=2,
        repeats=2,
        dummy_brier=share * (1 - share),
    )
    own = judge(facts, GatePolicy(cross_validation={"brier": 0.3}, margin=0.01), chosen="mine").comparison
    default = judge(facts, GatePolicy(cross_validation={"brier": 0.3}), chosen="mine").comparison
    assert own is not None
    assert own.needed == -0.01
    assert default is not None
    assert default.needed == pytest.approx(-margin)
