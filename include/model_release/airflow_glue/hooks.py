"""From a connection id to what the connection leads to: a store, a database, or MLflow.

A store's client is made by the provider's hook, so endpoints, assumed roles, impersonation, SAS, managed identities and
proxies of a connection keep working. Time-outs and retries are the destination's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from model_release.errors import UsageError

if TYPE_CHECKING:  # DAG files import this at every parse, and open no store
    from sqlalchemy import Engine

    from model_release.signing import SigningKey
    from model_release.spec.tracking_uri import Access
    from model_release.spec.transfer import TransferSettings
    from model_release.stores import Store
    from model_release.stores.uris import StoreUri

_OF_A_KEY = {"private_key", "certificates"}


def open_through_hooks(uri: str, settings: TransferSettings) -> Store:
    """Open a store through the provider hook of its connection; without a connection id, with the SDK's own defaults.

    Raises:
        UsageError: not a URI that any store answers to.
        NotFound: there is no such connection.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    from model_release.errors import NotFound
    from model_release.stores import open_store
    from model_release.stores.uris import SCHEMES, parse

    if urlsplit(uri).scheme not in SCHEMES:
        return open_store(uri, settings)
    parts = parse(uri)
    if parts.connection is None:
        return open_store(uri, settings)
    through = {"s3": _s3, "gs": _gcs}.get(parts.scheme, _azure)
    try:
        return through(parts, parts.connection, settings)
    except AirflowNotFoundException as error:
        hint = "create it under Admin → Connections, or name another one in the spec"
        raise NotFound(f"Airflow has no connection {parts.connection!r}", where=uri, hint=hint) from error


def key_of_connection(name: str) -> SigningKey:
    """Return the key of a connection: `private_key` and `certificates` of its extra, the passphrase as its password.

    Raises:
        UsageError: the connection holds no signing key.
        AirflowNotFoundException: there is no such connection.
    """
    from airflow.sdk import Connection

    from model_release.signing import SigningKey

    connection = Connection.get(name)
    extra, where = connection.extra_dejson, f"connection {name}"
    unknown = sorted(extra.keys() - _OF_A_KEY)
    if unknown or not extra.get("private_key"):
        what = f"its extra has {', '.join(unknown)}" if unknown else "its extra has no private_key"
        raise UsageError(what, where=where, hint=f"known: {', '.join(sorted(_OF_A_KEY))}, each as PEM")
    return SigningKey.read(
        extra["private_key"].encode(),
        passphrase=connection.password,
        certificates=extra.get("certificates", "").encode(),
        where=where,
    )


def database_of_connection(name: str) -> Engine:
    """Return the database of a connection, as its provider hook connects to it.

    Raises:
        UsageError: the connection leads to no database.
        NotFound: there is no such connection.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from sqlalchemy import NullPool

    from model_release.errors import NotFound

    try:
        hook = BaseHook.get_hook(name)
    except AirflowNotFoundException as error:
        hint = "create it under Admin → Connections, or name another one in the spec"
        raise NotFound(f"Airflow has no connection {name!r}", where="dataset.source.sql", hint=hint) from error
    if not isinstance(hook, DbApiHook):
        raise UsageError(f"is of type {hook.conn_type!r}, which is no database", where=f"connection {name}")
    connect = {"creator": hook.get_conn, "poolclass": NullPool}  # the address alone lacks the connection's extras
    return hook.get_sqlalchemy_engine(connect)


def mlflow_at(connection_id: str) -> Access:
    """Return how to reach the MLflow of a connection.

    Host and port are its address, or the host is an address of its own, `https://…`; the schema may say https. A login
    goes with the password to MLflow's basic authentication; a password alone is a token. Of a Databricks connection
    the password is the token.

    Raises:
        UsageError: the connection has no host.
        AirflowNotFoundException: there is no such connection.
    """
    from airflow.sdk import Connection

    from model_release.spec.tracking_uri import Access

    found = Connection.get(connection_id)
    where = f"connection {connection_id}"
    if not found.host:
        raise UsageError("has no host", where=where, hint="write MLflow's address there: https://mlflow.example.org")
    databricks = found.conn_type == "databricks"
    scheme = "https" if databricks else found.schema or "http"
    host = found.host if "://" in found.host else f"{scheme}://{found.host}"
    if found.port and urlsplit(host).port is None:
        host = f"{host.rstrip('/')}:{found.port}"
    secret = found.password or ""
    if databricks:
        named = {"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": secret, "DATABRICKS_AUTH_TYPE": "pat"}
        return Access("databricks", named)
    if found.login:
        return Access(host, {"MLFLOW_TRACKING_USERNAME": found.login, "MLFLOW_TRACKING_PASSWORD": secret})
    return Access(host, {"MLFLOW_TRACKING_TOKEN": secret} if secret else {})


def _s3(parts: StoreUri, connection: str, settings: TransferSettings) -> Store:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from model_release.stores.s3.store import S3Store, client_config

    own = S3Hook(aws_conn_id=connection).conn_config.botocore_config
    bounded = client_config(settings)
    hook = S3Hook(aws_conn_id=connection, config=own.merge(bounded) if own else bounded)
    return S3Store(hook.get_conn(), parts.container, parts.prefix, settings=settings)


def _gcs(parts: StoreUri, connection: str, settings: TransferSettings) -> Store:
    from airflow.providers.google.cloud.hooks.gcs import GCSHook

    from model_release.stores.gcs.store import GcsStore

    return GcsStore(GCSHook(gcp_conn_id=connection).get_conn(), parts.container, parts.prefix, settings=settings)


def _azure(parts: StoreUri, connection: str, settings: TransferSettings) -> Store:
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

    from model_release.stores.azure.store import AzureStore

    service = WasbHook(wasb_conn_id=connection).get_conn()
    return AzureStore(service.get_container_client(parts.container), parts.prefix, settings=settings)
