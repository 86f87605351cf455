"""Recipes of a team's own package: pipelines and preprocessors by name, their parameters, and what is refused."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.preprocessing import FunctionTransformer

from model_release.documents.manifest import InputColumn
from model_release.errors import SpecError
from model_release.model_files.opening import open_model
from model_release.modelling import training
from model_release.modelling.dataset import input_schema, rows_apart
from model_release.modelling.tasks import task_of
from model_release.modelling.trained import MODEL_FILE, PREPROCESSOR_FILE
from model_release.modelling.training.estimators import estimator_of
from model_release.modelling.training.recipes import build, check_recipe
from model_release.spec.candidate import Candidate
from model_release.spec.dataset import Column
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.spec.split import Validation
from support import own_package, reference_model
from support.release_builder import make

NAME = "churn_model_of_tests"
SPEC = reference_model.spec(validation=Validation(folds=2, repeats=1))
TASK = task_of(SPEC)

ODD = """\
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

FITTED = make_pipeline(StandardScaler(), LogisticRegression()).fit([[0.0], [1.0]], [0, 1])
NUMBER = 3


class Ours(ClassifierMixin, BaseEstimator):
    def __init__(self, depth):
        self.depth = depth

    def fit(self, rows, target):
        return self

    def predict(self, rows):
        return [0] * len(rows)


def nothing():
    pass


def a_class():
    return LogisticRegression


class Moody(ClassifierMixin, BaseEstimator):
    def __init__(self, depth=1):
        self.depth = [depth]

    def fit(self, rows, target):
        return self

    def predict(self, rows):
        return [0] * len(rows)


def moody():
    return Moody()


def scaler():
    return StandardScaler()


def fitted():
    return FITTED


def regressor():
    return make_pipeline(StandardScaler(), LinearRegression())


def fails():
    raise KeyError("postcode")


def needs(column):
    return make_pipeline(StandardScaler(), LogisticRegression())


def unpicklable():
    return make_pipeline(FunctionTransformer(lambda rows: rows.fillna(0)), LogisticRegression())


def picky():
    return make_pipeline(FunctionTransformer(_postcode), LogisticRegression())


def _postcode(rows):
    return rows[["postcode"]]


def words():
    told = make_pipeline(FunctionTransformer(_told), HashingVectorizer(n_features=16))
    return ColumnTransformer([("notes", told, "notes"), ("rest", "passthrough", ["age"])])


def _told(notes):
    return notes.fillna("nothing")
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = own_package.write_package(tmp_path / "code", NAME, odd=ODD, broken="raise RuntimeError('no licence')\n")
    with own_package.importable(tmp_path / "code", NAME, monkeypatch):
        yield folder


def recipe(**keys: Any) -> Candidate:
    return Candidate.model_validate(keys)


def columns() -> list[InputColumn]:
    return input_schema(SPEC.dataset)


def test_a_pipeline_of_one_s_own_is_trained_and_released_in_two_files(tmp_path: Path) -> None:
    rows, _ = reference_model.rows()
    candidate = recipe(pipeline=f"{NAME}.recipes:build", parameters={"C": 0.1, "weights": [2, 1]})

    trained = training.train(SPEC, "ours", candidate, rows, tmp_path)

    first, last = (pickle.loads((tmp_path / name).read_bytes()) for name in (PREPROCESSOR_FILE, MODEL_FILE))  # noqa: S301
    training_rows, holdout = rows_apart(SPEC, rows)
    whole = sys.modules[f"{NAME}.recipes"].build(C=0.1, weights=(2, 1))
    whole.fit(rows.frame.iloc[training_rows], rows.target[training_rows])
    asked = rows.frame.iloc[holdout]
    assert np.array_equal(last.predict_proba(first.transform(asked)), whole.predict_proba(asked))
    assert trained.scores.holdout["roc_auc"]
    assert trained.onnx == "left out: the preprocessing is the team's own, which no converter writes"
    assert trained.recipe == candidate


def test_text_reaches_a_preprocessor_of_one_s_own_as_it_is_in_training_and_at_a_door(tmp_path: Path) -> None:
    column, age = Column(kind="text", nullable=True), Column(kind="numeric")
    data = SPEC.dataset.model_copy(update={"columns": {"notes": column, "age": age}})
    spec = SPEC.model_copy(update={"dataset": data, "gate": SPEC.gate.model_copy(update={"slices": []})})
    patients, _ = reference_model.rows()
    ill = patients.target == 1
    notes = pd.Series(np.where(ill, "pain, and short of breath", "a cough"), dtype=object).mask(
        patients.frame["ca"] > 1
    )
    rows = replace(patients, frame=pd.DataFrame({"notes": notes, "age": patients.frame["age"]}))
    candidate = recipe(preprocessor=f"{NAME}.odd:words", estimator="LogisticRegression")
    check_recipe(TASK, candidate, columns=input_schema(spec.dataset), name="ours")

    trained = training.train(spec, "ours", candidate, rows, tmp_path)

    facts = {"files": trained.files, "input_schema": input_schema(spec.dataset)}
    model = open_model(tmp_path, make(tmp_path, "text").draft.model_copy(update=facts), "pickle")
    answers = model.predict({"notes": [" pain, and short of breath ", "a cough", None, "?"], "age": [60] * 4}).numbers
    assert answers is not None
    assert answers[0] > 0.7
    assert answers[1] < 0.3
    assert answers[2] == answers[3], "a mark of the data set is no word"
    assert (trained.scores.holdout["accuracy"] or 0) > 0.8


def test_a_preprocessor_of_one_s_own_stands_before_the_package_s_estimator(tmp_path: Path) -> None:
    candidate = recipe(preprocessor=f"{NAME}.recipes:prepare", estimator="LogisticRegression", parameters={"C": 0.5})
    rows, _ = reference_model.rows()

    check_recipe(TASK, candidate, columns=columns())
    preprocessor, estimator = training.fit(SPEC, "ours", candidate, rows, rows_apart(SPEC, rows)[0])

    assert preprocessor[0].columns_ == [*SPEC.dataset.inputs]
    assert estimator.C == 0.5
    assert estimator.n_features_in_ == len(SPEC.dataset.inputs) + 1


def test_equal_recipes_give_equal_bytes_since_the_seed_fills_what_is_open() -> None:
    rows, _ = reference_model.rows()
    candidate = recipe(pipeline=f"{NAME}.recipes:forest", seed=7)
    made = [training.fit(SPEC, "ours", candidate, rows, rows_apart(SPEC, rows)[0]) for _ in range(2)]

    assert training.pickled(TASK, *made[0]) == training.pickled(TASK, *made[1])
    assert made[0][1].random_state == 7


def test_parameters_reach_the_function_and_the_steps_of_what_it_returns() -> None:
    candidate = recipe(
        pipeline=f"{NAME}.recipes:build",
        parameters={
            "C": 0.3,
            "logisticregression__class_weight": {"1": 10, "0": 1},
            "ratios__weights": "(3, 4)",
            "simpleimputer__strategy": "median",
        },
    )
    preprocessor, estimator = build(TASK, candidate, SPEC.dataset)

    assert preprocessor[0].weights == (3, 4)
    assert preprocessor[1].strategy == "median"
    assert (estimator.C, estimator.class_weight) == (0.3, {1: 10, 0: 1})


def test_yaml_as_people_write_it_is_what_the_estimator_gets(tmp_path: Path) -> None:
    value = yaml.safe_load((reference_model.MODELS / "heart_disease.yaml").read_text())
    value["candidates"] = {"simple": {"estimator": "LogisticRegression"}}
    text = (
        yaml.safe_dump(value)
        .replace(
            "    estimator: LogisticRegression\n",
            "    estimator: LogisticRegression\n"
            "    parameters:\n      class_weight: {0: 1, 1: 10}\n"
            "  layers:\n    estimator: MLPClassifier\n    parameters: {hidden_layer_sizes: [8, 4], betas: 1}\n"
            "  bagged:\n    estimator: BaggingClassifier\n"
            "    parameters:\n      estimator: {estimator: DecisionTreeClassifier}\n      estimator__max_depth: 2\n",
        )
        .replace(", betas: 1", "")
    )
    path = tmp_path / "heart.yaml"
    path.write_text(text)
    candidates = load_spec(path).candidates

    assert estimator_of(TASK, candidates["simple"]).class_weight == {0: 1, 1: 10}
    assert estimator_of(TASK, candidates["layers"]).hidden_layer_sizes == (8, 4)
    assert estimator_of(TASK, candidates["bagged"]).estimator.max_depth == 2


def test_an_estimator_in_place_of_a_pipeline_takes_the_inputs_as_they_are() -> None:
    (Path(sys.path[0]) / NAME / "trees.py").write_text(
        "from sklearn.ensemble import HistGradientBoostingClassifier\n"
        "def build():\n    return HistGradientBoostingClassifier(max_iter=3)\n"
    )
    candidate = recipe(pipeline=f"{NAME}.trees:build")

    check_recipe(TASK, candidate, columns=columns())
    assert isinstance(build(TASK, candidate, SPEC.dataset)[0], FunctionTransformer)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"pipeline": "odd:nothing"}, "returns nothing, which has no fit and no predict and no get_params"),
        ({"pipeline": "odd:a_class"}, "returns the class LogisticRegression: return an object, LogisticRegression()"),
        ({"pipeline": "odd:scaler"}, "returns a StandardScaler, which has no predict"),
        ({"pipeline": "odd:fitted"}, "returns a StandardScaler that is fitted already"),
        ({"pipeline": "odd:moody"}, "returns what scikit-learn's clone cannot copy"),
        ({"pipeline": "odd:regressor"}, "is a regressor; a binary model needs a classifier"),
        ({"pipeline": "odd:fails"}, "cannot be called: KeyError: 'postcode'"),
        ({"pipeline": "odd:needs"}, "missing 1 required positional argument: 'column'"),
        ({"pipeline": "odd:NUMBER"}, "is no function that could be called"),
        ({"pipeline": "odd:missing"}, "has no missing"),
        ({"pipeline": "broken:build"}, "cannot be imported: RuntimeError: no licence"),
        ({"pipeline": "nowhere:build"}, f"No module named '{NAME}.nowhere'"),
        ({"pipeline": "odd:unpicklable"}, "cannot be released, since it cannot be pickled"),
        ({"pipeline": "odd:picky"}, "cannot be fitted to made-up rows: \"None of [Index(['postcode']"),
        ({"pipeline": "recipes:build", "parameters": {"CC": 1}}, "takes no argument 'CC'; did you mean 'C'?"),
        (
            {"pipeline": "recipes:build", "parameters": {"logisticregression__c": 1}},
            "has no parameter 'logisticregression__c'; did you mean 'logisticregression__C'?",
        ),
        (
            {"pipeline": "recipes:build", "parameters": {"logisticregression__random_state": 1}},
            "is not for a recipe: the recipe's own key seed sets it",
        ),
        (
            {"pipeline": "recipes:build", "parameters": {"C": {"estimator": "Ridge"}}},
            "it makes its estimators, such as Ridge, itself",
        ),
        ({"preprocessor": "odd:fails", "estimator": "LogisticRegression"}, "cannot be called: KeyError"),
        ({"preprocessor": "odd:nothing", "estimator": "LogisticRegression"}, "has no fit and no transform"),
        ({"estimator": f"{NAME}.odd.Ours"}, "missing 1 required positional argument: 'depth'"),
        ({"estimator": f"{NAME}.odd.scaler"}, "is no estimator: a class with fit and get_params"),
    ],
)
def test_lint_refuses_what_can_be_no_model_with_the_reason(keys: dict[str, Any], words: str) -> None:
    named = {
        key: f"{NAME}.{value}" if key in ("pipeline", "preprocessor") and ":" in value else value
        for key, value in keys.items()
    }
    with pytest.raises(SpecError) as caught:
        check_recipe(TASK, recipe(**named), columns=columns(), name="ours")

    assert words in str(caught.value)
    assert "candidates.ours" in str(caught.value)


def test_a_package_that_the_deployment_does_not_allow_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_RELEASE_ALLOWED_PACKAGES", "another")

    with pytest.raises(SpecError, match=f"is of the package {NAME}, which this deployment does not allow"):
        check_recipe(TASK, recipe(pipeline=f"{NAME}.recipes:build"), columns=columns())
    assert NAME not in sys.modules


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        ({"pipeline": "a.b:c", "estimator": "Ridge"}, "name one of the two"),
        ({"parameters": {}}, "name one of the two"),
        ({"pipeline": "a.b:c", "preprocessor": "a.b:d"}, "a pipeline brings its own"),
        ({"pipeline": "a.b.c"}, "a function is named module:function"),
    ],
)
def test_a_candidate_is_an_estimator_or_a_pipeline(tmp_path: Path, candidate: dict[str, Any], words: str) -> None:
    value = yaml.safe_load((reference_model.MODELS / "heart_disease.yaml").read_text())
    value["candidates"] = {"ours": candidate}
    path = tmp_path / "heart.yaml"
    path.write_text(yaml.safe_dump(value))

    with pytest.raises(SpecError, match=words):
        load_spec(path)


def test_a_spec_is_read_without_an_import_of_the_team_s_package(tmp_path: Path) -> None:
    value = yaml.safe_load((reference_model.MODELS / "heart_disease.yaml").read_text())
    value["candidates"] = {"ours": {"pipeline": f"{NAME}.recipes:build"}}
    path = tmp_path / "heart.yaml"
    path.write_text(yaml.safe_dump(value))

    spec: Spec = load_spec(path)

    assert spec.candidates["ours"].made_by == f"{NAME}.recipes:build"
    assert NAME not in sys.modules
