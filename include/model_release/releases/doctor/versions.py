"""What doctor finds about versions: their manifests, claims and files, at home and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest, Claim, FileEntry
from model_release.documents.pointer import Kind
from model_release.documents.version import Version
from model_release.errors import Corrupt
from model_release.releases.doctor.evidence import Proven
from model_release.releases.doctor.findings import Cure, Damage, Finding, Part
from model_release.releases.doctor.listing import Shelf, Unread
from model_release.signing import fits

RESTORES = "`--repair` puts the right bytes back"
NO_COPY = "no destination has the right bytes: put them back from a backup"


def examine_versions(proven: Proven, shelf: Shelf) -> Iterator[Finding]:
    """Look at every version that is published, and at home at every number whose fate cannot be read.

    A number that is merely undecided is not damaged: a run may be on its way, or `sweep` gives it up.
    """
    home = proven.home
    retired = {*proven.last.retired} if proven.last else set()
    for version in sorted(proven.manifests):
        if shelf.below(version) or version not in retired:
            yield from _published(proven, shelf, version, with_files=version not in retired)
    if shelf is home:
        for version in sorted((home.versions() | proven.digests.keys()) - proven.manifests.keys()):
            with suppress(Unread):
                yield from _unproven(proven, version)
        return
    for version in sorted(shelf.versions() - home.versions() - proven.digests.keys()):
        if version not in retired and layout.manifest(version) in shelf.entries:
            what = f"home has no trace of it, and {shelf.uri} has released it"
            remedy = "copy the folder to home before the number is taken again"
            yield _finding(Damage.VERSION_MISSING, home, version, f"{version}/", what, remedy)


def examine_retired(proven: Proven, shelf: Shelf, grace: timedelta) -> Iterator[Finding]:
    """Look for files of versions that were retired longer ago than the grace period."""
    if proven.pointer is None:
        return
    ended = proven.home.now - grace
    told = [each.change for each in (*proven.log.values(), proven.pointer) if each.change.kind is Kind.RETIRE]
    since = {version: change.at for change in told for version in change.about}
    for version in proven.pointer.retired:
        files = [key for key in shelf.below(version) if key.partition("/")[2] not in (layout.CLAIM, layout.MANIFEST)]
        if files and version in since and since[version] < ended:
            what = f"it was retired on {since[version]:%Y-%m-%d}, and {len(files)} of its files are left"
            remedy = "`model-release prune --yes` removes them"
            yield _finding(Damage.RETIRED_FILES, shelf, version, f"{version}/", what, remedy)


def _published(proven: Proven, shelf: Shelf, version: Version, *, with_files: bool) -> Iterator[Finding]:
    manifest = proven.manifests[version]
    files = manifest.files if with_files else []
    keys = {layout.claim(version), layout.manifest(version), *(layout.artifact(version, each.path) for each in files)}
    keys |= {layout.signature(version)} if files and version in proven.signatures else set()
    if not keys <= shelf.entries.keys():
        try:
            shelf.look_again(version)
        except Unread:
            return
    if not shelf.below(version):
        yield _whole_folder(proven, shelf, version, files)
        return
    with suppress(Unread):
        key, right = layout.manifest(version), manifest.to_bytes()
        found = shelf.get(key)
        if found is None:
            kind, what = Damage.MANIFEST_MISSING, "it is missing, and the version was released"
            yield _document(kind, shelf, version, key, what, right)
        elif found != right:
            what = _why_wrong(proven, shelf, version)
            if shelf is proven.home and _gives_up(shelf, version):
                remedy = "a person decides: a number that was given up is never used again"
                yield _finding(Damage.RELEASE_GIVEN_UP, shelf, version, key, what, remedy)
                return
            yield _document(Damage.MANIFEST_WRONG, shelf, version, key, what, right)
    with suppress(Unread):
        key, claim = layout.claim(version), proven.claims.get(version)
        found = shelf.get(key)
        if found is None:
            yield _document(Damage.CLAIM_MISSING, shelf, version, key, "it is missing", claim)
        elif found != claim:
            yield _document(Damage.CLAIM_WRONG, shelf, version, key, _why_wrong_claim(shelf, key), claim)
    for entry in files:
        with suppress(Unread):
            yield from _file(proven, shelf, version, entry)
    if with_files:
        with suppress(Unread):
            yield from _signature(proven, shelf, version)


def _signature(proven: Proven, shelf: Shelf, version: Version) -> Iterator[Finding]:
    key, right = layout.signature(version), proven.signatures.get(version)
    found = shelf.get(key)
    if found == right:
        return
    if found is None:
        yield _document(Damage.SIGNATURE_MISSING, shelf, version, key, "it is missing, and another place has it", right)
    elif right is not None or not fits(found, proven.manifests[version]):
        yield _document(Damage.SIGNATURE_WRONG, shelf, version, key, "it signs something else", right)
    else:
        what = "it fits the files, and so does another one at another place"
        remedy = "`model-release verify --trust` tells which one to keep; remove the other, and repair"
        yield _finding(Damage.SIGNATURE_WRONG, shelf, version, key, what, remedy)


def _file(proven: Proven, shelf: Shelf, version: Version, entry: FileEntry) -> Iterator[Finding]:
    key = layout.artifact(version, entry.path)
    fault = shelf.fault(key, entry)
    if fault is None:
        return
    kind = Damage.FILE_WRONG if key in shelf.entries else Damage.FILE_MISSING
    copies = proven.copies(version, entry, whole=True)
    if copies is None:
        yield _finding(kind, shelf, version, key, fault, NO_COPY)
    else:
        yield _finding(kind, shelf, version, key, fault, RESTORES, (Part(key, copies),))


def _whole_folder(proven: Proven, shelf: Shelf, version: Version, files: list[FileEntry]) -> Finding:
    """Describe a version that a destination lacks altogether: claim first, manifest last, as it was published."""
    claim = proven.claims.get(version)
    parts = [Part(layout.claim(version), claim)] if claim else []
    for entry in files:
        copies = proven.copies(version, entry, whole=False)
        if copies is not None:
            parts.append(Part(layout.artifact(version, entry.path), copies))
    there = len(parts) == len(files) + bool(claim)
    signature = proven.signatures.get(version)
    if files and signature is not None:
        parts.append(Part(layout.signature(version), signature))
    parts.append(Part(layout.manifest(version), proven.manifests[version].to_bytes()))
    what = "it was released, and nothing of it is here"
    return _finding(
        Damage.VERSION_MISSING,
        shelf,
        version,
        f"{version}/",
        what,
        RESTORES if there else NO_COPY,
        tuple(parts) if there else (),
    )


def _unproven(proven: Proven, version: Version) -> Iterator[Finding]:
    """Look at a number at home for which no manifest is proven."""
    home, key = proven.home, layout.manifest(version)
    found = home.get(key)
    if found is None:
        if version in proven.digests:
            kind = Damage.MANIFEST_MISSING if home.below(version) else Damage.VERSION_MISSING
            where = key if home.below(version) else f"{version}/"
            what = "it is missing, and the log says that the version was live"
            yield _finding(kind, home, version, where, what, NO_COPY)
    elif version in proven.digests or version not in proven.given_up:
        kind = Damage.RELEASE_GIVEN_UP if _gives_up(home, version) else Damage.MANIFEST_WRONG
        remedy = NO_COPY
        if version not in proven.digests:
            remedy = "nothing tells its SHA-256: a person compares it with claim.json and with the other destinations"
        yield _finding(kind, home, version, key, _why_wrong(proven, home, version), remedy)


def _gives_up(shelf: Shelf, version: Version) -> bool:
    with suppress(Corrupt):
        found = shelf.manifest(version)
        return isinstance(found, AbandonedManifest) and found.version == version
    return False


def _why_wrong(proven: Proven, shelf: Shelf, version: Version) -> str:
    try:
        found = shelf.manifest(version)
    except Corrupt as error:
        return error.what
    if found is not None and found.version != version:
        return f"it is the manifest of {found.version}"
    if isinstance(found, AbandonedManifest):
        return f"it gives the number up ({found.abandoned.reason}), and the version was released"
    if version in proven.digests:
        return "it is not the manifest that latest.json and the log name"
    return (
        "it and the claim, which holds it whole, are not the same" if shelf is proven.home else "home has another one"
    )


def _why_wrong_claim(shelf: Shelf, key: str) -> str:
    try:
        shelf.read(Claim, key)
    except Corrupt as error:
        return error.what
    return "it does not hold the manifest that was published, or is not the claim that home has"


def _document(kind: Damage, shelf: Shelf, version: Version, key: str, what: str, right: bytes | None) -> Finding:
    if right is None:
        return _finding(kind, shelf, version, key, what, NO_COPY)
    return _finding(kind, shelf, version, key, what, RESTORES, (Part(key, right),))


def _finding(
    kind: Damage, shelf: Shelf, version: Version, key: str, what: str, remedy: str, parts: tuple[Part, ...] = ()
) -> Finding:
    cure = Cure.RESTORE if parts else None
    return Finding(kind, shelf.uri, shelf.where(key), what, remedy, cure, version=version, parts=parts)
