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
from model_release.releases.doctor.evidence import Evidence
from model_release.releases.doctor.findings import Cure, Damage, Finding, Part
from model_release.releases.doctor.listing import Listing, Unread
from model_release.signing import fits

RESTORES = "`--repair` puts the right bytes back"
NO_COPY = "no destination has the right bytes: put them back from a backup"


def examine_versions(evidence: Evidence, listing: Listing) -> Iterator[Finding]:
    """Look at every version that is published, and at home at every number whose fate cannot be read.

    A number that is merely undecided is not damaged: a run may be on its way, or `sweep` gives it up.
    """
    home = evidence.home
    retired = {*evidence.last.retired} if evidence.last else set()
    for version in sorted(evidence.manifests):
        if listing.below(version) or version not in retired:
            yield from _published(evidence, listing, version, with_files=version not in retired)
    if listing is home:
        for version in sorted((home.versions() | evidence.digests.keys()) - evidence.manifests.keys()):
            with suppress(Unread):
                yield from _unproven(evidence, version)
        return
    for version in sorted(listing.versions() - home.versions() - evidence.digests.keys()):
        if version not in retired and layout.manifest(version) in listing.entries:
            what = f"home has no trace of it, and {listing.uri} has released it"
            remedy = "copy the folder to home before the number is taken again"
            yield _finding(Damage.VERSION_MISSING, home, version, f"{version}/", what, remedy)


def examine_retired(evidence: Evidence, listing: Listing, grace: timedelta) -> Iterator[Finding]:
    """Look for files of versions that were retired longer ago than the grace period."""
    if evidence.pointer is None:
        return
    ended = evidence.home.now - grace
    told = [each.change for each in (*evidence.log.values(), evidence.pointer) if each.change.kind is Kind.RETIRE]
    since = {version: change.at for change in told for version in change.about}
    for version in evidence.pointer.retired:
        files = [key for key in listing.below(version) if key.partition("/")[2] not in (layout.CLAIM, layout.MANIFEST)]
        if files and version in since and since[version] < ended:
            what = f"it was retired on {since[version]:%Y-%m-%d}, and {len(files)} of its files are left"
            remedy = "`model-release prune --yes` removes them"
            yield _finding(Damage.RETIRED_FILES, listing, version, f"{version}/", what, remedy)


def _published(evidence: Evidence, listing: Listing, version: Version, *, with_files: bool) -> Iterator[Finding]:
    manifest = evidence.manifests[version]
    files = manifest.files if with_files else []
    keys = {layout.claim(version), layout.manifest(version), *(layout.artifact(version, each.path) for each in files)}
    keys |= {layout.signature(version)} if files and version in evidence.signatures else set()
    if not keys <= listing.entries.keys():
        try:
            listing.look_again(version)
        except Unread:
            return
    if not listing.below(version):
        yield _whole_folder(evidence, listing, version, files)
        return
    with suppress(Unread):
        key, right = layout.manifest(version), manifest.to_bytes()
        found = listing.get(key)
        if found is None:
            kind, what = Damage.MANIFEST_MISSING, "it is missing, and the version was released"
            yield _document(kind, listing, version, key, what, right)
        elif found != right:
            what = _why_wrong(evidence, listing, version)
            if listing is evidence.home and _gives_up(listing, version):
                remedy = "a person decides: a number that was given up is never used again"
                yield _finding(Damage.RELEASE_GIVEN_UP, listing, version, key, what, remedy)
                return
            yield _document(Damage.MANIFEST_WRONG, listing, version, key, what, right)
    with suppress(Unread):
        key, claim = layout.claim(version), evidence.claims.get(version)
        found = listing.get(key)
        if found is None:
            yield _document(Damage.CLAIM_MISSING, listing, version, key, "it is missing", claim)
        elif found != claim:
            yield _document(Damage.CLAIM_WRONG, listing, version, key, _why_wrong_claim(listing, key), claim)
    for entry in files:
        with suppress(Unread):
            yield from _file(evidence, listing, version, entry)
    if with_files:
        with suppress(Unread):
            yield from _signature(evidence, listing, version)


def _signature(evidence: Evidence, listing: Listing, version: Version) -> Iterator[Finding]:
    key, right = layout.signature(version), evidence.signatures.get(version)
    found = listing.get(key)
    if found == right:
        return
    if found is None:
        yield _document(
            Damage.SIGNATURE_MISSING, listing, version, key, "it is missing, and another place has it", right
        )
    elif right is not None or not fits(found, evidence.manifests[version]):
        yield _document(Damage.SIGNATURE_WRONG, listing, version, key, "it signs something else", right)
    else:
        what = "it fits the files, and so does another one at another place"
        remedy = "`model-release verify --trust` tells which one to keep; remove the other, and repair"
        yield _finding(Damage.SIGNATURE_WRONG, listing, version, key, what, remedy)


def _file(evidence: Evidence, listing: Listing, version: Version, entry: FileEntry) -> Iterator[Finding]:
    key = layout.artifact(version, entry.path)
    fault = listing.fault(key, entry)
    if fault is None:
        return
    kind = Damage.FILE_WRONG if key in listing.entries else Damage.FILE_MISSING
    copies = evidence.copies(version, entry, whole=True)
    if copies is None:
        yield _finding(kind, listing, version, key, fault, NO_COPY)
    else:
        yield _finding(kind, listing, version, key, fault, RESTORES, (Part(key, copies),))


def _whole_folder(evidence: Evidence, listing: Listing, version: Version, files: list[FileEntry]) -> Finding:
    """Describe a version that a destination lacks altogether: claim first, manifest last, as it was published."""
    claim = evidence.claims.get(version)
    parts = [Part(layout.claim(version), claim)] if claim else []
    for entry in files:
        copies = evidence.copies(version, entry, whole=False)
        if copies is not None:
            parts.append(Part(layout.artifact(version, entry.path), copies))
    there = len(parts) == len(files) + bool(claim)
    signature = evidence.signatures.get(version)
    if files and signature is not None:
        parts.append(Part(layout.signature(version), signature))
    parts.append(Part(layout.manifest(version), evidence.manifests[version].to_bytes()))
    what = "it was released, and nothing of it is here"
    return _finding(
        Damage.VERSION_MISSING,
        listing,
        version,
        f"{version}/",
        what,
        RESTORES if there else NO_COPY,
        tuple(parts) if there else (),
    )


def _unproven(evidence: Evidence, version: Version) -> Iterator[Finding]:
    """Look at a number at home for which no manifest is proven."""
    home, key = evidence.home, layout.manifest(version)
    found = home.get(key)
    if found is None:
        if version in evidence.digests:
            kind = Damage.MANIFEST_MISSING if home.below(version) else Damage.VERSION_MISSING
            where = key if home.below(version) else f"{version}/"
            what = "it is missing, and the log says that the version was live"
            yield _finding(kind, home, version, where, what, NO_COPY)
    elif version in evidence.digests or version not in evidence.given_up:
        kind = Damage.RELEASE_GIVEN_UP if _gives_up(home, version) else Damage.MANIFEST_WRONG
        remedy = NO_COPY
        if version not in evidence.digests:
            remedy = "nothing tells its SHA-256: a person compares it with claim.json and with the other destinations"
        yield _finding(kind, home, version, key, _why_wrong(evidence, home, version), remedy)


def _gives_up(listing: Listing, version: Version) -> bool:
    with suppress(Corrupt):
        found = listing.manifest(version)
        return isinstance(found, AbandonedManifest) and found.version == version
    return False


def _why_wrong(evidence: Evidence, listing: Listing, version: Version) -> str:
    try:
        found = listing.manifest(version)
    except Corrupt as error:
        return error.what
    if found is not None and found.version != version:
        return f"it is the manifest of {found.version}"
    if isinstance(found, AbandonedManifest):
        return f"it gives the number up ({found.abandoned.reason}), and the version was released"
    if version in evidence.digests:
        return "it is not the manifest that latest.json and the log name"
    return (
        "it and the claim, which holds it whole, are not the same"
        if listing is evidence.home
        else "home has another one"
    )


def _why_wrong_claim(listing: Listing, key: str) -> str:
    try:
        listing.read(Claim, key)
    except Corrupt as error:
        return error.what
    return "it does not hold the manifest that was published, or is not the claim that home has"


def _document(kind: Damage, listing: Listing, version: Version, key: str, what: str, right: bytes | None) -> Finding:
    if right is None:
        return _finding(kind, listing, version, key, what, NO_COPY)
    return _finding(kind, listing, version, key, what, RESTORES, (Part(key, right),))


def _finding(
    kind: Damage, listing: Listing, version: Version, key: str, what: str, remedy: str, parts: tuple[Part, ...] = ()
) -> Finding:
    cure = Cure.RESTORE if parts else None
    return Finding(kind, listing.uri, listing.where(key), what, remedy, cure, version=version, parts=parts)
