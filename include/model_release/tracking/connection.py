"""Connecting to MLflow: the address, the migrated database, the experiment, the mapped errors. For `tracking`."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator

import mlflow.db
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from model_release.errors import CredentialsRefused, ModelReleaseError, Refused, Stop, StoreUnavailable
from model_release.spec.tracking import Tracking
from model_release.spec.tracking_uri import Access, database_file, is_file, without_credentials

_CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "DATABRICKS_")
"""Prefixes of the names of variables that hold credentials."""


@contextlib.contextmanager
def connected(tracking: Tracking) -> Iterator[MlflowClient]:
    """Reach MLflow, with its errors mapped into the tree, until the block ends.

    MLflow reads credentials from the environment, anew with each request, and some of its functions the address too,
    whatever their client says. Both stand there for the length of the block alone, and beside an Airflow connection's
    credentials no others. No two threads may be inside at once.

    Raises:
        SpecError, UsageError: the spec's address is malformed.
    """
    access = tracking.access()
    with _environment(access), mapped_errors(tracking):
        yield MlflowClient(access.uri, registry_uri=tracking.registry_uri)


def prepare(tracking: Tracking) -> None:
    """Make database and experiment ready, once, before candidates are logged in parallel.

    Safe to call again, and from several processes at once. A SQLite file is migrated to the tables that this MLflow
    needs; a server's database is its administrator's.

    Raises:
        UsageError: MLflow cannot keep its history at the spec's address.
        Refused: the experiment was deleted in MLflow.
    """
    uri = tracking.access().uri
    if is_file(uri):
        database = database_file(uri)
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock"), mapped_errors(tracking), quiet("alembic", "mlflow.store.db.utils"):
            mlflow.db.upgrade.main([uri], standalone_mode=False)
            _beside(uri)
    with connected(tracking) as client:
        experiment_id(client, tracking)


@contextlib.contextmanager
def mapped_errors(tracking: Tracking) -> Iterator[None]:
    """Map MLflow's errors into the error tree, by status, without the credentials of its address."""
    try:
        yield
    except MlflowException as error:
        status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
        kind: type[ModelReleaseError] = Stop
        hint = None
        if status in (401, 403):
            kind = CredentialsRefused
            hint = "check login and password, or the token, and on a server of your own MLFLOW_SERVER_ALLOWED_HOSTS"
        elif status == 429 or status >= 500:
            kind = StoreUnavailable
        said = without_credentials(str(error).partition("\n")[0])[:300]
        if " failed with exception " in said:  # no answer at all; the rest is the HTTP library's message
            said = f"no answer: {said.partition(' failed with exception ')[0]} failed"
        raise kind(said, where=f"MLflow, experiment {tracking.experiment}", hint=hint) from error


def experiment_id(client: MlflowClient, tracking: Tracking) -> str:
    """Return the experiment's id; create it if it is missing.

    Beside a SQLite file its artifacts lie in `mlruns/<experiment>`. MLflow's own default is a folder below wherever the
    first process happened to be started.
    """
    found = client.get_experiment_by_name(tracking.experiment)
    if found is None:
        uri = client.tracking_uri
        creates = _beside(uri) if is_file(uri) else client
        try:
            return str(creates.create_experiment(tracking.experiment))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(tracking.experiment)
    if found is None or found.lifecycle_stage != "active":
        raise Refused(
            "the experiment was deleted in MLflow",
            where=f"MLflow, experiment {tracking.experiment}",
            hint="restore it with `mlflow experiments restore`, or name another one in the spec",
        )
    return str(found.experiment_id)


def _beside(uri: str) -> SqlAlchemyStore:
    """Open a SQLite file by the class that MLflow's client uses, with a folder for artifacts."""
    return SqlAlchemyStore(uri, (database_file(uri).parent / "mlruns").as_uri())  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Silence loggers below errors."""
    loggers = [logging.getLogger(name) for name in names]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


@contextlib.contextmanager
def _environment(access: Access) -> Iterator[None]:
    own = {"MLFLOW_TRACKING_URI": access.uri, **access.environment}
    others = [name for name in os.environ if name.startswith(_CREDENTIALS)]
    names = {*own, *(others if access.environment else ())}
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
