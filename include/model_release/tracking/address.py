"""Where MLflow may keep its history. For the rest of `tracking`; imports nothing of mlflow."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from model_release.errors import UsageError
from model_release.spec import Tracking, expand

_WHERE = "tracking.uri"
_SERVERS = frozenset({"postgresql", "mysql", "http", "https", "databricks"})
_BUCKETS = frozenset({"s3", "gs", "wasb", "wasbs", "abfs", "abfss", "hdfs", "dbfs"})
_CREDENTIALS = re.compile(r"//[^/\s]*@")


def check_uri(uri: str) -> None:
    """Find out whether MLflow can keep its history at `uri`.

    MLflow itself takes any address without a word, and fails with each call afterwards.

    Raises:
        UsageError: it cannot; names the setting that was meant.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in _BUCKETS:
        raise UsageError(
            f"MLflow keeps its history in a database or on a server, not in a bucket ({scheme}://)",
            where=_WHERE,
            hint="name a database (sqlite:////folder/mlflow.db, postgresql://) or an MLflow server; "
            "artifacts go into a bucket by the server's own --artifacts-destination",
        )
    if scheme == "sqlite" and not database_file(uri).is_absolute():
        raise UsageError(
            "a relative path depends on the folder that each process was started in",
            where=_WHERE,
            hint="write the absolute path, with four slashes: sqlite:////srv/mlflow/mlflow.db",
        )
    if scheme not in _SERVERS and scheme != "sqlite":
        raise UsageError(
            f"MLflow cannot keep its history at {without_credentials(uri)}",
            where=_WHERE,
            hint="write sqlite:////folder/mlflow.db instead of a folder, or postgresql://, mysql://, http(s)://",
        )


def resolve(tracking: Tracking) -> str:
    """Return the address with the environment's values filled in.

    Raises:
        SpecError: the environment lacks a variable.
        UsageError: see `check_uri`.
    """
    uri = expand(tracking.uri, where=_WHERE)
    check_uri(uri)
    return uri


def is_file(uri: str) -> bool:
    """Whether the history is a SQLite file on this machine."""
    return uri.startswith("sqlite")


def database_file(uri: str) -> Path:
    """Return the file of `sqlite:////absolute/path` or `sqlite:///relative/path`."""
    return Path(unquote(urlsplit(uri).path)[1:])


def without_credentials(text: str) -> str:
    """Return `text` without the user and password of any address in it."""
    return _CREDENTIALS.sub("//", text)


def embedded_database(tracking: Tracking) -> Path | None:
    """Return the SQLite file of the history; None where it is kept on a server.

    Raises:
        SpecError, UsageError: see `resolve`.
    """
    uri = resolve(tracking)
    return database_file(uri) if is_file(uri) else None


def local_folder(uri: str) -> Path | None:
    """Return the folder on this machine that holds artifacts; None for any other place."""
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") and parts.path.startswith("/") else None
