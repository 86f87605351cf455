"""A query as the source: each day that is over is asked for once, and its rows are kept exactly."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from sqlalchemy import Engine

from emulators.postgres import PASSWORD, postgres
from model_release.errors import (
    CredentialsRefused,
    DataInvalid,
    ModelReleaseError,
    NotFound,
    SpecError,
    StoreUnavailable,
    UsageError,
)
from model_release.model_files import sandbox
from model_release.modelling import dataset
from model_release.modelling.dataset import Snapshot
from model_release.modelling.dataset.query import fetch
from model_release.spec.load import load_spec
from model_release.spec.source import Query
from model_release.stores.local import LocalStore
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from model_release.workflows.sources import database_here, open_source
from support.retrain_steps import through

VARIABLE = "AIRFLOW_CONN_WAREHOUSE"
SPEC = """\
name: visits
title: Visits
owner: clinic
dataset:
  title: Visits
  source:
    sql: warehouse
    query: SELECT visitor, age, plan, amount, gone FROM visits WHERE day = :day ORDER BY visitor
    since: 2026-10-01
  partitions: increments
  columns:
    visitor: {kind: integer, input: false}
    age: {kind: numeric}
    plan: {kind: categorical, values: [basic, full], nullable: true}
    amount: {kind: numeric}
  target: {column: gone, classes: {"true": gone, "false": here}, positive: "true"}
validation: {folds: 2, repeats: 1}
candidates:
  logistic_regression: {estimator: LogisticRegression, parameters: {C: 0.1, max_iter: 1000}}
gate:
  cross_validation: {roc_auc: 0.6}
destinations:
  - {name: local, uri: "${MODEL_RELEASE_STORE}"}
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a database, as libpq takes it."""
    with postgres() as running:
        running.create("clinic")
        with closing(psycopg2.connect(running.url("clinic", driver="postgresql"))) as connection, connection:
            connection.cursor().execute("CREATE ROLE reader LOGIN PASSWORD 'reader-secret'")
        yield running.url("clinic", driver="postgresql")


@dataclass
class Clinic:
    """A database with the rows of three days, and a folder for what is read of it."""

    folder: Path
    connection: Any
    asked: list[str]

    def run(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)

    def ingest(self, day: int = 4, *, text: str = SPEC) -> Snapshot:
        path = self.folder / "visits.yaml"
        path.write_text(text)
        spec, data, as_of = load_spec(path), LocalStore(self.folder / "data"), date(2026, 10, day)
        source = open_source(spec, opener=None, databases=self.opened, data=data, as_of=as_of)  # type: ignore[arg-type]
        return dataset.ingest(spec, source=source, data=data, as_of=as_of)

    def opened(self, connection: str) -> Engine:
        self.asked.append(connection)
        return database_here(connection)

    def kept(self) -> list[Path]:
        return sorted((self.folder / "data" / "raw").rglob("*.parquet"))


@pytest.fixture
def clinic(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    monkeypatch.setenv(VARIABLE, address)
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "store").as_uri())
    connection = psycopg2.connect(address)
    connection.autocommit = True
    found = Clinic(tmp_path, connection, [])
    found.run(
        "CREATE TABLE visits (day date, visitor bigint, age int, plan text, amount numeric, gone bool);"
        "INSERT INTO visits SELECT '2026-10-01'::date + i % 3, 9007199254740992 + i, 20 + i % 50,"
        " CASE WHEN i % 7 = 0 THEN NULL WHEN i % 2 = 0 THEN 'basic' ELSE 'full' END, i * 1.05, i * 37 % 100 > i % 50"
        " FROM generate_series(1, 240) i"
    )
    yield found
    found.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    connection.close()


def test_each_day_that_is_over_is_a_partition_and_is_asked_for_once(clinic: Clinic) -> None:
    assert [each.path for each in clinic.ingest(3).partitions] == [
        "dt=2026-10-01/query.parquet",
        "dt=2026-10-02/query.parquet",
    ]
    assert len(clinic.asked) == 2
    snapshot = clinic.ingest(4)
    assert (snapshot.rows, len(clinic.asked), len(clinic.kept())) == (240, 3, 3)
    assert clinic.ingest(4).fingerprint == snapshot.fingerprint
    assert len(clinic.asked) == 3
    with pytest.raises(NotFound, match="no data had arrived by 2026-10-01"):
        clinic.ingest(1)


def test_a_changed_day_is_asked_for_again_for_a_reason_in_the_spec_and_both_results_stay(clinic: Clinic) -> None:
    before = clinic.ingest()
    clinic.run("INSERT INTO visits VALUES ('2026-10-02', 7, 30, 'full', 1, true)")
    assert clinic.ingest().fingerprint == before.fingerprint

    again = SPEC.replace("since:", "refetch: [{day: 2026-10-02, reason: a clinic was late}]\n    since:")
    assert clinic.ingest(text=again).rows == 241
    assert (clinic.ingest(text=again).rows, len(clinic.asked), len(clinic.kept())) == (241, 4, 4)


def test_of_two_runs_that_ask_at_once_both_go_by_the_result_that_was_kept_first(clinic: Clinic) -> None:
    def slow(connection: str) -> Engine:
        if not clinic.asked:
            clinic.ingest(2)
            clinic.run("DELETE FROM visits")
        return database_here(connection)

    other = Clinic(clinic.folder, clinic.connection, [])
    other.opened = slow  # type: ignore[method-assign]
    assert (other.ingest(2).rows, len(clinic.kept())) == (80, 1)


def test_a_day_without_rows_is_news_and_is_not_asked_for_again(clinic: Clinic) -> None:
    snapshot = clinic.ingest(6)
    assert snapshot.news == ["dt=2026-10-04 and 1 more gave no rows"]
    assert (clinic.ingest(6).without_data, len(clinic.asked)) == (["dt=2026-10-04", "dt=2026-10-05"], 5)


def test_snapshots_ask_for_the_last_day_and_a_window_for_its_days(clinic: Clinic) -> None:
    endless = SPEC.replace("    since: 2026-10-01\n", "")
    whole = endless.replace("day = :day", "day <= :day").replace("increments", "snapshots")
    assert [each.path for each in clinic.ingest(text=whole).partitions] == ["dt=2026-10-03/query.parquet"]
    assert clinic.ingest(text=whole).rows == 240
    window = endless.replace("  partitions", "  window_days: 3\n  partitions")
    assert [each.path[3:13] for each in clinic.ingest(text=window).partitions] == ["2026-10-02", "2026-10-03"]


def test_values_are_kept_as_received(clinic: Clinic) -> None:
    clinic.run(
        "CREATE TABLE cells (i int, big bigint, exact numeric, money numeric(12,2), day date, at timestamptz,"
        " word text, truth bool, share float8, nothing text, id uuid);"
        "INSERT INTO cells VALUES (1, 9007199254740993, 0.1, 10.50, '2026-02-28', '2026-03-29 01:30+01', '', true, 0.1,"
        " NULL, '6ba7b810-9dad-11d1-80b4-00c04fd430c8'),"
        " (2, -1, 12345678901234567890.123456789, NULL, NULL, '2026-10-25 02:30+02', NULL, NULL, 'NaN', NULL, NULL)"
    )
    made = clinic.folder / "cells.parquet"
    query = Query(sql="warehouse", query="SELECT * FROM cells WHERE day <= :day OR day IS NULL ORDER BY i")
    fetch(database_here("warehouse"), query, date(2026, 10, 1), made, where="cells")
    table = parquet.read_table(made)
    assert {field.name: str(field.type) for field in table.schema} == {
        "i": "int64",
        "big": "int64",
        "exact": "decimal128(29, 9)",
        "money": "decimal128(4, 2)",
        "day": "date32[day]",
        "at": "timestamp[us, tz=UTC]",
        "word": "string",
        "truth": "bool",
        "share": "double",
        "nothing": "null",
        "id": "string",
    }
    first, second = table.drop_columns("share").to_pylist()
    assert [first[name] for name in ("big", "exact", "money", "day", "word", "nothing")] == [
        2**53 + 1,
        Decimal("0.1"),
        Decimal("10.50"),
        date(2026, 2, 28),
        "",
        None,
    ]
    assert first["at"] == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert (second["exact"], second["word"]) == (Decimal("12345678901234567890.123456789"), None)


def test_batches_are_joined_whatever_is_null_in_the_first_one(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_release.modelling.dataset.query._BATCH", 10)
    made = clinic.folder / "joined.parquet"
    query = Query(
        sql="warehouse",
        query="SELECT i, CASE WHEN i > 15 THEN i / 8.0 END AS part, CASE WHEN i > 25 THEN :day END AS day"
        " FROM generate_series(1, 30) i WHERE :day IS NOT NULL ORDER BY i",
    )
    fetch(database_here("warehouse"), query, date(2026, 10, 1), made, where="joined")
    table = parquet.read_table(made)
    assert (len(table), table["part"].null_count, table["day"].null_count) == (30, 15, 25)
    assert arrow.types.is_decimal(table.schema.field("part").type)
    assert table["part"][29].as_py() == Decimal("3.75")


WRITES = "CREATE FUNCTION grow(day date) RETURNS int AS 'INSERT INTO visits (day) VALUES ($1); SELECT 1' LANGUAGE sql"
RIGHTS = "GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT, INSERT ON visits TO reader"
FAULTS: dict[str, tuple[str, type[ModelReleaseError], str]] = {
    "writes": ("SELECT grow(:day)", SpecError, "the query writes, and a source is only read: cannot execute INSERT"),
    "names no table": ("SELECT :day FROM visit", SpecError, 'the query fails: relation "visit" does not exist'),
    "is no SQL": ("SELECT SELECT :day", SpecError, "the query fails: syntax error"),
    "repeats a name": ("SELECT :day AS a, 1 AS a", SpecError, "returns 'a' twice"),
    "is not allowed": ("SELECT :day, * FROM pg_authid", CredentialsRefused, "permission denied for"),
    "returns too much": ("SELECT :day, i FROM generate_series(1, 101) i", DataInvalid, "more than 100 rows"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_query_that_cannot_be_a_source_is_refused_and_keeps_nothing(
    clinic: Clinic, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query, kind, words = FAULTS[case]
    clinic.run(f"{WRITES}; {RIGHTS}")
    monkeypatch.setenv(VARIABLE, os.environ[VARIABLE].replace(f"owner:{PASSWORD}", "reader:reader-secret"))
    text = SPEC.replace("SELECT visitor, age, plan, amount, gone FROM visits WHERE day = :day ORDER BY visitor", query)
    with pytest.raises(kind, match=words) as caught:
        clinic.ingest(text=text.replace("since:", "max_rows: 100\n    since:"))
    assert "sql://warehouse, dt=2026-10-01/query.parquet" in str(caught.value)
    assert clinic.kept() == []


def test_the_password_is_in_no_error(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    right = os.environ[VARIABLE]
    for said, kind in {
        right.replace(PASSWORD, "wrong-secret"): CredentialsRefused,
        right.replace("/clinic", "/no_clinic"): NotFound,
        "postgresql://owner:wrong-secret@127.0.0.1:1/clinic": StoreUnavailable,
        "mysql://owner:wrong-secret@127.0.0.1/clinic": UsageError,
        "{wrong-secret": UsageError,
    }.items():
        monkeypatch.setenv(VARIABLE, said)
        with pytest.raises(kind) as caught:
            clinic.ingest()
        shown = f"{caught.value!r} {caught.value} {caught.value.__cause__}"
        assert "wrong-secret" not in shown
        assert PASSWORD not in shown
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(NotFound, match=f"the environment has no {VARIABLE}"):
        clinic.ingest()


def test_nights_and_a_backfill_release_over_a_query(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "check", lambda *_, **__: None)  # opens the forms in a process of its own
    path = clinic.folder / "visits.yaml"
    path.write_text(SPEC)

    def night(day: int, **facts: Any) -> RetrainRun:
        return RetrainRun(load_spec(path), Run(run_id=f"{facts or day}", as_of=date(2026, 10, day), by="ann", **facts))

    assert str(through(night(4)).live) == "v1.0.0"
    backfill = through(night(3, run_type="backfill", promote="never"))
    assert (str(backfill.version), backfill.promoted) == ("v1.1.0", False)
    manifest = night(4).releases.manifest(backfill.version)
    assert PASSWORD not in manifest.to_bytes().decode()
