"""Learned and unknown categories, and dates: from a cell of a file to an input of a model, and the same at a door."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_release.documents.golden import GOLDEN_DAY, made_up_rows
from model_release.documents.inputs import UNKNOWN, Inputs, Misfit
from model_release.documents.manifest import InputColumn
from model_release.errors import DataInvalid, SpecError
from model_release.modelling import dataset
from model_release.modelling.dataset import Rows, Snapshot
from model_release.modelling.dataset.validation import check_rows, set_aside, to_values, without_marks
from model_release.modelling.training.fresh import inputs_of
from model_release.serving.invocations import _cell
from model_release.serving.problems import Problem
from model_release.serving.schema import InputSchema
from support.tiny_dataset import BEETLES, FIRST, HEADER, SECOND, Farm

WEIGHT = "weight: {kind: numeric, nullable: true, missing_values: [0]}"
DAY = date(2026, 10, 1)


def taken(farm: Farm, column: str, *cells: str, rows: str = "{}") -> tuple[Snapshot, Rows]:
    """Give the column `weight` another kind, and ingest these cells of it."""
    farm.with_spec(
        BEETLES.replace(WEIGHT, f"weight: {column}").replace("increments\n", f"increments\n  rows: {rows}\n")
    )
    farm.deliver(FIRST, HEADER + "".join(f'1,"{cell}",red,1,north,{n % 2}\n' for n, cell in enumerate(cells)))
    snapshot = farm.ingest()
    return snapshot, farm.load(snapshot)


def refused(farm: Farm, column: str, *cells: str) -> list[tuple[object, ...]]:
    with pytest.raises(DataInvalid) as caught:
        taken(farm, column, *cells)
    return [(each["row"], each["rule"], each["value"]) for each in caught.value.report]


def door(farm: Farm, rows: Rows) -> InputColumn:
    """What the release says of the column `weight`."""
    return next(each for each in dataset.input_schema(farm.spec.dataset, rows.learned) if each.name == "weight")


def inputs(column: InputColumn, *values: Any, day: date = DAY) -> list[Any]:
    """The model's first input for each of these values of requests."""
    return next(iter(Inputs([column]).encode({column.name: values}, day).values()))


def misfit(column: InputColumn, value: Any) -> str:
    with pytest.raises(Misfit) as caught:
        inputs(column, value)
    return str(caught.value)


# ── categories ──────────────────────────────────────────────────────────────────────────────────────────────


def test_categories_are_learned_from_the_training_rows_alone(farm: Farm) -> None:
    snapshot, rows = taken(farm, "{kind: categorical, values: learn}", *(f"c{n}" for n in range(60)))

    training, holdout = dataset.rows_apart(farm.spec, rows)
    cells = rows.frame["weight"]
    assert snapshot.learned["weight"] == rows.learned["weight"] == sorted(cells[training])
    assert len(holdout) > 0
    assert snapshot.unknown == {"weight": len(holdout)}
    assert (
        f"{len(holdout)} of 60 rows have a value of weight that is not learned, and count as unknown" in snapshot.news
    )
    assert set(inputs_of(rows, farm.spec.dataset)["weight"].iloc[holdout]) == {UNKNOWN}
    column = door(farm, rows)
    assert column.learned
    assert column.values == rows.learned["weight"]
    assert misfit(column, "another").startswith('row 0, weight: must be one of "c')


def test_more_values_than_are_learned_stop_the_run(farm: Farm) -> None:
    (found,) = refused(farm, "{kind: categorical, values: learn, limit: 20}", *(f"c{n}" for n in range(60)))

    assert "different values, and 20 are learned at most: raise limit, or write unknown: allow" in str(found[1])


def test_with_unknown_values_allowed_the_most_frequent_ones_are_learned(farm: Farm) -> None:
    cells = ["rare-1", "a", "b", "b", "a", "rare-2", *(["a", "b"] * 40)]
    snapshot, rows = taken(farm, "{kind: categorical, values: learn, limit: 2, unknown: allow}", *cells)

    assert snapshot.learned == {"weight": ["a", "b"]}
    assert set(inputs_of(rows, farm.spec.dataset)["weight"]) == {"a", "b", UNKNOWN}
    assert set(rows.frame["weight"]) == {"a", "b", "rare-1", "rare-2"}, "the snapshot keeps what arrived"
    assert inputs(door(farm, rows), "a", "rare-1", "never seen", 7) == ["a", UNKNOWN, UNKNOWN, UNKNOWN]


def test_a_value_outside_the_list_is_refused_or_unknown_as_the_spec_says(farm: Farm) -> None:
    values = "{kind: categorical, values: [1, 2, A]"
    assert refused(farm, f"{values}}}", "1", "B", "2") == [(3, "is none of 1, 2, A", "B")]

    snapshot, rows = taken(farm, f"{values}, unknown: allow}}", "1", "B", "2.0", "A")

    assert list(rows.frame["weight"]) == ["1", "B", "2", "A"]
    assert list(inputs_of(rows, farm.spec.dataset)["weight"]) == ["1", UNKNOWN, "2", "A"]
    assert snapshot.news == ["1 of 4 rows have a value of weight that is not listed, and count as unknown"]
    assert inputs(door(farm, rows), 1, 2.0, "2.0", " A ", "B", True) == ["1", "2", "2", "A", UNKNOWN, UNKNOWN]


def test_numbers_and_words_that_mix_are_one_text_each_at_every_door(farm: Farm) -> None:
    _, rows = taken(farm, "{kind: categorical, values: [1, 2, A]}", "1", "2", "A", "1.0")

    column = door(farm, rows)
    assert inputs(column, 1, 1.0, "1", "1.0", 2, "A") == ["1", "1", "1", "1", "2", "A"]
    assert misfit(column, 3) == 'row 0, weight: must be one of "1", "2", "A"'
    assert misfit(column, [1]) == 'row 0, weight: must be one of "1", "2", "A"'


def test_a_code_with_a_zero_in_front_is_no_number_where_categories_are_learned(farm: Farm) -> None:
    _, rows = taken(farm, "{kind: categorical, values: learn, nullable: true}", *["01067", "1067", "1067.0", "?"] * 9)

    assert rows.learned["weight"] == ["01067", "1067"]
    assert inputs(door(farm, rows), "01067", 1067, "1067.0", "?", None) == ["01067", "1067", "1067", None, None]


# ── dates ───────────────────────────────────────────────────────────────────────────────────────────────────

EVERY_PART = "{kind: datetime, parts: [age_days, year, month, day, weekday, hour], timezone: Europe/Zurich}"


def test_a_date_becomes_its_age_at_the_partition_s_day_and_parts_of_the_calendar(farm: Farm) -> None:
    _, rows = taken(
        farm, EVERY_PART, "2026-09-30", "2026-01-04T23:30:00Z", "2026-10-02 07:15", "2024-02-29T00:00+14:00"
    )

    parts = rows.frame[[name for name in farm.spec.dataset.features if name.startswith("weight")]]
    assert list(parts.columns) == [f"weight_{each}" for each in ("age_days", "year", "month", "day", "weekday", "hour")]
    assert parts.to_numpy().tolist() == [
        [1, 2026, 9, 30, 3, 0],
        [269, 2026, 1, 5, 1, 0],
        [-1, 2026, 10, 2, 5, 7],
        [946, 2024, 2, 28, 3, 11],
    ]
    assert list(rows.frame["weight"]) == [
        "2026-09-30",
        "2026-01-05T00:30:00",
        "2026-10-02T07:15:00",
        "2024-02-28T11:00:00",
    ]


def test_each_partition_counts_from_its_own_day(farm: Farm) -> None:
    farm.deliver(SECOND, HEADER + "1,2026-09-30,red,1,north,1\n")
    _, rows = taken(farm, "{kind: datetime}", "2026-09-30", "2026-09-30")

    assert rows.frame["weight_age_days"].tolist() == [1, 1, 8]


def test_equal_rows_of_two_partitions_are_duplicates_whatever_their_age(farm: Farm) -> None:
    farm.deliver(SECOND, HEADER + "1,2026-09-30,red,1,north,1\n")
    snapshot, _ = taken(farm, "{kind: datetime}", "2026-09-30", "2026-09-30", rows="{duplicates: drop}")

    assert snapshot.duplicates_dropped == 1


def test_a_row_stays_on_its_side_of_the_split_while_its_date_ages(farm: Farm) -> None:
    cells = [f"2026-0{1 + n % 9}-1{n % 7}" for n in range(80)]
    farm.deliver(SECOND, HEADER + "".join(f"1,{cell},red,1,north,{n % 2}\n" for n, cell in enumerate(cells)))
    keys = BEETLES.replace(WEIGHT, "weight: {kind: datetime}").replace("increments\n", "snapshots\n")
    farm.with_spec(keys)
    later = farm.load(farm.ingest())
    farm.deliver(FIRST, (farm.source.root / SECOND).read_bytes())
    earlier = farm.load(farm.ingest(DAY))

    assert (later.frame["weight_age_days"] - earlier.frame["weight_age_days"]).unique().tolist() == [7]
    for before, after in zip(dataset.rows_apart(farm.spec, earlier), dataset.rows_apart(farm.spec, later), strict=True):
        assert before.tolist() == after.tolist()


def test_what_is_no_date_or_lies_out_of_range_is_a_finding_by_line(farm: Farm) -> None:
    words = "is no date or time of ISO 8601, 2026-11-30"
    cells = ["2026-02-30", "20260930", "30.09.2026", "0000-00-00", "1e3", "10000-01-01", "0001-01-01T00:00+14:00"]

    assert refused(farm, "{kind: datetime}", "2026-09-30", *cells) == [
        (line, words, cell) for line, cell in enumerate(cells, 3)
    ]
    assert refused(farm, "{kind: datetime, min: 0, max: 100}", "2026-10-01", "2026-10-02", "1900-01-01") == [
        (3, "has an age outside 0 to 100 days on 2026-10-01", "2026-10-02"),
        (4, "has an age outside 0 to 100 days on 2026-10-01", "1900-01-01"),
    ]


def test_a_date_may_have_a_form_of_its_own_and_may_be_missing(farm: Farm) -> None:
    column = "{kind: datetime, form: '%d.%m.%Y', nullable: true, missing_values: ['01.01.1900']}"

    _, rows = taken(farm, column, "30.09.2026", "?", "1.1.1900", "1.9.2026")

    assert rows.frame["weight_age_days"].tolist()[::3] == [1, 30]
    assert np.isnan(rows.frame["weight_age_days"].tolist()[1:3]).all()
    assert refused(farm, column, "2026-09-30", "01.09.2026")[0][1] == "is no date of the form %d.%m.%Y"
    assert inputs(door(farm, rows), "30.09.2026", "01.01.1900", "1.1.1900", None) == [1, None, None, None]


def test_at_a_door_the_age_is_counted_to_the_day_of_the_request(farm: Farm) -> None:
    _, rows = taken(farm, "{kind: datetime, min: 0, timezone: Asia/Tokyo}", "2026-09-30", "2026-09-29")
    column = door(farm, rows)
    times = ["2026-09-30", date(2026, 9, 30), datetime(2026, 9, 29, 16, tzinfo=UTC), "2026-09-29T15:00Z"]

    assert inputs(column, *times) == [1, 1, 1, 1]
    assert inputs(column, *times, day=date(2027, 9, 30)) == [365, 365, 365, 365]
    midnight_there = datetime(2026, 10, 1, 15, tzinfo=UTC)
    assert inputs(column, "2026-10-02", day=midnight_there) == [0]
    assert misfit(column, "2026-10-02") == (
        "row 0, weight: must be a date such as 2026-11-30 or 2026-11-30T14:00:00Z, whose age in days is from 0"
    )
    assert misfit(column, 20260930)


def test_parts_must_not_take_the_name_of_a_column(farm: Farm) -> None:
    with pytest.raises(SpecError, match="the parts of weight need the name weight_month, which another column has"):
        farm.with_spec(
            BEETLES.replace(WEIGHT, "weight: {kind: datetime, parts: [month]}\n    weight_month: {kind: numeric}")
        )


# ── the same at every door ──────────────────────────────────────────────────────────────────────────────────

KINDS = [
    "{kind: numeric, min: -5, nullable: true, missing_values: [-9]}",
    "{kind: integer, max: 1000, nullable: true}",
    "{kind: boolean}",
    "{kind: categorical, values: [1, 2.5], nullable: true}",
    "{kind: categorical, values: [1, A, 'true', '007']}",
    "{kind: categorical, values: learn, unknown: allow, nullable: true}",
    "{kind: categorical, values: [A, 'NA'], unknown: allow}",
    "{kind: datetime, parts: [hour, age_days, weekday], nullable: true, missing_values: ['2026-01-01'], max: 9000}",
    "{kind: datetime, form: '%d/%m/%y', timezone: America/Lima}",
]

CELLS = st.one_of(
    st.sampled_from(["1", "1.0", "2.50", "-9", "-9.0", "-5", "-6", "1e2", "1e3", "1e39", "007", "7", "?", "", "-0"]),
    st.sampled_from(["true", "True", "F", "YES", "n", "0", "A", " A ", "a", "NA", "nan", "null", "é", "1_000", "inf"]),
    st.sampled_from(["2026-09-30", "2026-01-01 00:00", "2026-09-30T12:00+05:00", "1/2/26", "29/02/24", "20260930"]),
    st.integers(-20, 1200).map(str),
    st.dates(date(1995, 1, 1), date(2027, 1, 1)).map(str),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=3),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.sampled_from(KINDS), st.lists(CELLS, min_size=1, max_size=8))
def test_a_cell_is_the_same_input_in_training_and_in_a_request_or_is_refused_at_both(
    tmp_path_factory: pytest.TempPathFactory, kind: str, cells: list[str]
) -> None:
    farm = Farm(tmp_path_factory.mktemp("farm"))
    data = farm.with_spec(BEETLES.replace(WEIGHT, f"weight: {kind}")).dataset
    data = data.model_copy(update={"columns": {"weight": data.columns["weight"]}})
    texts = pd.DataFrame({"weight": [cell.strip() for cell in cells], "pest": "0"}, dtype="str")
    marked = without_marks(texts, data)
    sound = set_aside(marked, check_rows(marked, data, file="a.csv", day=DAY))
    learned = {"weight": sorted({*to_values(sound, data, DAY)["weight"].dropna()} - {"7"})}
    rows = Rows(to_values(sound, data, DAY).set_index(sound.index), np.zeros(len(sound)), learned)
    trained = {place: [*row] for place, row in zip(sound.index, inputs_of(rows, data).to_numpy(object), strict=True)}
    schema = InputSchema([door(farm, rows)])

    for place, cell in enumerate(cells):
        value = _cell(cell, "weight", schema)
        if value is None and cell.strip():
            continue  # the protocol's own spelling of a missing value
        if place not in trained:
            with pytest.raises(Problem):
                schema.take([{"weight": value}])
            continue
        wanted = [None if each != each else each for each in trained[place]]
        encoded = Inputs([door(farm, rows)]).encode({"weight": [value]}, DAY)
        assert wanted == [each for (each,) in encoded.values()], cell


@pytest.mark.parametrize("kind", [*KINDS, "{kind: datetime, form: '%Y-%m-%d %H:%M %z', parts: [hour]}"])
def test_golden_rows_of_each_kind_are_taken_by_their_own_schema(farm: Farm, kind: str) -> None:
    cells = ["2026-01-01 10:00 +0100"] if "%z" in kind else ["1/2/26"] if "form" in kind else ["2026-09-30"]
    cells = (cells if "datetime" in kind else ["1"]) * 20
    _, rows = taken(farm, kind, *cells)
    column = door(farm, rows)

    made_up = made_up_rows([column])

    assert made_up == made_up_rows([column])
    encoded = Inputs([column]).encode(made_up, GOLDEN_DAY)
    assert len({*next(iter(encoded.values()))}) > 1
    if column.unknown == "allow":
        assert UNKNOWN in encoded["weight"]
