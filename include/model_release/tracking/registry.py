"""The registered model's versions, and the alias `champion`, which follows the pointer. For the chain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from model_release.errors import Contended, Stop
from model_release.metadata import TrackedRun
from model_release.spec import Tracking
from model_release.tracking.address import resolve
from model_release.tracking.connection import mapped_errors

log = logging.getLogger(__name__)

ALIAS = "champion"

_ATTEMPTS = 10


def register(tracking: Tracking, tracked: TrackedRun, *, tags: Mapping[str, str]) -> TrackedRun:
    """Register a logged candidate as a version of the spec's registered model; once, however often called.

    Raises:
        Stop: the run logged no model.
    """
    name = tracking.registered_model
    if tracked.model_uri is None:
        raise Stop("this run logged no model", where=f"MLflow run {tracked.run_id}", hint="clear its train task")
    client = MlflowClient(resolve(tracking))
    with mapped_errors(tracking):
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        numbers = [int(each.version) for each in client.search_model_versions(f"run_id = '{tracked.run_id}'")]
        if not numbers:
            created = client.create_model_version(
                name,
                tracked.model_uri,
                run_id=tracked.run_id,
                tags=dict(tags),
                model_id=tracked.model_uri.removeprefix("models:/"),
            )
            numbers = [int(created.version)]
    return tracked.model_copy(update={"registered_model": name, "registered_version": str(min(numbers))})


def follow_pointer(tracking: Tracking, *, read_live: Callable[[], tuple[int, str | None]]) -> list[str]:
    """Make the alias `champion` name the live version.

    MLflow has no compare-and-swap, so the pointer is read again afterwards, and all begins anew if it has
    moved.

    Args:
        tracking: where.
        read_live: returns the pointer's epoch and the live version's number in the registry, None if it has
            none.

    Returns:
        What was changed, in words; empty where nothing was.

    Raises:
        Contended: the pointer moved each time.
    """
    name = tracking.registered_model
    client = MlflowClient(resolve(tracking))
    changed: list[str] = []
    for _ in range(_ATTEMPTS):
        epoch, version = read_live()
        with mapped_errors(tracking):
            current = _alias(client, name)
            if version != current and _set_alias(client, name, version):
                changed.append(f"MLflow's {ALIAS} of {name}: {current or 'none'} → {version or 'none'}")
        if read_live()[0] == epoch:
            return changed
    raise Contended(
        f"latest moved {_ATTEMPTS} times while MLflow's alias was being set",
        where=f"{name}@{ALIAS}",
        hint="the next run sets it",
    )


def champion(tracking: Tracking) -> str | None:
    """Return the version that the alias `champion` names; None where there is no such alias or no such model.

    Raises:
        StoreUnavailable, CredentialsRefused: MLflow does not say.
    """
    with mapped_errors(tracking):
        return _alias(MlflowClient(resolve(tracking)), tracking.registered_model)


def _alias(client: MlflowClient, name: str) -> str | None:
    """The version that the alias names; None where there is no such alias or no such model."""
    try:
        return str(client.get_model_version_by_alias(name, ALIAS).version)
    except MlflowException as error:
        if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
            return None
        raise


def _set_alias(client: MlflowClient, name: str, version: str | None) -> bool:
    """Set the alias in one step; delete it only where what is live has no version in the registry at all."""
    try:
        if version is None:
            client.delete_registered_model_alias(name, ALIAS)
        else:
            client.set_registered_model_alias(name, ALIAS, version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        log.warning("MLflow no longer has version %s of %s; its %s stays as it is", version, name, ALIAS)
        return False
    return True
