"""Whether what lies in a store is what its manifests promise: reads every byte, writes nothing, for people."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model_release import signing
from model_release.documents import layout
from model_release.documents.manifest import FileEntry, Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import Version
from model_release.errors import Contended, Corrupt, NotFound, Refused
from model_release.releases.catalog import (
    fault_of,
    history,
    live_manifest,
    live_pointer,
    published,
    read_version,
    versions,
)
from model_release.stores.base import Store


@dataclass(frozen=True, slots=True)
class Checked:
    """One object that was read whole.

    Attributes:
        key: which one.
        size: in bytes, as promised.
        fault: what is wrong with it, in words; None when it is right.
    """

    key: str
    size: int
    fault: str | None


def check(
    store: Store, version: Version | None = None, *, every: bool = False, trust: Path | None = None
) -> Iterator[Checked]:
    """Check one version, or what is live with its copies, or everything that is published.

    A manifest is compared with the SHA-256 that `latest.json` has of it, or the log, where it was live before.

    Args:
        store: the model's folder.
        version: only this one.
        every: every published version that is not retired, beside the live one.
        trust: a PEM file of whoever must have signed each version; None: signatures are not looked at.

    Raises:
        NotFound: there is no such version, or nothing is live.
        UsageError: nobody can be trusted by what `trust` holds.
        Contended: the pointer moved while its copies were read.
    """
    digests = {pointer.version: pointer.metadata_sha256 for pointer in history(store)}
    if version is not None:
        published(store, version)
        yield from _check_version(store, version, digests.get(version), trust)
        return
    pointer = live_pointer(store)
    digests[pointer.version] = pointer.metadata_sha256
    for each in _there(store, pointer) if every else [pointer.version]:
        yield from _check_version(store, each, digests.get(each), trust)
    yield from _check_copies(store, pointer)


def check_version(store: Store, version: Version, *, sha256: str | None) -> Iterator[Checked]:
    """Check a version's manifest, then each file that it lists.

    Args:
        store: the model's folder.
        version: a published one.
        sha256: what the pointer or the log says of the manifest's bytes; None where the version was never live.
    """
    try:
        manifest = published(store, version, sha256=sha256)
    except (NotFound, Corrupt) as error:
        yield Checked(layout.manifest(version), 0, error.what)
        return
    yield Checked(layout.manifest(version), len(manifest.to_bytes()), None)
    yield from _check(store, manifest.files, lambda path: layout.artifact(version, path))


def _check_version(store: Store, version: Version, sha256: str | None, trust: Path | None) -> Iterator[Checked]:
    yield from check_version(store, version, sha256=sha256)
    if trust is not None:
        yield _check_signature(store, version, trust)


def _check_signature(store: Store, version: Version, trust: Path) -> Checked:
    key, fault = layout.signature(version), None
    signature, manifest = store.get(key), store.get(layout.manifest(version))
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        folder = Path(scratch)
        try:
            for entry in published(store, version).files:
                path = folder / entry.path
                path.parent.mkdir(parents=True, exist_ok=True)
                store.download(layout.artifact(version, entry.path), path, limit=entry.size)
            for name, stored in ((layout.MANIFEST, manifest), (layout.SIGNATURE, signature)):
                if stored is not None:
                    (folder / name).write_bytes(stored.body)
            signing.verify(folder, trust, model=layout.folder_name(store.uri), version=version)
        except (NotFound, Corrupt, Refused) as error:
            fault = error.what
    return Checked(key, len(signature.body) if signature else 0, fault)


def live_faults(store: Store, pointer: Pointer) -> list[Checked]:
    """Return what is wrong with the files of the live version; empty when everything is right."""
    found = check_version(store, pointer.version, sha256=pointer.metadata_sha256)
    return [each for each in found if each.fault is not None]


def _there(store: Store, pointer: Pointer) -> list[Version]:
    """Return the versions whose files must be there; the live one even if its manifest is gone."""
    found = {each for each in versions(store) if isinstance(read_version(store, each), Manifest)}
    return sorted(found - {*pointer.retired} | {pointer.version})


def _check_copies(store: Store, pointer: Pointer) -> Iterator[Checked]:
    try:
        manifest = live_manifest(store, pointer)
    except (NotFound, Corrupt):  # a fault of the version itself
        return
    body = manifest.to_bytes()
    entry = FileEntry(path=layout.MANIFEST, size=len(body), sha256=manifest.sha256())
    checked = [*_check(store, [*manifest.files, entry], layout.latest_copy)]
    if any(each.fault for each in checked) and live_pointer(store).epoch != pointer.epoch:
        raise Contended(
            "latest.json moved while its copies were read",
            where=f"{store.uri}/{layout.LATEST}/",
            hint="run the command again",
        )
    yield from checked


def _check(store: Store, entries: list[FileEntry], key_of: Callable[[str], str]) -> Iterator[Checked]:
    for entry in entries:
        key = key_of(entry.path)
        fault = fault_of(store, key, entry)
        yield Checked(key, entry.size, fault.what if fault else None)
