"""Where MLflow may keep its history, and how it is reached. For `spec` and `tracking`; imports nothing of mlflow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

_SERVERS = frozenset({"postgresql", "mysql", "http", "https", "databricks"})
_BUCKETS = frozenset({"s3", "gs", "wasb", "wasbs", "abfs", "abfss", "hdfs", "dbfs"})
_CONNECTION = re.compile(r"airflow://([\w.-]+)/?")
_CREDENTIALS = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to reach an MLflow.

    Attributes:
        uri: its address.
        environment: the variables by which MLflow's client proves who asks. They hold secrets.
    """

    uri: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def check(uri: str) -> None:
    """Find out whether MLflow can keep its history at `uri`.

    MLflow itself takes any address without a word, and fails with each call afterwards.

    Raises:
        ValueError: it cannot; names the setting that was meant.
    """
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme in _BUCKETS:
        raise ValueError(
            f"MLflow keeps its history in a database or on a server, not in a bucket ({scheme}://): name a database "
            "(sqlite:////folder/mlflow.db, postgresql://) or an MLflow server; artifacts go into a bucket by the "
            "server's own --artifacts-destination"
        )
    if scheme == "sqlite" and not database_file(uri).is_absolute():
        raise ValueError(
            "a relative path depends on the folder that each process was started in: write the absolute one, with four "
            "slashes: sqlite:////srv/mlflow/mlflow.db"
        )
    if scheme == "airflow" and connection_id(uri) is None:
        raise ValueError("an Airflow connection is named by its id alone: airflow://mlflow_server")
    if scheme not in _SERVERS and scheme not in ("sqlite", "airflow"):
        raise ValueError(
            f"MLflow cannot keep its history at {without_credentials(uri) or 'no address'}: write "
            "sqlite:////folder/mlflow.db instead of a folder, or postgresql://, mysql://, http(s)://, databricks, or "
            "airflow://conn_id"
        )


def check_names(uri: str, *, registry_uri: str | None, experiment: str, registered_model: str) -> None:
    """Find out whether the MLflow at `uri` takes these names.

    Raises:
        ValueError: it does not; says what it takes.
    """
    databricks = is_databricks(uri)
    if registry_uri is not None and is_databricks(registry_uri):
        raise ValueError(
            "registry_uri databricks is the workspace's own registry, which has no aliases: leave it out, or write "
            "databricks-uc, for Unity Catalog"
        )
    if databricks and not experiment.startswith("/"):
        raise ValueError(f"Databricks names an experiment by its path in the workspace: /Shared/{experiment}")
    catalog = registry_uri.startswith("databricks-uc") if registry_uri is not None else databricks
    if catalog and len([part for part in registered_model.split(".") if part]) != 3:
        raise ValueError(f"Unity Catalog names a model by three parts: catalog.schema.{registered_model}")
    if refused := [mark for mark in "/:" if mark in registered_model]:
        raise ValueError(f"MLflow refuses the name {registered_model!r} of a registered model: it has a {refused[0]!r}")


def is_databricks(uri: str) -> bool:
    """Whether it is a Databricks workspace: `databricks`, or `databricks://profile`."""
    return uri == "databricks" or uri.startswith("databricks://")


def connection_id(uri: str) -> str | None:
    """Return the id in `airflow://conn_id`, whose connection holds address and credentials; else None."""
    found = _CONNECTION.fullmatch(uri)
    return found[1] if found else None


def is_file(uri: str) -> bool:
    """Whether the history is a SQLite file on this machine."""
    return uri.startswith("sqlite")


def database_file(uri: str) -> Path:
    """Return the file of `sqlite:////absolute/path` or `sqlite:///relative/path`."""
    return Path(unquote(urlsplit(uri).path)[1:])


def without_credentials(text: str) -> str:
    """Return `text` without the user and password of any address in it."""
    return _CREDENTIALS.sub("//", text)


def folder_of(place: str | None) -> Path | None:
    """Return the folder on this machine that a place of artifacts names; None for any other place."""
    parts = urlsplit(place or "")
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(unquote(parts.path))
    return Path(parts.path) if not parts.scheme and parts.path.startswith("/") else None
