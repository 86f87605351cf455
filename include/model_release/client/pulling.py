"""A pull: resolve the pointer once, fetch exactly the files of the manifest, verify them, swap them in (rule 14)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from model_release.client.fetching import Progress, fetch
from model_release.client.fitness import misfits
from model_release.client.folder import Folder, checked_copy
from model_release.client.memory import check_age, check_floor, check_follows
from model_release.client.promises import Promised, Resolved
from model_release.documents import layout
from model_release.documents.version import Version
from model_release.errors import Contended, Corrupt, ModelReleaseError, NotFound, Refused, Retry, UsageError
from model_release.stores.base import Stored
from model_release.stores.reader.reader import open_reader

if TYPE_CHECKING:
    from model_release.client.reporting import Reporter
    from model_release.documents.manifest import Manifest
    from model_release.documents.pointer import Pointer

log = logging.getLogger(__name__)

_ROUNDS = 3
"""How often the pointer may move on while its release is read."""


@dataclass(frozen=True)
class Pulled:
    """A verified copy of a release on this machine.

    Attributes:
        folder: the copy; nothing in it changes. `current` beside it links to it.
        promised: its manifest, as far as a consumer uses it.
        resolved: the pointer that was followed; None for a pinned version in a store without one.
        changed: whether another copy was current before.
        stale: whether the store could not be reached, and this is the last good copy.
        notes: for a person, in words: why it is stale, and which versions of this process do not fit the pickles.
    """

    folder: Path
    promised: Promised
    resolved: Resolved | None
    changed: bool
    stale: bool
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> Version:
        """The release's number."""
        return self.promised.version

    def tell(self, reporter: Reporter) -> None:
        """Report that this copy is the one in use."""
        followed = self.resolved
        epoch, lineage = (followed.epoch, followed.lineage) if followed else (None, None)
        reporter.report(self.version, epoch, lineage, self.promised.sha256)

    @cached_property
    def manifest(self) -> Manifest:
        """`metadata.json`, whole."""
        from model_release.documents.manifest import Manifest

        return Manifest.read(self.promised.body, where=str(self.folder / layout.MANIFEST))

    @cached_property
    def pointer(self) -> Pointer | None:
        """`latest.json`, whole."""
        from model_release.documents.pointer import Pointer

        return None if self.resolved is None else Pointer.read(self.resolved.body, where=layout.POINTER)


class Puller:
    """Pulls one model into one folder, once for each call.

    Args:
        uri: the model's folder: `s3://`, `gs://`, `wasb://`, `file://`, `https://`, or a path.
        to: the consumer's folder, of this model alone.
        version: pins a version; else the pointer's.
        sha256: pins the manifest's bytes.
        trust: a public key or a certificate; a release that it did not sign is refused.
        strict: whether a store that cannot be reached is an error even if there is a copy.
        progress: called with the bytes that are here and the bytes in total.
        shared: use a folder that another user owns, or that every user may write to.
        max_age: the greatest age of a release, since it was trained; an older one is refused.
        min_epoch: the least epoch of the pointer, for a first start without a memory of one.

    Raises:
        UsageError: the URI, the version or the digest is malformed.
    """

    def __init__(
        self,
        uri: str,
        to: str | Path,
        *,
        version: str | Version | None = None,
        sha256: str | None = None,
        trust: str | Path | None = None,
        strict: bool = False,
        progress: Progress | None = None,
        shared: bool = False,
        max_age: timedelta | None = None,
        min_epoch: int | None = None,
    ) -> None:
        self.reader = open_reader(uri)
        self.folder = Folder(Path(to), shared=shared)
        self._max_age = max_age
        self._min_epoch = min_epoch
        self._pinned = Version.parse(version) if isinstance(version, str) else version
        self._sha256 = sha256.removeprefix("sha256:").lower() if sha256 is not None else None
        self._trust = Path(trust) if trust is not None else None
        self._strict = strict
        self._progress = progress
        self._seen: Stored | None = None
        if self._sha256 is not None and (len(self._sha256) != 64 or set(self._sha256) - set("0123456789abcdef")):
            raise UsageError("not a SHA-256", where=sha256, hint="64 hexadecimal digits, of the bytes of metadata.json")
        if self._trust is not None and not self._trust.is_file():
            raise UsageError("no such file", where=str(trust), hint="name a public key or a certificate to trust")

    def pull(self) -> Pulled:
        """Bring the folder to the version that the pointer names now.

        Raises:
            StoreUnavailable: the store cannot be reached, and there is no copy to fall back to.
            NotFound: nothing is released there, or there is no such version.
            Refused: the pointer goes back, is a fork or of another history; or the version is barred, or not the
                pinned one.
            Corrupt: a manifest, a file or a signature is not right. The current copy stays.
        """
        return self._pull(None)

    def poll(self) -> Pulled | None:
        """Do the same; return None, after one conditional request, if the pointer is as at the last call."""
        if self._seen is None:
            return self.pull()
        try:
            moved = self.reader.changed(layout.POINTER, self._seen)
        except NotFound:
            self.reader.check_mounted()
            raise
        return None if moved is None else self._pull(moved)

    def _pull(self, seen: Stored | None) -> Pulled:
        """Follow the pointer, or `seen` if it was read already."""
        self._seen = None
        with self.folder.locked():
            known = self.folder.remembered()
            try:
                seen = seen or self._pointer()
                for _ in range(_ROUNDS):
                    try:
                        pulled = self._follow(seen, known)
                    except (NotFound, Corrupt):  # it may have been pruned meanwhile
                        before, seen = seen, self._pointer()
                        if before is None or seen is None or before.body == seen.body:
                            raise
                    else:
                        self._seen = seen
                        return pulled
                raise Contended("latest.json moved on each time its release was read", where=self.reader.uri)
            except Retry as error:
                if self._strict:
                    raise
                return self._fall_back(known, error)

    def _pointer(self) -> Stored | None:
        """Read the pointer. A folder that is missing or empty beside a copy counts as a store that is away."""
        found = self.reader.get(layout.POINTER)
        if found is None and self.folder.current() is not None:
            self.reader.check_mounted()
        return found

    def _follow(self, seen: Stored | None, known: Resolved | None) -> Pulled:
        where = f"{self.reader.uri}/{layout.POINTER}"
        live = None if seen is None else Resolved.read(seen.body, where=where)
        check_floor(live.epoch if live else None, self._min_epoch, where=where)
        if live is not None:
            check_follows(known, live, where=where, memory=str(self.folder.memory))
        version, sha256 = self._wanted(live, where)
        signature = self.reader.get(layout.signature(version)) if self._trust is not None else None
        found = self.folder.find(version, sha256)
        if found is None:
            copy, manifest = self._bring(version, sha256, signature)
        else:
            copy, manifest = found
            self._check_signature(copy, manifest, signature)
        self.check_age(manifest)
        if live is not None and self._pinned is None and (known is None or known.body != live.body):
            self.folder.remember(live)  # before the swap: a consumer that has used an epoch never goes below it
        changed = self.folder.swap(copy)
        return self._pulled(copy, manifest, live, changed=changed)

    def check_age(self, manifest: Promised) -> None:
        """Check that a release is not older than what is asked for, now.

        Raises:
            Refused: it is, or does not say how old it is.
        """
        now = datetime.now(UTC)
        check_age(manifest.version, manifest.trained, self._max_age, now=now, where=self.reader.uri)

    def _wanted(self, live: Resolved | None, where: str) -> tuple[Version, str | None]:
        """Return the version to pull, and the digest that its manifest must have, if it is known."""
        if live is None:
            if self._pinned is None:
                hint = "name the folder of one model, such as s3://bucket/heart-disease-models"
                raise NotFound("there is no latest.json here", where=self.reader.uri, hint=hint)
            return self._pinned, self._sha256
        version = self._pinned or live.version
        if str(version) in live.barred:
            raise Refused(live.barred[str(version)], where=where, hint=f"live is {live.version}")
        promised = live.metadata_sha256 if version == live.version else None
        if self._sha256 is not None and promised not in (None, self._sha256):
            pin = "" if self._pinned else "; pin the version too"
            raise Refused(
                f"{version} is live with a manifest of sha256 {promised}, and {self._sha256} is asked for",
                where=where,
                hint=f"look at the releases since{pin}",
            )
        return version, self._sha256 or promised

    def _bring(self, version: Version, sha256: str | None, signature: Stored | None) -> tuple[Path, Promised]:
        key = layout.manifest(version)
        where, stored = f"{self.reader.uri}/{key}", self.reader.get(key)
        if stored is None:
            hint = "`model-release list` shows what there is"
            raise NotFound(f"there is no release {version}", where=where, hint=hint)
        manifest = Promised.read(stored.body, where=where, version=version, sha256=sha256)
        fetch(self.reader, manifest, self.folder, self._progress)
        with self.folder.assembled(manifest) as new:
            self._check_signature(new, manifest, signature)
            return self.folder.keep(new, manifest), manifest

    def _check_signature(self, copy: Path, manifest: Promised, signature: Stored | None) -> None:
        """Check the signature of a copy, if a key is trusted: the store's, or else the copy's own.

        Raises:
            Refused: it has no signature, or none by a trusted key.
            Corrupt: the copy was changed since it was signed.
        """
        if self._trust is None:
            return
        from model_release.signing import verify

        if signature is not None:
            self.folder.put(copy / layout.SIGNATURE, signature.body)
        verify(copy, self._trust, model=layout.folder_name(self.reader.uri), version=manifest.version)

    def _fall_back(self, known: Resolved | None, error: ModelReleaseError) -> Pulled:
        copy = self.folder.current()
        if copy is None:
            raise error
        manifest = checked_copy(copy)
        if self._pinned not in (None, manifest.version) or self._sha256 not in (None, manifest.sha256):
            raise error
        self._check_signature(copy, manifest, None)
        check_floor(known.epoch if known else None, self._min_epoch, where=str(self.folder.memory))
        self.check_age(manifest)
        followed = known if known is not None and known.version == manifest.version else None
        why = f"the last good copy, {manifest.version}, is used: {error.what}"
        return self._pulled(copy, manifest, followed, stale=why)

    def _pulled(
        self, copy: Path, manifest: Promised, pointer: Resolved | None, *, changed: bool = False, stale: str = ""
    ) -> Pulled:
        notes = ([stale] if stale else []) + (misfits(manifest) if changed else [])
        for note in notes:
            log.warning("%s: %s", self.reader.uri, note)
        return Pulled(copy, manifest, pointer, changed=changed, stale=bool(stale), notes=tuple(notes))
