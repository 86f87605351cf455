"""The search for a recipe's parameters among the rows that one model is fitted to. For `fitting`.

It sees neither the holdout nor the rows that a fold is measured on: each fold searches anew within its own rows. So
its figures are those of the whole procedure (Cawley & Talbot, *On over-fitting in model selection*, JMLR 11, 2010).
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from scipy import stats
from sklearn.model_selection import ParameterGrid, ParameterSampler

from model_release.errors import SpecError
from model_release.spec.candidate import Candidate
from model_release.spec.search import Range, Search

log = logging.getLogger(__name__)

Loss = Callable[[Candidate], float | None]
"""From a recipe to its loss by folds; None if it is undefined. Less is better."""

_ENDLESS = 1_000_000


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        recipe: the best one, with no search left.
        words: how it was found.
    """

    recipe: Candidate
    words: str


def best(candidate: Candidate, search: Search, loss: Loss, *, share: float = 1.0) -> Found:
    """Return the recipe with the least loss; of equal ones, the first that was tried.

    Args:
        candidate: the recipe; its parameters that are not searched stay.
        search: the space and the budget.
        loss: of a recipe.
        share: of the seconds, for this one of the fits.

    Raises:
        SpecError: no recipe of those that were tried can be fitted.
    """
    until = time.monotonic() + search.seconds * share if search.seconds is not None else math.inf
    tried, least, winner, fault = 0, math.inf, None, None
    trials = _optuna(candidate.seed, search) if search.method == "optuna" else _random(candidate.seed, search)
    values: dict[str, Any] | None = next(trials, None)
    while values is not None and (tried == 0 or time.monotonic() < until):
        recipe = candidate.model_copy(update={"parameters": {**candidate.parameters, **values}, "search": None})
        try:
            reached = loss(recipe)
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything, of some values alone
            reached, fault = None, error
        tried += 1
        if reached is not None and reached < least:
            least, winner = reached, recipe
        log.info("trial %d of %s: loss %s with %s; least so far %.6g", tried, search.trials, reached, values, least)
        try:
            values = trials.send(reached)
        except StopIteration:
            values = None
    if winner is None:
        why = f": {' '.join(str(fault).split())[:300]}" if fault else ", or has a loss that is defined"
        raise SpecError(f"no recipe of {tried} that the search tried can be fitted{why}")
    found = {name: winner.parameters[name] for name in search.space}
    budget = "" if search.trials is not None else f" in {search.seconds:g} s, which another machine would use otherwise"
    return Found(winner, f"best of {tried} trials ({search.method}){budget}: {found}, loss {least:.6g} by inner folds")


Trials = Generator[dict[str, Any], float | None, None]
"""Values to try; the loss that they reach is sent back."""


def _random(seed: int, search: Search) -> Trials:
    """Yield values at random, each combination of lists once; what is sent back does not count."""
    space = {name: each if isinstance(each, list) else _distribution(each) for name, each in search.space.items()}
    most = search.trials or _ENDLESS
    if all(isinstance(each, list) for each in space.values()):
        most = min(most, len(ParameterGrid(space)))
    for values in ParameterSampler(space, most, random_state=seed):
        yield {name: _plain(value, search.space[name]) for name, value in values.items()}


def _optuna(seed: int, search: Search) -> Trials:
    """Yield values that Optuna proposes; its sampler goes by the losses that are sent back."""
    try:
        import optuna
    except ImportError as error:
        raise SpecError("search.method is optuna, which is not installed", hint="model-release[optuna]") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    for _ in range(search.trials or _ENDLESS):
        trial = study.ask()
        values: dict[str, Any] = {}
        for name, each in search.space.items():
            if isinstance(each, list):  # by position: Optuna's choices are plain values
                values[name] = each[trial.suggest_int(name, 0, len(each) - 1)]
            elif each.is_whole:
                values[name] = trial.suggest_int(name, int(each.low), int(each.high), log=each.log)
            else:
                values[name] = trial.suggest_float(name, each.low, each.high, log=each.log)
        reached = yield values
        if reached is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, reached)


def _distribution(each: Range) -> Any:
    """Return the distribution of a range; of whole numbers, by the number below."""
    top = each.high + 1 if each.is_whole else each.high
    return stats.loguniform(each.low, top) if each.log else stats.uniform(each.low, top - each.low)


def _plain(value: Any, of: list[Any] | Range) -> Any:
    if isinstance(of, list):
        return value
    return min(int(value), int(of.high)) if of.is_whole else float(value)
