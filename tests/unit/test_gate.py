"""The gate as tables, and what it promises for every evaluation as laws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.gate import (
    Champion,
    Choice,
    Decision,
    Evaluation,
    Floors,
    GatePolicy,
    Metric,
    Scores,
    choose,
    corrected_error,
    corrected_interval,
    judge,
)
from model_release.version import Version

FOLDS = 5
FLOORS = GatePolicy(cross_validation=Floors(accuracy=0.8, brier=0.16), holdout=Floors(accuracy=0.7))

finite = st.floats(0.0, 1.0, allow_nan=False)


def around(mean: float, spread: float = 0.01) -> list[float | None]:
    """Ten folds with this mean."""
    return [mean + spread * sign for sign in (1, -1, 2, -2, 0, 0, 1, -1, 2, -2)]


def scores(*, accuracy: float = 0.85, brier: float = 0.12, holdout: float | None = 0.8, **changes: Any) -> Scores:
    folds = {Metric.ACCURACY: around(accuracy), Metric.BRIER: around(brier), **changes}
    return Scores(folds=folds, holdout={Metric.ACCURACY: holdout})


def evaluation(*candidates: Scores, champion: Scores | None = None, same_data: bool = False) -> Evaluation:
    live = None
    if champion is not None:
        live = Champion(version=Version(1, 2, 0), since=3, recipe="Forest()", same_data=same_data, scores=champion)
    return Evaluation(
        candidates={f"c{place}": each for place, each in enumerate(candidates)},
        champion=live,
        rows=242,
        holdout_rows=61,
        folds=FOLDS,
        repeats=2,
        dummy_brier=0.248,
    )


def verdict(
    *candidates: Scores, policy: GatePolicy = FLOORS, champion: Scores | None = None, same_data: bool = False
) -> Decision:
    return judge(evaluation(*candidates, champion=champion, same_data=same_data), policy, chosen="c0")


def test_the_corrected_interval_is_what_a_hand_computes() -> None:
    # mean 3, variance 2.5; error sqrt((1/5 + 1/4) * 2.5) = 1.06066; t(.975, 4) = 2.776445
    interval = corrected_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.25)

    assert interval.mean == 3.0
    assert corrected_error([1.0, 2.0, 3.0, 4.0, 5.0], 0.25) == pytest.approx(1.0606602)
    assert interval.low == pytest.approx(3 - 2.944864, abs=1e-5)
    assert interval.high == pytest.approx(3 + 2.944864, abs=1e-5)


@pytest.mark.parametrize(
    ("candidate", "accepted", "reason"),
    [
        (scores(), True, "accuracy on cross-validation is 0.8500, at least the 0.8000 required"),
        (scores(accuracy=0.79), False, "accuracy on cross-validation is 0.7900, below the 0.8000 required"),
        (scores(brier=0.17), False, "brier on cross-validation is 0.1700, above the 0.1600 allowed"),
        (scores(holdout=0.69), False, "accuracy on holdout of 61 rows is 0.6900, below the 0.7000 required"),
        (scores(holdout=None), False, "c0: not a finite number: accuracy on the holdout"),
        (
            scores(brier=0.15).model_copy(update={"holdout": {}}),
            False,
            "accuracy on holdout of 61 rows was not measured",
        ),
    ],
)
def test_a_first_release_needs_every_floor(candidate: Scores, accepted: bool, reason: str) -> None:
    decision = verdict(candidate)

    assert decision.accepted is accepted
    assert reason in decision.reasons
    assert decision.comparison is None


def test_a_floor_is_met_by_its_own_value() -> None:
    flat: list[float | None] = [0.8] * 10
    assert verdict(scores().model_copy(update={"folds": {Metric.ACCURACY: flat, Metric.BRIER: around(0.1)}})).accepted


@pytest.mark.parametrize("hole", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", [Metric.ACCURACY, Metric.BRIER, Metric.ROC_AUC])
def test_a_value_that_is_not_finite_rejects_wherever_it_stands(hole: float | None, metric: Metric) -> None:
    sound = scores()
    folds = {**sound.folds, metric: [*around(0.9)[:9], hole]}
    broken = Scores.model_construct(folds=folds, holdout=sound.holdout)
    facts = evaluation(sound).model_copy(update={"candidates": {"c0": broken}})

    decision = judge(facts, FLOORS, chosen="c0")

    assert not decision.accepted
    assert decision.reasons == [f"c0: not a finite number: {metric} in cross-validation"]


def test_a_policy_without_a_floor_accepts_nothing() -> None:
    decision = verdict(scores(accuracy=0.99, brier=0.01), policy=GatePolicy())

    assert not decision.accepted
    assert decision.reasons == ["the spec sets no floor, and a gate without a floor accepts nothing"]


def test_a_candidate_must_beat_guessing_unless_told_otherwise() -> None:
    lenient = GatePolicy(cross_validation=Floors(accuracy=0.5))

    assert not verdict(scores(brier=0.248), policy=lenient).accepted
    assert verdict(scores(brier=0.247), policy=lenient).accepted
    assert verdict(scores(brier=0.248), policy=lenient.model_copy(update={"beat_dummy": False})).accepted
    unmeasured = evaluation(scores()).model_copy(update={"dummy_brier": None})
    assert not judge(unmeasured, lenient, chosen="c0").accepted


@pytest.mark.parametrize(
    ("mine", "same_data", "accepted", "rule"),
    [
        (0.120, False, True, "non_inferior"),  # equal
        (0.123, False, True, "non_inferior"),  # worse, within the margin
        (0.126, False, False, "non_inferior"),  # worse by more than the margin
        (0.110, False, True, "non_inferior"),
        (0.120, True, False, "superior"),  # equal does not do where nothing is new
        (0.110, True, True, "superior"),
    ],
)
def test_against_the_champion(mine: float, same_data: bool, accepted: bool, rule: str) -> None:
    decision = verdict(scores(brier=mine), champion=scores(brier=0.12), same_data=same_data)

    assert decision.accepted is accepted
    assert decision.comparison is not None
    assert decision.comparison.rule == rule
    assert decision.comparison.difference.mean == pytest.approx(0.12 - mine)
    assert decision.comparison.needed == (0.0 if same_data else -0.005)


def test_noise_between_the_folds_keeps_a_doubtful_candidate_out() -> None:
    noisy: list[float | None] = [0.12 + 0.05 * (-1) ** place for place in range(10)]
    candidate = scores().model_copy(update={"folds": {Metric.ACCURACY: around(0.9), Metric.BRIER: noisy}})

    decision = verdict(candidate, champion=scores(brier=0.12))

    assert not decision.accepted
    assert decision.comparison is not None
    assert decision.comparison.lower_bound < -0.005


@pytest.mark.parametrize(
    "champion",
    [
        Scores(folds={}),
        scores().model_copy(update={"folds": {Metric.BRIER: around(0.2)[:5]}}),
        scores().model_copy(update={"folds": {Metric.BRIER: [None, *around(0.2)[1:]]}}),
    ],
)
def test_a_champion_that_cannot_be_measured_rejects(champion: Scores) -> None:
    decision = verdict(scores(), champion=champion)

    assert not decision.accepted
    assert decision.reasons == ["the live v1.2.0 could not be measured on the same folds"]


def test_a_spec_may_ask_for_no_comparison() -> None:
    policy = FLOORS.model_copy(update={"compare": "never"})

    decision = verdict(scores(brier=0.15), champion=scores(brier=0.01), policy=policy)

    assert decision.accepted
    assert decision.comparison is None


def test_the_simplest_within_one_standard_error_is_chosen() -> None:
    error = corrected_error([value for value in around(0.12) if value is not None], 0.25)
    close, far = scores(brier=0.12 + 0.9 * error), scores(brier=0.12 + 1.1 * error)
    best = scores(brier=0.12)

    assert choose(evaluation(close, best), Choice.SIMPLEST_NOT_WORSE) == "c0"
    assert choose(evaluation(far, best), Choice.SIMPLEST_NOT_WORSE) == "c1"
    assert choose(evaluation(far, close, best), Choice.SIMPLEST_NOT_WORSE) == "c1"


def test_the_highest_holdout_accuracy_is_chosen_and_the_simplest_on_a_tie() -> None:
    facts = evaluation(scores(holdout=0.8), scores(holdout=0.9), scores(holdout=0.9))

    assert choose(facts, Choice.BEST_HOLDOUT_ACCURACY) == "c1"


@pytest.mark.parametrize("how", list(Choice))
def test_a_candidate_with_a_hole_is_passed_over(how: Choice) -> None:
    broken = scores(brier=0.01, holdout=None)

    assert choose(evaluation(broken, scores()), how) == "c1"
    assert choose(evaluation(broken), how) == "c0"
    assert not judge(evaluation(broken), FLOORS, chosen="c0").accepted


folds_strategy = st.lists(finite, min_size=10, max_size=10)


@given(folds_strategy, folds_strategy, finite, folds_strategy, st.booleans())
def test_what_is_accepted_meets_every_floor_and_stands_up_to_the_champion(
    accuracy: list[float], brier: list[float], holdout: float, theirs: list[float], same_data: bool
) -> None:
    candidate = Scores(
        folds={Metric.ACCURACY: list(accuracy), Metric.BRIER: list(brier)}, holdout={Metric.ACCURACY: holdout}
    )
    champion = Scores(folds={Metric.BRIER: list(theirs)})

    decision = verdict(candidate, champion=champion, same_data=same_data)

    assert decision.accepted == all(check.passed for check in decision.checks)
    assert decision.reasons
    if decision.accepted:
        assert sum(accuracy) / 10 >= 0.8 - 1e-9
        assert sum(brier) / 10 <= 0.16 + 1e-9
        assert holdout >= 0.7
        assert decision.comparison is not None
        assert decision.comparison.lower_bound > decision.comparison.needed


@given(folds_strategy, st.floats(0.001, 0.2))
def test_being_worse_by_more_in_every_fold_never_helps(theirs: list[float], worse: float) -> None:
    champion = Scores(folds={Metric.BRIER: list(theirs)})
    bounds = []
    for extra in (0.0, worse):
        mine = scores().model_copy(
            update={
                "folds": {
                    Metric.ACCURACY: around(0.9),
                    Metric.BRIER: [value + extra for value in theirs],
                }
            }
        )
        comparison = verdict(mine, champion=champion).comparison
        assert comparison is not None
        bounds.append(comparison.lower_bound)

    assert bounds[1] <= bounds[0]


@given(folds_strategy)
def test_a_decision_survives_as_a_document(brier: list[float]) -> None:
    decision = verdict(scores().model_copy(update={"folds": {Metric.BRIER: list(brier)}}), champion=scores(brier=0.12))

    assert Decision.read(decision.to_bytes(), where="here") == decision


@given(st.lists(folds_strategy, min_size=1, max_size=5), st.sampled_from(list(Choice)))
def test_the_chosen_one_is_never_worse_than_one_standard_error(candidates: list[list[float]], how: Choice) -> None:
    facts = evaluation(
        *(Scores(folds={Metric.BRIER: list(each)}, holdout={Metric.ACCURACY: each[0]}) for each in candidates)
    )

    chosen = choose(facts, how)

    means = {f"c{place}": sum(each) / 10 for place, each in enumerate(candidates)}
    assert chosen in means
    if how is Choice.SIMPLEST_NOT_WORSE:
        best = min(means, key=lambda name: means[name])
        error = corrected_error(candidates[int(best[1:])], 0.25)
        assert means[chosen] <= means[best] + error + 1e-9
        assert all(means[f"c{place}"] > means[best] + error - 1e-9 for place in range(int(chosen[1:])))
