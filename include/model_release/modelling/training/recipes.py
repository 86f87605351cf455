"""From a spec's recipe to scikit-learn objects, and whether it makes sense. For `training` and `lint`."""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import Any

from sklearn import ensemble, linear_model, naive_bayes, neighbors, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError
from model_release.spec.dataset import Dataset
from model_release.spec.model import Candidate, Estimator

_ESTIMATORS: dict[Estimator, type[Any]] = {
    Estimator.LOGISTIC_REGRESSION: linear_model.LogisticRegression,
    Estimator.RANDOM_FOREST: ensemble.RandomForestClassifier,
    Estimator.EXTRA_TREES: ensemble.ExtraTreesClassifier,
    Estimator.HIST_GRADIENT_BOOSTING: ensemble.HistGradientBoostingClassifier,
    Estimator.GRADIENT_BOOSTING: ensemble.GradientBoostingClassifier,
    Estimator.SUPPORT_VECTORS: svm.SVC,
    Estimator.NEAREST_NEIGHBOURS: neighbors.KNeighborsClassifier,
    Estimator.DECISION_TREE: tree.DecisionTreeClassifier,
    Estimator.NAIVE_BAYES: naive_bayes.GaussianNB,
}

_OURS = {
    "random_state": "the recipe's own key seed sets it",
    "probability": "support vectors always get calibrated probabilities",
}
"""Parameters that a recipe may not set, and why."""


def check_recipe(candidate: Candidate, *, name: str | None = None) -> None:
    """Find out whether the estimator takes these parameters, by name and by a fit to made-up rows.

    Args:
        candidate: the recipe.
        name: what the spec calls it, for the error.

    Raises:
        SpecError: names the candidate, the parameter and the nearest right one, or says what the estimator
            objects to.
    """
    classifier = _classifier(candidate, name)
    rows, classes = make_classification(n_samples=400, n_features=32, random_state=0)
    try:
        with warnings.catch_warnings(), threadpool_limits(limits=1):
            warnings.simplefilter("ignore")  # a fit that warns is still a recipe that fits
            classifier.fit(rows, classes)
    except (ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise SpecError(f"{candidate.estimator} does not accept its parameters: {said}", where=_where(name)) from error


def build(candidate: Candidate, dataset: Dataset, *, name: str | None = None) -> tuple[ColumnTransformer, Any]:
    """Return a preprocessor and a classifier, both not fitted.

    Numeric inputs: median for what is missing, then zero mean and unit variance. Categorical inputs: the most
    frequent value for what is missing, then one column per value; a value that training has not seen gives
    zeros.

    Raises:
        SpecError: the estimator has no such parameter.
    """
    columns = {
        kind: [sys.intern(column) for column, each in dataset.inputs.items() if each.kind == kind]
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
    return preprocessor, _classifier(candidate, name)


def _classifier(candidate: Candidate, name: str | None) -> Any:
    kind = _ESTIMATORS[candidate.estimator]
    known = [each for each in inspect.signature(kind).parameters if each not in _OURS]
    for parameter in candidate.parameters:
        if parameter in _OURS:
            raise SpecError(f"parameter {parameter!r} is not for a recipe: {_OURS[parameter]}", where=_where(name))
        if parameter not in known:
            raise SpecError(
                f"{candidate.estimator} has no parameter {parameter!r}{did_you_mean(parameter, known)}",
                where=_where(name),
                hint=f"known: {', '.join(known)}",
            )
    parameters = {sys.intern(key): _one_object(value) for key, value in candidate.parameters.items()}
    if "random_state" in inspect.signature(kind).parameters and kind is not svm.SVC:
        parameters["random_state"] = candidate.seed
    classifier = kind(**parameters)
    if kind is svm.SVC:
        folds = StratifiedKFold(5, shuffle=True, random_state=candidate.seed)
        return CalibratedClassifierCV(classifier, ensemble=False, cv=folds)
    return classifier


def _where(name: str | None) -> str | None:
    return f"candidates.{name}" if name else None


def _one_object(value: Any) -> Any:
    """Make equal strings the same object: pickle writes one object once, and two equal ones twice."""
    match value:
        case str():
            return sys.intern(value)
        case list():
            return [_one_object(each) for each in value]
        case dict():
            return {_one_object(key): _one_object(each) for key, each in value.items()}
        case _:
            return value
