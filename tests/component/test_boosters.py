"""Estimators of LightGBM, XGBoost and CatBoost: three tasks, missing values, words as labels, and their files."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_release.documents import golden
from model_release.documents.golden import made_up_rows
from model_release.documents.manifest import Manifest
from model_release.modelling import training
from model_release.modelling.dataset import Rows, input_schema
from model_release.modelling.dataset.rows import target_values
from model_release.modelling.imports import PACKAGES_VARIABLE
from model_release.modelling.packages import packages_of
from model_release.modelling.tasks import task_of
from model_release.modelling.tasks.binary import Binary
from model_release.modelling.training.estimators import estimator_of
from model_release.modelling.training.forms import onnx_form, predictions_of
from model_release.modelling.training.repeatability import difference
from model_release.spec.candidate import Candidate
from model_release.spec.load import load_spec
from model_release.spec.tasks import BINARY
from model_release.stores import open_store
from model_release.workflows import reproduce
from support import houses
from support.retrain_steps import judged

ESTIMATORS = {
    "lightgbm": ("lightgbm.LGBM", {"n_estimators": 8, "min_child_samples": 5}),
    "xgboost": ("xgboost.XGB", {"n_estimators": 8}),
    "catboost": ("catboost.CatBoost", {"iterations": 8}),
}
PINNED = {"lightgbm": "lightgbm", "xgboost": "xgboost-cpu", "catboost": "catboost"}


def candidate(package: str, task: str) -> dict[str, Any]:
    name, parameters = ESTIMATORS[package]
    kind = "Regressor" if task == "regression" else "Classifier"
    return {"estimator": f"{name}{kind}", "parameters": parameters}


@pytest.fixture(autouse=True)
def _allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PACKAGES_VARIABLE, ",".join(ESTIMATORS))


@pytest.mark.parametrize("task", houses.TARGETS)
@pytest.mark.parametrize("package", ESTIMATORS)
def test_a_booster_fits_answers_and_has_the_forms_that_are_right(package: str, task: str, tmp_path: Path) -> None:
    recipe = candidate(package, task)
    spec = load_spec(houses.spec_file(tmp_path, task, {"boosted": recipe}))
    table = houses.houses()
    rows = Rows(table[[*houses.COLUMNS]], target_values(table[spec.dataset.target.column], spec.dataset.target))
    every = np.arange(len(table))
    model, again = (training.fit(spec, "boosted", spec.candidates["boosted"], rows, every) for _ in range(2))
    kind = task_of(spec)

    predictions = predictions_of(kind, *model, rows.frame)
    made_up = golden.table(made_up_rows(input_schema(spec.dataset)))
    graph, words = onnx_form(kind, spec.candidates["boosted"], *model, rows.frame, rows.target, made_up)
    varies = difference(kind, model, again, rows.frame)

    assert made_up.isna().to_numpy().any()
    assert np.isfinite(predictions).all()
    assert predictions.shape == (len(table), *kind.shape)
    if package == "catboost":
        assert (graph, words.partition("(")[0]) == (None, "left out: the converter cannot write it ")
        assert varies == "two fits to the same rows gave other bytes of best_model.pkl, and the same predictions"
    else:
        assert graph is not None
        assert words.startswith("the same ")
        assert varies is None


def test_a_model_whose_bytes_vary_is_released_with_that_said_and_reproduced_by_its_answers(tmp_path: Path) -> None:
    path = houses.spec_file(tmp_path, "binary", {"boosted": candidate("catboost", "binary")})
    run = houses.night(path)
    verdict, orders = judged(run)
    run.update_latest([run.upload(each) for each in orders])
    version = tmp_path / "store" / "houses-models" / "v1.0.0"
    manifest = Manifest.read((version / "metadata.json").read_bytes(), where="v1.0.0")
    assert manifest.varies in verdict.reasons
    assert manifest.environment["catboost"] == metadata.version("catboost")
    assert "Not the same bytes twice" in (version / "model_card.html").read_text()

    done = reproduce.reproduce(manifest, open_store(reproduce.data_uri(manifest)))
    assert done.same
    assert {each.path: each.same for each in done.files} == {"best_model.pkl": False, "preprocessor.pkl": True}

    verdict, orders = judged(houses.night(path, 2, force=True))
    assert (verdict.reproduced, orders) == (True, [])
    assert verdict.summary.startswith("v1.0.0 stays: it was made again, and gives the same answers to every golden row")


def test_a_booster_s_threads_are_the_recipe_s_or_one() -> None:
    task = Binary(BINARY, "brier", classes=("stays", "is sold"))
    for package, threads in (("lightgbm", "n_jobs"), ("xgboost", "n_jobs"), ("catboost", "thread_count")):
        plain = Candidate.model_validate(candidate(package, "binary"))
        two = plain.model_copy(update={"parameters": {**plain.parameters, threads: 2}})
        assert estimator_of(task, plain).get_params()[threads] == 1
        assert estimator_of(task, two).get_params()[threads] == 2


def test_the_fingerprint_knows_a_booster_by_its_distribution() -> None:
    assert packages_of([Candidate(estimator="xgboost.XGBClassifier")]).versions.keys() == {"xgboost-cpu"}
    inside: Any = {"estimator": {"estimator": "lightgbm.LGBMClassifier"}}
    assert packages_of([Candidate(estimator="BaggingClassifier", parameters=inside)]).versions.keys() == {"lightgbm"}
    assert packages_of([Candidate(estimator="LogisticRegression")]).versions == {}
