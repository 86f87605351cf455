"""What a recipe leaves open and must not: seeds, threads, and what boosters write beside their model. For `recipes`.

Equal recipes must give equal bytes on every machine. LightGBM and XGBoost write the number of threads into their files,
so it is one unless the recipe sets it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final

_UNSAID: Final[Mapping[str, Mapping[str, Any]]] = {
    "lightgbm": {"n_jobs": 1, "verbosity": -1},
    "xgboost": {"n_jobs": 1},
    "catboost": {"thread_count": 1, "allow_writing_files": False, "logging_level": "Silent"},
}
"""By package, the parameters of its estimators that are set unless the recipe does."""

_SAME: Final = (
    {"verbosity", "verbose"},
    {"logging_level", "verbose", "silent", "verbose_eval"},
    {"n_jobs", "num_threads", "nthread", "thread_count"},
)
"""Names of one parameter; a booster takes one of them."""


def settle(estimator: Any, seed: int) -> Any:
    """Return an estimator, not fitted, in which nothing is left to chance; those inside it are settled as well.

    Args:
        estimator: changed in place.
        seed: for each `random_state` that is open.
    """
    for each in _inside(estimator):
        given = {name: value for name, value in each.get_params(deep=False).items() if value is not None}
        unsaid = {
            name: value
            for name, value in _UNSAID.get(_package(each), {}).items()
            if not any(name in names and names & given.keys() for names in ({name}, *_SAME))
        }
        if _takes_seed(type(each)) and "random_state" not in given:
            unsaid["random_state"] = seed
        if unsaid:
            each.set_params(**unsaid)
    return estimator


def forget_threads(estimator: Any) -> None:
    """Take the number of threads that fitted an estimator out of it: that is no part of the model.

    A booster's is: it is in the model's own text, and one by `settle`.
    """
    inside = [getattr(estimator, name, None) for name in ("regressor", "regressor_")]  # behind a transformed target
    for each in [estimator, *(each for each in inside if each is not None)]:
        if "n_jobs" in each.get_params() and _package(each) not in _UNSAID:
            each.set_params(n_jobs=None)


def _inside(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and those among its parameters, each once."""
    seen: dict[int, Any] = {id(estimator): estimator}
    for each in estimator.get_params(deep=True).values():
        if hasattr(each, "get_params") and not isinstance(each, type):
            seen.setdefault(id(each), each)
    yield from seen.values()


def _takes_seed(kind: type[Any]) -> bool:
    """Whether the seed decides anything.

    A support vector machine uses it for its own probabilities alone, which it is not asked for.
    """
    parameters = inspect.signature(kind).parameters
    return "random_state" in parameters and "probability" not in parameters


def _package(estimator: Any) -> str:
    return type(estimator).__module__.partition(".")[0]
