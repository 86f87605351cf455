"""From a spec's recipe to scikit-learn objects, and whether it makes sense. For `training` and `lint`."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from model_release.errors import SpecError
from model_release.modelling.tasks.base import Task
from model_release.modelling.training.estimators import estimator_of
from model_release.spec.dataset import Dataset
from model_release.spec.model import Candidate


def check_recipe(task: Task, candidate: Candidate, *, name: str | None = None) -> None:
    """Find out whether the estimator takes these parameters, by name and by a fit to made-up rows.

    Args:
        task: what is predicted.
        candidate: the recipe.
        name: what the spec calls it, for the error.

    Raises:
        SpecError: names the candidate, the parameter and the nearest right one, or says what the estimator
            objects to.
    """
    where = f"candidates.{name}" if name else None
    estimator = estimator_of(task, candidate, where=where)
    rows, target = task.made_up()
    try:
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")  # a fit that warns is still a recipe that fits
            task.predict(estimator.fit(rows, target), rows[:1])
    except Exception as error:  # of whatever kind: the estimator may be anybody's
        said = " ".join(str(error).split())[:300]
        raise SpecError(f"{candidate.estimator} does not accept its parameters: {said}", where=where) from error


def build(
    task: Task, candidate: Candidate, dataset: Dataset, *, name: str | None = None
) -> tuple[ColumnTransformer, Any]:
    """Return a preprocessor and an estimator, both not fitted.

    Numeric inputs: median for what is missing, then zero mean and unit variance. Categorical inputs: the most
    frequent value for what is missing, then one column per value; a value that training has not seen gives
    zeros.

    Raises:
        SpecError: the estimator has no such parameter, or is none for this task.
    """
    columns = {
        kind: [sys.intern(column) for column, each in dataset.features.items() if each.role == kind]
        for kind in ("numeric", "categorical")
    }
    pipelines = {
        "numeric": make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()),
        "categorical": make_pipeline(
            SimpleImputer(strategy="most_frequent", keep_empty_features=True),
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        ),
    }
    preprocessor = ColumnTransformer([(kind, pipelines[kind], names) for kind, names in columns.items() if names])
    return preprocessor, estimator_of(task, candidate, where=f"candidates.{name}" if name else None)
