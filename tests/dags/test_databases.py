"""A database through the hook of its Airflow connection."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from emulators.postgres import PASSWORD, postgres
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
