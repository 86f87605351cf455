"""Which rows are held out, and which rows each fold measures, where rows belong together or come one after another."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_release.errors import DataInvalid, SpecError
from model_release.modelling import dataset
from model_release.modelling.dataset import Rows
from model_release.modelling.folds import folds_of
from model_release.spec.split import disagreements
from model_release.stores.local import LocalStore
from support.panels import CLASSES, COLUMNS, panel, spec_of


def taken(rows: Rows, positions: Any, column: str) -> set[Any]:
    return {*rows.frame[column].iloc[positions]}


# ── the holdout ───────────────────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(20, 60), st.integers(1, 40))
def test_a_group_is_on_one_side_and_never_changes_it_as_the_data_grows(seed: int, people: int, more: int) -> None:
    spec = spec_of(group="who", split={"seed": seed})
    before, after = panel(people, 3), panel(people + more, 5)

    held = [taken(rows, dataset.rows_apart(spec, rows)[1], "who") for rows in (before, after)]
    trained = [taken(rows, dataset.rows_apart(spec, rows)[0], "who") for rows in (before, after)]

    assert not held[1] & trained[1]
    assert held[0] <= held[1]
    assert trained[0] <= trained[1]


def test_the_share_of_groups_that_is_held_out_is_the_one_asked_for() -> None:
    rows = panel(2000, 2)
    held = taken(rows, dataset.rows_apart(spec_of(group="who", split={"holdout": 0.3}), rows)[1], "who")
    assert 0.26 < len(held) / 2000 < 0.34


@pytest.mark.parametrize("column", ["day", "year"])
def test_a_split_by_time_holds_out_the_last_days(column: str) -> None:
    rows, spec = panel(), spec_of(time=column, split={"holdout": 0.2})

    training, holdout = dataset.rows_apart(spec, rows)

    assert max(taken(rows, training, column)) < min(taken(rows, holdout, column))
    assert len(taken(rows, holdout, column)) == 2
    assert len(training) + len(holdout) == len(rows)


def test_the_rows_of_the_gap_are_on_neither_side() -> None:
    rows = panel()
    training, holdout = dataset.rows_apart(spec_of(time="day", validation={"gap": 2}), rows)
    assert max(taken(rows, training, "day")) == "2026-01-06"
    assert min(taken(rows, holdout, "day")) == "2026-01-09"


def test_days_are_counted_in_utc_and_times_of_one_day_stay_together() -> None:
    rows = panel()
    frame = rows.frame.assign(day=[f"{day}T23:30:00-02:00" for day in rows.frame["day"]])
    assert dataset.times_of(Rows(frame, rows.target), spec_of(time="day").dataset)[0] == date(2026, 1, 2).toordinal()
    mixed = frame.assign(day=[f"{day}T0{place % 9}:00" for place, day in enumerate(rows.frame["day"])])
    spec = spec_of(time="day")
    assert [*dataset.rows_apart(spec, Rows(mixed, rows.target))[1]] == [*dataset.rows_apart(spec, rows)[1]]


def test_group_and_time_together_keep_both_promises() -> None:
    rows, spec = panel(100), spec_of(group="who", time="day")

    training, holdout = dataset.rows_apart(spec, rows)

    assert max(taken(rows, training, "day")) < min(taken(rows, holdout, "day"))
    assert not taken(rows, training, "who") & taken(rows, holdout, "who")
    assert 0.1 < len(taken(rows, holdout, "who")) / 100 < 0.35
    assert len(training) > len(rows) / 2


# ── the folds ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("target", [CLASSES, {"column": "y"}])
def test_no_group_is_on_both_sides_of_a_fold(target: dict[str, Any]) -> None:
    rows, spec = panel(), spec_of(group="who", target=target, validation={"folds": 4, "repeats": 3})
    training, _ = dataset.rows_apart(spec, rows)

    plan = folds_of(spec, rows, training)

    assert (len(plan.pairs), plan.folds, plan.repeats, len(plan.measured)) == (12, 4, 3, len(training))
    for fit, test in plan.pairs:
        assert not taken(rows, training[fit], "who") & taken(rows, training[test], "who")
    for repeat in range(3):
        measured = np.concatenate([test for _, test in plan.pairs[repeat * 4 : repeat * 4 + 4]])
        assert sorted(measured) == list(range(len(training)))


@pytest.mark.parametrize("gap", [0, 1])
def test_forward_folds_measure_each_block_by_a_model_of_the_days_before_it(gap: int) -> None:
    rows, spec = panel(days=20), spec_of(time="day", validation={"folds": 4, "gap": gap})
    training, holdout = dataset.rows_apart(spec, rows)

    plan = folds_of(spec, rows, training)

    ordered = sorted(taken(rows, range(len(rows)), "day"))
    for fit, test in plan.pairs:
        last, first = max(taken(rows, training[fit], "day")), min(taken(rows, training[test], "day"))
        assert ordered.index(first) - ordered.index(last) == 1 + gap
    assert (plan.folds, plan.repeats) == (4, 1)
    assert len(plan.measured) == sum(len(test) for _, test in plan.pairs) < len(training)
    assert max(taken(rows, training, "day")) < min(taken(rows, holdout, "day"))


def test_forward_folds_with_a_group_keep_both_promises_and_measure_no_group_twice() -> None:
    rows, spec = panel(200, 20), spec_of(group="who", time="day", validation={"folds": 4})
    training, _ = dataset.rows_apart(spec, rows)

    plan = folds_of(spec, rows, training)

    groups = [taken(rows, training[test], "who") for _, test in plan.pairs]
    for fit, test in plan.pairs:
        assert max(taken(rows, training[fit], "day")) < min(taken(rows, training[test], "day"))
        assert not taken(rows, training[fit], "who") & taken(rows, training[test], "who")
    assert sum(map(len, groups)) == len(set.union(*groups))


@pytest.mark.parametrize("roles", [{}, {"group": "who"}, {"time": "day"}])
def test_a_single_fold_is_the_first_of_those_that_the_split_asks_for(roles: dict[str, Any]) -> None:
    rows = panel()
    one, many = (spec_of(**roles, validation=each) for each in ({"method": "single"}, {}))
    training, _ = dataset.rows_apart(one, rows)

    plan = folds_of(one, rows, training)

    (fit, test), (first_fit, first_test) = plan.pairs[0], folds_of(many, rows, training).pairs[0]
    assert ([*fit], [*test]) == ([*first_fit], [*first_test])
    assert (len(plan.pairs), plan.repeats, [*plan.measured]) == (1, 1, sorted(test))


# ── what is said of rows and specs that cannot do it ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"split": {"method": "group"}}, "split: method: group needs dataset.group"),
        ({"split": {"method": "time"}}, "split: method: time needs dataset.time"),
        ({"validation": {"method": "forward"}}, "validation: method: forward needs dataset.time"),
        ({"group": "who", "split": {"method": "stratified"}}, "puts rows of one who on both sides"),
        ({"group": "who", "validation": {"method": "repeated_stratified"}}, "write group, forward or single"),
        ({"validation": {"gap": 1}}, "a gap lies between days"),
        ({"validation": {"method": "single"}, "gate": {"loss": "our.costs:of"}}, "compared over folds"),
        ({"group": "whom"}, "group: there is no column 'whom'; did you mean 'who'?"),
        ({"weight": "who"}, "weight: who is text; a weight is numeric or integer"),
        (
            {"group": "who", "columns": {**COLUMNS, "who": {"kind": "text", "input": False, "nullable": True}}},
            "who is nullable, and no row can be without a group",
        ),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused_with_the_key(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match="panel.yaml") as refused:
        spec_of(**keys)
    assert said in refused.value.what


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"time": "day", "validation": {"method": "repeated_stratified"}}, "models that saw later ones"),
        ({"time": "day", "split": {"method": "content_hash"}}, "neither split.method: content_hash nor"),
        ({"time": "day", "split": {"method": "content_hash"}, "validation": {"method": "forward"}}, "time agrees"),
        ({"time": "day"}, None),
        ({"group": "who", "time": "day"}, None),
        ({}, None),
    ],
)
def test_lint_says_where_split_and_validation_disagree(keys: dict[str, Any], said: str | None) -> None:
    spec = spec_of(**keys)
    found = [*disagreements(spec.dataset, spec.split, spec.validation)]
    assert [said in each for each in found] == [True] if said else found == []


@pytest.mark.parametrize(
    ("rows", "keys", "said"),
    [
        (panel(4), {"group": "who"}, "there are 4 groups outside the holdout, too few for 5 folds"),
        (panel(days=4), {"time": "year"}, "3 times, too few for 5 blocks"),
        (panel(20), {"time": "day", "validation": {"gap": 4, "folds": 2}}, "has no rows to fit to before it"),
    ],
)
def test_too_few_groups_or_days_are_named(rows: Rows, keys: dict[str, Any], said: str) -> None:
    spec = spec_of(**keys)
    with pytest.raises(DataInvalid) as refused:
        folds_of(spec, rows, np.arange(len(rows)) if "group" in keys else dataset.rows_apart(spec, rows)[0])
    assert said in refused.value.what


def test_a_class_that_one_group_alone_has_is_named() -> None:
    rows, spec = panel(), spec_of(group="who")
    alone = Rows(rows.frame, (rows.frame["who"] == "p1").to_numpy(np.int64))
    with pytest.raises(DataInvalid, match="has no row of class yes to fit to"):
        folds_of(spec, alone, np.arange(len(rows)))


@pytest.mark.parametrize(
    ("cells", "roles", "said"),
    [
        ({"day": "yesterday"}, {"time": "day"}, ["line 3: day: 'yesterday' is no date or time as ISO 8601 has it"]),
        ({"weight": "-1"}, {"weight": "weight"}, ["line 3: weight: '-1' is below 0"]),
        ({"who": ""}, {"group": "who"}, ["line 3: who: is missing"]),
        ({}, {"group": "alike"}, ["alike: all 42 rows have one value"]),
        ({}, {"weight": "nought"}, ["nought: all 42 weights are 0"]),
    ],
)
def test_what_a_row_lacks_to_be_grouped_ordered_or_weighted_is_a_finding(
    tmp_path: Path, cells: dict[str, str], roles: dict[str, Any], said: list[str]
) -> None:
    more = {"alike": {"kind": "numeric", "input": False}, "nought": {"kind": "numeric", "input": False}}
    spec = spec_of(**roles, columns={**COLUMNS, **more})
    frame = panel(5, 10).frame.assign(alike=1, nought=0, y=lambda rows: rows.index % 2).astype(str)
    for column, cell in cells.items():
        frame.loc[1, column] = cell
    (tmp_path / "dt=2026-10-01").mkdir()
    frame.to_csv(tmp_path / "dt=2026-10-01" / "rows.csv", index=False)

    with pytest.raises(DataInvalid) as refused:
        dataset.ingest(spec, source=LocalStore(tmp_path), data=LocalStore(tmp_path / "data"), as_of=date(2026, 10, 1))

    assert [words for words in said if words not in refused.value.what] == []
