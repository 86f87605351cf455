"""Phase one of a release: its bytes into staging, then into its version's folder at every destination (rules 1, 3)."""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from model_release import signing
from model_release.documents import layout
from model_release.documents.base import Document, sha256_of
from model_release.documents.manifest import AbandonedManifest, Claim, FileEntry, Manifest
from model_release.documents.version import Version
from model_release.errors import Corrupt, NotFound, Refused
from model_release.releases.catalog import check_file, fetch
from model_release.releases.store import ReleaseStore
from model_release.signing import SigningKey
from model_release.stores.base import OCTETS, Store
from model_release.stores.create_once import create_exactly, create_once

Watch = Callable[[FileEntry, str], object]
"""Told of a file that is about to travel, and of the URI that it goes to; for people who wait."""


def unwatched(_entry: FileEntry, _uri: str) -> None:
    """Nobody waits."""


def stage(
    releases: ReleaseStore, run: str, folder: Path, entries: Iterable[FileEntry], *, watch: Watch = unwatched
) -> None:
    """Keep files of a run in flight in `staging/<run>/`, by content.

    Raises:
        Corrupt: a file is not what its entry says.
    """
    for entry in entries:
        watch(entry, releases.uri)
        path = folder / entry.path
        check_file(path, entry, where=str(path))
        releases.home.upload(layout.staged(run, entry.sha256), path, content_type=content_type(entry.path))


def keep(releases: ReleaseStore, run: str, document: Document) -> str:
    """Keep a document of a run in flight in `staging/<run>/`.

    Returns:
        Its SHA-256, which is its name there.
    """
    body, name = document.to_bytes(), document.sha256()
    create_exactly(releases.home, layout.staged(run, name), body)
    return name


def recall(releases: ReleaseStore, run: str, sha256: str) -> bytes:
    """Read back what `keep` kept.

    Raises:
        NotFound: it is not there, or not any more.
        Corrupt: it is not what its name says.
    """
    key = layout.staged(run, sha256)
    where = f"{releases.uri}/{key}"
    stored = releases.home.get(key)
    if stored is None:
        raise NotFound(
            "what an earlier task of this run made is gone",
            where=where,
            hint="staging is kept for a day; trigger a new run instead of clearing this one",
        )
    if sha256_of(stored.body) != sha256:
        raise Corrupt("the bytes are not those that the name promises", where=where)
    return stored.body


def place(
    releases: ReleaseStore,
    claim: Claim,
    target: Store,
    *,
    watch: Watch = unwatched,
    inspect: Callable[[Path], object] = lambda _folder: None,
    key: SigningKey | None = None,
) -> list[str]:
    """Put a version's files at one destination and read them back. Only what is missing is sent.

    At home the claim stands already and the manifest comes last of all, by `seal`. A follower gets both here, so that
    home decides the version only when every follower holds it. What is signed is what was read back; whoever comes
    first creates the signature at home, and every destination gets that one.

    Args:
        releases: of the model.
        claim: of the version.
        target: where to; home itself, or a follower.
        watch: told of each file before it is sent.
        inspect: called with a folder of the files as they came back, before a follower gets the manifest; what it
            raises is raised.
        key: what the version is signed with; without one, a signature that home has is handed on all the same.

    Returns:
        The paths that had to be sent.

    Raises:
        Corrupt: the bytes that came back are not those that were sent; or home has a signature by another key.
        Refused: the number was given up in the meantime.
    """
    version = claim.metadata.version
    _refuse_abandoned(releases, version)
    if target.uri != releases.uri:
        create_exactly(target, layout.claim(version), claim.to_bytes())
    there = {entry.key: entry.size for entry in target.list(f"{version}/")}
    sent = []
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        folder = Path(scratch) / layout.folder_name(releases.uri)
        for entry in claim.metadata.files:
            back = folder / entry.path
            back.parent.mkdir(parents=True, exist_ok=True)
            if _holds(target, version, entry, there, back):
                continue
            watch(entry, target.uri)
            try:
                _send(releases, claim.run, version, entry, target)
                fetch(target, layout.artifact(version, entry.path), entry, back)
            except NotFound:
                _refuse_abandoned(releases, version)  # whoever gave the number up has removed what was sent
                raise
            sent.append(entry.path)
        inspect(folder)
        _sign(releases, claim.metadata, folder, key, target)
    if target.uri != releases.uri:
        create_exactly(target, layout.manifest(version), claim.metadata.to_bytes())
    return sent


def seal(releases: ReleaseStore, claim: Claim) -> Manifest:
    """Publish: create `metadata.json` at home, which decides the version once, for ever.

    Raises:
        Refused: housekeeping gave the number up before; the next run takes another one.
        Corrupt: the number was published with another manifest than the claim's.
    """
    version = claim.metadata.version
    try:
        create_exactly(releases.home, layout.manifest(version), claim.metadata.to_bytes())
    except Corrupt:
        _refuse_abandoned(releases, version)
        raise
    return claim.metadata


def _sign(releases: ReleaseStore, manifest: Manifest, folder: Path, key: SigningKey | None, target: Store) -> None:
    """Put the signature beside the files: the one that home has, or else a new one, which home gets first.

    Raises:
        Corrupt: what home has is no signature of these files by this key.
    """
    if key is None and target.uri == releases.uri:
        return
    name = layout.signature(manifest.version)
    found = releases.home.get(name)
    signature = found.body if found else None
    if key is not None:
        (folder / layout.MANIFEST).write_bytes(manifest.to_bytes())
        signature = signature or create_once(releases.home, name, signing.sign(folder, key))
        try:
            signing.check(folder, signature, key.trust, where=f"{releases.uri}/{manifest.version}", trusted="this run")
        except (Corrupt, Refused) as error:
            hint = "a signature is written once: if the key is a new one, remove this object, and run again"
            raise Corrupt(error.what, where=f"{releases.uri}/{name}", hint=hint) from None
    if signature is not None and target.uri != releases.uri:
        create_exactly(target, name, signature)


def _refuse_abandoned(releases: ReleaseStore, version: Version) -> None:
    decided = releases.decided(version)
    if isinstance(decided, AbandonedManifest):
        raise Refused(
            f"the number was given up by {decided.abandoned.by}: {decided.abandoned.reason}",
            where=f"{releases.uri}/{layout.manifest(version)}",
            hint="run again; the release gets the next number",
        )


def _holds(target: Store, version: Version, entry: FileEntry, there: dict[str, int], back: Path) -> bool:
    """Whether the file is there and right; then it is kept at `back`.

    Raises:
        Corrupt: something else lies there, and a version's files are written once.
    """
    key = layout.artifact(version, entry.path)
    if key not in there:
        return False
    try:
        fetch(target, key, entry, back)
    except NotFound:  # removed since the folder was listed
        return False
    except Corrupt as error:
        hint = "files of a version are written once: find out who changed this one, remove it, and run again"
        raise Corrupt(error.what, where=error.where, hint=hint) from None
    return True


def _send(releases: ReleaseStore, run: str, version: Version, entry: FileEntry, target: Store) -> None:
    source, key = layout.staged(run, entry.sha256), layout.artifact(version, entry.path)
    if target.uri == releases.uri:
        releases.home.copy(source, key, new=True)
        return
    with tempfile.TemporaryDirectory(prefix="model-release-") as folder:
        path = Path(folder) / "file"
        try:
            fetch(releases.home, source, entry, path)
        except NotFound:  # staging is long gone, yet a new follower may need what home has published
            fetch(releases.home, key, entry, path)
        target.upload(key, path, content_type=content_type(entry.path), new=True)


def content_type(path: str) -> str:
    """Return the media type of a file, by its name."""
    return mimetypes.guess_type(path)[0] or OCTETS
