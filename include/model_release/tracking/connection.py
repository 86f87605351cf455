"""Database migrated, experiment there, errors mapped: what the rest of `tracking` stands on."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import mlflow.db
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from model_release.errors import CredentialsRefused, ModelReleaseError, Refused, Stop, StoreUnavailable
from model_release.spec import Tracking
from model_release.tracking.address import database_file, is_file, resolve, without_credentials


def prepare(tracking: Tracking) -> None:
    """Make database and experiment ready, once, before candidates are logged in parallel.

    Safe to call again, and from several processes at once. A SQLite file is migrated to what this MLflow
    needs; a server's database is its administrator's.

    Raises:
        UsageError: MLflow cannot keep its history at the spec's address.
        Refused: the experiment was deleted in MLflow.
    """
    uri = resolve(tracking)
    if is_file(uri):
        database = database_file(uri)
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock"), mapped_errors(tracking), quiet("alembic", "mlflow.store.db.utils"):
            mlflow.db.upgrade.main([uri], standalone_mode=False)
    with mapped_errors(tracking):
        experiment_id(MlflowClient(uri), tracking, uri)


@contextlib.contextmanager
def mapped_errors(tracking: Tracking) -> Iterator[None]:
    """Map what MLflow says into the error tree, by status, without the credentials of its address."""
    try:
        yield
    except MlflowException as error:
        status: int = error.get_http_status_code()  # type: ignore[no-untyped-call]
        kind: type[ModelReleaseError] = Stop
        if status in (401, 403):
            kind = CredentialsRefused
        elif status == 429 or status >= 500:
            kind = StoreUnavailable
        said = without_credentials(str(error).partition("\n")[0])[:300]
        raise kind(said, where=f"MLflow, experiment {tracking.experiment}") from error


def experiment_id(client: MlflowClient, tracking: Tracking, uri: str) -> str:
    """Return the experiment's id, and make it if it is not there.

    Beside a SQLite file its artifacts lie in `mlruns`. MLflow's own default is a folder below wherever the
    first process happened to be started.
    """
    found = client.get_experiment_by_name(tracking.experiment)
    if found is None:
        place = (database_file(uri).parent / "mlruns").as_uri() if is_file(uri) else None
        try:
            return str(client.create_experiment(tracking.experiment, artifact_location=place))
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


@contextlib.contextmanager
def quiet(*names: str) -> Iterator[None]:
    """Keep loggers from saying less than errors."""
    loggers = [logging.getLogger(name) for name in names]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
