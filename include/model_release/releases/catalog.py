"""Reading what lies in the store: the pointer, manifests, the log, the files. Writes nothing."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import AbandonedManifest, Claim, FileEntry, Manifest, read_manifest
from model_release.documents.pointer import Pointer, PromotionTarget
from model_release.documents.version import Version
from model_release.errors import Corrupt, NoModel, NotFound
from model_release.stores.base import Readable, Store


@dataclass(frozen=True, slots=True)
class Live:
    """The pointer as it was read, with the token that names this state of it."""

    pointer: Pointer
    token: str
    body: bytes


def read_pointer(store: Readable) -> Live | None:
    """Read `latest.json`; None where there is none."""
    stored = store.get(layout.POINTER)
    if stored is None:
        return None
    pointer = Pointer.read(stored.body, where=f"{store.uri}/{layout.POINTER}")
    return Live(pointer, stored.token, stored.body)


def live_pointer(store: Store) -> Pointer:
    """Read `latest.json`.

    Raises:
        NoModel: there is none; the message says what is here instead.
    """
    live = read_pointer(store)
    if live is None:
        raise no_model(store)
    return live.pointer


def no_model(store: Store) -> NoModel:
    """Return the error of a folder without a pointer: it is lost, no version is live yet, or nothing is here."""
    trace = trace_of_a_pointer(store)
    if trace is not None:
        return NoModel(
            f"there is no latest.json here, and {trace} is: that is damage, not a beginning",
            where=store.uri,
            hint="`model-release doctor` lays out what may be done",
        )
    taken = versions(store)
    if taken:
        return NoModel(
            f"there is no latest.json here: no version is live yet, and {len(taken)} numbers are taken",
            where=store.uri,
            hint="`model-release list` shows them",
        )
    return NoModel(
        "nothing was ever released here: there is no latest.json here",
        where=store.uri,
        hint="name the folder of one model, such as file:///srv/store/heart-disease-models",
    )


def trace_of_a_pointer(store: Store, spared: Collection[str] = ()) -> str | None:
    """Return an object that only a pointer can have led to: its log, its copies, a version judged against it.

    Args:
        store: the model's folder.
        spared: keys in `latest/` that do not count.
    """
    for folder in (layout.LOG, layout.LATEST):
        entry = next((entry for entry in store.list(f"{folder}/") if entry.key not in spared), None)
        if entry is not None:
            return entry.key
    for version in versions(store):
        claim = read_claim(store, version)
        if claim is None or (claim.metadata.gate is not None and claim.metadata.gate.since is not None):
            return f"{version}/"
    return None


def read_version(store: Readable, version: Version) -> Manifest | AbandonedManifest | None:
    """Read the manifest that decided a version; None while it is undecided."""
    key = layout.manifest(version)
    stored = store.get(key)
    return None if stored is None else read_manifest(stored.body, where=f"{store.uri}/{key}")


def published(store: Readable, version: Version, *, sha256: str | None = None) -> Manifest:
    """Read the manifest of a published version.

    Args:
        store: the model's folder.
        version: which one.
        sha256: what the pointer says of the manifest's bytes.

    Raises:
        NotFound: no such version, or its number was given up.
        Corrupt: the bytes are not those that `sha256` names, or the manifest is of another version.
    """
    key = layout.manifest(version)
    where = f"{store.uri}/{key}"
    stored = store.get(key)
    if stored is None:
        raise NotFound(f"there is no release {version}", where=where, hint="`model-release list` shows what there is")
    if sha256 is not None and sha256_of(stored.body) != sha256:
        raise Corrupt("the manifest is not the one that latest.json names", where=where)
    found = read_manifest(stored.body, where=where)
    if found.version != version:
        raise Corrupt(f"the manifest says that it is of {found.version}", where=where)
    if isinstance(found, AbandonedManifest):
        raise NotFound(f"the number {version} was given up: {found.abandoned.reason}", where=where)
    return found


def live_manifest(store: Store, pointer: Pointer) -> Manifest:
    """Read the live version's manifest, checked against the pointer's digest."""
    return published(store, pointer.version, sha256=pointer.metadata_sha256)


def read_claim(store: Readable, version: Version) -> Claim | None:
    """Read who took a number; None while it is free."""
    stored = store.get(layout.claim(version))
    return None if stored is None else Claim.read(stored.body, where=f"{store.uri}/{layout.claim(version)}")


def promotion_target_of(manifest: Manifest) -> PromotionTarget:
    """Return what a promotion needs to know of a version."""
    return PromotionTarget(
        version=manifest.version,
        metadata_sha256=manifest.sha256(),
        schema_revision=manifest.schema_revision,
        data_as_of=manifest.data_as_of,
    )


def versions(store: Store) -> list[Version]:
    """Return every number that was ever taken, in order. Lists the folder: for people, not for runs."""
    names = {entry.key.partition("/")[0] for entry in store.list("v")}
    return sorted(Version.parse(name) for name in names if Version.is_version(name))


def state_of(version: Version, decided: Manifest | AbandonedManifest | None, pointer: Pointer | None) -> str:
    """Return what a number is: live, quarantined, retired, published, abandoned or in flight."""
    if decided is None:
        return "in flight"
    if isinstance(decided, AbandonedManifest):
        return "abandoned"
    if pointer is not None:
        if pointer.version == version:
            return "live"
        if str(version) in pointer.quarantined:
            return "quarantined"
        if version in pointer.retired:
            return "retired"
    return "published"


def history(store: Store) -> Iterator[Pointer]:
    """Yield the pointer as it was at each epoch, oldest first, the current one included."""
    last = 0
    for entry in store.list(f"{layout.LOG}/"):
        stored = store.get(entry.key)
        if stored is None:
            raise Corrupt("a log entry vanished while the log was read", where=f"{store.uri}/{entry.key}")
        pointer = Pointer.read(stored.body, where=f"{store.uri}/{entry.key}")
        last = pointer.epoch
        yield pointer
    live = read_pointer(store)
    if live is not None and live.pointer.epoch > last:
        yield live.pointer


def logged(store: Readable, epoch: int) -> Pointer:
    """Read the pointer as it was at an epoch.

    Raises:
        Corrupt: the log has no such entry.
    """
    key = layout.log_entry(epoch)
    stored = store.get(key)
    if stored is None:
        raise Corrupt("the log lacks an epoch that the pointer has passed", where=f"{store.uri}/{key}")
    return Pointer.read(stored.body, where=f"{store.uri}/{key}")


def still_logged(store: Readable, epoch: int) -> Pointer | None:
    """Read the pointer as it was at an epoch; None where the log has lost it, or never had it."""
    with contextlib.suppress(Corrupt):
        return logged(store, epoch)
    return None


def newest_logged(store: Store, *, below: int | None = None) -> Pointer | None:
    """Return the newest entry of the log that can be read, below an epoch if one is given; None where there is none."""
    end = layout.log_entry(below) if below is not None else None
    for entry in sorted(store.list(f"{layout.LOG}/"), key=lambda each: each.key, reverse=True):
        if end is not None and entry.key >= end:
            continue
        stored = store.get(entry.key)
        with contextlib.suppress(Corrupt):
            if stored is not None:
                return Pointer.read(stored.body, where=f"{store.uri}/{entry.key}")
    return None


def matches(store: Store, key: str, entry: FileEntry) -> bool:
    """Whether the object under `key` has exactly the bytes that `entry` promises. Reads it whole."""
    try:
        fetch(store, key, entry, None)
    except (NotFound, Corrupt):
        return False
    return True


def fetch(store: Store, key: str, entry: FileEntry, target: Path | None) -> None:
    """Download an object and check it against its entry; keep it at `target` only if it is right.

    Raises:
        NotFound: it is not there.
        Corrupt: its size or SHA-256 differ.
    """
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="model-release-", dir=target.parent if target else None) as folder:
        path = Path(folder) / "download"
        store.download(key, path, limit=entry.size)
        check_file(path, entry, where=f"{store.uri}/{key}")
        if target is not None:
            path.replace(target)


def fault_of(store: Store, key: str, entry: FileEntry) -> NotFound | Corrupt | None:
    """Read every byte of an object, and return how it differs from its entry; None if it is right.

    Raises:
        ModelReleaseError: the object could not be read.
    """
    try:
        fetch(store, key, entry, None)
    except (NotFound, Corrupt) as error:
        return error
    return None


def check_file(path: Path, entry: FileEntry, *, where: str) -> None:
    """Check a file on disk against its entry.

    Raises:
        Corrupt: its size or SHA-256 differ.
    """
    size = path.stat().st_size
    if size != entry.size:
        raise Corrupt(f"has {size:,} bytes and should have {entry.size:,}", where=where)
    with path.open("rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != entry.sha256:
        raise Corrupt(f"has SHA-256 {found[:12]}… and should have {entry.sha256[:12]}…", where=where)
