"""Which of the rows that arrived count: duplicates, keys, windows, snapshots, and partitions that repeat others."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.errors import DataInvalid, SpecError
from model_release.modelling.dataset.selection import overlaps, select
from model_release.spec.rows import RowRules
from support.tiny_dataset import BEETLES, FIRST, HEADER, ROWS, SECOND, Farm

NUMBER = "weight: {kind: numeric}"
THIRD = "dt=2026-10-15/beetles.csv"
AGAIN = HEADER + ROWS + "1,2.0,red,1,north,0\n"


def with_keys(farm: Farm, spec: str = BEETLES, **keys: str) -> None:
    """Give the spec's dataset these keys."""
    lines = "".join(f"  {key}: {value}\n" for key, value in {"partitions": "increments", **keys}.items())
    farm.with_spec(spec.replace("  partitions: increments\n", lines))


def people(numbers: range, *, length: float = 1) -> str:
    """Return a file with one row per number; the number stands in the column that the model does not see."""
    return HEADER + "".join(f"{length},{n},red,1,north,{n % 2}\n" for n in numbers)


def test_duplicates_are_kept_unless_the_spec_says_otherwise(farm: Farm) -> None:
    farm.deliver(FIRST, AGAIN)
    farm.deliver(SECOND, HEADER + "2,3,blue,2,south,1\n2,3,blue,2,north,1\n3,?,red,7,north,2\n")

    snapshot = farm.ingest()

    assert (snapshot.rows, snapshot.rows_read, snapshot.duplicates_dropped) == (7, 7, 0)


def test_duplicates_are_dropped_and_counted_where_the_spec_says_so(farm: Farm) -> None:
    with_keys(farm, rows="{duplicates: drop}")
    farm.deliver(FIRST, AGAIN)
    farm.deliver(SECOND, HEADER + "2,3,blue,2,south,1\n2,3,blue,2,north,1\n3,?,red,7,north,2\n")

    snapshot = farm.ingest()

    assert (snapshot.rows, snapshot.rows_read, snapshot.duplicates_dropped) == (4, 7, 3)
    assert [partition.rows for partition in snapshot.partitions] == [4, 3]
    assert farm.load(snapshot).frame["length"].tolist() == [1, 2, 3, 2]


def test_a_thousand_equal_rows_stay_a_thousand(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + "1,10,red,1,north,0\n" * 900 + "1,10,red,1,north,1\n" * 100)

    snapshot = farm.ingest()

    assert (snapshot.rows, snapshot.positives) == (1000, 100)


def test_of_the_rows_with_one_key_the_newest_counts(farm: Farm) -> None:
    with_keys(farm, rows="{key: [spots, garden]}")
    farm.deliver(FIRST, HEADER + "1,1,red,1,north,0\n2,1,red,2,north,1\n")
    farm.deliver(SECOND, HEADER + "3,1,red,1,north,1\n4,1,red,1,south,0\n")

    snapshot = farm.ingest()

    assert farm.load(snapshot).frame["length"].tolist() == [2, 3, 4]
    assert (snapshot.rows_read, snapshot.superseded, snapshot.rows) == (4, 1, 3)


def test_of_snapshots_the_newest_that_is_due_counts(farm: Farm) -> None:
    with_keys(farm, partitions="snapshots")
    for path, numbers in {FIRST: range(1, 5), SECOND: range(1, 8), THIRD: range(1, 30)}.items():
        farm.deliver(path, people(numbers))

    snapshot = farm.ingest(date(2026, 10, 10))

    assert [each.path for each in snapshot.partitions] == [SECOND]
    assert snapshot.rows == 7
    assert snapshot.left_out == {FIRST: "superseded by the snapshot of 2026-10-08"}


def test_only_the_window_s_partitions_are_read(farm: Farm) -> None:
    with_keys(farm, window_days="7")
    for path, numbers in {FIRST: range(1, 5), SECOND: range(5, 8), THIRD: range(8, 30)}.items():
        farm.deliver(path, people(numbers))

    snapshot = farm.ingest(date(2026, 10, 14))

    assert [each.path for each in snapshot.partitions] == [SECOND]
    assert snapshot.left_out == {FIRST: "outside the window of 7 days"}
    assert farm.keys("raw/dt=2026-10-01/") == []


def test_a_file_that_the_spec_leaves_out_is_not_read_and_the_reason_is_kept(farm: Farm) -> None:
    with_keys(farm, leave_out=f"{{{SECOND}: exported twice}}")
    farm.deliver(FIRST, HEADER + ROWS)
    farm.deliver(SECOND, "rubbish")

    snapshot = farm.ingest()

    assert snapshot.left_out == {SECOND: "the spec leaves it out: exported twice"}
    assert snapshot.rows == 3


def test_what_a_run_did_to_the_rows_is_said_in_words(farm: Farm) -> None:
    with_keys(farm, rows="{duplicates: drop, invalid: drop, max_invalid: 1}", window_days="8")
    farm.deliver("dt=2026-09-01/a.csv", HEADER)
    farm.deliver("dt=2026-09-02/a.csv", HEADER)
    farm.deliver(FIRST, AGAIN + "x,1,red,1,north,0\n")
    farm.deliver("dt=2026-10-03/_SUCCESS", "")

    snapshot = farm.ingest(date(2026, 10, 8))

    assert snapshot.news == [
        f"1 of 5 rows break a rule and are set aside: {snapshot.set_aside_report}",
        "1 of 5 rows are equal to an earlier one and dropped",
        "dt=2026-09-01/a.csv and 1 more left out: outside the window of 8 days",
        "dt=2026-10-03 gave no rows",
    ]


def test_leaving_out_a_file_that_is_not_there_is_the_spec_s_fault(farm: Farm) -> None:
    with_keys(farm, leave_out=f"{{{SECOND}: exported twice}}")
    farm.deliver(FIRST, HEADER + ROWS)

    with pytest.raises(SpecError, match="the source has no such file"):
        farm.ingest()


@pytest.mark.parametrize("length", [1, 2])
def test_a_partition_that_repeats_an_older_one_by_row_or_by_an_id_stops_and_asks(farm: Farm, length: float) -> None:
    """The lengths of the second file differ: then only the ids, which the model does not see, repeat."""
    farm.with_spec(BEETLES.replace("missing_values: [0]}", "missing_values: [0], input: false}"))
    farm.deliver(FIRST, people(range(1, 400)))
    farm.deliver(SECOND, people(range(1, 401), length=length))

    with pytest.raises(DataInvalid) as caught:
        farm.ingest()

    (found,) = caught.value.report
    what = "values of weight" if length == 2 else "rows"
    assert found["file"] == "dt=2026-10-08"
    assert found["rule"] == f"repeats dt=2026-10-01: 100% of its {what} are there already"
    assert "partitions: snapshots" in str(caught.value.hint)
    assert "rows.key" in str(caught.value.hint)


@pytest.mark.parametrize("rows", ["{overlap: allow}", "{key: weight}"])
def test_an_overlap_that_the_spec_answers_for_is_no_overlap(farm: Farm, rows: str) -> None:
    with_keys(farm, BEETLES.replace("weight: {kind: numeric, nullable: true, missing_values: [0]}", NUMBER), rows=rows)
    farm.deliver(FIRST, people(range(1, 400)))
    farm.deliver(SECOND, people(range(1, 401)))

    assert farm.ingest().rows == (799 if "allow" in rows else 400)


def test_rows_of_few_distinct_values_agree_by_chance_and_are_no_overlap() -> None:
    chance = np.random.default_rng(0)
    days = {
        f"dt=2026-10-0{day}": pd.DataFrame({"age": chance.integers(0, 80, 900).astype(str), "plan": "basic"})
        for day in range(1, 6)
    }

    assert list(overlaps(days, ["age"])) == []


def test_new_people_every_day_are_no_overlap() -> None:
    days = {
        f"dt=2026-10-0{day}": pd.DataFrame({"id": [f"C-{day * 1000 + n - day * 100}" for n in range(1000)]})
        for day in range(1, 6)
    }

    assert list(overlaps(days, ["id"])) == []


def numbered(first: int, size: int = 100) -> pd.DataFrame:
    return pd.DataFrame({"id": [str(first + n) for n in range(size)]})


def test_each_partition_is_compared_with_every_older_one() -> None:
    days = {"a": numbered(0), "b": numbered(1000), "c": numbered(2000), "d": numbered(40), "e": numbered(3000)}
    assert list(overlaps(days, [])) == [("d", "repeats a: 60% of its rows are there already")]


def test_a_partition_that_repeats_half_of_one_among_a_hundred_is_found() -> None:
    days = {f"day {day}": numbered(day * 3_000, 3_000) for day in range(100)}
    days["last"] = pd.concat([numbered(50 * 3_000, 1_600), numbered(900_000, 1_400)])
    assert list(overlaps(days, ["id"])) == [("last", "repeats day 50: 53% of its rows are there already")]


cells = st.sampled_from([0.0, 1.0, 2.0, float("nan")])


@given(
    st.lists(st.tuples(cells, cells, st.sampled_from(["red", "blue"])), max_size=40),
    st.builds(
        RowRules, duplicates=st.sampled_from(["keep", "drop"]), key=st.sampled_from([None, "id", ["id", "word"]])
    ),
)
def test_every_row_is_kept_or_counted_as_left_out(table: list[tuple[float, float, str]], rules: RowRules) -> None:
    received = pd.DataFrame(table, columns=["id", "size", "word"])

    found = select(received, rules, columns=["id", "size", "word"])

    assert len(received) == len(found.rows) + found.superseded + found.duplicates
    assert set(map(str, found.rows.itertuples(index=False))) <= set(map(str, received.itertuples(index=False)))
    if rules.key_columns:
        assert not found.rows.duplicated(rules.key_columns).any()
