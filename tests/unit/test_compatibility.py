"""Which changes of the columns consumers must follow, and that the gate asks for a rise of `schema_revision` then."""

from __future__ import annotations

from typing import Any

import pytest

from model_release.documents.compatibility import breaking_changes
from model_release.documents.evaluation import Evaluation, Scores
from model_release.documents.manifest import InputColumn
from model_release.modelling.gate.checks import columns

AGE = InputColumn(name="age", kind="numeric", nullable=True, minimum=18, maximum=110)
PLAN = InputColumn(name="plan", kind="categorical", nullable=False, values=["a", "b"])
DAY = InputColumn(name="day", kind="datetime", nullable=False, parts=["age_days"], timezone="UTC")
LEARNED = PLAN.model_copy(update={"learned": True})

BREAKING: dict[str, tuple[InputColumn, dict[str, Any]]] = {
    "age may no longer be missing": (AGE, {"nullable": False}),
    "age must be 20 or more": (AGE, {"minimum": 20.0}),
    "age must be 90 or less": (AGE, {"maximum": 90.0}),
    "age was numeric and is integer": (AGE, {"kind": "integer"}),
    "plan no longer takes b": (PLAN, {"values": ["a", "c"]}),
    "plan refuses unknown categories": (PLAN.model_copy(update={"unknown": "allow"}), {"unknown": "refuse"}),
    "day becomes age_days, month to the model": (DAY, {"parts": ["age_days", "month"]}),
    "day reads dates in another form or time zone": (DAY, {"form": "%d.%m.%Y"}),
}
FINE: list[tuple[InputColumn, dict[str, Any]]] = [
    (AGE, {"minimum": None, "maximum": 120.0, "description": "in years"}),
    (AGE.model_copy(update={"kind": "integer"}), {"kind": "numeric"}),
    (PLAN, {"values": ["a", "b", "c"], "nullable": True}),
    (PLAN, {"values": ["a"], "unknown": "allow"}),
    (LEARNED, {"values": ["a", "c"]}),
    (DAY, {"minimum": None, "nullable": True}),
]


@pytest.mark.parametrize("words", BREAKING)
def test_a_narrower_column_is_a_change_that_consumers_must_follow(words: str) -> None:
    before, update = BREAKING[words]

    assert breaking_changes([before], [before.model_copy(update=update)]) == [words]


@pytest.mark.parametrize("case", range(len(FINE)))
def test_a_wider_column_and_what_is_learned_are_none(case: int) -> None:
    before, update = FINE[case]

    assert breaking_changes([before], [before.model_copy(update=update)]) == []


def test_columns_that_are_new_or_gone_are_such_changes_and_their_order_is_none() -> None:
    assert breaking_changes([AGE, PLAN], [PLAN, DAY]) == ["age is gone", "day is new"]
    assert breaking_changes([AGE, PLAN], [PLAN, AGE]) == []


def test_releases_that_were_written_before_integers_and_booleans_had_names_are_not_broken_by_the_names() -> None:
    facts = {"name": "age", "kind": "numeric", "nullable": True}
    old = InputColumn.model_validate({**facts, "missing_values": []}, context=None).model_copy()
    old.model_fields_set.discard("unknown")

    assert breaking_changes([old], [old.model_copy(update={"kind": "integer"})]) == []


def test_the_gate_rejects_such_a_change_until_the_revision_rises() -> None:
    evaluation = Evaluation(
        candidates={"one": Scores(folds={})},
        champion=None,
        rows=10,
        holdout_rows=2,
        folds=2,
        repeats=1,
        schema_changes=["age is gone"],
    )

    (check,) = columns(evaluation)

    assert not check.passed
    assert "age is gone; raise the spec's schema_revision" in check.words
    assert columns(evaluation.model_copy(update={"schema_changes": []})) == []
