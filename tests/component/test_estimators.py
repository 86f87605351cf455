"""Estimators by name: those that scikit-learn has, those that a deployment allows, and what is none."""

from __future__ import annotations

import pickle
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import RidgeClassifier
from sklearn.utils import all_estimators

from model_release.errors import SpecError
from model_release.modelling.imports import PACKAGES_VARIABLE
from model_release.modelling.tasks.base import Task
from model_release.modelling.tasks.binary import Binary
from model_release.modelling.tasks.multiclass import Multiclass
from model_release.modelling.tasks.regression import Regression
from model_release.modelling.training.estimators import estimator_of
from model_release.modelling.training.recipes import check_recipe
from model_release.spec.candidate import Candidate
from model_release.spec.estimators import NAMED, import_path
from model_release.spec.tasks import BINARY, MULTICLASS, REGRESSION

TWO = Binary(BINARY, "brier", classes=("stays", "leaves"))
THREE = Multiclass(MULTICLASS, "log_loss", classes=("hut", "house", "palace"))
NUMBER = Regression(REGRESSION, "rmse")
SEVERAL_TARGETS = {
    "CCA", "PLSCanonical", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
    "ClassifierChain", "MultiOutputClassifier", "MultiOutputRegressor", "RegressorChain",
}  # fmt: skip


def recipe(estimator: str, /, **parameters: Any) -> Candidate:
    return Candidate.model_validate({"estimator": estimator, "parameters": parameters, "seed": 3})


def test_every_estimator_of_one_target_that_scikit_learn_has_may_be_named() -> None:
    there = {name for kind in ("classifier", "regressor") for name, _ in all_estimators(type_filter=kind)}

    assert set(NAMED) == there - SEVERAL_TARGETS
    for path in NAMED.values():
        module, _, name = path.rpartition(".")
        assert hasattr(import_module(module), name)


@pytest.mark.parametrize(
    ("task", "estimator"),
    [
        (TWO, "AdaBoostClassifier"),
        (TWO, "LinearSVC"),
        (TWO, "SVC"),
        (TWO, "RidgeClassifier"),
        (TWO, "sklearn.linear_model.SGDClassifier"),
        (THREE, "HistGradientBoostingClassifier"),
        (THREE, "MLPClassifier"),
        (NUMBER, "PoissonRegressor"),
        (NUMBER, "GammaRegressor"),
        (NUMBER, "QuantileRegressor"),
        (NUMBER, "SVR"),
        (NUMBER, "TransformedTargetRegressor"),
    ],
)
def test_an_estimator_of_the_task_s_kind_can_be_fitted_and_asked(task: Task, estimator: str) -> None:
    check_recipe(task, recipe(estimator))


def test_a_classifier_without_probabilities_gets_calibrated_ones() -> None:
    assert isinstance(estimator_of(TWO, recipe("RidgeClassifier")), CalibratedClassifierCV)
    assert not isinstance(estimator_of(TWO, recipe("LogisticRegression")), CalibratedClassifierCV)


@pytest.mark.parametrize(
    ("task", "candidate", "words"),
    [
        (TWO, recipe("Ridge"), "Ridge is a regressor; a binary model needs a classifier"),
        (
            NUMBER,
            recipe("LogisticRegression"),
            "is a classifier; a regression model needs a regressor",
        ),
        (
            TWO,
            recipe("sklearn.preprocessing.StandardScaler"),
            "StandardScaler is a transformer; a binary model needs a",
        ),
        (
            TWO,
            recipe("sklearn.metrics.accuracy_score"),
            "is no estimator: a class with fit",
        ),
        (TWO, recipe("sklearn.no_such_module.Thing"), "cannot be imported: No module named 'sklearn.no_such_module'"),
        (TWO, recipe("os.system"), "os.system is of the package os, which this deployment does not allow"),
        (TWO, recipe("sklearn.utils.os.PathLike"), "cannot be imported"),
        (
            TWO,
            recipe("BaggingClassifier", estimator={"estimator": "DecisionTreeClassifier", "parameters": {"depth": 3}}),
            "DecisionTreeClassifier has no parameter 'depth'",
        ),
    ],
)
def test_what_cannot_be_the_model_is_refused_with_the_reason(task: Task, candidate: Candidate, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_recipe(task, candidate, name="mine")

    assert words in str(caught.value)
    assert "candidates.mine" in str(caught.value)


def test_parameters_may_be_steps_tuples_and_weights_by_class() -> None:
    stacked = recipe(
        "StackingClassifier",
        estimators=[["tree", {"estimator": "DecisionTreeClassifier", "parameters": {"max_depth": 2}}]],
        final_estimator={"estimator": "LogisticRegression"},
    )
    layers = estimator_of(TWO, recipe("MLPClassifier", hidden_layer_sizes={"tuple": [8, 4]}))
    by_words = estimator_of(TWO, recipe("LogisticRegression", class_weight={"stays": 1, "leaves": 10}))
    by_code = estimator_of(TWO, recipe("LogisticRegression", class_weight={"0": 1, "1": 10}))

    check_recipe(TWO, stacked)
    assert estimator_of(TWO, stacked).estimators[0][1].max_depth == 2
    assert layers.hidden_layer_sizes == (8, 4)
    assert by_words.class_weight == by_code.class_weight == {0: 1, 1: 10}


def test_equal_recipes_make_equal_bytes() -> None:
    made = [pickle.dumps(estimator_of(TWO, recipe("SVC", C=0.5)), protocol=5) for _ in range(2)]

    assert made[0] == made[1]


def test_another_package_s_estimator_is_imported_only_where_the_deployment_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "our_models.py").write_text(
        "from sklearn.linear_model import RidgeClassifier, LogisticRegression as Sneaky\n"
        "class Ours(RidgeClassifier):\n    'A classifier of a team.'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    candidate = recipe("our_models.Ours")

    with pytest.raises(SpecError, match="is of the package our_models, which this deployment does not allow") as caught:
        check_recipe(TWO, candidate)
    assert f"{PACKAGES_VARIABLE}=our_models in the environment" in str(caught.value)
    assert "our_models" not in sys.modules

    monkeypatch.setenv(PACKAGES_VARIABLE, "their_models, our_models")
    check_recipe(TWO, candidate)
    assert isinstance(estimator_of(TWO, candidate).estimator, RidgeClassifier)
    sys.modules.pop("our_models")


def test_the_package_counts_that_the_object_itself_is_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "our_aliases.py").write_text("from other_models import Hidden\n")
    (tmp_path / "other_models.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nclass Hidden(LogisticRegression):\n    'Not allowed.'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv(PACKAGES_VARIABLE, "our_aliases")

    with pytest.raises(SpecError, match="is of the package other_models, which this deployment does not allow"):
        check_recipe(TWO, recipe("our_aliases.Hidden"))
    for name in ("our_aliases", "other_models"):
        sys.modules.pop(name)


def test_a_name_leads_to_its_import_path() -> None:
    assert import_path("Ridge") == "sklearn.linear_model.Ridge"
    assert import_path("lightgbm.LGBMClassifier") == "lightgbm.LGBMClassifier"
