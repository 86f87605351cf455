"""What doctor finds about the pointer, its log, and the other destinations' pointers and logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from model_release.documents import layout
from model_release.documents.pointer import Pointer, dated_ahead, why_barred
from model_release.errors import Corrupt, Refused
from model_release.releases.doctor.evidence import Evidence
from model_release.releases.doctor.findings import Cure, Damage, Finding, Part
from model_release.releases.doctor.listing import Listing, Unread
from model_release.releases.doctor.versions import RESTORES
from model_release.releases.promote import check_beginning, check_history
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Stored

SETTLING = timedelta(minutes=15)
"""While the pointer is younger, whoever moved it may still be seeing to log, followers and copies."""

RECONCILES = "`--repair` does what every run does first: all that follows from home's pointer is made good"
DECIDES = "a person decides what is live"
NOWHERE = "no other destination has it: put it back from a backup; without it nobody knows what was live when"


def settling(pointer: Stored | None, now: datetime) -> bool:
    """Whether home's pointer, as it was read, has moved a moment ago, by home's clock."""
    return pointer is not None and pointer.modified > now - SETTLING


def examine_pointer(evidence: Evidence) -> Iterator[Finding]:
    """Look at home's pointer by itself."""
    home, key = evidence.home, layout.POINTER
    where = home.where(key)
    if home.pointer_fault is not None:
        yield Finding(Damage.POINTER_UNREADABLE, home.uri, where, home.pointer_fault.what, DECIDES)
    elif home.pointer is None:
        what = _past(evidence)
        if what is not None:
            yield Finding(Damage.POINTER_MISSING, home.uri, where, what, DECIDES)
    else:
        pointer = home.pointer.pointer
        if pointer.home != home.uri:
            what = f"it says that its home is {pointer.home}"
            remedy = "name that destination first; or, if it is lost or was moved, a person recovers here"
            yield Finding(Damage.ANOTHER_HOME, home.uri, where, what, remedy)
        today = home.now.astimezone(UTC).date()
        if dated_ahead(pointer, today):
            what = f"the data of {pointer.version} is as of {pointer.data_as_of}, and the store's clock says {today}"
            remedy = "no newer version can become live before that date, but by a person's word"
            promote = (f"`model-release promote {home.uri} VERSION --reason …`: its date holds no promotion back",)
            yield Finding(Damage.FUTURE_DATA, home.uri, where, what, remedy, choices=promote, version=pointer.version)
        barred = why_barred(pointer, pointer.version)
        if barred is not None:
            what, live = f"{barred}, and it is live", pointer.version
            lift = (f"`model-release quarantine {home.uri} {live} --lift --reason …`: it was put there by mistake",)
            choices = lift if str(live) in pointer.quarantined else ()
            yield Finding(Damage.BARRED_LIVE, home.uri, where, what, DECIDES, choices=choices, version=live)


def examine_log(evidence: Evidence) -> Iterator[Finding]:
    """Compare home's log with home's pointer, from the beginning of its lineage."""
    home = evidence.home
    if home.pointer is None:
        return
    pointer = home.pointer.pointer
    ahead = max((*evidence.log, *evidence.log_faults), default=0)
    if ahead > pointer.epoch:
        what = f"the log goes on to epoch {ahead}, and latest.json is at {pointer.epoch}: it went back"
        yield Finding(Damage.LOG_AHEAD, home.uri, home.where(layout.log_entry(ahead)), what, DECIDES)
    yield from _past_epochs(evidence, pointer.epoch)
    if not settling(home.stored, home.now):
        with suppress(Unread):
            yield from _present(home, Cure.RECONCILE)


def examine_follower(evidence: Evidence, follower: Listing) -> Iterator[Finding]:
    """Compare another destination's pointer and log with home's."""
    home = evidence.home
    if home.pointer is None:
        return
    where = follower.where(layout.POINTER)
    if follower.pointer is None:
        fault = follower.pointer_fault
        if not settling(home.stored, home.now):
            what = "there is no latest.json" if fault is None else fault.what
            yield Finding(Damage.FOLLOWER_BEHIND, follower.uri, where, what, RECONCILES, Cure.RECONCILE)
        return
    try:
        check_history(follower.store, follower.pointer, home.pointer)
    except (Refused, Corrupt) as error:
        yield Finding(Damage.FORK, follower.uri, where, error.what, DECIDES)
        return
    theirs, ours = follower.pointer.pointer, home.pointer.pointer
    if not settling(home.stored, home.now):
        if theirs.epoch < ours.epoch:
            what = f"it is at epoch {theirs.epoch} ({theirs.version}), and home at {ours.epoch} ({ours.version})"
            yield Finding(Damage.FOLLOWER_BEHIND, follower.uri, where, what, RECONCILES, Cure.RECONCILE)
        with suppress(Unread):
            yield from _present(follower, Cure.RECONCILE)
    for epoch in sorted(each for each in evidence.log if evidence.begins <= each < theirs.epoch):
        with suppress(Unread):
            yield from _compared(evidence, follower, epoch)


def _past(evidence: Evidence) -> str | None:
    """Return what speaks of a pointer that was once there; None where nothing does."""
    for listing in evidence.listings[1:]:
        if listing.pointer is not None:
            return f"there is no latest.json, and {listing.uri} has one"
    try:
        check_beginning(ReleaseStore(evidence.home.store))
    except (Refused, Corrupt) as error:
        return error.what
    return None


def _present(listing: Listing, cure: Cure) -> Iterator[Finding]:
    """Compare a destination's pointer with the log's entry of its epoch."""
    if listing.pointer is None:
        return
    epoch = listing.pointer.pointer.epoch
    key = layout.log_entry(epoch)
    where, body = listing.where(key), listing.get(key)
    if body == listing.pointer.body:
        return
    if body is None:
        what = f"the log lacks the epoch of latest.json, {epoch}"
        yield Finding(Damage.LOG_MISSING, listing.uri, where, what, RECONCILES, cure)
        return
    fault = _entry_fault(listing, key, epoch)
    if fault is not None:
        part = Part(key, listing.pointer.body)
        yield Finding(Damage.LOG_UNREADABLE, listing.uri, where, fault, RESTORES, Cure.RESTORE, parts=(part,))
        return
    what = f"the log's epoch {epoch} and latest.json are two different histories"
    yield Finding(Damage.HISTORY_DIFFERS, listing.uri, where, what, DECIDES)


def _past_epochs(evidence: Evidence, end: int) -> Iterator[Finding]:
    """Look at each epoch before `end` of which some destination has an entry, and at the gaps between them."""
    somewhere = set().union(*(listing.epochs() for listing in evidence.listings))
    after = evidence.begins
    for epoch in sorted(each for each in somewhere if evidence.begins <= each < end):
        yield from _gap(evidence.home, after, epoch)
        with suppress(Unread):
            yield from _earlier(evidence, epoch)
        after = epoch + 1
    yield from _gap(evidence.home, after, end)


def _gap(home: Listing, first: int, end: int) -> Iterator[Finding]:
    """Find that no destination has an entry of the epochs from `first` up to before `end`."""
    if first < end:
        what = f"the log lacks epoch {first}" if end == first + 1 else f"the log lacks epochs {first:,} to {end - 1:,}"
        yield Finding(Damage.LOG_MISSING, home.uri, home.where(layout.log_entry(first)), what, NOWHERE)


def _earlier(evidence: Evidence, epoch: int) -> Iterator[Finding]:
    """Look at one epoch of home's log that the pointer has passed."""
    home, key = evidence.home, layout.log_entry(epoch)
    if key in home.failed:
        return
    entry, where = evidence.log.get(epoch), home.where(layout.log_entry(epoch))
    if entry is not None:
        if not evidence.knows(entry):
            what = f"it is of the history {entry.lineage}, which latest.json does not continue"
            remedy = "two histories share this folder: a person compares the two"
            yield Finding(Damage.LINEAGE_DIFFERS, home.uri, where, what, remedy)
        return
    missing = epoch not in evidence.log_faults
    kind = Damage.LOG_MISSING if missing else Damage.LOG_UNREADABLE
    what = f"the log lacks epoch {epoch}" if missing else evidence.log_faults[epoch]
    good = evidence.logged(epoch)
    if good is not None:
        yield Finding(kind, home.uri, where, what, RESTORES, Cure.RESTORE, parts=(Part(key, good),))
        return
    yield Finding(kind, home.uri, where, what, NOWHERE)


def _compared(evidence: Evidence, follower: Listing, epoch: int) -> Iterator[Finding]:
    """Compare an entry of a follower's log with home's; should it become home, it must know what was live."""
    key = layout.log_entry(epoch)
    there, ours, good = follower.entries.get(key), evidence.log.get(epoch), evidence.home.get(key)
    if ours is None or good is None or not evidence.knows(ours):
        return
    if there is None:
        what, part = f"the log lacks epoch {epoch}, which home's has", Part(key, good)
        where = follower.where(key)
        yield Finding(Damage.LOG_MISSING, follower.uri, where, what, RESTORES, Cure.RESTORE, parts=(part,))
        return
    if (there.size == len(good) and not follower.read_data) or follower.get(key) == good:
        return
    fault, where = _entry_fault(follower, key, epoch), follower.where(key)
    if fault is not None:
        part = Part(key, good)
        yield Finding(Damage.LOG_UNREADABLE, follower.uri, where, fault, RESTORES, Cure.RESTORE, parts=(part,))
        return
    what = f"epoch {epoch} is another one here than at home"
    remedy = "one of the two logs was changed by hand: a person compares the two"
    yield Finding(Damage.HISTORY_DIFFERS, follower.uri, where, what, remedy)


def _entry_fault(listing: Listing, key: str, epoch: int) -> str | None:
    """Return why an entry of the log is none of that epoch, in words."""
    try:
        entry = listing.read(Pointer, key)
    except Corrupt as error:
        return error.what
    return None if entry is None or entry.epoch == epoch else f"it says that it is of epoch {entry.epoch}"
