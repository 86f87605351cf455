"""Evaluation: the champion on the candidates' own folds, and the figures that a manifest tells."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from model_release.documents.evaluation import Evaluation
from model_release.documents.manifest import DatasetFacts, Manifest, RunFacts
from model_release.documents.verdict import Decision
from model_release.documents.version import Version
from model_release.modelling import evaluation, training
from model_release.modelling.gate import choose, judge
from model_release.modelling.tasks import task_of
from model_release.modelling.trained import Trained
from model_release.spec.candidate import Candidate
from model_release.spec.gate import Choice, GatePolicy
from model_release.spec.model import Spec
from support import reference_model

METRICS = task_of(reference_model.spec()).metrics
RECIPES = {
    "logistic_regression": reference_model.candidate("LogisticRegression", C=0.1),
    "tree": reference_model.candidate("DecisionTreeClassifier", max_depth=3),
}


def spec(**changes: object) -> Spec:
    return reference_model.spec(candidates=RECIPES, **changes)


@cache
def trained() -> tuple[Trained, ...]:
    patients, _ = reference_model.rows()
    with TemporaryDirectory() as folder:
        return tuple(training.train(spec(), name, recipe, patients, Path(folder)) for name, recipe in RECIPES.items())


def manifest(recipe: Candidate | None, *, fingerprint: str | None = "a" * 64) -> Manifest:
    parameters = None if recipe is None else {"candidate": "whoever", **recipe.model_dump(mode="json")}
    return Manifest(
        model_name="heart-disease",
        version=Version(1, 3, 0),
        trained_date=None,
        accuracy=None,
        model_file="best_model.pkl",
        preprocessor_file="preprocessor.pkl",
        framework="scikit-learn",
        python_version="3.11",
        dependencies=None,
        training_data=None,
        fingerprint="f" * 64,
        files=[],
        dataset=DatasetFacts(uri=None, fingerprint=fingerprint, rows=303, as_of=date(2026, 11, 1)),
        schema_revision=1,
        parameters=parameters,
        run=RunFacts(dag_id=None, run_id="r", run_type=None),
    )


def evaluate(champion: Manifest | None = None, *, snapshot: str = "a" * 64, the_spec: Spec | None = None) -> Evaluation:
    patients, _ = reference_model.rows()
    return evaluation.evaluate(
        the_spec or spec(),
        trained(),
        patients,
        snapshot_fingerprint=snapshot,
        champion=(champion, 7) if champion else None,
    )


def decide(facts: Evaluation, chosen: str | None = None) -> Decision:
    return judge(facts, spec().gate, chosen=chosen or choose(facts, Choice.SIMPLEST_NOT_WORSE))


def test_candidates_stand_in_the_spec_s_order_of_simplicity() -> None:
    patients, _ = reference_model.rows()

    facts = evaluation.evaluate(spec(), trained()[::-1], patients, snapshot_fingerprint="a", champion=None)

    assert list(facts.candidates) == ["logistic_regression", "tree"]
    assert (facts.rows, facts.holdout_rows, facts.folds, facts.repeats) == (242, 61, 5, 2)
    assert facts.champion is None
    share = 111 / 242
    assert facts.dummy_brier == pytest.approx(share * (1 - share))
    assert facts.costs == {each.name: each.costs for each in trained()}
    assert Evaluation.read(facts.to_bytes(), where="here") == facts


def test_a_champion_of_a_candidate_s_recipe_gets_its_scores_without_a_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training, "cross_validate", lambda *_: pytest.fail("fitted again"))

    facts = evaluate(manifest(RECIPES["tree"]))

    assert facts.champion is not None
    assert facts.champion.scores.folds == facts.candidates["tree"].folds
    assert (facts.champion.version, facts.champion.since) == (Version(1, 3, 0), 7)
    assert facts.champion.recipe == "DecisionTreeClassifier(max_depth=3)"
    assert facts.champion.candidate == "tree"


def test_a_champion_of_another_recipe_is_fitted_on_the_same_folds(tmp_path: Path) -> None:
    other = reference_model.candidate("DecisionTreeClassifier", max_depth=3, min_samples_leaf=2)
    patients, _ = reference_model.rows()
    alone = training.train(spec(), "tree", other, patients, tmp_path)

    facts = evaluate(manifest(other))

    assert facts.champion is not None
    assert facts.champion.scores.folds == alone.scores.folds
    assert facts.champion.scores.folds != facts.candidates["tree"].folds
    assert facts.champion.candidate is None


@pytest.mark.parametrize(("theirs", "ours", "same"), [("a", "a", True), ("a", "b", False), (None, "a", False)])
def test_the_same_data_is_the_same_snapshot(theirs: str | None, ours: str, same: bool) -> None:
    facts = evaluate(manifest(RECIPES["tree"], fingerprint=theirs), snapshot=ours)

    assert facts.champion is not None
    assert facts.champion.same_data is same


@pytest.mark.parametrize("parameters", [None, {}, {"estimator": "Oracle", "parameters": {}, "seed": 1}])
def test_a_champion_without_a_readable_recipe_rejects(parameters: dict[str, object] | None) -> None:
    facts = evaluate(manifest(None).model_copy(update={"parameters": parameters}))

    decision = decide(facts)
    assert not decision.accepted
    unmeasured = "the live v1.3.0 could not be measured on the same folds (no recipe in its manifest); "
    assert decision.reasons[-1].startswith(unmeasured)
    assert decision.reasons[-1].endswith("by force replaces it by a person's word")


def test_no_champion_is_measured_where_the_spec_asks_for_no_comparison() -> None:
    policy = GatePolicy(compare="never")

    assert evaluate(manifest(RECIPES["tree"]), the_spec=spec(gate=policy)).champion is None


def test_the_headline_is_the_mean_over_cross_validation() -> None:
    facts = evaluate()
    decision = decide(facts)

    accuracy, measured_on = evaluation.headline(decision, facts, spec())

    assert accuracy == decision.intervals["accuracy"].mean
    assert measured_on == "mean over 2 times 5-fold stratified cross-validation of 242 rows"


def test_the_headline_of_a_choice_by_the_holdout_is_the_holdout_s() -> None:
    facts = evaluate()

    accuracy, measured_on = evaluation.headline(
        decide(facts, "logistic_regression"), facts, spec(choose=Choice.BEST_HOLDOUT_ACCURACY)
    )

    assert accuracy == 54 / 61
    assert measured_on == "holdout of 61 rows, stratified split, seed 42"


def test_what_is_measured_comes_with_its_interval_and_its_rows() -> None:
    facts = evaluate()

    found = evaluation.measured(decide(facts, "logistic_regression"), facts, spec())

    assert set(found) == {*METRICS, *(f"holdout_{metric}" for metric in METRICS)}
    for metric in METRICS:
        low, high = found[metric].low, found[metric].high
        assert low is not None
        assert high is not None
        assert low < found[metric].value < high
    holdout = found["holdout_accuracy"]
    # Wilson's interval of 54 of 61, by hand: centre (54 + z²/2)/(61 + z²), z = 1.959964
    assert (holdout.value, holdout.low, holdout.high) == pytest.approx((54 / 61, 0.781557, 0.943288), abs=1e-6)
    assert holdout.on == "holdout of 61 rows, stratified split, seed 42"
    recall = found["holdout_recall"]
    assert recall.low is not None  # a share of the 28 positive rows
    assert recall.value == 26 / 28
    for metric in METRICS:
        each = found[f"holdout_{metric}"]
        assert each.low is not None
        assert each.high is not None
        assert each.low < each.value < each.high


def test_a_figure_that_was_not_measured_is_not_told() -> None:
    facts = evaluate()
    holed = facts.candidates["tree"].model_copy(update={"holdout": dict.fromkeys(METRICS)})
    facts = facts.model_copy(update={"candidates": {"tree": holed}})
    decision = decide(facts, "tree")

    assert evaluation.measured(decision, facts, spec()) == {}
    assert evaluation.headline(decision, facts, spec())[0] is None
