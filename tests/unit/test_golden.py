"""Golden rows: within the schema, the same for ever, and no other answer passes for theirs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.documents.golden import TOLERANCE, Golden, made_up_rows, table
from model_release.documents.manifest import InputColumn

numbers = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def schema_columns(draw: st.DrawFn, name: str) -> InputColumn:
    nullable = draw(st.booleans())
    if draw(st.booleans()):
        values = draw(st.one_of(st.lists(st.integers(-9, 9), min_size=1), st.lists(st.text(min_size=1), min_size=1)))
        return InputColumn(name=name, kind="categorical", nullable=nullable, values=list(values))
    bounds = sorted([draw(numbers), draw(numbers)])
    low, high = (bound if draw(st.booleans()) else None for bound in bounds)
    return InputColumn(name=name, kind="numeric", nullable=nullable, minimum=low, maximum=high)


schemas = st.integers(1, 6).flatmap(lambda width: st.tuples(*(schema_columns(f"c{n}") for n in range(width))))


@given(schemas)
def test_made_up_rows_lie_within_the_schema_and_are_the_same_each_time(schema: tuple[InputColumn, ...]) -> None:
    rows = made_up_rows(schema)

    assert rows == made_up_rows(schema)
    assert list(rows) == [column.name for column in schema]
    for column in schema:
        assert len(rows[column.name]) == 8
        for cell in rows[column.name]:
            if cell is None:
                assert column.nullable
            elif column.values:
                assert cell in column.values
            else:
                assert isinstance(cell, float)
                assert cell >= (-math.inf if column.minimum is None else column.minimum)
                assert cell <= (math.inf if column.maximum is None else column.maximum)


def test_rows_of_a_schema_differ_and_some_lack_what_may_be_missing() -> None:
    age = InputColumn(name="age", kind="numeric", nullable=True, minimum=18, maximum=110)

    cells = made_up_rows([age])["age"]

    assert None in cells
    assert len(set(cells)) > 4
    assert table({"age": cells, "site": ["va"] * 7 + [None]}).dtypes.astype(str).to_dict() == {
        "age": "float64",
        "site": "object",
    }


def golden(*probabilities: float) -> Golden:
    return Golden(
        rows={"age": [float(place) for place in range(len(probabilities))]},
        probabilities=list(probabilities),
        classes=[int(each > 0.5) for each in probabilities],
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(-1, 1))
def test_only_answers_within_the_tolerance_agree(probabilities: list[float], shift: float) -> None:
    wanted = golden(*probabilities)
    found = [each + shift for each in probabilities]

    agrees = wanted.disagreement(wanted.classes, found) is None

    assert agrees == all(abs(b - a) <= TOLERANCE for a, b in zip(probabilities, found, strict=True))
    assert Golden.read(wanted.to_bytes(), where="here") == wanted


@pytest.mark.parametrize(
    ("classes", "probabilities", "words"),
    [
        ([1, 0], [0.9, math.nan], "golden row 2 gets nan and not 0.100000, allowed 1e-05"),
        ([1, 0], [0.9, math.inf], "golden row 2 gets inf and not 0.100000, allowed 1e-05"),
        ([0, 0], [0.9, 0.1], "golden row 1 gets class 0 and not 1"),
        ([1], [0.9], "2 golden rows were asked about, and not as many answers came"),
    ],
)
def test_another_answer_is_named(classes: list[int], probabilities: list[float], words: str) -> None:
    assert golden(0.9, 0.1).disagreement(classes, probabilities) == words


def test_at_one_half_either_class_will_do() -> None:
    assert golden(0.5).disagreement([1], [0.5]) is None
