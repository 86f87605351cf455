"""What is proven about a model's releases, from whatever destination tells it: the ground that doctor stands on.

The pointer and the log tell the SHA-256 of each manifest that was live; a manifest tells that of each file. So a right
copy can be told from a wrong one wherever it lies, and nothing has to be voted on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import AbandonedManifest, Claim, FileEntry, Manifest, read_manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import Version
from model_release.errors import Corrupt, Refused
from model_release.releases.catalog import Live
from model_release.releases.doctor.findings import Copies
from model_release.releases.doctor.listing import Listing, Unread
from model_release.releases.promote import check_history
from model_release.signing import fits


class Evidence:
    """What is proven.

    Args:
        home: the destination whose pointer decides.
        followers: the others.

    Attributes:
        pointer: home's, if it can be read.
        last: the newest one of this history that can be read anywhere.
        log: the entries of home's log that can be read, by epoch.
        log_faults: why others cannot, by epoch.
        begins: the epoch at which this lineage begins. What came before, a person has settled by a recovery.
        digests: of the manifests of versions that were live; two histories that disagree prove nothing.
        given_up: the numbers that were given up.
        manifests: of published versions.
        claims: the bytes of their claims.
        signatures: the bytes of their signatures, where all that fit are the same. Whose they are, nothing here tells.
    """

    def __init__(self, home: Listing, followers: Sequence[Listing]) -> None:
        self.home = home
        self.listings = [home, *followers]
        self.pointer: Pointer | None = home.pointer.pointer if home.pointer else None
        self.log: dict[int, Pointer] = {}
        self.log_faults: dict[int, str] = {}
        self._read_log()
        recovered = [epoch for epoch, entry in self.log.items() if entry.change.kind is Kind.RECOVER]
        self.begins = max((each for each in recovered if self.knows(self.log[each])), default=1)
        known = [each for each in self._pointers() if self.knows(each)]
        self.last = max(known, key=lambda each: each.epoch, default=None)
        self.digests = _digests(known)
        self.given_up: set[Version] = set()
        self.manifests: dict[Version, Manifest] = {}
        self.claims: dict[Version, bytes] = {}
        self.signatures: dict[Version, bytes] = {}
        for version in sorted(home.versions() | self.digests.keys()):
            self._prove(version)

    def knows(self, pointer: Pointer) -> bool:
        """Whether a pointer is of this history, as far as there is one to compare with."""
        return self.pointer is None or pointer.lineage in (self.pointer.lineage, *self.pointer.ancestors)

    def logged(self, epoch: int) -> bytes | None:
        """Return a log entry's bytes from another destination; None where none has it, or two differ."""
        key = layout.log_entry(epoch)
        found: set[bytes] = set()
        for listing in self.listings[1:]:
            with suppress(Corrupt, Unread):
                entry, body = listing.read(Pointer, key), listing.get(key)
                if entry is not None and body is not None and entry.epoch == epoch and self.knows(entry):
                    found.add(body)
        return found.pop() if len(found) == 1 else None

    def copies(self, version: Version, entry: FileEntry, *, whole: bool) -> Copies | None:
        """Return where a file's right bytes can be had; None where nowhere.

        Args:
            version: whose file it is.
            entry: what it should be.
            whole: read the copies until a right one is found, instead of going by their size.
        """
        places = [*self._places(version, entry)]
        if whole:
            places = next(([(listing, key)] for listing, key in places if _right(listing, key, entry)), [])
        return Copies(entry, tuple((listing.store, key) for listing, key in places)) if places else None

    def _places(self, version: Version, entry: FileEntry) -> Iterator[tuple[Listing, str]]:
        keys = {layout.artifact(version, entry.path): None, layout.latest_copy(entry.path): None}
        for other, manifest in self.manifests.items():
            same = (each for each in manifest.files if each.sha256 == entry.sha256)
            keys |= {layout.artifact(other, each.path): None for each in same}
        for listing in self.listings:
            staged = (key for key in listing.below(layout.STAGING) if key.endswith(f"/{entry.sha256}"))
            for key in (*keys, *staged):
                found = listing.entries.get(key)
                if found is not None and found.size == entry.size:
                    yield listing, key

    def _read_log(self) -> None:
        for epoch in sorted(self.home.epochs()):
            try:
                entry = self.home.read(Pointer, layout.log_entry(epoch))
            except Unread:
                continue
            except Corrupt as error:
                self.log_faults[epoch] = error.what
                continue
            if entry is not None and entry.epoch == epoch:
                self.log[epoch] = entry
            elif entry is not None:
                self.log_faults[epoch] = f"it says that it is of epoch {entry.epoch}"

    def _pointers(self) -> Iterator[Pointer]:
        """Yield every pointer that may tell of the past: the log's, and those of destinations that are not forked."""
        yield from self.log.values()
        yield from (each.pointer.pointer for each in self.listings if each.pointer and self._agrees(each.pointer))

    def _agrees(self, theirs: Live) -> bool:
        try:
            if self.home.pointer is not None:
                check_history(self.home.store, theirs, self.home.pointer)
        except (Refused, Corrupt):
            return False
        return True

    def _prove(self, version: Version) -> None:
        """Find the manifest that decided a version, and its claim.

        Of a version that was never live there is no digest. Then home's manifest counts, unless home's claim, which
        holds it whole, says otherwise.
        """
        digest = self.digests.get(version)
        with suppress(Corrupt, Unread):
            if digest is not None:
                bodies = (body for listing in self.listings for body in _bodies(listing, version))
                body = next((each for each in bodies if sha256_of(each) == digest), None)
            else:
                body = self.home.get(layout.manifest(version))
            if body is None:
                return
            manifest = read_manifest(body, where=self.home.where(layout.manifest(version)))
            if manifest.version != version:
                return
            if isinstance(manifest, AbandonedManifest):
                self.given_up.add(version)
                return
            if digest is None and any(claimed != body for claimed, _ in _claims(self.home, version)):
                return
            self.manifests[version] = manifest
            for listing in self.listings:
                for claimed, claim in _claims(listing, version):
                    if claimed == body:
                        self.claims.setdefault(version, claim)
            signed = {each for listing in self.listings for each in _signatures(listing, manifest)}
            if len(signed) == 1:
                self.signatures[version] = signed.pop()


def _digests(pointers: Iterable[Pointer]) -> dict[Version, str]:
    told: dict[Version, set[str]] = {}
    for pointer in pointers:
        told.setdefault(pointer.version, set()).add(pointer.metadata_sha256)
    return {version: found.pop() for version, found in told.items() if len(found) == 1}


def _bodies(listing: Listing, version: Version) -> Iterator[bytes]:
    """Yield what may be a version's manifest: as it lies there, as its claim has it, and the copy of the live one's."""
    for key in (layout.manifest(version), layout.latest_copy(layout.MANIFEST)):
        with suppress(Unread):
            body = listing.get(key)
            if body is not None:
                yield body
    yield from (claimed for claimed, _ in _claims(listing, version))


def _claims(listing: Listing, version: Version) -> Iterator[tuple[bytes, bytes]]:
    """Yield the manifest that a claim holds, and the claim, if there is one that can be read."""
    with suppress(Corrupt, Unread):
        key = layout.claim(version)
        claim, body = listing.read(Claim, key), listing.get(key)
        if claim is not None and body is not None:
            yield claim.metadata.to_bytes(), body


def _signatures(listing: Listing, manifest: Manifest) -> Iterator[bytes]:
    with suppress(Unread):
        body = listing.get(layout.signature(manifest.version))
        if body is not None and fits(body, manifest):
            yield body


def _right(listing: Listing, key: str, entry: FileEntry) -> bool:
    with suppress(Unread):
        return listing.read_fault(key, entry) is None
    return False
