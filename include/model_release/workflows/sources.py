"""From a spec's source to what can be listed and read: a store, or the results of a query."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from model_release.errors import NotFound, UsageError
from model_release.spec.model import Spec
from model_release.spec.source import Query
from model_release.stores import Store
from model_release.workflows.destinations import Opener

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from model_release.modelling.dataset.arrivals import Source

Databases = Callable[[str], "Engine"]
"""From the id of an Airflow connection to its database; Airflow's goes through the provider hook."""

_FOR_AIRFLOW = ("iam", "cursor", "sqlalchemy_query", "sqlalchemy_scheme", "enable_log_db_messages")
"""Extras of a connection that the provider reads, and no driver."""


def open_source(spec: Spec, *, opener: Opener, databases: Databases, data: Store, as_of: date) -> Source:
    """Open what `dataset.source` names, to be read as of a day.

    Args:
        spec: the model.
        opener: opens a store.
        databases: opens the database of a connection.
        data: the store at `spec.dataset_uri()`, where results of a query are kept.
        as_of: the day of the run.
    """
    query = spec.dataset.source
    if not isinstance(query, Query):
        return opener(spec.source_uri(), spec.home.transfer.for_reading())
    from model_release.modelling.dataset.query import QuerySource

    days = list(days_of(spec, query, min(as_of, today_of(spec))))
    return QuerySource(query, partition=spec.dataset.partition, days=days, data=data, databases=databases)


def digest_of_listing(source: Store) -> str:
    """Return a digest of the files at a source: of their names, sizes and times."""
    digest = hashlib.sha256()
    for each in sorted(source.list(), key=attrgetter("key")):
        digest.update(json.dumps([each.key, each.size, each.modified.isoformat()]).encode() + b"\n")
    return digest.hexdigest()


def today_of(spec: Spec) -> date:
    """Return the day of a run that begins now, in the time zone of the spec's schedule."""
    return datetime.now(ZoneInfo(spec.schedule.timezone if spec.schedule else "UTC")).date()


def days_of(spec: Spec, query: Query, day: date) -> Iterator[date]:
    """Yield the days that a run of `day` takes: those before it, since `day` itself is not over; of snapshots the last.

    Args:
        spec: the model.
        query: its source.
        day: of the run.
    """
    newest = day - timedelta(days=1)
    first = newest if spec.dataset.partitions == "snapshots" else query.since or date.min
    if spec.dataset.window_days is not None:
        first = max(first, day - timedelta(days=spec.dataset.window_days - 1))
    for place in range((newest - first).days + 1):
        yield first + timedelta(days=place)


def database_here(connection: str) -> Engine:
    """Open the database of a connection that the environment describes, as Airflow reads it: `AIRFLOW_CONN_<ID>`.

    Raises:
        NotFound: the environment has no such variable.
        UsageError: it describes no PostgreSQL database, or a package is missing.
    """
    name = f"AIRFLOW_CONN_{connection.upper()}"
    said = os.environ.get(name)
    if said is None:
        raise NotFound(
            f"the environment has no {name}, and Airflow's own connections are not here",
            where=f"connection {connection}",
            hint=f"set {name} to postgresql://user:password@host:5432/database",
        )
    try:
        parts = _described(said)
    except (ValueError, AttributeError):
        raise UsageError("is neither a URI nor a JSON object of a connection", where=name) from None
    if parts["conn_type"] not in ("postgres", "postgresql"):
        raise UsageError(
            f"is of type {parts['conn_type']!r}, and without Airflow only PostgreSQL is opened",
            where=name,
            hint="run the spec through Airflow, whose provider knows the database",
        )
    try:
        from sqlalchemy import URL, NullPool, create_engine

        url = URL.create(
            "postgresql+psycopg2",
            username=parts["login"],
            password=parts["password"],
            host=parts["host"],
            port=parts["port"],
            database=parts["schema"],
            query={key: str(value) for key, value in parts["extra"].items() if key not in _FOR_AIRFLOW},
        )
        return create_engine(url, poolclass=NullPool, hide_parameters=True)
    except ImportError as error:
        raise UsageError(
            f"a package that reads databases is not installed: {error.name}",
            hint="install model-release with its extra sql",
        ) from error


def _described(said: str) -> dict[str, Any]:
    """Return the parts of a connection, in either of Airflow's two spellings.

    Raises:
        ValueError: it is of neither.
    """
    names = ("conn_type", "login", "password", "host", "port", "schema")
    if said.lstrip().startswith("{"):
        given = json.loads(said)
        extra = given.get("extra") or {}
        found = {name: given.get(name) for name in names}
        port = found["port"]
        return {
            **found,
            "port": int(port) if port is not None else None,
            "extra": json.loads(extra) if isinstance(extra, str) else extra,
        }
    uri = urlsplit(said)
    texts = (uri.scheme, uri.username, uri.password, uri.hostname, None, uri.path.lstrip("/"))
    found = {name: unquote(text) if text else None for name, text in zip(names, texts, strict=True)}
    return {**found, "port": uri.port, "extra": dict(parse_qsl(uri.query))}
