"""What a team's own functions return: a pipeline, a preprocessor for an estimator, or neither. For `recipes`.

Each call must return a new object, not fitted: it is copied by scikit-learn's `clone` all the same, so that no fit
reaches what the team's module keeps.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from model_release.documents.suggest import did_you_mean
from model_release.errors import SpecError
from model_release.modelling.imports import imported
from model_release.modelling.tasks.base import Task
from model_release.modelling.training.chance import settle
from model_release.modelling.training.estimators import by_code, set_inside, with_probabilities
from model_release.modelling.training.parameters import values
from model_release.spec.candidate import Candidate


def pipeline_of(task: Task, candidate: Candidate, *, where: str | None = None) -> tuple[Any, Any]:
    """Return the two parts of a team's own pipeline, not fitted: all steps but the last, and the last.

    A function may return an estimator in place of a Pipeline; it then takes the inputs as they are.

    Args:
        task: what is predicted.
        candidate: a recipe with `pipeline`. Its parameters are the function's arguments; those with a double underscore
            are set on what it returns.
        where: the candidate's place in the spec, for errors.

    Raises:
        SpecError: the function may not be imported, lacks an argument, fails, or returns no estimator for this task.
    """
    name, parameters = candidate.pipeline or "", by_code(task, candidate.parameters)
    inner = {each: value for each, value in parameters.items() if "__" in each}
    found = _returned(name, {each: parameters[each] for each in parameters if each not in inner}, where)
    fresh = _checked(name, found, ("fit", "predict"), where)
    found = settle(set_inside(name, fresh, inner, where), candidate.seed)
    if not isinstance(found, Pipeline):
        return FunctionTransformer(), with_probabilities(task, found, candidate, where=where)
    first = found[:-1] if len(found) > 1 else FunctionTransformer()
    return first, with_probabilities(task, found[-1], candidate, where=where)


def preprocessor_of(candidate: Candidate, *, where: str | None = None) -> Any:
    """Return the preprocessor of a recipe with `preprocessor`, not fitted.

    Raises:
        SpecError: the function may not be imported, fails, or returns no transformer.
    """
    name = candidate.preprocessor or ""
    found = _checked(name, _returned(name, {}, where), ("fit", "transform"), where)
    return settle(found, candidate.seed)


def _returned(name: str, arguments: dict[str, Any], where: str | None) -> Any:
    function = imported(name, where=where)
    if not callable(function):
        raise SpecError(f"{name} is no function that could be called", where=where)
    signature = inspect.signature(function).parameters
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in signature.values())
    for argument in arguments:
        if argument not in signature and not takes_any:
            raise SpecError(
                f"{name} takes no argument {argument!r}{did_you_mean(argument, signature)}",
                where=where,
                hint="step__parameter sets a parameter of a step of what it returns",
            )
    defaults = {each: parameter.default for each, parameter in signature.items()}
    try:
        return function(**values(arguments, defaults, _no_estimator(name, where)))
    except SpecError:
        raise
    except Exception as error:  # of whatever kind: the function may be anybody's
        said = " ".join(str(error).split())[:300]
        raise SpecError(f"{name} cannot be called: {type(error).__name__}: {said}", where=where) from error


def _no_estimator(name: str, where: str | None) -> Any:
    def refuse(estimator: str, _: dict[str, Any]) -> Any:
        raise SpecError(f"{name} takes values; it makes its estimators, such as {estimator}, itself", where=where)

    return refuse


def _checked(name: str, found: Any, methods: tuple[str, ...], where: str | None) -> Any:
    """Return a copy of what a function has returned, if that can be fitted.

    Raises:
        SpecError: it has not; the message says what it returned.
    """
    if isinstance(found, type):
        raise SpecError(f"{name} returns the class {found.__name__}: return an object, {found.__name__}()", where=where)
    lacking = [each for each in (*methods, "get_params") if not hasattr(type(found), each) and not hasattr(found, each)]
    if lacking:
        kind = "nothing" if found is None else f"a {type(found).__name__}"
        raise SpecError(
            f"{name} returns {kind}, which has no {' and no '.join(lacking)}",
            where=where,
            hint="return a scikit-learn Pipeline, not fitted"
            if "predict" in methods
            else "return a scikit-learn transformer, not fitted",
        )
    try:
        fresh = clone(found)
    except Exception as error:  # of whatever kind: the class may be anybody's
        said = " ".join(str(error).split())[:300]
        raise SpecError(f"{name} returns what scikit-learn's clone cannot copy: {said}", where=where) from error
    pairs = zip(_parts(found), _parts(fresh), strict=True)
    fitted = next((each for each, copy in pairs if _is_fitted(each, copy)), None)
    if fitted is not None:
        raise SpecError(
            f"{name} returns a {type(fitted).__name__} that is fitted already, to rows that nobody knows",
            where=where,
            hint="make it new in each call, and leave the fit to the run",
        )
    return fresh


def _parts(found: Any) -> Iterator[Any]:
    yield found
    yield from (each for each in found.get_params(deep=True).values() if hasattr(each, "get_params"))


def _is_fitted(estimator: Any, fresh: Any) -> bool:
    """Whether an estimator has been fitted, which its fresh copy has not; some say always that they are."""
    return _says_fitted(estimator) and not _says_fitted(fresh)


def _says_fitted(estimator: Any) -> bool:
    """Whether an estimator says so, or has attributes that end in an underscore, as scikit-learn's rules have it."""
    told = getattr(estimator, "__sklearn_is_fitted__", None) or getattr(estimator, "is_fitted", None)
    if callable(told) and not isinstance(estimator, Pipeline):  # a pipeline is what its steps are
        return bool(told())
    return any(name.endswith("_") and not name.startswith("_") for name in vars(estimator))
