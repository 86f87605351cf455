"""What a cell means by the kind of its column, and what becomes of a row with a cell that breaks a rule."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_release.documents.readings import finder, number
from model_release.errors import DataInvalid, SpecError
from model_release.modelling import dataset
from model_release.modelling.dataset.cells import reading_of
from model_release.spec.dataset import Column, Dataset, Target
from support.tiny_dataset import BEETLES, FIRST, HEADER, LATE, ROWS, SECOND, Farm

WEIGHT = "weight: {kind: numeric, nullable: true, missing_values: [0]}"


def with_weight(farm: Farm, column: str, *, rows: str = "{}", others: str = "refuse") -> None:
    """Give the column `weight` another kind."""
    text = BEETLES.replace(WEIGHT, f"weight: {column}")
    farm.with_spec(text.replace("increments\n", f"increments\n  rows: {rows}\n  others: {others}\n"))


def weights(farm: Farm, *cells: str) -> list[object]:
    """Return what the cells become."""
    farm.deliver(FIRST, HEADER + "".join(f"1,{cell},red,1,north,{n % 2}\n" for n, cell in enumerate(cells)))
    return list(farm.load(farm.ingest()).frame["weight"])


def findings(farm: Farm, *cells: str) -> list[tuple[object, ...]]:
    with pytest.raises(DataInvalid) as caught:
        weights(farm, *cells)
    return [(each["row"], each["column"], each["rule"], each["value"]) for each in caught.value.report]


def test_truth_is_one_or_zero_in_every_usual_spelling(farm: Farm) -> None:
    with_weight(farm, "{kind: boolean}")

    assert weights(farm, "True", "FALSE", "yes", "n", "1", "0") == [1, 0, 1, 0, 1, 0]
    assert findings(farm, "true", "maybe") == [(3, "weight", "is neither true nor false", "maybe")]
    schema = {column.name: column for column in dataset.input_schema(farm.spec.dataset)}
    assert schema["weight"].kind == "boolean"


def test_integers_that_a_float_cannot_hold_stay_exact_where_no_model_sees_them(farm: Farm) -> None:
    with_weight(farm, "{kind: integer, input: false}", rows="{duplicates: drop}")

    found = weights(farm, *(str(2**53 + n) for n in range(300)))

    assert found == [str(2**53 + n) for n in range(300)]
    assert weights(farm, "3.0", "1e3", "-0") == ["3", "1000", "0"]
    assert findings(farm, "1.5", "2") == [(2, "weight", "is not a whole number", "1.5")]


@pytest.mark.parametrize(
    "cell", ["1e99999999999999999999", "1e-9999999999999999999", "9" * 5000, "1e-400", "\u0663", "+"]
)
def test_what_only_looks_like_an_integer_is_a_finding(farm: Farm, cell: str) -> None:
    with_weight(farm, "{kind: integer, input: false}")

    assert findings(farm, "1", cell) == [(3, "weight", "is not a whole number", cell)]


def test_an_integer_may_have_forty_digits(farm: Farm) -> None:
    with_weight(farm, "{kind: integer, input: false}")

    assert weights(farm, "1" * 42, "1" * 41 + "2") == ["1" * 42, "1" * 41 + "2"]


def test_an_integer_that_the_model_sees_must_be_one_that_a_float_tells_apart(farm: Farm) -> None:
    with_weight(farm, "{kind: integer, max: 10000000000000000}")

    assert weights(farm, "7", str(2**53)) == [7, 2**53]
    assert [each[2] for each in findings(farm, "7", str(2**53 + 1))] == [
        "is beyond 2^53: too large for a model to tell apart"
    ]


def test_a_number_whose_neighbours_a_float_does_not_tell_apart_is_a_finding(farm: Farm) -> None:
    with_weight(farm, "{kind: numeric, input: false}")

    assert weights(farm, "1e20", "9007199254740992.5", "1e300") == [1e20, 2**53, 1e300]
    (found,) = findings(farm, "1", str(2**53 + 1))
    assert "two neighbours are one number; use kind: integer" in str(found[2])


@pytest.mark.parametrize("cell", ["1e160", "-1e300", "3.5e38"])
def test_what_overflows_in_training_is_a_finding_by_line(farm: Farm, cell: str) -> None:
    with_weight(farm, "{kind: numeric}")

    assert findings(farm, "1", cell, "2") == [(3, "weight", "is larger than 3.4e+38, the limit of training", cell)]


def test_text_is_kept_as_it_is_and_is_no_input(farm: Farm) -> None:
    with_weight(farm, "{kind: text, input: false, nullable: true}")

    assert weights(farm, "C-00007", "0x1F", "007")[:3] == ["C-00007", "0x1F", "007"]
    with pytest.raises(SpecError, match="weight is text, which simple cannot take: write input: false"):
        with_weight(farm, "{kind: text}")


def test_categories_that_mix_numbers_and_words_have_one_form(farm: Farm) -> None:
    with_weight(farm, "{kind: categorical, values: [1, 2.5, A]}")

    assert weights(farm, "1", "1.0", "2.50", "A") == ["1", "1", "2.5", "A"]
    (schema,) = [column for column in dataset.input_schema(farm.spec.dataset) if column.name == "weight"]
    assert schema.values == ["1", "2.5", "A"]
    assert findings(farm, "1", "a") == [(3, "weight", "is none of 1, 2.5, A", "a")]


def test_neighbours_beyond_2_to_the_53_are_two_categories(farm: Farm) -> None:
    low, high = 2**53, 2**53 + 1
    with_weight(farm, f"{{kind: categorical, values: [{low}, {high}]}}")

    assert weights(farm, str(low), str(high)) == [str(low), str(high)]


REFUSED = {
    "{kind: integer, values: [1]}": "an integer column has no values; its keys: max and min",
    "{kind: boolean, min: 0}": "a boolean column has no min; its keys: none of its own",
    "{kind: text, values: [a], input: false}": "a text column has no values; its keys: none of its own",
    "{kind: categorical}": "a categorical column lists its values, or says values: learn",
    "{kind: categorical, values: [a], limit: 7}": "limit is for values: learn",
    "{kind: numeric, parts: [month]}": "a numeric column has no parts",
    "{kind: datetime, form: '%H:%M'}": "'%H:%M' does not tell a day",
    "{kind: datetime, timezone: Mars}": "no time zone is called 'Mars'",
    "{kind: datetime, parts: [month, month]}": "parts names a part twice",
    "{kind: word}": "'word' is not known",
}


@pytest.mark.parametrize("column", REFUSED)
def test_a_kind_with_keys_of_another_is_refused(farm: Farm, column: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_weight(farm, column)

    assert REFUSED[column] in str(caught.value)


def test_undeclared_columns_are_ignored_where_the_spec_says_so(farm: Farm) -> None:
    """An index without a name, an id, a date, and a name that stands twice."""
    with_weight(farm, "{kind: numeric, nullable: true}", others="ignore")
    plain = HEADER + ROWS
    lines = [f"{n},C-{n},2026-10-30,2026-10-30,{line}" for n, line in enumerate(plain.splitlines()[1:])]
    farm.deliver(FIRST, plain)
    before = farm.ingest()
    farm.deliver(FIRST, ",customer,signup,signup," + HEADER + "\n".join(lines) + "\n")

    assert farm.ingest().fingerprint == before.fingerprint


def test_a_declared_column_that_stands_twice_is_a_finding_also_where_others_are_ignored(farm: Farm) -> None:
    with_weight(farm, "{kind: numeric}", others="ignore")
    farm.deliver(FIRST, HEADER.strip() + ",weight\n1,2,red,1,north,0,3\n")

    with pytest.raises(DataInvalid, match="weight: the column stands twice in the header"):
        farm.ingest()


# ── one bad cell costs one row ──────────────────────────────────────────────────────────────────────────────


def test_one_bad_cell_costs_one_row(farm: Farm) -> None:
    with_weight(farm, "{kind: numeric}", rows="{invalid: drop, max_invalid: 2}")
    farm.deliver(FIRST, HEADER + "1,1,red,1,north,0\n1,2,red,1,north,1\n")
    farm.deliver(SECOND, HEADER + "9.5,x,red,1,north,0\n1,3,red,1,north,1\n1,2\n1,4,blue,2,south,0\n")

    snapshot = farm.ingest()

    assert farm.load(snapshot).frame["weight"].tolist() == [1, 2, 3, 4]
    assert (snapshot.rows_read, snapshot.set_aside, snapshot.rows) == (6, 2, 4)
    assert [each.rows for each in snapshot.partitions] == [2, 4]
    assert snapshot.set_aside_report is not None
    report = farm.data.get(snapshot.set_aside_report)
    assert report is not None
    listed = json.loads(report.body)["listed"]
    assert [(each["file"], each["row"], each["column"], each["value"]) for each in listed] == [
        (SECOND, 2, "length", "9.5"),
        (SECOND, 2, "weight", "x"),
        (SECOND, 4, None, None),
    ]


@pytest.mark.parametrize(("most", "passes"), [("0.25", True), ("0.24", False), ("1", True)])
def test_above_the_limit_of_a_partition_the_run_stops(farm: Farm, most: str, passes: bool) -> None:
    with_weight(farm, "{kind: numeric}", rows=f"{{invalid: drop, max_invalid: {most}}}")
    farm.deliver(FIRST, HEADER + "1,2,red,1,north,1\n" * 40)
    farm.deliver(SECOND, HEADER + "1,x,red,1,north,0\n1,3,red,1,north,1\n1,4,red,1,north,0\n1,5,red,1,north,1\n")

    if passes:
        assert farm.ingest().set_aside == 1
        return
    with pytest.raises(DataInvalid) as caught:
        farm.ingest()
    assert [each["file"] for each in caught.value.report] == [SECOND]
    assert caught.value.where == farm.source.uri, "the message names the source, not the store that keeps the report"


def test_a_file_that_is_wrong_as_a_whole_stops_the_run_whatever_the_limit(farm: Farm) -> None:
    with_weight(farm, "{kind: numeric}", rows="{invalid: drop, max_invalid: 1000}")
    farm.deliver(FIRST, HEADER + ROWS.replace("?", "1"))
    farm.deliver(SECOND, "nothing,of,this\n1,2,3\n")

    with pytest.raises(DataInvalid, match="is no header line"):
        farm.ingest()


CELL = st.one_of(
    st.sampled_from(["1", "2.5", "", "?", "x", "1e999", '"', "a,b", "  3 ", "-1", "nan", "é"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs", "Cc"]), max_size=4),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.tuples(CELL, CELL), max_size=12), min_size=1, max_size=4))
def test_every_row_that_arrives_is_kept_or_counted_with_its_reason(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[tuple[str, str]]]
) -> None:
    import csv

    farm = Farm(tmp_path_factory.mktemp("farm"))
    with_weight(farm, "{kind: numeric, nullable: true}", rows="{invalid: drop, max_invalid: 1000, duplicates: drop}")
    farm.deliver(FIRST, HEADER + ROWS)
    sent = 3
    for number_, cells in enumerate(files):
        path = farm.source.root / f"dt=2026-10-0{number_ + 2}" / "part.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.writer(opened)
            writer.writerow(HEADER.strip().split(","))
            writer.writerows([length, weight, "red", 1, "north", 0] for length, weight in cells)
        sent += len(cells)

    snapshot = farm.ingest()

    kept = snapshot.rows + snapshot.set_aside + snapshot.duplicates_dropped + snapshot.superseded
    assert snapshot.rows_read == sent == kept
    assert (snapshot.set_aside > 0) == (snapshot.set_aside_report is not None)
    if snapshot.set_aside_report is not None:
        report = farm.data.get(snapshot.set_aside_report)
        assert report is not None
        rows = {(each["file"], each["row"]) for each in json.loads(report.body)["listed"]}
        assert len(rows) == snapshot.set_aside


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_own_spelling(value: float) -> None:
    assert number(repr(value)) == value


@given(st.lists(st.one_of(st.integers(), st.text("ab1.0e", min_size=1, max_size=3)), min_size=1, unique_by=str))
def test_a_category_is_read_back_as_itself(values: list[Any]) -> None:
    column = Column(kind="categorical", values=values)
    if column.is_coded:
        return
    assert [finder(column.labels)(label) for label in column.labels] == list(column.labels)


def test_a_cell_of_each_kind_is_a_float_or_text() -> None:
    data = Dataset(
        source="x",
        title="x",
        partitions="increments",
        columns={"a": Column(kind="integer"), "b": Column(kind="text", input=False)},
        target=Target(column="c", positive_above=0, positive="p", negative="n"),
    )

    fields: list[Column | Target] = [*data.columns.values(), data.target]
    assert [reading_of(column, data, LATE).is_number for column in fields] == [
        True,
        False,
        True,
    ]
    assert np.isfinite(reading_of(data.columns["a"], data, LATE).value("7"))  # type: ignore[arg-type]
