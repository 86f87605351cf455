"""From an estimator's name and parameters to the object: what may be imported, and whether it is one. For `recipes`.

A spec may come from anybody who may trigger a run or write a file; which packages run is the deployment's word.
"""

from __future__ import annotations

import inspect
import os
import sys
from importlib import import_module
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold

from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError
from model_release.modelling.tasks.base import Task
from model_release.spec.estimators import import_path
from model_release.spec.model import Candidate

PACKAGES_VARIABLE = "MODEL_RELEASE_ALLOWED_PACKAGES"
"""Environment variable: packages that estimators may come from, beside scikit-learn, joined by commas."""

_OURS = {
    "random_state": "the recipe's own key seed sets it",
    "probability": "a classifier that has no probabilities of its own gets calibrated ones",
}
"""Parameters that a recipe may not set, and why."""

_THREADS = {"lightgbm", "xgboost"}
"""Packages whose estimators write the number of threads into their files unless it is set."""


def allowed_packages() -> set[str]:
    """Return the packages that estimators may come from."""
    named = os.environ.get(PACKAGES_VARIABLE, "")
    return {"sklearn", *(each.strip() for each in named.split(",") if each.strip())}


def estimator_of(task: Task, candidate: Candidate, *, where: str | None = None) -> Any:
    """Return a candidate's estimator, not fitted.

    A classifier without probabilities of its own is calibrated by a sigmoid over five folds (Platt, *Probabilistic
    outputs for support vector machines*, 1999).

    Args:
        task: what is predicted.
        candidate: the recipe.
        where: the candidate's place in the spec, for errors.

    Raises:
        SpecError: the estimator's package may not be imported, it is no estimator for this task, or it lacks one of the
            parameters.
    """
    estimator = _made(candidate.estimator, _by_code(task, candidate.parameters), candidate.seed, where)
    fits = is_classifier(estimator) if task.estimators == "classifier" else is_regressor(estimator)
    if not fits:
        is_ = "classifier" if is_classifier(estimator) else "regressor" if is_regressor(estimator) else "transformer"
        raise SpecError(
            f"{candidate.estimator} is a {is_}; a {task.kind.name} model needs a {task.estimators}", where=where
        )
    if task.estimators == "classifier" and not hasattr(estimator, "predict_proba"):
        folds = StratifiedKFold(5, shuffle=True, random_state=candidate.seed)
        return CalibratedClassifierCV(estimator, ensemble=False, cv=folds)
    return estimator


def _by_code(task: Task, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the weights of classes by code, as an estimator sees them, where they are by words."""
    weights = parameters.get("class_weight")
    if not isinstance(weights, dict):
        return parameters
    codes = {words: str(code) for code, words in enumerate(task.classes)}
    return {**parameters, "class_weight": {codes.get(key, key): weight for key, weight in weights.items()}}


def _made(name: str, parameters: dict[str, Any], seed: int, where: str | None) -> Any:
    kind = _imported(name, where)
    known = [each for each in inspect.signature(kind).parameters if each not in _OURS]
    open_ended = hasattr(kind, "get_params") and any(
        each.kind is inspect.Parameter.VAR_KEYWORD for each in inspect.signature(kind).parameters.values()
    )
    for parameter in parameters:
        if parameter in _OURS:
            raise SpecError(f"parameter {parameter!r} is not for a recipe: {_OURS[parameter]}", where=where)
        if parameter not in known and not open_ended:
            raise SpecError(
                f"{name} has no parameter {parameter!r}{did_you_mean(parameter, known)}",
                where=where,
                hint=f"known: {', '.join(known)}",
            )
    given = {sys.intern(key): _value(each, seed, where) for key, each in parameters.items()}
    if _takes_seed(kind):
        given["random_state"] = seed
    if kind.__module__.partition(".")[0] in _THREADS:
        given.setdefault("n_jobs", 1)
    try:
        return kind(**given)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{name} does not accept its parameters: {error}", where=where) from error


def _takes_seed(kind: type[Any]) -> bool:
    """Whether the seed decides anything.

    A support vector machine uses it for its own probabilities alone, which it is not asked for.
    """
    parameters = inspect.signature(kind).parameters
    return "random_state" in parameters and "probability" not in parameters


def _imported(name: str, where: str | None) -> type[Any]:
    """Return the class of an estimator, which must be of an allowed package by its own word."""
    module, _, attribute = import_path(name).rpartition(".")
    allowed = allowed_packages()
    _check_allowed(name, module, allowed, where)
    try:
        found = getattr(import_module(module), attribute, None)
    except ImportError as error:
        raise SpecError(f"{name} cannot be imported: {error}", where=where, hint="install its package") from error
    if not isinstance(found, type) or not hasattr(found, "fit") or not hasattr(found, "get_params"):
        raise SpecError(f"{name} is no estimator: a class with fit and get_params, as scikit-learn's", where=where)
    _check_allowed(name, found.__module__, allowed, where)
    return found


def _check_allowed(name: str, module: str, allowed: set[str], where: str | None) -> None:
    package = module.partition(".")[0]
    if package not in allowed:
        raise SpecError(
            f"{name} is of the package {package}, which this deployment does not allow",
            where=where,
            hint=f"{PACKAGES_VARIABLE}={package} in the environment of every Airflow component allows it",
        )


def _value(value: Any, seed: int, where: str | None) -> Any:
    """Return a parameter's value: a nested estimator if it names one, and equal strings as the same object.

    Pickle writes one object once, and two equal ones twice.
    """
    match value:
        case str():
            return sys.intern(value)
        case list():
            return [_value(each, seed, where) for each in value]
        case {"tuple": list() as values, **others} if not others:
            return tuple(_value(each, seed, where) for each in values)
        case {"estimator": str() as name, "parameters": dict() as parameters}:
            return _made(name, parameters, seed, where)
        case {"estimator": str() as name, **others} if not others:
            return _made(name, {}, seed, where)
        case dict():
            return {_key(key): _value(each, seed, where) for key, each in value.items()}
        case _:
            return value


def _key(key: str) -> str | int:
    """Return a key as the estimator takes it: class codes are integers, which YAML's keys lose on their way."""
    return int(key) if key.lstrip("-").isdigit() else sys.intern(key)
