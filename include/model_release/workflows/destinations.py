"""A model's destinations: its folder at every destination, and the registry that follows what is live.

A retrain run, a person's act and a round of housekeeping each work on all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from model_release.documents.base import Day, Sha256, Strict, VersionText
from model_release.documents.manifest import Manifest
from model_release.errors import ModelReleaseError, NotFound
from model_release.releases.catalog import read_pointer
from model_release.releases.reconcile import Reconciled, reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.model import Destination, Signing, Spec
from model_release.spec.retention import Retention
from model_release.spec.tracking import Tracking
from model_release.spec.transfer import TransferSettings
from model_release.stores import Store, open_store
from model_release.stores.unopened import Unopened
from model_release.stores.uris import without_connection
from model_release.workflows.messages import ReconcileOutcome, Standing

log = logging.getLogger(__name__)

Opener = Callable[[str, TransferSettings], Store]
"""From a URI and a destination's settings to a store; Airflow's goes through the provider hooks."""

KEEP = Retention()
MLFLOW_LAGS = "MLflow lags behind"


class Announcement(Strict):
    """The announcement of the live version, in the asset event of `latest`. Consumers read it, so it has no kind.

    Attributes:
        since: the epoch at which the version became live.
        metadata_sha256: of the version's manifest.
        data_as_of: the last day whose data the version was trained on; None if its maker did not say.
        home: URI of the model's folder at home.
    """

    version: VersionText
    epoch: int
    since: int
    lineage: str
    metadata_sha256: Sha256
    data_as_of: Day | None
    home: str


class Destinations:
    """The stores of one model, and what its spec tells of them.

    Args:
        home: the model's folder at the destination whose pointer decides.
        followers: the same folder at the other destinations.
        tracking: where MLflow keeps the model's registry; None if nothing is tracked.
        retention: what pruning keeps.
        signing: whose key signs the releases; None if the spec names none.
        data: opens the dataset's folder at home; None if nobody knows it.
        names: how the spec calls the stores, home first; empty if there is no spec.
    """

    def __init__(
        self,
        home: Store,
        followers: Iterable[Follower] = (),
        *,
        tracking: Tracking | None = None,
        retention: Retention = KEEP,
        signing: Signing | None = None,
        data: Callable[[], Store] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.releases = ReleaseStore(home, followers)
        self.tracking = tracking
        self.retention = retention
        self.signing = signing
        self.data = data
        self.names = names

    @classmethod
    def of(cls, spec: Spec, opener: Opener = open_store) -> Destinations:
        """Open every destination of a spec. One that is not required may fail to open; then it lags behind."""

        def at(destination: Destination) -> Store:
            uri = spec.model_uri(destination)
            try:
                return opener(uri, destination.transfer)
            except ModelReleaseError as error:
                if destination.required or destination is spec.home:
                    raise
                return Unopened(without_connection(uri), error)

        followers = [Follower(at(each), required=each.required) for each in spec.destinations[1:]]
        return cls(
            at(spec.home),
            followers,
            tracking=spec.tracking,
            retention=spec.retention,
            signing=spec.signing,
            data=lambda: opener(spec.dataset_uri(), spec.home.transfer),
            names=[each.name for each in spec.destinations],
        )

    @property
    def home(self) -> Store:
        """The model's folder at home."""
        return self.releases.home

    def reconcile(self, *, waits: bool = True, tell: Callable[[str], None] = log.info) -> ReconcileOutcome:
        """Bring every destination, and the registry, to home's current pointer; say what was done.

        Args:
            waits: whether a failure of home or of a required follower is raised, or reported like any other.
            tell: called with a word about each earlier version that a new destination is given.

        Raises:
            ModelReleaseError: the first failure of home or of a required follower.
        """
        done = reconcile(self.releases, waits=waits, tell=tell)
        self._follow_in_registry(done)
        for each in done.mended:
            log.info("made good: %s", each)
        for each in done.lagging:
            log.warning("%s", each)
        pointer = done.pointer
        log.info("live: %s", f"{pointer.version}, epoch {pointer.epoch}" if pointer else "nothing yet")
        return ReconcileOutcome(
            live=pointer.version if pointer else None,
            epoch=pointer.epoch if pointer else None,
            mended=done.mended,
            lagging=done.lagging,
            complete=done.complete,
        )

    def live(self) -> tuple[int, Manifest]:
        """Return the pointer's epoch, and the manifest of the live version.

        Raises:
            NotFound: nothing is live.
        """
        found = self.releases.pointer()
        if found is None:
            raise NotFound("latest.json was there and is gone", where=self.home.uri)
        return found.pointer.epoch, self.releases.live_manifest(found.pointer)

    def standing(self) -> Standing:
        """Return how `latest` stands now at each destination that the spec names.

        Raises:
            ModelReleaseError: home cannot be read. A follower that cannot is left out, and the log says so.
        """
        live = self.releases.pointer()
        pointer = live.pointer if live else None
        began = self.releases.still_logged(pointer.since) if pointer else None
        epochs = {name: pointer.epoch if pointer else 0 for name in self.names[:1]}
        for name, store in zip(self.names[1:], self.releases.others, strict=False):
            try:
                followed = read_pointer(store)
            except ModelReleaseError as error:
                log.warning("%s: the epoch is not measured: %s", name, error)
            else:
                epochs[name] = followed.pointer.epoch if followed else 0
        return Standing(
            since=began.change.at if began else None,
            data_as_of=pointer.data_as_of if pointer else None,
            holds=len(pointer.holds) if pointer else 0,
            epochs=epochs,
        )

    def announcement(self, last: Mapping[str, Any] | None) -> Announcement | None:
        """Return the announcement of the live version to consumers.

        Args:
            last: the last announcement as JSON, by any version of this package; None if there was none.

        Returns:
            None if there is nothing to announce: consumers know, or nothing is live.
        """
        live = self.releases.pointer()
        if live is None:
            return None
        pointer = live.pointer
        if last is not None and (last.get("lineage"), last.get("since")) == (pointer.lineage, pointer.since):
            return None  # a hold or a quarantine meanwhile is no news to a consumer
        return Announcement(
            version=pointer.version,
            epoch=pointer.epoch,
            since=pointer.since,
            lineage=pointer.lineage,
            metadata_sha256=pointer.metadata_sha256,
            data_as_of=pointer.data_as_of,
            home=pointer.home,
        )

    def _follow_in_registry(self, done: Reconciled) -> None:
        """Let the registry follow what is live. If it cannot, it lags behind, and no task waits for it."""
        if self.tracking is None or done.pointer is None:
            return
        try:
            from model_release import tracking

            folders = [each.uri for each in self.releases.stores]
            done.mended += tracking.follow_pointer(self.tracking, folders=folders, read_live=self.live)
        except ImportError:
            done.lagging.append(f"{MLFLOW_LAGS}: mlflow is not installed here")
        except ModelReleaseError as error:
            done.lagging.append(f"{MLFLOW_LAGS}: {error}")
