"""A search for parameters: within the rows of each fit alone, repeatable by its seed, and recorded as the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from model_release.errors import SpecError
from model_release.modelling import training
from model_release.modelling.dataset import Rows, rows_apart
from model_release.modelling.dataset.rows import target_values
from model_release.modelling.folds import inner_folds
from model_release.modelling.training import fitting
from model_release.modelling.training.search import best
from model_release.spec.candidate import Candidate
from model_release.spec.load import load_spec
from model_release.spec.search import Search
from support import houses

SPACE = {"C": {"low": 0.001, "high": 100, "log": True}, "fit_intercept": [True, False]}


def candidate(**search: Any) -> Candidate:
    keys = {"estimator": "LogisticRegression", "parameters": {"max_iter": 500}, "search": {"space": SPACE, **search}}
    return Candidate.model_validate(keys)


@pytest.mark.parametrize("method", ["random", "optuna"])
def test_the_same_seed_tries_the_same_and_the_least_loss_wins(method: str) -> None:
    tried: list[dict[str, Any]] = []

    def loss(recipe: Candidate) -> float:
        tried.append(recipe.parameters)
        return abs(float(np.log10(recipe.parameters["C"])) - 1)  # type: ignore[arg-type]

    recipe = candidate(trials=12, method=method)
    found = [best(recipe, recipe.search, loss) for _ in range(2)]  # type: ignore[arg-type]

    assert tried[:12] == tried[12:]
    assert found[0] == found[1]
    assert found[0].recipe.search is None
    assert found[0].recipe.parameters == min(tried, key=lambda each: abs(np.log10(each["C"]) - 1))
    assert all(each["max_iter"] == 500 and 0.001 <= each["C"] <= 100 for each in tried)
    assert found[0].words.startswith(f"best of 12 trials ({method}): ")


def test_whole_numbers_stay_whole_and_lists_are_tried_once() -> None:
    tried: list[Any] = []

    def loss(recipe: Candidate) -> float:
        tried.append(recipe.parameters["depth"])
        return 1.0

    search = Search.model_validate({"space": {"depth": {"low": 1, "high": 3}}, "trials": 40})
    best(Candidate(estimator="Ridge"), search, loss)
    assert set(tried) == {1, 2, 3}

    tried.clear()
    search = Search.model_validate({"space": {"depth": [2, 4, None]}, "trials": 40})
    best(Candidate(estimator="Ridge"), search, loss)
    assert sorted(tried, key=str) == [2, 4, None]


def test_a_budget_of_seconds_tries_one_at_least_and_says_that_it_depends_on_the_machine() -> None:
    search = Search.model_validate({"space": SPACE, "seconds": 1e-9})
    found = best(Candidate(estimator="LogisticRegression"), search, lambda _: 0.5)
    assert found.words.startswith("best of 1 trials (random) in 1e-09 s, which another machine would use otherwise")


def test_values_that_cannot_be_fitted_lose_and_if_none_can_the_reason_is_said() -> None:
    search = Search.model_validate({"space": {"C": [-1, 1]}, "trials": 2})

    def loss(recipe: Candidate) -> float:
        if recipe.parameters["C"] == -1:
            raise ValueError("C is negative")
        return 0.3

    assert best(Candidate(estimator="LogisticRegression"), search, loss).recipe.parameters == {"C": 1}
    with pytest.raises(SpecError, match="no recipe of 1 that the search tried can be fitted: C is negative"):
        best(Candidate(estimator="LogisticRegression"), search.model_copy(update={"space": {"C": [-1]}}), loss)


def test_a_search_sees_the_rows_of_its_own_fit_alone_and_the_winner_is_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = houses.spec_file(tmp_path, "binary", {"found": candidate(trials=3).model_dump(exclude={"pipeline"})})
    spec = load_spec(path)
    table = houses.houses()
    rows = Rows(table[[*houses.COLUMNS]], target_values(table["sold"], spec.dataset.target))
    training_rows, holdout = rows_apart(spec, rows)
    seen: list[set[int]] = []
    plain = inner_folds

    def watched(spec: Any, rows: Rows, fitted_rows: Any) -> Any:
        seen.append({int(each) for each in fitted_rows})
        return plain(spec, rows, fitted_rows)

    monkeypatch.setattr(fitting, "inner_folds", watched)
    trained = training.train(spec, "found", spec.candidates["found"], rows, tmp_path)

    *folds, last = seen
    assert last == {int(each) for each in training_rows}
    assert len(folds) == 2
    assert not folds[0] & folds[1]
    assert not last & {int(each) for each in holdout}
    assert trained.recipe.search is None
    assert trained.recipe.parameters.keys() == {"max_iter", "C", "fit_intercept"}
    assert trained.searched is not None
    again = training.remade(trained.recipe, spec, rows, training_rows)
    assert again.items() <= {each.path: each.sha256 for each in trained.files}.items()


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"space": SPACE}, "write trials or seconds"),
        ({"space": SPACE, "trials": 3, "seconds": 3}, "write trials or seconds"),
        ({"space": {"C": {"low": 2, "high": 1}}, "trials": 3}, "low 2 is not below high 1"),
        ({"space": {"C": {"low": 0, "high": 1, "log": True}}, "trials": 3}, "on a log scale, low is above 0"),
        ({"space": {"max_iter": [1]}, "trials": 3}, "max_iter: in parameters and in search.space"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(tmp_path: Path, search: dict[str, Any], words: str) -> None:
    path = houses.spec_file(tmp_path, "binary", {"plain": {"estimator": "LogisticRegression"}})
    value = yaml.safe_load(path.read_text())
    value["candidates"]["plain"] |= {"parameters": {"max_iter": 500}, "search": search}
    path.write_text(yaml.safe_dump(value))

    with pytest.raises(SpecError, match=words):
        load_spec(path)
