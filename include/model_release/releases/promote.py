"""Phase two of a release: the pointer at home, the followers' copies of it, and `latest/` (rules 3 to 7, 11, 13)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, timedelta

from model_release.documents import layout
from model_release.documents.manifest import FileEntry, Manifest
from model_release.documents.pointer import Change, Kind, Pointer, PromotionTarget, first, promoted, why_not
from model_release.errors import BaselineMoved, Contended, Corrupt, Refused, UnknownFormat
from model_release.releases.catalog import (
    Live,
    live_manifest,
    matches,
    promotion_target_of,
    published,
    read_pointer,
    trace_of_a_pointer,
)
from model_release.releases.pointer_cas import heal_log, move, write
from model_release.releases.publish import place
from model_release.releases.store import ReleaseStore
from model_release.stores.base import NO_STORE, Store, Stored
from model_release.stores.create_once import create_once

ATTEMPTS = 20

_EASTERNMOST = timedelta(hours=14)
"""How far the earliest time zone is ahead of UTC."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """How an attempt to make a version live ended.

    Attributes:
        pointer: the pointer afterwards; None where there is none yet.
        refusal: why the version is not live, in words; None when it is.
    """

    pointer: Pointer | None
    refusal: str | None


def promote(
    releases: ReleaseStore,
    manifest: Manifest,
    *,
    judged_since: int | None,
    by: str,
    reason: str,
    operation: str,
    spared: Collection[str] = (),
) -> Promotion:
    """Make a published version live, if the rules allow it now.

    Args:
        releases: of the model.
        manifest: the version's manifest, as published.
        judged_since: `since` of the baseline that the verdict was reached against; None for a first release.
        by: who wants it.
        reason: why.
        operation: id of the act; a retry of it has the same one.
        spared: what may lie in `latest/` before anything is released, as `check_beginning` has it.

    Raises:
        BaselineMoved: another version has become live since the verdict; judge again.
        NotFound, Corrupt: this manifest is not the one that was published under its number.
        Refused: this writer is not at home here, or the folder is damaged.
    """
    target = promotion_target_of(manifest)
    releases.manifest(target.version, sha256=target.metadata_sha256)
    refusal: str | None = None

    def decide(current: Pointer | None) -> Pointer | None:
        nonlocal refusal
        change = Change(
            kind=Kind.PROMOTE if current else Kind.FIRST,
            from_version=current.version if current else None,
            to_version=target.version,
            by=by,
            reason=reason,
            at=releases.now(),
            operation=operation,
        )
        write_id = uuid.uuid4().hex
        if current is not None and is_live(current, target):
            refusal = None
            return None
        refusal = from_the_future(releases, target)
        if refusal is not None:
            return None
        if current is None:
            check_beginning(releases, spared)
            _check_baseline(judged_since, None)
            return first(target, lineage=uuid.uuid4().hex, home=releases.uri, change=change, write_id=write_id)
        check_home(releases, current)
        refusal = why_not(current, target)
        if refusal is not None:
            return None
        _check_baseline(judged_since, current)
        return promoted(current, target, change=change, write_id=write_id)

    pointer = move(releases, decide)
    return Promotion(pointer, refusal)


def is_live(pointer: Pointer, target: PromotionTarget) -> bool:
    """Whether the pointer names exactly this version."""
    return (pointer.version, pointer.metadata_sha256) == (target.version, target.metadata_sha256)


def check_home(releases: ReleaseStore, pointer: Pointer) -> None:
    """Stop a writer whose spec has another home than the pointer.

    Raises:
        Refused: it has.
    """
    if pointer.home != releases.uri:
        raise Refused(
            f"latest.json says that its home is {pointer.home}",
            where=releases.uri,
            hint="make that destination the spec's first; if the folder was moved, a person must give it a new home",
        )


def follow(
    releases: ReleaseStore, follower: Store, *, begin: Callable[[Pointer], object] = lambda _pointer: None
) -> Pointer | None:
    """Give a follower home's current pointer, byte for byte, if its own is older (rule 3).

    The version that the pointer names is put there first. What lies there and is no pointer at all is replaced: it
    decides nothing, and cannot be followed.

    Args:
        releases: of the model.
        follower: the model's folder at another destination.
        begin: called with home's pointer before a follower without a pointer is given its first one.

    Returns:
        The pointer that the follower was given; None when it had it.

    Raises:
        Refused: the follower has another lineage, or is ahead of home.
        Corrupt: both say that they are at the same epoch, with different bytes.
    """
    given: Pointer | None = None
    for _ in range(ATTEMPTS):
        found = follower.get(layout.POINTER)  # before home's, so that it cannot be the newer one
        ours = releases.pointer()
        if ours is None:
            return given
        theirs = as_pointer(follower, found)
        if theirs is not None:
            check_history(follower, theirs, ours)
            _keep_logged(follower, theirs, ours)
            if theirs.pointer.epoch == ours.pointer.epoch:
                return given
        claim = releases.claim(ours.pointer.version)
        if claim is not None:
            place(releases, claim, follower)
        published(follower, ours.pointer.version, sha256=ours.pointer.metadata_sha256)
        if theirs is None:
            begin(ours.pointer)
        _copy_log(releases, follower, after=theirs.pointer.epoch if theirs else 0, before=ours.pointer.epoch)
        write(follower, ours.body, found.token if found else None)
        given = ours.pointer
    raise Contended(f"lost {ATTEMPTS} races for the pointer", where=f"{follower.uri}/{layout.POINTER}")


def _keep_logged(follower: Store, theirs: Live, ours: Live) -> None:
    """Make the follower's log good before its pointer moves on.

    Where a person has begun a new lineage, a log of the old one that tells otherwise keeps nobody from following.
    """
    if theirs.pointer.lineage == ours.pointer.lineage:
        heal_log(follower, theirs)
    else:
        create_once(follower, layout.log_entry(theirs.pointer.epoch), theirs.body)


def _copy_log(releases: ReleaseStore, follower: Store, *, after: int, before: int) -> None:
    """Give a follower the epochs that it passes over: should it become home, it must know what was live."""
    if before - after == 1:
        return
    first, end = layout.log_entry(after + 1), layout.log_entry(before)
    for key in [entry.key for entry in releases.home.list(f"{layout.LOG}/") if first <= entry.key < end]:
        entry = releases.home.get(key)
        if entry is not None:
            create_once(follower, key, entry.body)


def check_history(follower: Store, theirs: Live, ours: Live) -> None:
    """Check that a follower's pointer is one that home's has been, or is.

    Raises:
        Refused: it has another lineage, or is ahead of home.
        Corrupt: both say that they are at the same epoch, with different bytes.
    """
    where = f"{follower.uri}/{layout.POINTER}"
    there, here = theirs.pointer, ours.pointer
    if there.lineage not in (here.lineage, *here.ancestors):
        raise Refused(
            f"this destination has the history {there.lineage}, home has {here.lineage}",
            where=where,
            hint="two models share this folder: empty it or use another prefix",
        )
    if there.epoch > here.epoch:
        raise Refused(
            f"this destination is at epoch {there.epoch}, ahead of home at {here.epoch}",
            where=where,
            hint="home was restored from a backup, or is not home: a person decides with `model-release recover`",
        )
    if there.epoch == here.epoch and theirs.body != ours.body:
        raise Corrupt(
            f"epoch {here.epoch} is {there.version} here and {here.version} at home",
            where=where,
            hint="one of the two was changed by hand, or restored from a backup; compare their logs",
        )


def as_pointer(store: Store, found: Stored | None) -> Live | None:
    """Return a pointer that was read; None where there is none, or what lies there is none.

    Raises:
        UnknownFormat: it is one, of a format that a newer version has brought.
    """
    if found is not None:
        try:
            return Live(Pointer.read(found.body, where=f"{store.uri}/{layout.POINTER}"), found.token, found.body)
        except UnknownFormat:
            raise
        except Corrupt:
            return None
    return None


def refresh_latest(store: Store) -> list[str]:
    """Make the plain copies in `latest/` those of the live version. Not atomic, and nobody should rely on it.

    The pointer is read again afterwards; if it moved, the work starts over, so that the last one to finish is right.

    Returns:
        The paths that were mended.
    """
    mended: list[str] = []
    for _ in range(ATTEMPTS):
        live = read_pointer(store)
        if live is None:
            return mended
        manifest = live_manifest(store, live.pointer)
        body = manifest.to_bytes()
        wanted = [*manifest.files, FileEntry(path=layout.MANIFEST, size=len(body), sha256=manifest.sha256())]
        for entry in wanted:
            key = layout.latest_copy(entry.path)
            if not matches(store, key, entry):
                store.copy(layout.artifact(manifest.version, entry.path), key, cache_control=NO_STORE)
                mended.append(entry.path)
        names = {layout.latest_copy(entry.path) for entry in wanted}
        for stale in [entry.key for entry in store.list(f"{layout.LATEST}/") if entry.key not in names]:
            store.delete(stale)
            mended.append(stale.removeprefix(f"{layout.LATEST}/"))
        after = read_pointer(store)
        if after is not None and after.pointer.epoch == live.pointer.epoch:
            return mended
    raise Contended(f"the pointer moved {ATTEMPTS} times under the copies", where=f"{store.uri}/{layout.LATEST}/")


def from_the_future(releases: ReleaseStore, target: PromotionTarget) -> str | None:
    """Return why a version's data cannot be as new as it says, in words; None if it can (rule 5).

    The day of a run is that of its schedule's time zone, where it may have begun already.
    """
    today = (releases.now().astimezone(UTC) + _EASTERNMOST).date()
    if target.data_as_of is not None and target.data_as_of > today:
        return f"its data is as of {target.data_as_of}, and the store's clock says {today}"
    return None


def _check_baseline(judged_since: int | None, current: Pointer | None) -> None:
    since = current.since if current else None
    if judged_since != since:
        live = f"{current.version} (live since epoch {since})" if current else "nothing"
        raise BaselineMoved(
            f"the verdict was reached against the version live since epoch {judged_since or 'none'}, "
            f"and now {live} is live",
            hint="the release is judged again against what is live",
        )


def check_beginning(releases: ReleaseStore, spared: Collection[str] = ()) -> None:
    """Check that nothing here speaks of a pointer that was once there: a first release needs an empty past (rule 13).

    What speaks of one may be the work of another first release, faster than this one: then the pointer is there now.

    Args:
        releases: of the model.
        spared: keys in `latest/` that an adoption takes over from a hand-made layout, and overwrites.

    Raises:
        Refused: the pointer is missing, and something does.
    """
    trace = trace_of_a_pointer(releases.home, spared)
    if trace is not None and releases.pointer() is None:
        raise Refused(
            f"latest.json is missing, yet {trace} is here: that is damage, not a beginning",
            where=releases.uri,
            hint="restore latest.json from the newest entry of log/, or choose an empty prefix",
        )
