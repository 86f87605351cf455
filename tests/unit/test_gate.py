"""The gate as tables, and what it promises for every evaluation as laws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.documents.base import canonical_json
from model_release.documents.evaluation import (
    Champion,
    ColumnDrift,
    Costs,
    Drift,
    Evaluation,
    Interval,
    Scores,
    SliceScores,
)
from model_release.documents.metric import Metric
from model_release.documents.verdict import Decision
from model_release.documents.version import Version
from model_release.modelling.gate import choose, corrected_error, corrected_interval, drifted, judge
from model_release.spec.gate import Ceilings, Choice, DriftPolicy, Floors, GatePolicy, SlicePolicy

FOLDS = 5
FLOORS = GatePolicy(cross_validation=Floors(accuracy=0.8, brier=0.16), holdout=Floors(accuracy=0.7))

finite = st.floats(0.0, 1.0, allow_nan=False)


def around(mean: float, spread: float = 0.01) -> list[float | None]:
    """Ten folds with this mean."""
    return [mean + spread * sign for sign in (1, -1, 2, -2, 0, 0, 1, -1, 2, -2)]


def scores(*, accuracy: float = 0.85, brier: float = 0.12, holdout: float | None = 0.8, **changes: Any) -> Scores:
    folds = {"accuracy": around(accuracy), "brier": around(brier), **changes}
    return Scores(folds=folds, holdout={"accuracy": holdout})


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
    assert verdict(scores().model_copy(update={"folds": {"accuracy": flat, "brier": around(0.1)}})).accepted


@pytest.mark.parametrize("hole", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("metric", ["accuracy", "brier"])
def test_a_needed_value_that_is_not_finite_rejects_wherever_it_stands(hole: float | None, metric: Metric) -> None:
    sound = scores()
    folds = {**sound.folds, metric: [*around(0.9)[:9], hole]}
    broken = Scores.model_construct(folds=folds, holdout=sound.holdout)
    facts = evaluation(sound).model_copy(update={"candidates": {"c0": broken}})

    decision = judge(facts, FLOORS, chosen="c0")

    assert not decision.accepted
    assert decision.reasons == [f"c0: not a finite number: {metric} in cross-validation"]


@pytest.mark.parametrize("hole", [None, math.nan, math.inf])
def test_a_figure_that_nothing_asks_for_may_be_undefined_and_the_verdict_says_so(hole: float | None) -> None:
    sound = scores()
    holed = Scores.model_construct(
        folds={**sound.folds, "precision": [*around(0.9)[:8], hole, hole]}, holdout=sound.holdout
    )
    facts = evaluation(sound).model_copy(update={"candidates": {"c0": holed}})

    asked = judge(facts, FLOORS.model_copy(update={"cross_validation": {"precision": 0.5}}), chosen="c0")
    unasked = judge(facts, FLOORS, chosen="c0")

    assert asked.reasons == ["c0: not a finite number: precision in cross-validation"]
    assert unasked.accepted
    assert unasked.reasons[-1] == "undefined, and no floor asks for it: precision in 2 of 10 folds"
    assert "precision" not in unasked.intervals


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
    candidate = scores().model_copy(update={"folds": {"accuracy": around(0.9), "brier": noisy}})

    decision = verdict(candidate, champion=scores(brier=0.12))

    assert not decision.accepted
    assert decision.comparison is not None
    assert decision.comparison.lower_bound < -0.005


@pytest.mark.parametrize(
    "champion",
    [
        Scores(folds={}),
        scores().model_copy(update={"folds": {"brier": around(0.2)[:5]}}),
        scores().model_copy(update={"folds": {"brier": [None, *around(0.2)[1:]]}}),
    ],
)
def test_a_champion_that_cannot_be_measured_rejects(champion: Scores) -> None:
    decision = verdict(scores(), champion=champion)

    assert not decision.accepted
    (reason,) = decision.reasons
    assert reason.startswith("the live v1.2.0 could not be measured on the same folds (")


def test_a_spec_may_ask_for_no_comparison() -> None:
    policy = FLOORS.model_copy(update={"compare": "never"})

    decision = verdict(scores(brier=0.15), champion=scores(brier=0.01), policy=policy)

    assert decision.accepted
    assert decision.comparison is None


@pytest.mark.parametrize(
    ("same_data", "margin", "accepted", "words"),
    [
        (False, 0.005, True, "the recipe is that of the live v1.2.0, on newer data"),
        (False, 0.0, True, "the recipe is that of the live v1.2.0, on newer data"),
        (
            True,
            0.005,
            False,
            "the recipe is that of the live v1.2.0, and so is the data: there is nothing that could be better",
        ),
    ],
)
def test_an_unchanged_recipe_is_called_that(same_data: bool, margin: float, accepted: bool, words: str) -> None:
    facts = evaluation(scores(), champion=scores(), same_data=same_data)
    assert facts.champion is not None
    facts = facts.model_copy(update={"champion": facts.champion.model_copy(update={"candidate": "c0"})})

    decision = judge(facts, FLOORS.model_copy(update={"margin": margin}), chosen="c0")

    assert decision.accepted is accepted
    assert decision.reasons[-1] == words


def test_a_quarantined_version_is_no_baseline_though_it_is_live() -> None:
    facts = evaluation(scores(brier=0.01), champion=scores(brier=0.15))
    assert facts.champion is not None
    barred = facts.champion.model_copy(update={"quarantined": "v1.2.0 is quarantined by ann: wrong labels"})

    decision = judge(facts.model_copy(update={"champion": barred}), FLOORS, chosen="c0")

    assert decision.reasons == [
        "the live v1.2.0 is no baseline, and there is no other: v1.2.0 is quarantined by ann: wrong labels"
    ]
    assert decision.comparison is None


WOMEN = SlicePolicy(column="sex", floors=Floors(accuracy=0.7, brier=0.2), min_rows=30)
SLICED = FLOORS.model_copy(update={"slices": [WOMEN]})


def sliced(*, rows: int = 80, column: str = "sex", **figures: float | None) -> Evaluation:
    intervals = {
        name: value if value is None else Interval(mean=value, low=value - 0.1, high=value + 0.1)
        for name, value in figures.items()
    }
    group = SliceScores(column=column, group=f"{column} = 0", rows=rows, figures=intervals)
    return evaluation(scores().model_copy(update={"slices": [group]}))


@pytest.mark.parametrize(
    ("facts", "accepted", "words"),
    [
        (
            sliced(accuracy=0.7, brier=0.2),
            True,
            "accuracy on sex = 0 (80 rows) is 0.7000, at least the 0.7000 required",
        ),
        (sliced(accuracy=0.6, brier=0.2), False, "accuracy on sex = 0 (80 rows) is 0.6000, below the 0.7000 required"),
        (sliced(accuracy=0.9, brier=0.3), False, "brier on sex = 0 (80 rows) is 0.3000, above the 0.2000 allowed"),
        (sliced(accuracy=0.9), False, "brier on sex = 0 (80 rows) was not measured"),
        (sliced(accuracy=0.9, brier=None), False, "c0: not a finite number: brier on sex = 0"),
        (
            sliced(accuracy=0.9, brier=0.1, f1=None),
            True,
            "brier on sex = 0 (80 rows) is 0.1000, at most the 0.2000 allowed",
        ),
        (
            sliced(rows=29, accuracy=0.1, brier=None),
            True,
            "sex = 0 (29 rows) is too small to be judged: at least 30 rows are needed",
        ),
        (sliced(rows=0), True, "sex = 0 (0 rows) is too small to be judged: at least 30 rows are needed"),
        (sliced(column="age", accuracy=0.9, brier=0.1), False, "the slices by sex were not measured"),
    ],
)
def test_each_group_has_floors_of_its_own(facts: Evaluation, accepted: bool, words: str) -> None:
    decision = judge(facts, SLICED, chosen="c0")

    assert decision.accepted is accepted
    assert words in decision.reasons


def test_slices_without_floors_are_shown_and_ask_for_nothing() -> None:
    policy = FLOORS.model_copy(update={"slices": [SlicePolicy(column="sex")]})

    assert judge(sliced(accuracy=0.1), policy, chosen="c0") == judge(sliced(accuracy=0.1), FLOORS, chosen="c0")


def test_floors_of_slices_alone_are_no_floors() -> None:
    policy = GatePolicy(slices=[WOMEN])

    assert not judge(sliced(rows=29), policy, chosen="c0").accepted


def costing(latency: float | None, size: int = 1000) -> Evaluation:
    costs = Costs.model_construct(latency_p95_ms={"onnx": latency, "pickle": 99.0}, artifact_bytes=size)
    return evaluation(scores()).model_copy(update={"costs": {"c0": costs}})


CAPPED = FLOORS.model_copy(update={"ceilings": Ceilings(latency_p95_ms=5.0, artifact_bytes=2000)})


@pytest.mark.parametrize(
    ("facts", "accepted", "words"),
    [
        (
            costing(5.0),
            True,
            "latency of one row (onnx, 95th percentile) is 5.00 ms, at most the 5.00 ms allowed",
        ),
        (
            costing(5.1),
            False,
            "latency of one row (onnx, 95th percentile) is 5.10 ms, above the 5.00 ms allowed",
        ),
        (costing(1.0, 2001), False, "size of the files is 2,001 bytes, above the 2,000 bytes allowed"),
        (costing(math.nan), False, "c0: not a finite number: latency in the form onnx"),
        (costing(math.inf), False, "c0: not a finite number: latency in the form onnx"),
        (costing(None), False, "c0: not a finite number: latency in the form onnx"),
        (evaluation(scores()), False, "latency of one row was not measured"),
    ],
)
def test_a_release_may_not_cost_more_than_the_ceilings(facts: Evaluation, accepted: bool, words: str) -> None:
    decision = judge(facts, CAPPED, chosen="c0")

    assert decision.accepted is accepted
    assert words in decision.reasons


@pytest.mark.parametrize("broken", [None, Interval.model_construct(mean=0.8, low=math.nan, high=0.9)])
def test_an_interval_that_is_not_finite_rejects(broken: Interval | None) -> None:
    candidate = scores().model_copy(update={"holdout_intervals": {"accuracy": broken}})

    assert verdict(candidate).reasons == ["c0: not a finite number: the interval of accuracy on the holdout"]


def column(name: str = "age", **changes: Any) -> ColumnDrift:
    calm: dict[str, Any] = {"psi": 0.01, "p_value": 0.9, "missing_before": 0.0, "missing_now": 0.0, "new_values": []}
    return ColumnDrift.model_construct(column=name, test="kolmogorov-smirnov", **(calm | changes))


def drift(*columns: ColumnDrift, target: ColumnDrift | None = None, now: float | None = 0.45) -> Drift:
    return Drift.model_construct(
        champion=Version(1, 2, 0),
        unmeasured=None,
        columns=list(columns),
        target=target or column("num"),
        target_before=0.45,
        target_now=now,
    )


@pytest.mark.parametrize(
    ("found", "moved"),
    [
        (drift(column(psi=0.3, p_value=0.001)), {"age": "PSI 0.30"}),
        (drift(column(psi=0.3, p_value=0.02)), {}),  # large, and no wonder with so few rows
        (drift(column(psi=0.1, p_value=0.001)), {}),  # certain, and small
        (drift(column(p_value=0.001, missing_now=0.2)), {"age": "missing 0.0% before, 20.0% now"}),
        (drift(column(missing_now=0.2)), {}),
        (drift(column(p_value=0.001, new_values=["4", "5"])), {"age": "new: 4, 5"}),
        (drift(column(new_values=["4", "5"])), {}),  # of a few rows
        (drift(target=column("num", p_value=0.001), now=0.6), {"num": "positive 45.0% before, 60.0% now"}),
        (drift(target=column("num", p_value=0.5), now=0.6), {}),
        (
            drift(column(psi=0.2, p_value=0.0, new_values=["4"]), column("sex", psi=1.0, p_value=0.0)),
            {"age": "PSI 0.20, new: 4", "sex": "PSI 1.00"},
        ),
    ],
)
def test_what_counts_as_drift_is_large_and_no_accident(found: Drift, moved: dict[str, str]) -> None:
    assert drifted(found, DriftPolicy()) == moved


@pytest.mark.parametrize(("policy", "accepted", "warning"), [("warn", True, True), ("stop", False, False)])
def test_what_follows_of_drift_is_the_policy_s(policy: str, accepted: bool, warning: bool) -> None:
    rules = FLOORS.model_copy(update={"drift": DriftPolicy.model_validate({"policy": policy})})
    facts = evaluation(scores())

    moved = judge(facts.model_copy(update={"drift": drift(column(psi=0.3, p_value=0.0))}), rules, chosen="c0")
    calm = judge(facts.model_copy(update={"drift": drift(column())}), rules, chosen="c0")

    words = "the data has drifted since v1.2.0: age (PSI 0.30)"
    assert (moved.accepted, words in moved.reasons) == (accepted, True)
    assert [check.warning for check in moved.checks if check.name == "drift"] == [warning]
    assert (calm.accepted, calm.reasons[-1]) == (True, "the data has not drifted since v1.2.0")


def test_a_warning_is_told_with_a_rejection_too() -> None:
    facts = evaluation(scores(accuracy=0.1)).model_copy(update={"drift": drift(column(p_value=0.0, new_values=["4"]))})

    assert judge(facts, FLOORS, chosen="c0").reasons == [
        "accuracy on cross-validation is 0.1000, below the 0.8000 required",
        "the data has drifted since v1.2.0: age (new: 4)",
    ]


def test_drift_that_could_not_be_measured_is_said_and_is_no_error() -> None:
    gone = Drift(champion=Version(1, 2, 0), unmeasured="its snapshot cannot be read: there is no such snapshot")
    rules = FLOORS.model_copy(update={"drift": DriftPolicy(policy="stop")})

    decision = judge(evaluation(scores()).model_copy(update={"drift": gone}), rules, chosen="c0")

    assert decision.accepted
    assert decision.reasons[-1] == (
        "drift of the data since v1.2.0 was not measured: its snapshot cannot be read: there is no such snapshot"
    )


@pytest.mark.parametrize("hole", [None, math.nan, math.inf])
@pytest.mark.parametrize(
    ("where", "words"),
    [("psi", "drift of age"), ("p_value", "drift of age"), ("now", "the positive class's share")],
)
def test_drift_that_is_not_finite_rejects(hole: float | None, where: str, words: str) -> None:
    changes: dict[str, Any] = {where: hole}
    found = drift(now=hole) if where == "now" else drift(column(**changes))

    decision = judge(evaluation(scores()).model_copy(update={"drift": found}), FLOORS, chosen="c0")

    assert decision.reasons == [f"c0: not a finite number: {words}"]


def test_what_was_judged_before_these_questions_were_asked_still_reads_and_is_the_same_bytes() -> None:
    new = {"costs", "drift", "slices", "holdout_intervals", "candidate", "quarantined"}
    old = evaluation(scores(), champion=scores()).model_dump(mode="json")
    for part in (old, old["champion"], old["champion"]["scores"], *old["candidates"].values()):
        for key in new & set(part):
            del part[key]
    body = canonical_json(old)

    assert Evaluation.read(body, where="here").to_bytes() == body


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
    if how is Choice.SIMPLEST_NOT_WORSE:
        broken = broken.model_copy(update={"folds": {**broken.folds, "brier": [None, *around(0.01)[1:]]}})

    assert choose(evaluation(broken, scores()), how) == "c1"
    assert choose(evaluation(broken), how) == "c0"
    assert not judge(evaluation(broken), FLOORS, chosen="c0").accepted


folds_strategy = st.lists(finite, min_size=10, max_size=10)


@given(folds_strategy, folds_strategy, finite, folds_strategy, st.booleans())
def test_what_is_accepted_meets_every_floor_and_stands_up_to_the_champion(
    accuracy: list[float], brier: list[float], holdout: float, theirs: list[float], same_data: bool
) -> None:
    candidate = Scores(folds={"accuracy": list(accuracy), "brier": list(brier)}, holdout={"accuracy": holdout})
    champion = Scores(folds={"brier": list(theirs)})

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
    champion = Scores(folds={"brier": list(theirs)})
    bounds = []
    for extra in (0.0, worse):
        mine = scores().model_copy(
            update={
                "folds": {
                    "accuracy": around(0.9),
                    "brier": [value + extra for value in theirs],
                }
            }
        )
        comparison = verdict(mine, champion=champion).comparison
        assert comparison is not None
        bounds.append(comparison.lower_bound)

    assert bounds[1] <= bounds[0]


@given(folds_strategy)
def test_a_decision_survives_as_a_document(brier: list[float]) -> None:
    decision = verdict(scores().model_copy(update={"folds": {"brier": list(brier)}}), champion=scores(brier=0.12))

    assert Decision.read(decision.to_bytes(), where="here") == decision


@given(st.lists(folds_strategy, min_size=1, max_size=5), st.sampled_from(list(Choice)))
def test_the_chosen_one_is_never_worse_than_one_standard_error(candidates: list[list[float]], how: Choice) -> None:
    facts = evaluation(*(Scores(folds={"brier": list(each)}, holdout={"accuracy": each[0]}) for each in candidates))

    chosen = choose(facts, how)

    means = {f"c{place}": sum(each) / 10 for place, each in enumerate(candidates)}
    assert chosen in means
    if how is Choice.SIMPLEST_NOT_WORSE:
        best = min(means, key=lambda name: means[name])
        error = corrected_error(candidates[int(best[1:])], 0.25)
        assert means[chosen] <= means[best] + error + 1e-9
        assert all(means[f"c{place}"] > means[best] + error - 1e-9 for place in range(int(chosen[1:])))


def anchored(mine: float, live: float, anchor: float | None, **changes: Any) -> Decision:
    """A candidate's verdict against a live version that is `live`, from an anchor that is `anchor`."""
    facts = evaluation(scores(brier=mine), champion=scores(brier=live))
    first = None
    if anchor is not None:
        told = {"version": Version(1, 0, 0), "since": 3, "recipe": "Tree()", "same_data": False}
        first = Champion(**told, scores=scores(brier=anchor), **changes)
    return judge(facts.model_copy(update={"anchor": first}), FLOORS, chosen="c0")


@pytest.mark.parametrize(
    ("mine", "live", "anchor", "accepted", "next_anchor"),
    [
        (
            0.123,
            0.12,
            None,
            True,
            Version(1, 2, 0),
        ),  # a little worse: successors are compared with the live version too
        (0.11, 0.12, None, True, None),  # superior: the distance begins anew
        (0.124, 0.123, 0.12, True, Version(1, 0, 0)),  # less than the margin from the anchor
        (0.128, 0.124, 0.12, False, Version(1, 0, 0)),  # less than the margin from the live version alone
        (0.119, 0.124, 0.12, True, None),
        (0.121, 0.124, 0.12, True, Version(1, 0, 0)),  # better than what is live, not than the anchor
    ],
)
def test_what_is_lost_night_after_night_does_not_add_up(
    mine: float, live: float, anchor: float | None, accepted: bool, next_anchor: Version | None
) -> None:
    decision = anchored(mine, live, anchor)

    assert decision.accepted is accepted
    assert decision.anchor == next_anchor
    assert (decision.anchor_comparison is None) == (anchor is None)


def test_an_unchanged_recipe_adds_nothing_to_the_distance() -> None:
    facts = evaluation(scores(brier=0.128), champion=scores(brier=0.128))
    assert facts.champion is not None
    live = facts.champion.model_copy(update={"candidate": "c0"})
    first = facts.champion.model_copy(update={"version": Version(1, 0, 0), "scores": scores(brier=0.12)})

    decision = judge(facts.model_copy(update={"champion": live, "anchor": first}), FLOORS, chosen="c0")

    assert decision.accepted
    assert decision.anchor == Version(1, 0, 0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"quarantined": "v1.0.0 is quarantined by ann: wrong labels"}, "v1.0.0 is quarantined by ann: wrong labels"),
        ({"task": "regression"}, "it could not be measured on the same folds"),
    ],
)
def test_an_anchor_that_is_no_baseline_is_passed_over_and_said_so(changes: dict[str, str], why: str) -> None:
    decision = anchored(0.124, 0.12, 0.01, **changes)

    assert decision.accepted
    assert decision.reasons[-1] == f"the distance counts from the live version, no longer from v1.0.0: {why}"
    assert decision.anchor == Version(1, 2, 0)


def held_out(brier: float, *, rows: int = 61) -> Decision:
    """The verdict on a candidate with folds of .10 to .14 and this loss on a holdout for which there is no floor."""
    one = scores(brier=0.12).model_copy(update={"holdout": {"accuracy": 0.8, "brier": brier}})
    policy = GatePolicy(cross_validation=Floors(accuracy=0.8))
    return judge(evaluation(one).model_copy(update={"holdout_rows": rows}), policy, chosen="c0")


@pytest.mark.parametrize(
    ("brier", "rows", "accepted"), [(0.05, 61, True), (0.17, 61, True), (0.19, 61, False), (0.19, 6, True)]
)
def test_a_holdout_that_collapses_against_cross_validation_is_rejected_without_a_floor(
    brier: float, rows: int, accepted: bool
) -> None:
    decision = held_out(brier, rows=rows)

    assert decision.accepted is accepted
    assert (
        any("on rows that were set apart the model is another one" in each for each in decision.reasons) is not accepted
    )


def test_stratified_folds_of_a_rare_class_do_not_make_a_collapse_of_an_honest_holdout() -> None:
    """Of 100,000 rows one in a hundred is positive: the folds have equal shares, and the holdout has its own."""
    chance = np.random.default_rng(1)
    above = 0
    for _ in range(30):
        holdout = chance.random(20_000) < 0.0119
        losses = (holdout - 0.0119) ** 2
        half = 1.96 * float(losses.std()) / math.sqrt(len(losses))
        held = float(losses.mean())
        one = Scores(
            folds={"accuracy": around(0.85), "brier": [0.01160, 0.01162, 0.01161]},
            holdout={"brier": held},
            holdout_intervals={"brier": Interval(mean=held, low=held - half, high=held + half)},
        )
        found = evaluation(one).model_copy(update={"holdout_rows": 20_000})
        verdict = judge(found, GatePolicy(cross_validation=Floors(accuracy=0.8)), chosen="c0")
        assert verdict.accepted or held - half > 0.0116
        above += verdict.accepted and held > 0.0118
    assert above > 5, "most of the losses above the folds' are of chance"


def test_honest_holdouts_do_not_collapse() -> None:
    """Losses of rows drawn from one population: of 500 candidates, none is rejected."""
    chance = np.random.default_rng(0)
    for _ in range(500):
        losses = chance.beta(0.5, 2, 303)
        folds = [float(each.mean()) for _ in range(10) for each in np.array_split(chance.permutation(losses[:242]), 5)]
        one = Scores(folds={"accuracy": around(0.85), "brier": folds}, holdout={"brier": float(losses[242:].mean())})
        assert judge(evaluation(one), GatePolicy(cross_validation=Floors(accuracy=0.8)), chosen="c0").accepted
