"""From a candidate to its estimator, not fitted, and whether it is one for the task. For `recipes`."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold

from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError
from model_release.modelling.imports import imported
from model_release.modelling.tasks.base import Task
from model_release.modelling.training.chance import settle
from model_release.modelling.training.parameters import values
from model_release.spec.candidate import Candidate
from model_release.spec.estimators import import_path

_SEED = "the recipe's own key seed sets it"
_OURS = {
    "random_state": _SEED,
    "random_seed": _SEED,
    "probability": "a classifier that has no probabilities of its own gets calibrated ones",
}
"""Parameters that a recipe may not set, and why."""


def estimator_of(task: Task, candidate: Candidate, *, where: str | None = None) -> Any:
    """Return the estimator that a candidate names, not fitted.

    Args:
        task: what is predicted.
        candidate: a recipe with an estimator.
        where: the candidate's place in the spec, for errors.

    Raises:
        SpecError: the estimator's package may not be imported, it is no estimator for this task, or it lacks one of the
            parameters.
    """
    made = _made(candidate.estimator or "", by_code(task, candidate.parameters), where)
    estimator = settle(made, candidate.seed)
    return with_probabilities(task, estimator, candidate, where=where)


def with_probabilities(task: Task, estimator: Any, candidate: Candidate, *, where: str | None = None) -> Any:
    """Return an estimator that answers what the task asks, in the target's own unit.

    A classifier without probabilities of its own is calibrated by a sigmoid over five folds (Platt, *Probabilistic
    outputs for support vector machines*, 1999).

    Raises:
        SpecError: it is none for this task.
    """
    fits = is_classifier(estimator) if task.estimators == "classifier" else is_regressor(estimator)
    if not fits:
        is_ = "classifier" if is_classifier(estimator) else "regressor" if is_regressor(estimator) else "transformer"
        raise SpecError(
            f"{candidate.made_by} is a {is_}; a {task.kind.name} model needs a {task.estimators}", where=where
        )
    if task.estimators == "classifier" and not hasattr(estimator, "predict_proba"):
        folds = StratifiedKFold(5, shuffle=True, random_state=candidate.seed)
        return CalibratedClassifierCV(estimator, ensemble=False, cv=folds)
    return task.around(estimator)


def by_code(task: Task, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with the weights of classes by code, as an estimator sees them, where they are by words."""
    codes = {words: str(code) for code, words in enumerate(task.classes)}
    return {
        name: {codes.get(key, key): weight for key, weight in value.items()}
        if name.rpartition("__")[2] == "class_weight" and isinstance(value, dict)
        else value
        for name, value in parameters.items()
    }


def set_inside(maker: str, estimator: Any, parameters: dict[str, Any], where: str | None) -> Any:
    """Set the parameters of what is inside an estimator: `step__parameter`.

    Args:
        maker: what the spec calls it, for errors.
        estimator: changed in place.
        parameters: from the spec.
        where: the candidate's place in the spec.

    Raises:
        SpecError: there is no such parameter.
    """
    if not parameters:
        return estimator
    known = estimator.get_params(deep=True)
    for name in parameters:
        holder, _, last = name.rpartition("__")
        inside = known.get(holder)
        if last in _OURS:
            raise SpecError(f"parameter {name!r} is not for a recipe: {_OURS[last]}", where=where)
        if name not in known and not (hasattr(inside, "get_params") and _open_ended(type(inside))):
            raise SpecError(f"{maker} has no parameter {name!r}{did_you_mean(name, known)}", where=where)
    try:
        return estimator.set_params(**values(parameters, known, lambda name, inner: _made(name, inner, where)))
    except (TypeError, ValueError) as error:
        raise SpecError(f"{maker} does not accept its parameters: {error}", where=where) from error


def _made(name: str, parameters: dict[str, Any], where: str | None) -> Any:
    kind = _class_of(name, where)
    signature = inspect.signature(kind).parameters
    known = [each for each in signature if each not in _OURS]
    outer = {each: value for each, value in parameters.items() if "__" not in each}
    for parameter in outer:
        if parameter in _OURS:
            raise SpecError(f"parameter {parameter!r} is not for a recipe: {_OURS[parameter]}", where=where)
        if parameter not in known and not _open_ended(kind):
            raise SpecError(
                f"{name} has no parameter {parameter!r}{did_you_mean(parameter, known)}",
                where=where,
                hint=f"known: {', '.join(known)}",
            )
    defaults = {each: parameter.default for each, parameter in signature.items()}
    given = values(outer, defaults, lambda inner, inside: _made(inner, inside, where))
    try:
        made = kind(**given)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{name} does not accept its parameters: {error}", where=where) from error
    return set_inside(name, made, {each: parameters[each] for each in parameters if "__" in each}, where)


def _open_ended(kind: type[Any]) -> bool:
    """Whether an estimator takes parameters that its signature does not list, as boosters do."""
    return any(each.kind is inspect.Parameter.VAR_KEYWORD for each in inspect.signature(kind).parameters.values())


def _class_of(name: str, where: str | None) -> type[Any]:
    found = imported(import_path(name), where=where)
    if not isinstance(found, type) or not hasattr(found, "fit") or not hasattr(found, "get_params"):
        raise SpecError(f"{name} is no estimator: a class with fit and get_params, as scikit-learn's", where=where)
    return found
