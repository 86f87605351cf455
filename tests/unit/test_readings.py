"""A reading that means "not measured" in training means it at every door of the release."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pytest

from model_release.documents.golden import made_up_rows
from model_release.documents.inputs import Inputs, Misfit
from model_release.documents.manifest import InputColumn
from model_release.modelling import dataset
from model_release.serving.problems import Problem
from model_release.serving.schema import InputSchema
from support.tiny_dataset import BEETLES, Farm

SPEND = InputColumn(name="spend", kind="numeric", nullable=True, missing_values=[0, -9])
PLAN = InputColumn(name="plan", kind="categorical", nullable=True, values=["a", "b", "?"], missing_values=["?"])
FLOW = InputColumn(name="flow", kind="numeric", nullable=False, missing_values=[0])


def test_the_schema_of_a_release_holds_the_readings_of_the_column_and_of_the_dataset(farm: Farm) -> None:
    farm.with_spec(BEETLES.replace("increments\n", "increments\n  missing: ['', '?', '-99']\n"))

    readings = {column.name: column.missing_values for column in dataset.input_schema(farm.spec.dataset)}

    assert readings == {"length": [-1, "", "?", -99], "weight": [0, "", "?", -99], "spots": ["", "?", -99]}


def test_the_service_gives_the_model_nothing_in_the_place_of_a_reading() -> None:
    schema = InputSchema([SPEND, PLAN, FLOW])
    rows = [{"spend": spend, "plan": plan, "flow": 1} for spend, plan in [(0, "a"), (-9.0, "?"), (7, None)]]

    assert schema.read(json.dumps(rows).encode()) == [(None, "a", 1), (None, None, 1), (7, None, 1)]
    assert schema.take(rows) == [(None, "a", 1), (None, None, 1), (7, None, 1)]


def test_the_service_refuses_a_reading_of_a_column_that_must_be_measured() -> None:
    schema = InputSchema([SPEND, PLAN, FLOW])

    with pytest.raises(Problem, match=r"row 0, flow: must be a number"):
        schema.take([{"spend": 1, "plan": "a", "flow": 0}])


def test_a_loaded_model_is_given_nothing_in_the_place_of_a_reading() -> None:
    rows: dict[str, list[Any]] = {"spend": [0, 1, -9], "plan": ["a", "?", math.nan], "flow": [3, 1, 2]}

    found = Inputs([SPEND, PLAN, FLOW]).encode(rows, date(2026, 1, 1))

    assert found == {"spend": [None, 1, None], "plan": ["a", None, None], "flow": [3, 1, 2]}
    with pytest.raises(Misfit, match="row 2, flow: must be a number"):
        Inputs([FLOW]).encode({"flow": [3, 1, 0]}, date(2026, 1, 1))


def test_golden_rows_hold_no_such_reading() -> None:
    columns = [SPEND, PLAN, FLOW.model_copy(update={"minimum": 0.0, "maximum": 1.0})]

    rows = made_up_rows(columns)

    assert not {0, -9} & set(rows["spend"])
    assert "?" not in rows["plan"]
    assert 0 not in rows["flow"]
    assert None not in rows["flow"]
