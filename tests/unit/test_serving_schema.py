"""The door for rows: what a release's schema lets through, and what it says of what it does not."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.documents.manifest import InputColumn
from model_release.serving.problems import Problem
from model_release.serving.schema import InputSchema, json_schema

COLUMNS = [
    InputColumn(name="age", kind="numeric", nullable=False, minimum=18, maximum=110),
    InputColumn(name="class", kind="numeric", nullable=True),
    InputColumn(name="we ird`.x", kind="numeric", nullable=False, minimum=0),
    InputColumn(name="sex", kind="categorical", nullable=False, values=[0, 1]),
    InputColumn(name="site", kind="categorical", nullable=True, values=["va", "cleveland"]),
]
SCHEMA = InputSchema(COLUMNS)
GOOD: dict[str, Any] = {"age": 63, "class": None, "we ird`.x": 2.5, "sex": 1, "site": "va"}


def refusal(body: str | bytes, schema: InputSchema = SCHEMA) -> Problem:
    with pytest.raises(Problem) as caught:
        schema.read(body if isinstance(body, bytes) else body.encode())
    return caught.value


def test_rows_come_out_in_the_order_of_the_columns() -> None:
    backwards = dict(reversed(GOOD.items()))
    assert SCHEMA.read(json.dumps(backwards).encode()) == [(63.0, None, 2.5, 1.0, "va")]
    assert SCHEMA.read(json.dumps([GOOD, {**GOOD, "sex": 0.0}]).encode())[1] == (63.0, None, 2.5, 0.0, "va")
    assert SCHEMA.take([GOOD]) == SCHEMA.read(json.dumps(GOOD).encode())


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("age", "63", "must be a number from 18 to 110"),
        ("age", True, "must be a number from 18 to 110"),
        ("age", None, "must be a number from 18 to 110"),
        ("age", 17.9, "must be a number from 18 to 110"),
        ("age", math.nan, "must be a number from 18 to 110"),
        ("age", 10**400, "must be a number from 18 to 110"),
        ("class", math.nan, "must be a number, or null where it is not known"),
        ("class", -math.inf, "must be a number, or null where it is not known"),
        ("class", [1], "must be a number, or null where it is not known"),
        ("we ird`.x", -1, "must be a number from 0"),
        ("sex", 2, "must be one of 0, 1"),
        ("sex", None, "must be one of 0, 1"),
        ("sex", "1", "must be one of 0, 1"),
        ("site", "Va", 'must be one of "va", "cleveland", or null where it is not known'),
        ("site", 3, 'must be one of "va", "cleveland", or null where it is not known'),
    ],
)
def test_a_value_that_is_none_is_told_by_row_and_field_alone(field: str, value: Any, what: str) -> None:
    body = json.dumps([GOOD, {**GOOD, field: value}])
    problem = refusal(body)
    assert (problem.status, problem.row, problem.field, problem.what) == (422, 1, field, what)
    assert str(problem) == f"row 1, {field}: {what}"
    assert refusal(json.dumps({**GOOD, field: value})).row == 0


def test_columns_that_are_missing_or_unknown_are_named() -> None:
    without = {name: value for name, value in GOOD.items() if name != "we ird`.x"}
    missing = refusal(json.dumps([GOOD, without]))
    assert (missing.row, missing.field, missing.what) == (1, "we ird`.x", "is missing; must be a number from 0")
    unknown = refusal(json.dumps({**GOOD, "Age": 63}))
    assert (unknown.field, unknown.what) == ("Age", "is not a column of the model; did you mean 'age'?")
    assert "the columns are age, class" in refusal(json.dumps({**GOOD, "zzz": 1})).what


@pytest.mark.parametrize(
    ("body", "status", "what"),
    [
        (b"", 400, "the body is not JSON: Expecting value at character 0"),
        (b'{"age": 63', 400, "the body is not JSON: Expecting ',' delimiter at character 10"),
        (b"\xff\xfe\x00", 400, "the body is not JSON"),
        (b"[" * 100_000, 400, "the body is not JSON"),
        (b'{"age": NaN, ' + b"[" * 100_000, 400, "the body is not JSON"),
        (b"[]", 422, "there are no rows"),
        (b"3", 422, "row 0: must be an object with a value for each column"),
        (b"null", 422, "row 0: must be an object with a value for each column"),
        (json.dumps([GOOD, 3]).encode(), 422, "row 1: must be an object with a value for each column"),
        (json.dumps([GOOD, [GOOD]]).encode(), 422, "row 1: must be an object with a value for each column"),
        (b"NaN", 422, "row 0: must be an object with a value for each column"),
    ],
)
def test_a_body_that_holds_no_rows(body: bytes, status: int, what: str) -> None:
    problem = refusal(body)
    assert problem.status == status
    assert str(problem).startswith(what)


@pytest.mark.parametrize("spelled", ['"age"', '"\\u0061ge"', '"age" '])
def test_a_name_that_stands_twice_in_one_object_is_refused(spelled: str) -> None:
    row = json.dumps(GOOD)[:-1]

    for body in (f"{row}, {spelled}: 40}}", f"[{json.dumps(GOOD)}, {row}, {spelled}: 40}}]"):
        problem = refusal(body.encode())
        assert (problem.status, str(problem)) == (422, "age: stands twice in one object")


def test_a_value_that_is_spelled_like_a_column_is_no_second_name() -> None:
    rows = [GOOD, GOOD]

    assert len(SCHEMA.read(json.dumps(rows, indent=1).encode())) == 2


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 120), st.floats(allow_nan=False), st.sampled_from(["va", "x", "1"])
)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(GOOD, VALUES)), min_size=1, max_size=3))
def test_the_published_schema_and_the_door_agree(rows: list[dict[str, Any]]) -> None:
    properties = {column.name: json_schema(column) for column in COLUMNS}
    published = jsonschema.Draft202012Validator({"properties": properties})
    allowed = all(published.is_valid(row) for row in rows)
    try:
        SCHEMA.read(json.dumps(rows).encode())
    except Problem:
        assert not allowed
    else:
        assert allowed
