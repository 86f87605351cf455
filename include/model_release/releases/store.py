"""A model's releases: its folder at home, whose pointer decides, and the same folder at the followers.

Three kinds of object are written once and never changed: a claim, the manifest that decided a version, an entry of
the log. A `ReleaseStore` reads each of them once; make one for each verb. It reads the pointer at each call, because a
compare-and-swap needs the pointer as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from model_release.documents.manifest import AbandonedManifest, Claim, Manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import Version
from model_release.errors import Corrupt
from model_release.releases import catalog
from model_release.releases.catalog import Live
from model_release.stores.base import Store, Stored


@dataclass(frozen=True, slots=True)
class Follower:
    """A destination that is not home.

    Attributes:
        required: whether its failure is the run's; otherwise it lags behind, loudly, until it can be mended.
    """

    store: Store
    required: bool = True


@dataclass(frozen=True, slots=True)
class Term:
    """A span in which one version was live, by the store's clock.

    Attributes:
        since: the epoch that made it live.
        ended: when another one became live; None while it is live.
    """

    version: Version
    metadata_sha256: str
    since: int
    began: datetime
    ended: datetime | None


class ReleaseStore:
    """The releases of one model.

    Args:
        home: the model's folder at the destination whose pointer decides.
        followers: the same folder at the other destinations.
    """

    def __init__(self, home: Store, followers: Iterable[Follower] = ()) -> None:
        self.home = home
        self.followers = tuple(followers)
        self._written_once = _ReadOnce(home)

    @property
    def uri(self) -> str:
        """Of home."""
        return self.home.uri

    @property
    def others(self) -> list[Store]:
        """The stores that are not home."""
        return [each.store for each in self.followers]

    @property
    def stores(self) -> list[Store]:
        """Every store, home first."""
        return [self.home, *self.others]

    def now(self) -> datetime:
        """Return home's clock, with time zone."""
        return self.home.now()

    def pointer(self) -> Live | None:
        """Read home's pointer as it is now; None if there is none."""
        return catalog.read_pointer(self.home)

    def claim(self, version: Version) -> Claim | None:
        """Return the claim of a number; None while the number is free."""
        return catalog.read_claim(self._written_once, version)

    def decided(self, version: Version) -> Manifest | AbandonedManifest | None:
        """Return what decided a number; None while it is undecided."""
        return catalog.read_version(self._written_once, version)

    def manifest(self, version: Version, *, sha256: str | None = None) -> Manifest:
        """Return the manifest of a published version.

        Args:
            version: which one.
            sha256: what the pointer or the log says of the manifest's bytes.

        Raises:
            NotFound: no such version, or its number was given up.
            Corrupt: the bytes are not those that `sha256` names, or the manifest is of another version.
        """
        return catalog.published(self._written_once, version, sha256=sha256)

    def live_manifest(self, pointer: Pointer) -> Manifest:
        """Return the live version's manifest, checked against the pointer's digest.

        Raises:
            NotFound, Corrupt: as `manifest` says.
        """
        return self.manifest(pointer.version, sha256=pointer.metadata_sha256)

    def logged(self, epoch: int) -> Pointer:
        """Return the pointer as it was at an epoch.

        Raises:
            Corrupt: the log has no such entry.
        """
        return catalog.logged(self._written_once, epoch)

    def still_logged(self, epoch: int) -> Pointer | None:
        """Return the pointer as it was at an epoch; None if the log has lost the entry, or never had it."""
        with suppress(Corrupt):
            return self.logged(epoch)
        return None

    def terms(self, pointer: Pointer) -> Iterator[Term]:
        """Yield which version was live when, newest first, following the log back from `pointer`.

        Two look-ups a term at most: entries between two terms, such as holds, are stepped over. Before a recovery, the
        entries that are left of the log are followed.

        Raises:
            Corrupt: the log lacks an epoch that is needed, and nothing was recovered since.
        """
        ended: datetime | None = None
        recovered = False
        while True:
            start: Pointer | None = pointer
            if pointer.since != pointer.epoch:
                start = self.still_logged(pointer.since) if recovered else self.logged(pointer.since)
            start = start or pointer
            yield Term(pointer.version, pointer.metadata_sha256, pointer.since, start.change.at, ended)
            ended = start.change.at
            if start.change.kind is Kind.FIRST:
                return
            recovered = recovered or start.change.kind is Kind.RECOVER
            before = self.still_logged(start.epoch - 1) if recovered else self.logged(start.epoch - 1)
            if before is None:  # a recovery's epoch lies above all that was ever seen, maybe far above
                before = catalog.newest_logged(self.home, below=start.epoch)
            if before is None:
                return
            pointer = before


class _ReadOnce:
    """Reads each object once from where it is found. For objects that nobody may change.

    Args:
        store: to read from.
    """

    def __init__(self, store: Store) -> None:
        self.uri = store.uri
        self._store = store
        self._found: dict[str, Stored] = {}

    def get(self, key: str) -> Stored | None:
        """Return an object whole, or None if there is none yet."""
        found = self._found.get(key) or self._store.get(key)
        if found is not None:
            self._found[key] = found
        return found
