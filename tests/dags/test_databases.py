"""PostgreSQL: a database through the hook of its Airflow connection, and the longest note of a run in Airflow's own."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
import sqlalchemy
from airflow.models.dagrun import DagRunNote

from emulators.postgres import PASSWORD, postgres
from model_release.airflow_glue import listener
from model_release.errors import CredentialsRefused, NotFound, UsageError
from model_release.modelling.dataset.query import fetch
from model_release.spec.source import Query


def test_a_query_is_asked_through_the_hook_with_the_extras_of_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.airflow_glue.hooks import database_of_connection

    query = Query(sql="farm", query="SELECT CAST(:day AS date) AS day, current_setting('application_name') AS name")
    with postgres() as running:
        address = running.url("postgres", driver="postgres")
        monkeypatch.setenv("AIRFLOW_CONN_FARM", f"{address}?application_name=beetles")
        fetch(database_of_connection("farm"), query, date(2026, 10, 1), tmp_path / "rows.parquet", where="rows")
        assert parquet.read_table(tmp_path / "rows.parquet").to_pylist() == [
            {"day": date(2026, 10, 1), "name": "beetles"}
        ]
        writing = Query(sql="farm", query="SELECT nextval('numbers') WHERE :day IS NOT NULL")
        with pytest.raises(UsageError, match='relation "numbers" does not exist'):
            fetch(database_of_connection("farm"), writing, date(2026, 10, 1), tmp_path / "no.parquet", where="rows")
        monkeypatch.setenv("AIRFLOW_CONN_FARM", address.replace(PASSWORD, "wrong"))
        with pytest.raises(CredentialsRefused, match="password authentication failed") as caught:
            fetch(database_of_connection("farm"), query, date(2026, 10, 1), tmp_path / "no.parquet", where="rows")
        assert "wrong" not in str(caught.value)
    with pytest.raises(NotFound, match="Airflow has no connection 'barn'"):
        database_of_connection("barn")
    monkeypatch.setenv("AIRFLOW_CONN_FARM", "aws://key:secret@")
    with pytest.raises(UsageError, match="is of type 'aws', which is no database"):
        database_of_connection("farm")


def test_the_longest_note_of_a_run_fits_into_postgresql_and_a_longer_one_does_not() -> None:
    kind = DagRunNote.__table__.c.content.type
    notes = sqlalchemy.Table("notes", sqlalchemy.MetaData(), sqlalchemy.Column("content", kind))
    with postgres() as running:
        engine = sqlalchemy.create_engine(running.url("postgres"))
        notes.create(engine)
        with engine.begin() as connection:
            connection.execute(notes.insert(), {"content": "é" * listener.LONGEST})
        with pytest.raises(sqlalchemy.exc.DataError, match="value too long"), engine.begin() as connection:
            connection.execute(notes.insert(), {"content": "é" * (listener.LONGEST + 1)})
        engine.dispose()
