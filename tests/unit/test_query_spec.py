"""A query in a spec: what can be no source is refused when the spec is read, by line and key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from model_release.errors import SpecError
from model_release.spec.load import load_spec, parse_spec
from model_release.spec.source import Query
from model_release.workflows.sources import days_of, today_of
from support.tiny_dataset import BEETLES

SOURCE = "  source: {sql: farm, query: SELECT * FROM beetles WHERE day = :day, since: 2026-10-01}\n"
WITH_QUERY = BEETLES.replace("  source: beetles\n", SOURCE)
FAULTS = {
    "SELECT * FROM beetles": "has no :day, and each partition is the rows of one day",
    "DELETE FROM beetles WHERE day = :day": "is no SELECT: a source is only read",
    "SELECT 1 WHERE :day > now(); DROP TABLE beetles": "holds more than one statement",
    "/* SELECT */ UPDATE beetles SET day = :day": "is no SELECT",
    "SELECT * FROM beetles WHERE day = :day AND garden = :garden": "has the parameter :garden, and :day is the",
}


@pytest.mark.parametrize("query", FAULTS)
def test_a_query_that_reads_no_day_is_refused_by_its_line(query: str) -> None:
    text = WITH_QUERY.replace("SELECT * FROM beetles WHERE day = :day", f'"{query}"')
    with pytest.raises(SpecError) as caught:
        parse_spec(text.encode(), Path("beetles.yaml"))
    assert f"line 6: dataset.source.query: {FAULTS[query]}" in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [
        "WITH some AS (SELECT ';' AS mark, day::date FROM beetles) SELECT * FROM some WHERE day = :day",
        "-- of one day; all gardens\n(SELECT * FROM beetles WHERE day = CAST(:day AS date));",
        "select count(*) filter (where x[1\\:2] is null) from beetles where day=:day",
    ],
)
def test_what_only_looks_like_more_than_one_statement_is_read(query: str) -> None:
    assert Query(sql="farm", query=query).query == query


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (", since: 2026-10-01", "", "source.since is missing: write the first day that has rows, or write"),
        ("since", "sinse", "dataset.source.sinse: unknown key; did you mean 'since'?"),
        (
            "  partitions",
            "  format: csv\n  delimiter: ;\n  partitions",
            "delimiter describes files, and the source is a",
        ),
        (
            "since",
            "refetch: [{day: 2026-10-01, reason: a}, {day: 2026-10-01, reason: b}], since",
            "names 2026-10-01 twi",
        ),
    ],
)
def test_keys_that_do_not_go_with_a_query_are_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(WITH_QUERY.replace(old, new).encode(), Path("beetles.yaml"))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "days"),
    [
        ("", ["2026-10-01", "2026-10-02", "2026-10-03"]),
        ("  window_days: 3\n", ["2026-10-02", "2026-10-03"]),
        ("  window_days: 90\n", ["2026-10-01", "2026-10-02", "2026-10-03"]),
    ],
)
def test_the_days_of_a_run_end_before_its_own_which_is_not_over(tmp_path: Path, keys: str, days: list[str]) -> None:
    (tmp_path / "beetles.yaml").write_text(WITH_QUERY.replace("  partitions", f"{keys}  partitions"))
    spec = load_spec(tmp_path / "beetles.yaml")
    assert isinstance(spec.dataset.source, Query)
    assert [str(day) for day in days_of(spec, spec.dataset.source, date(2026, 10, 4))] == days
    assert [*days_of(spec, spec.dataset.source, date(2026, 9, 1))] == []


def test_today_is_the_day_where_the_schedule_is(tmp_path: Path) -> None:
    """On Kiritimati the clock is 25 hours ahead of Niue's."""
    days = []
    for zone in ("Pacific/Niue", "Pacific/Kiritimati"):
        (tmp_path / "beetles.yaml").write_text(f"{BEETLES}schedule: {{timezone: {zone}}}\n")
        days.append(today_of(load_spec(tmp_path / "beetles.yaml")))
    assert days[0] < days[1]


def test_the_results_of_a_query_cannot_be_watched_but_announced() -> None:
    said = WITH_QUERY + "schedule: {on_new_data: announced}\n"
    assert parse_spec(said.encode(), Path("beetles.yaml")).schedule is not None
    with pytest.raises(SpecError, match="the results of a query cannot be looked at before it is run: write announced"):
        parse_spec(said.replace("announced", "watched").encode(), Path("beetles.yaml"))
