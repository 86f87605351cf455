"""From a spec's recipe to scikit-learn objects, and whether it makes sense. For `training` and `lint`."""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits

from model_release.documents.golden import GOLDEN_DAY, made_up_rows, table
from model_release.documents.inputs import Inputs
from model_release.documents.manifest import InputColumn
from model_release.errors import SpecError
from model_release.modelling.tasks.base import Predictions, Target, Task, Weight
from model_release.modelling.training import own
from model_release.modelling.training.estimators import estimator_of
from model_release.spec.candidate import Candidate
from model_release.spec.dataset import Dataset


def check_recipe(
    task: Task,
    candidate: Candidate,
    *,
    columns: Sequence[InputColumn] = (),
    weighted: bool = False,
    name: str | None = None,
) -> None:
    """Find out whether a recipe can be made, fitted to made-up rows, asked, and pickled.

    Args:
        task: what is predicted.
        candidate: the recipe.
        columns: the model's inputs, of which a team's own preprocessing gets rows.
        weighted: whether rows have weights.
        name: what the spec calls it, for the error.

    Raises:
        SpecError: names the candidate, the parameter and the nearest right one, or says what the estimator
            objects to.
    """
    where = f"candidates.{name}" if name else None
    rows, target = task.made_up()
    steps: list[Any]
    features: Any = rows
    if candidate.prepares_itself:
        steps = [*_own(task, candidate, where)]
        features = table(Inputs(columns).encode(made_up_rows(columns, len(target)), GOLDEN_DAY))
    else:
        steps = [estimator_of(task, candidate, where=where)]
    try:
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")  # a fit that warns is still a recipe that fits
            for step in steps[:-1]:
                features = step.fit_transform(features, target)
            fit_weighted(steps[-1], features, target, np.ones(len(target)) if weighted else None)
            answers = task.predict(steps[-1], features)
            own_border = bool(task.classes) and not _same_border(task, steps[-1], features, answers, target)
    except SpecError as error:
        raise SpecError(error.what, where=where, hint=error.hint) from error
    except Exception as error:  # of whatever kind: the estimator may be anybody's
        said = " ".join(str(error).split())[:300]
        what = "cannot be fitted to made-up rows" if candidate.prepares_itself else "does not accept its parameters"
        raise SpecError(f"{candidate.made_by} {what}: {said}", where=where) from error
    if own_border:
        raise SpecError(
            f"{candidate.made_by} calls classes by a border of its own, which figures and other forms do not know",
            where=where,
            hint="gate.threshold sets or tunes the border of every candidate",
        )
    try:
        pickle.dumps(steps, protocol=5)
    except Exception as error:  # the same
        said = " ".join(str(error).split())[:300]
        raise SpecError(
            f"{candidate.made_by} cannot be released, since it cannot be pickled: {said}",
            where=where,
            hint="define functions and classes at the top of a module, not inside others",
        ) from error


def _same_border(task: Task, estimator: Any, features: Any, answers: Predictions, target: Target) -> bool:
    """Whether an estimator calls each row that is no close call as its probabilities do."""
    wanted = task.golden({}, answers, target)
    clear = np.array([wanted.is_clear(each) for each in wanted.numbers], dtype=bool)
    called = np.asarray(task.released(estimator).predict(features), dtype=np.int64).reshape(-1)
    return bool((called == task.called(answers))[clear].all())


def build(task: Task, candidate: Candidate, dataset: Dataset, *, name: str | None = None) -> tuple[Any, Any]:
    """Return a preprocessor, which takes a frame of the inputs, and an estimator, both not fitted.

    Unless the recipe brings its own preprocessor, numeric inputs get the median for what is missing, then zero mean and
    unit variance; categorical ones the most frequent value for what is missing, then one column per value: a value that
    training has not seen gives zeros.

    Raises:
        SpecError: the estimator has no such parameter, or is none for this task.
    """
    where = f"candidates.{name}" if name else None
    if candidate.prepares_itself:
        return _own(task, candidate, where)
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
    return preprocessor, estimator_of(task, candidate, where=where)


def fit_weighted(estimator: Any, features: Any, target: Target, weight: Weight | None) -> Any:
    """Fit an estimator, and return it. Weights are scaled to a mean of 1, so that their unit regularises nothing.

    Raises:
        SpecError: there are weights, and the estimator takes none.
    """
    if weight is None:
        return estimator.fit(features, target)
    inner = estimator.regressor if isinstance(estimator, TransformedTargetRegressor) else estimator
    if not has_fit_parameter(inner, "sample_weight"):
        raise SpecError(
            f"{type(inner).__name__} takes no sample_weight, and dataset.weight says how much each row counts",
            hint="choose another estimator, or take dataset.weight out",
        )
    return estimator.fit(features, target, sample_weight=weight / weight.mean())


def _own(task: Task, candidate: Candidate, where: str | None) -> tuple[Any, Any]:
    if candidate.pipeline is not None:
        return own.pipeline_of(task, candidate, where=where)
    return own.preprocessor_of(candidate, where=where), estimator_of(task, candidate, where=where)
