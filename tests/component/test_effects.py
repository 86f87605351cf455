"""What a model makes of its columns, on models whose every answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from model_release.modelling.tasks import task_of
from model_release.modelling.trained import Effect
from model_release.modelling.training.effects import SHOWN, effects
from support import reference_model

TASK = task_of(reference_model.spec())

ROWS = 200
TARGET = np.arange(ROWS) % 2


def table(**columns: object) -> pd.DataFrame:
    """Rows whose column `told` is the class, beside a column that means nothing."""
    return pd.DataFrame({"idle": np.arange(ROWS) % 7, "told": TARGET.astype(np.float64), **columns})


def by_told(rows: pd.DataFrame) -> NDArray[np.float64]:
    return np.where(rows["told"] > 0.5, 0.9, 0.1)


def measured(rows: pd.DataFrame, *, categorical: set[str] | None = None) -> dict[str, Effect]:
    found = effects(TASK, by_told, rows, TARGET, categorical=categorical or set())
    return {each.column: each for each in found}


def test_what_a_model_does_not_look_at_counts_for_nothing() -> None:
    idle = measured(table())["idle"].importance

    assert (idle.mean, idle.low, idle.high) == pytest.approx((0, 0, 0))


def test_what_it_goes_by_comes_first_and_costs_what_it_must() -> None:
    found = measured(table())

    assert list(found) == ["told", "idle"]
    told = found["told"].importance
    assert told.low < 0.5 * (0.9**2 - 0.1**2) < told.high  # shuffled, every other row gets the wrong answer
    assert told.low > 0


def test_the_mean_answer_is_told_for_each_value() -> None:
    told = measured(table())["told"]

    assert told.at == [0, 1]
    assert told.response == pytest.approx([0.1, 0.9])


def test_marks_stay_marks_and_many_amounts_become_steps() -> None:
    rows = table(mark=np.array(["b", "a"] * (ROWS // 2), dtype=object), amount=np.linspace(0, 1, ROWS))
    found = measured(rows, categorical={"mark", "idle"})

    assert found["mark"].at == ["a", "b"]
    assert found["idle"].at == ["0", "1", "2", "3", "4", "5", "6"]
    amounts = [float(each) for each in found["amount"].at]
    assert amounts == pytest.approx(list(np.linspace(0.05, 0.95, 12)))


def test_of_many_marks_the_most_frequent_are_shown() -> None:
    marks = np.array([f"m{number:02}" for number in np.minimum(np.arange(ROWS) // 2, 30)], dtype=object)

    assert len(measured(table(mark=marks), categorical={"mark"})["mark"].at) == 12
    assert "m30" in measured(table(mark=marks), categorical={"mark"})["mark"].at


def test_a_column_that_is_never_measured_has_no_curve() -> None:
    empty = measured(table(never=np.full(ROWS, np.nan)))["never"]

    assert (empty.at, empty.response) == ([], [])


def test_only_the_first_columns_have_a_curve() -> None:
    many = table(**{f"column_{number}": np.arange(ROWS) for number in range(10)})

    assert [bool(each.at) for each in measured(many).values()] == [True] * SHOWN + [False] * (12 - SHOWN)


def test_the_same_rows_give_the_same_figures() -> None:
    assert measured(table()) == measured(table())


def test_without_rows_or_with_an_answer_that_is_no_number_nothing_is_measured() -> None:
    none = table().iloc[:0]
    assert effects(TASK, by_told, none, TARGET[:0], categorical=set()) == []
    assert effects(TASK, lambda rows: np.full(len(rows), np.nan), table(), TARGET, categorical=set()) == []


def test_of_very_many_rows_a_thousand_are_taken() -> None:
    rows = pd.concat([table()] * 50, ignore_index=True)
    seen: list[int] = []

    def count(asked: pd.DataFrame) -> NDArray[np.float64]:
        seen.append(len(asked))
        return by_told(asked)

    effects(TASK, count, rows, np.tile(TARGET, 50), categorical=set())

    assert max(seen) <= 12_000
