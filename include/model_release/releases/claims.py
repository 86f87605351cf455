"""Which version a release gets: claimed once, by creating `claim.json`, and never used again (rules 1, 2, 9)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import ClassVar

from model_release.documents import layout, limits
from model_release.documents.base import JSON_TYPE, Document, VersionText
from model_release.documents.manifest import Abandoned, AbandonedManifest, Claim, Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import FIRST, Bump, Version
from model_release.errors import Contended, Corrupt, ModelReleaseError
from model_release.releases.store import ReleaseStore
from model_release.stores.base import NO_STORE, Lost, Stored
from model_release.stores.create_once import create_once

ATTEMPTS = 200
NEAR = 8
"""A number that is searched for from further away than this many is noted."""


class Became(Document):
    """`decisions/<fingerprint>/version.json`: the one version that a fingerprint became."""

    most_bytes: ClassVar[int] = limits.ANSWER

    version: VersionText


class Noted(Document):
    """`latest_number.json`: a number that is taken, near the last one."""

    most_bytes: ClassVar[int] = limits.ANSWER

    version: VersionText


def became(releases: ReleaseStore, fingerprint: str) -> Version | None:
    """Return the version that a fingerprint became, published or still on its way; None for neither."""
    key = layout.version_of(fingerprint)
    stored = releases.home.get(key)
    if stored is None:
        return None
    version = Became.read(stored.body, where=f"{releases.uri}/{key}").version
    return None if _given_up(releases, version) else version


def take_number(releases: ReleaseStore, draft: Manifest, *, run: str, bump: Bump | None = None) -> Claim:
    """Claim a number for a release, or find the one that it already has.

    The same fingerprint gets the same number, whichever run asks, at once or again; then the first one's claim is
    returned, with its manifest and its staging folder.

    Args:
        releases: of the model.
        draft: the manifest to be; its version is not looked at.
        run: the staging folder that holds the files.
        bump: what grows; by default minor, or major where the schema revision has risen.

    Raises:
        Corrupt: this fingerprint was released before, and made other bytes then.
        Contended: others took every number tried.
    """
    live = releases.pointer()  # first: a version that it names has been settled before, and is found by the next line
    settled = became(releases, draft.fingerprint)
    if settled is not None:
        return _claim_for(releases, settled, draft)
    number = FIRST
    for number in islice(_to_try(releases, live.pointer if live else None, draft.schema_revision, bump), ATTEMPTS):
        mine = Claim(run=run, metadata=draft.model_copy(update={"version": number}))
        there = create_once(releases.home, layout.claim(number), mine.to_bytes())
        claim = Claim.read(there, where=f"{releases.uri}/{layout.claim(number)}")
        if claim.same_release(mine) and not _given_up(releases, number):
            break
    else:
        raise Contended(f"{ATTEMPTS} numbers up to {number} were taken by others", where=releases.uri)
    settled = _settle(releases, draft.fingerprint, number)
    if settled != number:
        abandon(releases, number, by=run, reason=f"the same fingerprint became {settled}")
        return _claim_for(releases, settled, draft)
    return claim


def abandon(releases: ReleaseStore, version: Version, *, by: str, reason: str) -> bool:
    """Give up a number for ever, unless it has been published.

    Returns:
        Whether the number is given up now. Only then may its files be removed.
    """
    note = AbandonedManifest(version=version, abandoned=Abandoned(by=by, reason=reason, at=releases.now()))
    create_once(releases.home, layout.manifest(version), note.to_bytes())
    return _given_up(releases, version)


def _given_up(releases: ReleaseStore, version: Version) -> bool:
    return isinstance(releases.decided(version), AbandonedManifest)


def _claim_for(releases: ReleaseStore, version: Version, draft: Manifest) -> Claim:
    claim = releases.claim(version)
    where = f"{releases.uri}/{layout.claim(version)}"
    if claim is None:
        raise Corrupt("the claim of a version that was decided is missing", where=where)
    if not claim.same_release(Claim(run=claim.run, metadata=draft)):
        raise Corrupt(
            f"the same data, code, packages and parameters made {version} before, and make other bytes now",
            where=where,
            hint="look for a source of chance that no seed controls, or a package that the lock does not name",
        )
    return claim


def _settle(releases: ReleaseStore, fingerprint: str, number: Version) -> Version:
    """Write which version a fingerprint became. Only a number that was given up is ever replaced."""
    key = layout.version_of(fingerprint)
    body = Became(version=number).to_bytes()
    while True:
        create_once(releases.home, key, body)
        stored = releases.home.get(key)
        if stored is None:
            raise Corrupt("a record that is never removed is gone", where=f"{releases.uri}/{key}")
        version = Became.read(stored.body, where=f"{releases.uri}/{key}").version
        if version == number or not _given_up(releases, version):
            return version
        if not isinstance(releases.home.replace(key, body, stored.token), Lost):
            return number


def _to_try(
    releases: ReleaseStore, pointer: Pointer | None, schema_revision: int, bump: Bump | None
) -> Iterator[Version]:
    """Yield the last number that was taken, then those after it.

    The last one may be this very release's: of another run at this moment, or of one that died before it could write
    what its fingerprint became.
    """
    base = pointer.version if pointer else FIRST
    risen = pointer is not None and schema_revision > pointer.schema_revision
    kind = bump or (Bump.MAJOR if risen else Bump.MINOR)
    last = _highest(releases, base, kind)
    if bump is None and kind is Bump.MAJOR and last > base:
        claim = releases.claim(last)
        if claim is not None and claim.metadata.schema_revision >= schema_revision:
            kind = Bump.MINOR
            last = _highest(releases, last, kind)
    if pointer is None or last > base:
        yield last
    number = last.next(kind)
    while True:
        yield number
        number = number.next(Bump.MINOR if kind is Bump.MAJOR else kind)


def newest_number(releases: ReleaseStore, pointer: Pointer | None) -> Version | None:
    """Return the highest number that was taken; None if none was. Writes nothing.

    Args:
        releases: of the model.
        pointer: what is live.
    """
    last = pointer.version if pointer else FIRST
    if pointer is None and not _is_taken(releases, last):
        return None
    for kind in (Bump.MAJOR, Bump.MINOR, Bump.PATCH):
        last = _highest(releases, last, kind, notes=False)
    return last


def _highest(releases: ReleaseStore, base: Version, kind: Bump, *, notes: bool = True) -> Version:
    """Return the highest number above `base` that was taken by one kind of bump; `base` where none was.

    Such numbers have no gaps, so the last one is found by doubling the step and halving it again: a few look-ups,
    however many versions there are. Where many are held back, the search begins at the number that the last one noted.
    """
    start = base.next(kind)
    if not _is_taken(releases, start):
        return base
    stored = releases.home.get(layout.NEAR_THE_LAST)
    noted = _number_in(stored)
    if noted is not None and _continues(base, kind, noted) and _is_taken(releases, noted):
        start = noted
    low, high = 0, 1
    while _is_taken(releases, start.next(kind, high)):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _is_taken(releases, start.next(kind, middle)) else (low, middle)
    last = start.next(kind, low)
    if notes and low > NEAR:
        _note(releases, last, stored)
    return last


def _is_taken(releases: ReleaseStore, number: Version) -> bool:
    return releases.home.get(layout.claim(number)) is not None


def _continues(base: Version, kind: Bump, number: Version) -> bool:
    """Whether one kind of bump, again and again, leads from `base` to `number`."""
    steps: int = getattr(number, kind) - getattr(base, kind)
    return steps > 0 and base.next(kind, steps) == number


def _number_in(stored: Stored | None) -> Version | None:
    """Return the number that was noted; None for anything else, since nothing depends on a note."""
    with suppress(ModelReleaseError):
        return Noted.read(stored.body, where=layout.NEAR_THE_LAST).version if stored else None
    return None


def _note(releases: ReleaseStore, number: Version, stored: Stored | None) -> None:
    """Note a number for those who search next. A note that could not be written costs them look-ups, and no release."""
    body = Noted(version=number).to_bytes()
    with suppress(ModelReleaseError):
        if stored is None:
            releases.home.create(layout.NEAR_THE_LAST, body, content_type=JSON_TYPE, cache_control=NO_STORE)
        else:
            releases.home.replace(
                layout.NEAR_THE_LAST, body, stored.token, content_type=JSON_TYPE, cache_control=NO_STORE
            )
