"""Training: the reference's own figure, the same bytes in every process, and an ONNX form that agrees."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from model_release.documents import golden
from model_release.errors import DataInvalid, SpecError
from model_release.model_files.opening import ONNX_FILE
from model_release.modelling import training
from model_release.modelling.dataset import rows_apart
from model_release.modelling.tasks import task_of
from model_release.modelling.trained import MLMODEL_FILE, MODEL_FILE, PREDICTIONS_FILE, PREPROCESSOR_FILE, Trained
from model_release.modelling.training import onnx_export
from model_release.modelling.training.recipes import build, check_recipe
from model_release.spec.candidate import Candidate
from model_release.spec.split import Validation
from support import reference_model

TASK = task_of(reference_model.spec())
FOREST = reference_model.candidate("RandomForestClassifier", n_estimators=100)
LOGISTIC = reference_model.candidate("LogisticRegression", C=0.1)

RECIPES: dict[str, dict[str, Any]] = {
    "LogisticRegression": {"C": 0.1},
    "RandomForestClassifier": {"n_estimators": 30},
    "ExtraTreesClassifier": {"n_estimators": 30},
    "GradientBoostingClassifier": {"n_estimators": 20},
    "HistGradientBoostingClassifier": {"max_iter": 10},
    "SVC": {"C": 0.5, "gamma": 0.02},
    "KNeighborsClassifier": {"n_neighbors": 15},
    "DecisionTreeClassifier": {"max_depth": 3},
    "GaussianNB": {},
}


def train(candidate: Candidate, folder: Path, *, repeats: int = 1) -> Trained:
    spec = reference_model.spec(validation=Validation(repeats=repeats))
    rows, _ = reference_model.rows()
    return training.train(spec, "one", candidate, rows, folder)


def test_the_forest_gets_the_reference_s_own_54_of_61(tmp_path: Path) -> None:
    trained = train(FOREST, tmp_path)

    assert trained.scores.holdout["accuracy"] == 54 / 61
    assert round(54 / 61, 4) == 0.8852


def test_what_training_gave_survives_as_a_document(tmp_path: Path) -> None:
    trained = train(LOGISTIC, tmp_path, repeats=2)

    assert Trained.read(trained.to_bytes(), where="here") == trained
    assert trained.recipe == LOGISTIC
    assert [entry.path for entry in trained.files] == [
        "best_model.pkl",
        "preprocessor.pkl",
        "model.onnx",
        "MLmodel",
        "golden.json",
        "requirements.txt",
    ]
    assert {entry.path for entry in trained.made} == {path.name for path in tmp_path.iterdir()}
    for entry in trained.made:
        assert entry.size == (tmp_path / entry.path).stat().st_size


def test_cross_validation_measures_each_row_once_per_repeat_while_it_is_left_out(tmp_path: Path) -> None:
    spec, (rows, _) = reference_model.spec(), reference_model.rows()
    training_rows, holdout_rows = rows_apart(spec, rows)
    trained = train(LOGISTIC, tmp_path, repeats=2)

    out_of_fold = pd.read_parquet(tmp_path / PREDICTIONS_FILE)

    assert sorted(out_of_fold.index) == sorted(training_rows)
    assert not set(out_of_fold.index) & set(holdout_rows)
    assert list(out_of_fold.columns) == ["repeat_1", "repeat_2"]
    assert out_of_fold.notna().all(axis=None)
    target = rows.target[out_of_fold.index]
    brier = ((out_of_fold.to_numpy() - target[:, None]) ** 2).mean()
    folds = trained.scores.folds["brier"]
    assert len(folds) == 10
    assert np.mean([value for value in folds if value is not None]) == pytest.approx(brier, rel=0.01)


def test_the_holdout_takes_no_part_in_the_fit(tmp_path: Path) -> None:
    spec, (plain, _) = reference_model.spec(validation=Validation(repeats=1)), reference_model.rows()
    _, holdout_rows = rows_apart(spec, plain)
    changed = plain.frame.copy()
    changed.loc[holdout_rows, "chol"] += 100
    for name, rows in {"plain": plain, "changed": replace(plain, frame=changed)}.items():
        (tmp_path / name).mkdir()
        training.train(spec, "one", LOGISTIC, rows, tmp_path / name)

    for path in (MODEL_FILE, PREPROCESSOR_FILE):
        assert (tmp_path / "plain" / path).read_bytes() == (tmp_path / "changed" / path).read_bytes()


def test_the_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    code = (
        "import json, sys; from support import reference_model; from pathlib import Path\n"
        "from model_release.modelling import training\n"
        "from model_release.spec.split import Validation\n"
        "spec = reference_model.spec(validation=Validation(folds=2, repeats=1)); rows, _ = reference_model.rows()\n"
        "for estimator, parameters in json.loads(sys.argv[2]).items():\n"
        "    folder = Path(sys.argv[1]) / estimator; folder.mkdir()\n"
        "    training.train(spec, 'one', reference_model.candidate(estimator, **parameters), rows, folder)\n"
    )
    made = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(folder), json.dumps(RECIPES)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=True,
        )
        made.append({path.relative_to(folder): path.read_bytes() for path in folder.glob("*/*")})

    assert len(made[0]) >= 3 * len(RECIPES)
    assert made[0] == made[1]


def test_the_number_of_threads_leaves_no_trace(tmp_path: Path) -> None:
    made = []
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        folder.mkdir()
        train(reference_model.candidate("RandomForestClassifier", n_estimators=10, n_jobs=jobs), folder)
        made.append((folder / MODEL_FILE).read_bytes())

    assert made[0] == made[1]


def test_where_the_frame_came_from_leaves_no_trace(tmp_path: Path) -> None:
    plain, _ = reference_model.rows()
    spec = reference_model.spec(validation=Validation(folds=2, repeats=1))
    copied = pickle.loads(pickle.dumps(plain))  # noqa: S301 - dtypes that are no singletons any more
    recipe = Candidate.model_validate_json(FOREST.model_dump_json())
    for name, rows, candidate in (("plain", plain, FOREST), ("copied", copied, recipe)):
        (tmp_path / name).mkdir()
        training.train(spec, "one", candidate, rows, tmp_path / name)

    for path in (MODEL_FILE, PREPROCESSOR_FILE):
        assert (tmp_path / "plain" / path).read_bytes() == (tmp_path / "copied" / path).read_bytes()


@pytest.mark.parametrize("estimator", sorted(RECIPES))
def test_the_onnx_form_agrees_on_every_row(estimator: str) -> None:
    spec, (rows, _) = reference_model.spec(), reference_model.rows()
    columns = list(spec.dataset.inputs)
    preprocessor, classifier = build(TASK, reference_model.candidate(estimator, **RECIPES[estimator]), spec.dataset)
    features = preprocessor.fit_transform(rows.frame[columns])
    classifier.fit(features, rows.target)
    unseen = rows.frame[columns].copy()
    unseen.loc[0, "cp"] = 9.0  # a value that training has not seen
    unseen.loc[1] = np.nan

    graph = onnx_export.export(preprocessor, classifier, columns, TASK.output())

    label, probability = onnx_export.predict(graph, unseen, TASK.output())
    prepared = preprocessor.transform(unseen)
    assert (label == classifier.predict(prepared)).all()
    assert np.abs(probability - classifier.predict_proba(prepared)[:, 1]).max() <= golden.TOLERANCE
    properties = {each.key: each.value for each in onnx.load_from_string(graph).metadata_props}
    assert properties[onnx_export.COLUMNS].startswith('["age", "sex", "cp"')


def test_a_form_that_cannot_be_made_is_left_out_with_a_reason(tmp_path: Path) -> None:
    trained = train(reference_model.candidate("HistGradientBoostingClassifier", max_iter=5), tmp_path)

    if ONNX_FILE in {entry.path for entry in trained.files}:
        assert trained.onnx.startswith("the same class on all 303 rows and ")
    else:
        assert trained.onnx.startswith("left out: ")
        assert not (tmp_path / ONNX_FILE).exists()
        assert not (tmp_path / MLMODEL_FILE).exists()


def test_a_form_that_disagrees_is_left_out_with_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def off(*arguments: Any) -> tuple[Any, Any]:
        label, probability = predict(*arguments)
        return label, probability + 2e-5

    predict = onnx_export.predict
    monkeypatch.setattr(onnx_export, "predict", off)

    trained = train(LOGISTIC, tmp_path)

    assert trained.onnx.startswith("left out: 0 rows get another class, largest difference in probability 2.0e-05")
    assert not (tmp_path / ONNX_FILE).exists()


def test_a_form_that_errs_on_unseen_categories_alone_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(graph: bytes, rows: Any, output: Any) -> tuple[Any, Any]:
        label, probability = predict(graph, rows, output)
        return label, probability + 0.25 * (rows.iloc[:, 2] > 4)  # chest pain is 1, 2, 3 or 4

    predict = onnx_export.predict
    monkeypatch.setattr(onnx_export, "predict", off)

    assert train(LOGISTIC, tmp_path).onnx.startswith("left out: 0 rows get another class, largest difference")


def test_a_version_s_folder_is_a_model_for_mlflow_whatever_the_order_of_the_columns(tmp_path: Path) -> None:
    train(FOREST, tmp_path)
    rows, _ = reference_model.rows()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its type hints
        import mlflow.pyfunc
    model = mlflow.pyfunc.load_model(str(tmp_path))

    said = model.predict(rows.frame.iloc[:, ::-1])
    assert list(said.columns) == ["label", "probability"]
    assert (said["label"] == (said["probability"] > 0.5)).all()
    assert (said["label"] == rows.target).mean() > 0.9


def test_categories_in_words_are_trained_on_and_have_an_onnx_form(tmp_path: Path) -> None:
    rows, _ = reference_model.rows()
    columns = reference_model.spec().dataset.columns
    words = columns["sex"].model_copy(update={"values": ["female", "male"]})
    dataset = reference_model.spec().dataset.model_copy(update={"columns": {**columns, "sex": words}})
    spec = reference_model.spec(dataset=dataset, validation=Validation(folds=2, repeats=1))
    named = rows.frame.assign(sex=rows.frame["sex"].map({0.0: "female", 1.0: "male"}))
    named.loc[3, "sex"] = np.nan

    trained = training.train(spec, "one", LOGISTIC, replace(rows, frame=named), tmp_path)

    assert (trained.scores.holdout["accuracy"] or 0) > 0.8
    assert trained.onnx.startswith("the same class on all 303 rows and ")


def test_too_few_rows_of_a_class_for_the_folds_are_the_data_s_fault(tmp_path: Path) -> None:
    rows, _ = reference_model.rows()
    few = rows.take(np.concatenate([np.flatnonzero(rows.target == 0), np.flatnonzero(rows.target == 1)[:5]]))

    with pytest.raises(DataInvalid, match="the rarest class, .*, has 4 rows outside the holdout, too few for 5 folds"):
        training.train(reference_model.spec(), "one", LOGISTIC, few, tmp_path)


def test_a_figure_that_cannot_be_measured_is_none(tmp_path: Path) -> None:
    one_class = reference_model.candidate("DecisionTreeClassifier", max_depth=1, min_samples_leaf=0.5)

    trained = train(one_class, tmp_path)

    assert None in trained.scores.folds["precision"]  # it never says yes, so there is nothing to be precise about
    assert None not in trained.scores.folds["brier"]


@pytest.mark.parametrize(
    ("candidate", "words"),
    [
        (
            reference_model.candidate("RandomForestClassifier", n_estimator=100),
            "candidates.forest: RandomForestClassifier has no parameter 'n_estimator'; did you mean 'n_estimators'?",
        ),
        (reference_model.candidate("LogisticRegression", zzz=1), "LogisticRegression has no parameter 'zzz'\n"),
        (
            reference_model.candidate("LogisticRegression", random_state=1),
            "parameter 'random_state' is not for a recipe: the recipe's own key seed sets it",
        ),
        (
            reference_model.candidate("SVC", probability=True),
            "a classifier that has no probabilities of its own gets calibrated ones",
        ),
        (
            reference_model.candidate("RandomForestClassifier", n_estimators="many"),
            "RandomForestClassifier does not accept its parameters: The 'n_estimators' parameter",
        ),
        (
            reference_model.candidate("LogisticRegression", solver="lbfgs", l1_ratio=1),
            "does not accept its parameters",
        ),
    ],
)
def test_a_wrong_parameter_is_named_with_the_nearest_right_one(candidate: Candidate, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_recipe(TASK, candidate, name="forest")

    assert words in str(caught.value)


@pytest.mark.parametrize("estimator", RECIPES)
def test_every_estimator_that_a_spec_may_name_can_be_built_and_fitted(estimator: str) -> None:
    check_recipe(TASK, Candidate(estimator=estimator, parameters=RECIPES[estimator]))
