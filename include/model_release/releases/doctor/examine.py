"""Looking for every difference between what lies in the stores and what the rules promise. Changes nothing.

Each store is listed once and each object read once. A look-up that fails is a finding of its own; what depends on it is
not said. What a run may be busy with is not damage: numbers, staging and uploads younger than a day, and for a quarter
of an hour whatever follows the pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from model_release.documents import layout
from model_release.documents.pointer import why_barred
from model_release.documents.version import Version
from model_release.errors import Contended, ModelReleaseError
from model_release.releases.doctor.consistency import (
    examine_hold,
    examine_models,
    examine_signing,
    examine_times,
)
from model_release.releases.doctor.evidence import Evidence
from model_release.releases.doctor.findings import Cure, Damage, Finding
from model_release.releases.doctor.history import examine_follower, examine_log, examine_pointer, settling
from model_release.releases.doctor.leftovers import examine_copies, examine_litter, examine_verdicts
from model_release.releases.doctor.listing import Listing
from model_release.releases.doctor.unnamed import examine_extra, examine_foreign, examine_snapshots
from model_release.releases.doctor.versions import examine_retired, examine_versions
from model_release.releases.store import ReleaseStore
from model_release.spec.retention import Retention
from model_release.stores.base import Store

ATTEMPTS = 5
GRACE = timedelta(hours=Retention().grace_hours)
CHOICES = 5
"""Versions that a person is offered, the one that was live last first."""

_LOST = (
    Damage.POINTER_MISSING,
    Damage.POINTER_UNREADABLE,
    Damage.ANOTHER_HOME,
    Damage.LOG_AHEAD,
    Damage.HISTORY_DIFFERS,
)
"""What only a recovery settles, at home."""

_DISPUTES = (*_LOST, Damage.LINEAGE_DIFFERS)
"""What leaves open at home which history is right. A fork does so wherever it is."""

_BROKEN = (
    Damage.BARRED_LIVE,
    Damage.VERSION_MISSING,
    Damage.MANIFEST_MISSING,
    Damage.MANIFEST_WRONG,
    Damage.RELEASE_GIVEN_UP,
    Damage.FILE_MISSING,
    Damage.FILE_WRONG,
)
"""What asks for another live version, if it is the live one's, at home, and cannot be mended."""

_OF_POINTER = (Cure.RECONCILE, Cure.SWEEP)
_OF_LOG = (Damage.LOG_MISSING, Damage.LOG_UNREADABLE)
_ASIDE = (Damage.UNREADABLE, Damage.CLOCKS_APART, Damage.FORK)
"""What keeps a destination out of every repair."""


def examine(
    releases: ReleaseStore,
    *,
    read_data: bool = False,
    grace: timedelta = GRACE,
    data: Callable[[], Store] | None = None,
    tell: Callable[[str], None] = lambda _words: None,
    looked: Callable[[str], None] = lambda _words: None,
) -> list[Finding]:
    """Return every difference, home's first.

    Args:
        releases: of the model.
        read_data: read and hash every file; otherwise their sizes are compared.
        grace: how long the files of a retired version stay.
        data: opens the dataset's folder at home; None if nobody knows it.
        tell: called with a word about each object that is read whole.
        looked: called, at the end, with a sentence about each destination that was looked at.

    Raises:
        Contended: the pointer moved each time.
    """
    for _ in range(ATTEMPTS):
        others = [Listing(store, read_data=read_data, tell=tell) for store in releases.others]
        first = Listing(
            releases.home, read_data=read_data, tell=tell
        )  # after the others, so that none of them can be newer
        words: list[str] = []
        found = _found(first, others, grace, data, words.append)
        if found is not None:
            for listing in (first, *others):
                looked(listing.in_words())
            if first.answers and settling(first.stored, first.now):
                looked(f"{first.uri}: latest.json moved minutes ago: followers and copies were left alone")
            for each in words:
                looked(each)
            order = [first.uri, *(listing.uri for listing in others)]
            return sorted(found, key=lambda each: (order.index(each.destination), each.where, each.kind))
    raise Contended(
        f"latest.json moved {ATTEMPTS} times while doctor looked",
        where=f"{releases.uri}/{layout.POINTER}",
        hint="run it again when no run is under way",
    )


def disputed(found: Collection[Finding], home: str) -> bool:
    """Whether a person must say which history is right, or home, by its URI, cannot be read: then nothing follows."""
    return home in aside(found) or any(
        each.kind is Damage.FORK or (each.kind in _DISPUTES and each.destination == home) for each in found
    )


def aside(found: Collection[Finding]) -> set[str]:
    """Return the destinations that no repair may touch now."""
    return {each.destination for each in found if each.kind in _ASIDE}


def _found(
    home: Listing,
    others: Sequence[Listing],
    grace: timedelta,
    data: Callable[[], Store] | None,
    looked: Callable[[str], None],
) -> list[Finding] | None:
    """Examine room by room, and leave out what depends on a pointer in dispute; None where the pointer moved."""
    found: list[Finding] = []
    evidence = None
    if home.answers:
        answering = [listing for listing in others if listing.answers]
        evidence = Evidence(home, answering)
        found += [*examine_pointer(evidence), *examine_log(evidence)]
        for listing in answering:
            found += examine_follower(evidence, listing)
        followers = [listing for listing in answering if listing.uri not in aside(found)]
        for listing in (home, *followers):
            found += [
                *examine_versions(evidence, listing),
                *examine_extra(evidence, listing),
                *examine_foreign(listing),
            ]
        found += [*examine_hold(evidence), *examine_times(evidence), *examine_models(evidence)]
        found += examine_signing(evidence)
        if data is not None:
            found += examine_snapshots(evidence, data, looked)
        if not disputed(found, home.uri):
            found += examine_verdicts(evidence)
            for listing in (home, *followers):
                found += examine_retired(evidence, listing, grace)
                found += [] if settling(home.stored, home.now) else examine_copies(evidence, listing)
            found += examine_litter(evidence, [listing.store for listing in followers])
        if home.has_moved():
            return None
    for listing in (home, *others):
        found += [_unread(listing, key, error) for key, error in listing.failed.items()]
    found = [*dict.fromkeys(found)]
    if evidence is not None:
        found = [_with_choices(evidence, found, each) for each in found]
    found = [_curable(found, home.uri, each) for each in found]
    return [_unobstructed([home, *others], each) for each in found]


def _unobstructed(listings: Sequence[Listing], finding: Finding) -> Finding:
    """Return a finding of a missing object without its cure if something else stands in the object's place."""
    listing = next((each for each in listings if each.uri == finding.destination), None)
    key = finding.where.removeprefix(f"{finding.destination}/")
    if listing is None or finding.cure not in (Cure.RESTORE, Cure.RECONCILE) or key.endswith("/"):
        return finding
    error = None if key in listing.entries else listing.obstacle(key)
    if error is None:
        return finding
    remedy = f"`--repair` cannot write it: {error.what}; {error.hint}; then `--repair` puts it right"
    return replace(finding, cure=None, parts=(), remedy=remedy)


def _unread(listing: Listing, key: str, error: ModelReleaseError) -> Finding:
    remedy = error.hint or "look again when it answers; nothing is repaired here meanwhile"
    return Finding(Damage.UNREADABLE, listing.uri, listing.where(key).rstrip("/"), error.what, remedy)


def _curable(found: Collection[Finding], home: str, finding: Finding) -> Finding:
    """Return a finding without its cure where that may not be applied now."""
    if finding.cure is None:
        return finding
    away = aside(found) & {home, finding.destination}
    if away:
        return replace(finding, cure=None, parts=(), remedy=f"once {min(away)} can be read: {finding.remedy}")
    if disputed(found, home) and (finding.cure in _OF_POINTER or finding.kind in _OF_LOG):
        return replace(finding, cure=None, parts=(), remedy=f"once it is clear what is live: {finding.remedy}")
    return finding


def _with_choices(evidence: Evidence, found: Collection[Finding], finding: Finding) -> Finding:
    """Return a finding with what a person may do about it, where that is to make another version live."""
    home, pointer = evidence.home, evidence.pointer
    at_home = finding.destination == home.uri
    if finding.kind is Damage.FORK or (at_home and finding.kind in _LOST):
        return replace(finding, choices=_recoveries(evidence, found))
    broken = at_home and finding.kind in _BROKEN and finding.cure is None
    if broken and pointer is not None and finding.version == pointer.version:
        return replace(finding, choices=(*finding.choices, *_rollbacks(evidence, found)))
    return finding


def _recoveries(evidence: Evidence, found: Collection[Finding]) -> tuple[str, ...]:
    """Return how each version that may become live can be made so by a recovery: at home, or else at a follower."""
    for listing in evidence.listings:
        also = "".join(f" --also {each.uri}" for each in evidence.listings if each is not listing)
        told = tuple(
            f"`model-release recover {listing.uri} {version}{also} --reason …`: {why}"
            for version, why in _candidates(evidence, listing, found)
        )
        if told:
            return told
    return ()


def _rollbacks(evidence: Evidence, found: Collection[Finding]) -> tuple[str, ...]:
    home = evidence.home
    return tuple(
        f"`model-release rollback {home.uri} --to {version} --reason …`: {why}"
        for version, why in _candidates(evidence, home, found)
        if evidence.pointer is None or version != evidence.pointer.version
    )


def _candidates(evidence: Evidence, listing: Listing, found: Collection[Finding]) -> Iterator[tuple[Version, str]]:
    """Yield the versions that may be live and that nothing is wrong with at a destination, what was live last first."""
    last = evidence.last
    log = [*evidence.log.values(), *([last] if last else [])]
    live = {each.version: each.epoch for each in sorted(log, key=lambda each: each.epoch)}
    wrong = {each.version for each in found if each.destination == listing.uri and not each.note}
    good = [
        version
        for version in evidence.manifests.keys() - wrong
        if listing.below(version) and (last is None or why_barred(last, version) is None)
    ]
    checked = "every byte is right" if listing.read_data else "its files are there, in their sizes"
    for version in sorted(good, key=lambda each: (live.get(each, 0), each), reverse=True)[:CHOICES]:
        when = f"live at epoch {live[version]}" if version in live else "never live"
        yield version, f"{when}; {checked}"
