"""Weights: a row of weight three counts as three rows, in every figure and every decision, and one of 0 as none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_release.errors import SpecError
from model_release.modelling import training
from model_release.modelling.dataset import Rows, rows_apart
from model_release.modelling.folds import sample_of
from model_release.modelling.tasks import task_of
from model_release.modelling.tasks.base import Sample
from model_release.modelling.tasks.threshold import tuned_threshold
from model_release.modelling.training.effects import effects
from model_release.modelling.training.recipes import check_recipe
from model_release.modelling.training.slices import slice_scores
from model_release.spec.candidate import Candidate
from model_release.spec.gate import MistakeCosts, SlicePolicy
from support.panels import COLUMNS, panel, spec_of

THREE = {"column": "y", "classes": {"a": "a", "b": "b", "c": "c"}}
LINEAR = Candidate(estimator="LogisticRegression")


def answers(kind: str, rows: int = 60) -> tuple[Any, Any, Any]:
    """A task with every figure, targets and predictions of rows."""
    chance = np.random.default_rng(3)
    if kind == "regression":
        floors = {"poisson_deviance": 9, "gamma_deviance": 9, "pinball/0.9": 9}
        task = task_of(spec_of(target={"column": "y"}, gate={"cross_validation": floors}))
        target = chance.gamma(2.0, size=rows)
        return task, target, target * chance.uniform(0.5, 1.5, rows)
    if kind == "binary":
        return task_of(spec_of()), chance.integers(0, 2, rows), chance.random(rows)
    predictions = chance.dirichlet([1, 1, 1], rows)
    return task_of(spec_of(target=THREE)), chance.integers(0, 3, rows), predictions


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_a_weight_counts_as_so_many_rows_in_every_figure(kind: str) -> None:
    task, target, predictions = answers(kind)
    weight = np.random.default_rng(0).integers(0, 4, len(target))

    weighted = task.figures(target, predictions, weight.astype(float))
    repeated = task.figures(np.repeat(target, weight), np.repeat(predictions, weight, axis=0))

    apart = {"median_absolute_error"}  # of an even number, the weighted one is no mean of the two in the middle
    assert set(weighted) == set(task.metrics)
    assert {key: value for key, value in weighted.items() if key not in apart} == pytest.approx(
        {key: value for key, value in repeated.items() if key not in apart}
    )
    assert task.dummy(target, weight.astype(float)) == pytest.approx(task.dummy(np.repeat(target, weight)))


@pytest.mark.parametrize(
    "wanted", ["accuracy", "balanced_accuracy", "f1", MistakeCosts(false_positive=1, false_negative=5)]
)
def test_a_threshold_is_tuned_by_weight(wanted: Any) -> None:
    _, target, probabilities = answers("binary")
    weight = np.random.default_rng(1).integers(1, 5, len(target))
    assert tuned_threshold(target, probabilities, wanted, weight.astype(float)) == tuned_threshold(
        np.repeat(target, weight), np.repeat(probabilities, weight), wanted
    )


def test_intervals_of_rows_that_belong_together_are_wider_than_those_of_as_many_independent_ones() -> None:
    task, target, predictions = answers("binary", 40)
    target, predictions = np.repeat(target, 25), np.repeat(predictions, 25)

    plain = task.intervals(target, predictions)["brier"]
    together = task.intervals(target, predictions, sample=Sample(unit=np.repeat(np.arange(40), 25) % 20))["brier"]
    wanted = task.intervals(target[::25], predictions[::25])["brier"]

    assert together.mean == pytest.approx(plain.mean)
    assert together.high - together.low > 3 * (plain.high - plain.low)
    assert together.high - together.low == pytest.approx(wanted.high - wanted.low, rel=0.4)


def noisy() -> Rows:
    """Rows whose target follows from x, half of them; the others have a target at random, and weight 0."""
    rows = panel(60, 5)
    counts = np.random.default_rng(5).random(len(rows)) < 0.5
    target = np.where(counts, rows.frame["x"] > 0, np.random.default_rng(6).random(len(rows)) < 0.5)
    return Rows(rows.frame.assign(weight=counts.astype(float)), target.astype(np.int64))


def test_rows_of_weight_0_have_no_part_in_fits_folds_slices_and_effects() -> None:
    rows = noisy()
    spec = spec_of(weight="weight", validation={"folds": 3, "repeats": 1})
    plain = spec_of(validation={"folds": 3, "repeats": 1})
    fitted, held = rows_apart(spec, rows)

    found, without = (training.cross_validate(LINEAR, each, rows, fitted) for each in (spec, plain))
    model = training.fit(spec, "linear", LINEAR, rows, fitted)

    assert min(each or 0 for each in found.scores.folds["accuracy"]) > 0.9
    assert max(each or 1 for each in without.scores.folds["accuracy"]) < 0.85
    task, sample = task_of(spec), sample_of(spec, rows)
    probability = model[1].predict_proba(model[0].transform(rows.frame[["x"]]))[:, 1]
    assert (task.figures(rows.target[held], probability[held], sample.take(held).weight)["accuracy"] or 0) > 0.9
    (sliced, *_) = slice_scores(
        task,
        [SlicePolicy(column="x", bins=[0.0])],
        spec.dataset.columns,
        rows.frame.iloc[fitted],
        rows.target[fitted],
        found.predictions,
        sample.take(fitted),
    )
    accuracy = sliced.figures["accuracy"]
    assert accuracy is not None
    assert accuracy.mean > 0.9
    assert accuracy.low < accuracy.mean
    (leaning,) = effects(
        task,
        lambda frame: model[1].predict_proba(model[0].transform(frame))[:, 1],
        rows.frame[["x"]].iloc[held].reset_index(drop=True),
        rows.target[held],
        categorical=set(),
        weight=sample.take(held).weight,
    )
    assert leaning.importance.mean > 0.2


def test_the_unit_of_the_weights_changes_no_byte_of_the_model() -> None:
    rows, spec = noisy(), spec_of(weight="weight")
    fitted, _ = rows_apart(spec, rows)
    task = task_of(spec)
    larger = Rows(rows.frame.assign(weight=rows.frame["weight"] * 1024), rows.target)

    one, other = (
        training.pickled(task, *training.fit(spec, "linear", LINEAR, each, fitted)) for each in (rows, larger)
    )

    assert one == other


def test_an_estimator_that_takes_no_weights_is_refused_by_name() -> None:
    spec = spec_of(weight="weight")
    neighbours = Candidate(estimator="KNeighborsClassifier")
    check_recipe(task_of(spec), neighbours, name="near")
    with pytest.raises(SpecError, match="KNeighborsClassifier takes no sample_weight") as refused:
        check_recipe(task_of(spec), neighbours, weighted=True, name="near")
    assert refused.value.where == "candidates.near"


def test_a_weight_is_a_column_of_numbers_that_are_not_missing() -> None:
    with pytest.raises(SpecError, match="a weight is numeric or integer"):
        spec_of(weight="who")
    with pytest.raises(SpecError, match="no row can be without a weight"):
        spec_of(weight="weight", columns={**COLUMNS, "weight": {"kind": "numeric", "nullable": True}})
