"""The registered model: a version per release, and its aliases `challenger` and `champion`.

A release and its registered version are one by the MLflow run that both name; MLflow's number may be any.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from model_release.documents.manifest import Manifest, TrackedRun
from model_release.errors import Contended, Stop
from model_release.spec.tracking import Tracking
from model_release.tracking.connection import connected

CHAMPION = "champion"
CHALLENGER = "challenger"

JUDGED_FOR = timedelta(hours=23)
"""The longest time of a run: a person has 22 hours to answer."""

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Aliases:
    """The versions that the aliases name.

    Attributes:
        champion: number of the version.
        champion_run: the MLflow run that made it.
        stale: number of the version that is still called challenger although its run is over.
    """

    champion: str | None = None
    champion_run: str | None = None
    stale: str | None = None


def challenge(tracking: Tracking, tracked: TrackedRun, *, tags: Mapping[str, str], judged: bool) -> TrackedRun:
    """Register a logged candidate as a version of the spec's registered model; a repeated call changes nothing.

    Args:
        tracking: the place of MLflow.
        tracked: the candidate's run.
        tags: of the version.
        judged: whether it may become live, and is called challenger until that is decided.

    Raises:
        Stop: the run logged no model.
    """
    name = tracking.registered_model
    with connected(tracking) as client:
        version = _found(client, name, tracked) or _register(client, name, tracked, tags)
        if judged:
            client.set_registered_model_alias(name, CHALLENGER, version)
    return tracked.model_copy(update={"registered_model": name, "registered_version": version})


def dismiss(tracking: Tracking, tracked: TrackedRun) -> None:
    """Take the alias `challenger` from this candidate; another one keeps it."""
    with connected(tracking) as client:
        challenger = _named(client, tracking.registered_model, CHALLENGER)
        if challenger is not None and challenger.run_id == tracked.run_id:
            client.delete_registered_model_alias(tracking.registered_model, CHALLENGER)


def enrol(tracking: Tracking, manifest: Manifest, *, folders: Sequence[str]) -> str | None:
    """Tag a release's registered version with the release; register it first if that did not happen.

    Args:
        tracking: the place of MLflow.
        manifest: of the release.
        folders: the model's, at every destination.

    Returns:
        The version's number in the registry; None for a release without an MLflow run.
    """
    with connected(tracking) as client:
        return _enrol(client, tracking.registered_model, manifest, folders)


def follow_pointer(
    tracking: Tracking, *, folders: Sequence[str], read_live: Callable[[], tuple[int, Manifest]]
) -> list[str]:
    """Make the alias `champion` name the live version, and take `challenger` from a version that is no longer judged.

    MLflow has no compare-and-swap, so the pointer is read again afterwards, and all begins anew if it has
    moved.

    Args:
        tracking: the place of MLflow.
        folders: the model's, at every destination.
        read_live: returns the pointer's epoch and the live version's manifest.

    Returns:
        The changes, in words; empty if there were none.

    Raises:
        Contended: the pointer moved each time.
    """
    name = tracking.registered_model
    changed: list[str] = []
    with connected(tracking) as client:
        for _ in range(_ATTEMPTS):
            epoch, manifest = read_live()
            changed += _follow(client, name, manifest, folders)
            if read_live()[0] == epoch:
                return changed
    raise Contended(
        f"latest moved {_ATTEMPTS} times while MLflow's alias was being set",
        where=f"{name}@{CHAMPION}",
        hint="the next run sets it",
    )


def aliases(tracking: Tracking) -> Aliases:
    """Return the versions that the aliases name.

    Raises:
        StoreUnavailable, CredentialsRefused: MLflow does not answer.
    """
    with connected(tracking) as client:
        found = _named(client, tracking.registered_model, CHAMPION)
        champion = str(found.version) if found else None
        return Aliases(champion, found.run_id if found else None, _stale(client, tracking.registered_model, champion))


def _follow(client: MlflowClient, name: str, live: Manifest, folders: Sequence[str]) -> list[str]:
    changed = []
    champion = _named(client, name, CHAMPION)
    before = str(champion.version) if champion else None
    if (champion.run_id if champion else None) != (live.mlflow.run_id if live.mlflow else None):
        version = _enrol(client, name, live, folders)
        if version is not None:  # in one step: there is a champion at all times
            client.set_registered_model_alias(name, CHAMPION, version)
        elif before is not None:
            client.delete_registered_model_alias(name, CHAMPION)
        if version != before:
            changed.append(f"MLflow's {CHAMPION} of {name}: {before or 'none'} → {version or 'none'}")
        before = version
    stale = _stale(client, name, before)
    if stale is not None:
        client.delete_registered_model_alias(name, CHALLENGER)
        changed.append(f"MLflow's {CHALLENGER} of {name}: {stale} → none")
    return changed


def _stale(client: MlflowClient, name: str, champion: str | None) -> str | None:
    challenger = _named(client, name, CHALLENGER)
    if challenger is None:
        return None
    age = timedelta(seconds=time.time() - challenger.creation_timestamp / 1000)
    version = str(challenger.version)
    return version if version == champion or age > JUDGED_FOR else None


def _enrol(client: MlflowClient, name: str, manifest: Manifest, folders: Sequence[str]) -> str | None:
    tracked = manifest.mlflow
    if tracked is None or tracked.model_uri is None:
        return None
    tags = release_tags(manifest, folders)
    version = _found(client, name, tracked)
    if version is None:
        return _register(client, name, tracked, tags)
    for key, value in tags.items():
        client.set_model_version_tag(name, version, key, value)
    return version


def release_tags(manifest: Manifest, folders: Sequence[str]) -> dict[str, str]:
    """Return the tags that lead from MLflow to a release: its number, its URIs, and the digests of its files."""
    return {
        "release.version": str(manifest.version),
        "release.uris": " ".join(f"{folder}/{manifest.version}" for folder in folders),
        "release.metadata_sha256": manifest.sha256(),
        "release.sha256": json.dumps({each.path: each.sha256 for each in manifest.files}),
    }


def _found(client: MlflowClient, name: str, tracked: TrackedRun) -> str | None:
    """The number of the version that a run became; the first, if it was registered again."""
    found = client.search_model_versions(f"run_id = '{tracked.run_id}'")
    numbers = [int(each.version) for each in found if each.name == name]
    return str(min(numbers)) if numbers else None


def _register(client: MlflowClient, name: str, tracked: TrackedRun, tags: Mapping[str, str]) -> str:
    if tracked.model_uri is None:
        raise Stop("this run logged no model", where=f"MLflow run {tracked.run_id}", hint="clear its train task")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = tracked.model_uri.removeprefix("models:/")
    made = client.create_model_version(
        name, tracked.model_uri, run_id=tracked.run_id, tags=dict(tags), model_id=model_id
    )
    return str(made.version)


def _named(client: MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that an alias names; None if there is no such alias or no such model."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
            return None
        raise
