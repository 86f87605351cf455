"""What doctor finds beside history and versions: copies in `latest/`, verdicts, and what runs that died have left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

from model_release.documents import layout
from model_release.documents.manifest import Claim, Manifest
from model_release.documents.pointer import why_barred
from model_release.documents.version import Version
from model_release.errors import Corrupt, ModelReleaseError, Refused
from model_release.releases.claims import Became
from model_release.releases.decisions import ApprovalAnswer, DecisionRecord
from model_release.releases.doctor.evidence import Evidence
from model_release.releases.doctor.findings import Cure, Damage, Finding, Part
from model_release.releases.doctor.history import RECONCILES
from model_release.releases.doctor.listing import Listing, Unread
from model_release.releases.store import Follower, ReleaseStore
from model_release.releases.sweep import sweep
from model_release.stores.base import Store


def examine_copies(evidence: Evidence, listing: Listing) -> Iterator[Finding]:
    """Compare `latest/` with the version that the destination's own pointer names, as far as that one is right."""
    if listing.pointer is None:
        return
    pointer = listing.pointer.pointer
    manifest = evidence.manifests.get(pointer.version)
    if manifest is None or manifest.sha256() != pointer.metadata_sha256:
        return
    wanted = {layout.latest_copy(each.path): each for each in manifest.files}
    about = layout.latest_copy(layout.MANIFEST)
    with suppress(Unread):
        found = listing.get(about)
        if found != manifest.to_bytes():
            yield _copy(listing, about, "it is missing" if found is None else f"it is not that of {pointer.version}")
    for key, entry in wanted.items():
        with suppress(Unread):
            fault = listing.fault(key, entry)
            if fault is not None and listing.fault(layout.artifact(pointer.version, entry.path), entry) is None:
                yield _copy(listing, key, fault)
    for key in listing.below(layout.LATEST):
        if key not in wanted and key != about:
            what = f"{pointer.version}, which is live, has no such file"
            yield Finding(Damage.COPY_EXTRA, listing.uri, listing.where(key), what, RECONCILES, Cure.RECONCILE)


def examine_verdicts(evidence: Evidence) -> Iterator[Finding]:
    """Look at home's verdicts, and at the record of which version each fingerprint became."""
    home = evidence.home
    made: dict[str, list[Version]] = defaultdict(list)
    for version, manifest in evidence.manifests.items():
        if evidence.last is None or why_barred(evidence.last, version) is None:
            made[manifest.fingerprint].append(version)
    for fingerprint, versions in made.items():
        key = layout.version_of(fingerprint)
        if len(versions) > 1:
            yield _twice(home, key, versions)
        elif key not in home.entries:
            part = Part(key, Became(version=versions[0]).to_bytes())
            what = f"it is missing, and {versions[0]} was made of this fingerprint"
            remedy = "`--repair` writes it, so that the same inputs do not become a second version"
            yield Finding(Damage.RECORD_MISSING, home.uri, home.where(key), what, remedy, Cure.RESTORE, parts=(part,))
    for key in home.below(layout.DECISIONS):
        if layout.is_foreign(key):
            continue
        fingerprint = key.split("/")[1]
        with suppress(Unread):
            if key == layout.version_of(fingerprint):
                yield from _became(evidence, key, fingerprint)
            else:
                yield from _verdict(home, key)


def examine_litter(evidence: Evidence, followers: Sequence[Store]) -> Iterator[Finding]:
    """Say what `sweep` would do."""
    home = evidence.home.store
    releases = ReleaseStore(home, [Follower(each) for each in followers])

    def told(kind: Damage, where: str, what: str, remedy: str, cure: Cure | None = None) -> Finding:
        owner = next((each.uri for each in followers if f"{where}/".startswith(f"{each.uri}/")), home.uri)
        return Finding(kind, owner, where, what, remedy, cure)

    try:
        for each in sweep(releases, by="doctor", remove=False):
            yield told(Damage.LITTER, each.where, each.what, "`--repair` sweeps it up", Cure.SWEEP)
    except Corrupt:  # an entry of the log, or a claim: told already, and without it nobody knows what was released
        return
    except Refused as error:
        yield told(Damage.CLOCKS_APART, error.where or home.uri, error.what, error.hint or "set this machine's clock")
    except ModelReleaseError as error:
        yield told(Damage.UNREADABLE, error.where or home.uri, error.what, error.hint or "look again when it answers")


def _copy(listing: Listing, key: str, what: str) -> Finding:
    kind = Damage.COPY_WRONG if key in listing.entries else Damage.COPY_MISSING
    return Finding(kind, listing.uri, listing.where(key), what, RECONCILES, Cure.RECONCILE)


def _twice(home: Listing, key: str, versions: list[Version]) -> Finding:
    names = " and ".join(str(each) for each in versions)
    what = f"one fingerprint became {names}"
    choices = tuple(f"`model-release quarantine {home.uri} {each} --reason …`: the others stay" for each in versions)
    remedy = "a person decides which of them counts"
    return Finding(Damage.RELEASED_TWICE, home.uri, home.where(key), what, remedy, choices=choices)


def _became(evidence: Evidence, key: str, fingerprint: str) -> Iterator[Finding]:
    home = evidence.home
    what = None
    try:
        record = home.read(Became, key)
    except Corrupt as error:
        what = error.what
    else:
        if record is not None and record.version not in evidence.given_up:
            what = _another(evidence, record.version, fingerprint)
    if what is not None:
        remedy = "remove it; if a version was made of this fingerprint, `--repair` then writes it anew"
        yield Finding(Damage.RECORD_WRONG, home.uri, home.where(key), what, remedy)


def _another(evidence: Evidence, version: Version, fingerprint: str) -> str | None:
    """Return why a version is not the one that a fingerprint became, in words."""
    if not any(listing.below(version) for listing in evidence.listings) and version not in evidence.digests:
        return f"it names {version}, which is not there"
    manifest: Manifest | None = evidence.manifests.get(version)
    if manifest is None:
        with suppress(Corrupt):
            claim = evidence.home.read(Claim, layout.claim(version))
            manifest = claim.metadata if claim else None
    if manifest is not None and manifest.fingerprint != fingerprint:
        return f"it names {version}, which was made of the fingerprint {manifest.fingerprint[:12]}…"
    return None


def _verdict(home: Listing, key: str) -> Iterator[Finding]:
    remedy = "remove it; the next run of this fingerprint is judged again"
    try:
        answer = key.split("/")[2] == layout.ANSWERS
        record = home.read(ApprovalAnswer, key) if answer else home.read(DecisionRecord, key)
    except Corrupt as error:
        yield Finding(Damage.VERDICT_UNREADABLE, home.uri, home.where(key), error.what, error.hint or remedy)
        return
    if record is not None and record.key != key:
        what = f"by what it says it belongs to {record.key}"
        yield Finding(Damage.VERDICT_MISPLACED, home.uri, home.where(key), what, remedy)
