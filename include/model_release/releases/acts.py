"""What a person does to the pointer, by hand or through a form: promote, roll back, hold, quarantine (rule 8).

An act names the epoch that its author saw and has an id of its own, so that a retry or a second click changes nothing,
and nobody acts on a state that has passed. What cannot be done is refused; no act ends well having done nothing.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from model_release.documents import layout
from model_release.documents.manifest import GateVerdict, Manifest
from model_release.documents.pointer import (
    Candidate,
    Change,
    Kind,
    Pointer,
    first,
    held,
    lifted,
    promoted,
    quarantined,
    released,
    rolled_back,
    why_barred,
    why_not,
)
from model_release.documents.version import Version
from model_release.errors import Corrupt, NotFound, Refused
from model_release.releases.catalog import candidate_of, fetch
from model_release.releases.pointer_cas import move
from model_release.releases.promote import check_beginning, check_home, from_the_future
from model_release.releases.store import ReleaseStore

LOOK_BACK = 20
"""Epochs that are searched for an act's earlier success, at most. Nobody retries what is that long ago."""

CLOCKS_APART = timedelta(days=1)
"""More than a worker's clock and the store's may differ."""

Try = Callable[[Path, Manifest], None]
"""Opens a release from a folder that holds its verified files; raises where none of its forms loads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who acts, why, and on what they saw.

    Attributes:
        by: a person, or what acts for one.
        reason: why, for the log.
        operation: id of the act; a retry of it has the same one.
        seen: the epoch of the pointer that the author looked at; None for the one that is read first.
    """

    by: str
    reason: str
    operation: str
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """How an act ended.

    Attributes:
        pointer: as the act left it; others may have changed it since.
        repeated: whether an earlier attempt of the same act had done it already.
    """

    pointer: Pointer
    repeated: bool


def rollback(releases: ReleaseStore, act: Act, *, to: Version | None = None, opens: Try | None = None) -> Acted:
    """Go back to what was live before, hold `latest` there, and quarantine what is left.

    Args:
        releases: of the model.
        act: the person's.
        to: the version to go to; by default the newest one that was live before and may be live again.
        opens: tries that the target loads; None overrules that it must.

    Raises:
        Refused: there is nothing to go back to, the target may not be live, or `latest` has moved since it was seen.
        NotFound, Corrupt: the target is not there whole.
    """

    def propose(current: Pointer, now: datetime) -> Pointer:
        target = to or _live_before(releases, current)
        _refuse_live(current, target)
        manifest = _may_be_live(releases, current, target, opens)
        change = change_of(act, Kind.ROLLBACK, current, now, to=target)
        return rolled_back(current, candidate_of(manifest), change=change, write_id=new_write_id())

    return performed(releases, act, propose)


def promote(
    releases: ReleaseStore, version: Version, act: Act, *, overrule: bool = False, opens: Try | None = None
) -> Acted:
    """Make a published version live by a person's word. Holds, quarantine and the order of data stand.

    The order does not stand against a live version whose data is of a date that has not come yet.

    Args:
        releases: of the model.
        version: a published one.
        act: the person's.
        overrule: promote although no gate has accepted it against what is live.
        opens: tries that the version loads; None overrules that it must.

    Raises:
        Refused: a rule says no, or `latest` has moved since it was seen.
        NotFound, Corrupt: the version is not there whole.
    """

    def may_be(current: Pointer | None, now: datetime) -> Candidate:
        if current is None:
            manifest, since = whole(releases, version, opens), None
        else:
            _refuse_live(current, version)
            manifest, since = _may_be_live(releases, current, version, opens), current.since
        gate = manifest.gate
        if not overrule and (gate is None or not gate.accepted or gate.since != since):
            raise Refused(
                f"{version} was not accepted against what is live: {_in_words(gate)}",
                where=f"{releases.uri}/{layout.manifest(version)}",
                hint="run the retraining DAG, which judges it again, or overrule the gate by saying so",
            )
        candidate = candidate_of(manifest)
        refusal = from_the_future(releases, candidate) or (
            why_not(current, candidate, today=now.astimezone(UTC).date()) if current else None
        )
        if refusal is not None:
            raise Refused(refusal, where=f"{releases.uri}/{layout.POINTER}")
        return candidate

    def begin(now: datetime) -> Pointer:
        check_beginning(releases)
        candidate = may_be(None, now)
        change = change_of(act, Kind.FIRST, None, now, to=version)
        return first(candidate, lineage=uuid.uuid4().hex, home=releases.uri, change=change, write_id=new_write_id())

    def propose(current: Pointer, now: datetime) -> Pointer:
        candidate = may_be(current, now)
        change = change_of(act, Kind.PROMOTE, current, now, to=version)
        return promoted(current, candidate, change=change, write_id=new_write_id())

    return performed(releases, act, propose, begin=begin)


def hold(releases: ReleaseStore, act: Act) -> Acted:
    """Keep `latest` where it is: runs publish and do not promote until the hold is lifted.

    Raises:
        Refused: `latest` has moved since it was seen.
    """

    def propose(current: Pointer, now: datetime) -> Pointer:
        return held(current, change=change_of(act, Kind.HOLD, current, now), write_id=new_write_id())

    return performed(releases, act, propose)


def unhold(releases: ReleaseStore, act: Act) -> Acted:
    """Lift every hold, so that the next run may move `latest` again.

    Raises:
        Refused: there is none, or `latest` has moved since it was seen.
    """

    def propose(current: Pointer, now: datetime) -> Pointer:
        if not current.holds:
            raise Refused("latest is not held", where=f"{releases.uri}/{layout.POINTER}")
        return released(current, change=change_of(act, Kind.UNHOLD, current, now), write_id=new_write_id())

    return performed(releases, act, propose)


def quarantine(releases: ReleaseStore, version: Version, act: Act) -> Acted:
    """Bar a version from ever being live or a baseline.

    Raises:
        Refused: it is live, or in quarantine already, or `latest` has moved since it was seen.
        NotFound: there is no such release.
    """

    def propose(current: Pointer, now: datetime) -> Pointer:
        if current.version == version:
            raise Refused(
                f"{version} is live",
                where=f"{releases.uri}/{layout.POINTER}",
                hint="roll back; that quarantines what it leaves",
            )
        if str(version) in current.quarantined:
            raise Refused(str(why_barred(current, version)), where=f"{releases.uri}/{layout.POINTER}")
        releases.manifest(version)
        change = change_of(act, Kind.QUARANTINE, current, now, about=[version])
        return quarantined(current, change=change, write_id=new_write_id())

    return performed(releases, act, propose)


def lift(releases: ReleaseStore, version: Version, act: Act) -> Acted:
    """Take a version out of quarantine, where it was put by mistake.

    Raises:
        Refused: it is not in quarantine, or `latest` has moved since it was seen.
    """

    def propose(current: Pointer, now: datetime) -> Pointer:
        if str(version) not in current.quarantined:
            raise Refused(f"{version} is not in quarantine", where=f"{releases.uri}/{layout.POINTER}")
        change = change_of(act, Kind.LIFT, current, now, about=[version])
        return lifted(current, change=change, write_id=new_write_id())

    return performed(releases, act, propose)


def performed(
    releases: ReleaseStore,
    act: Act,
    propose: Callable[[Pointer, datetime], Pointer],
    *,
    begin: Callable[[datetime], Pointer] | None = None,
) -> Acted:
    """Change the pointer once, by what `propose` makes of the state that the author saw, at the store's time.

    Args:
        releases: of the model.
        act: the person's.
        propose: makes the next pointer.
        begin: makes the first one, for an act that may begin a history.

    Raises:
        NotFound: nothing was ever released here.
        Refused: this is not home, or `latest` has moved since it was seen; and what `propose` raises.
    """
    seen = act.seen
    earlier: Pointer | None = None

    def decide(current: Pointer | None) -> Pointer | None:
        nonlocal seen, earlier
        if current is None:
            if begin is None:
                raise NotFound("nothing was ever released here", where=releases.uri)
            seen = 0 if seen is None else seen
            return begin(releases.now())
        check_home(releases, current)
        seen = current.epoch if seen is None else seen
        earlier = _earlier(releases, current, act)
        if earlier is not None:
            return None
        _check_seen(current, seen)
        return propose(current, releases.now())

    pointer = move(releases, decide)
    if pointer is None:
        raise NotFound("nothing was ever released here", where=releases.uri)
    return Acted(earlier or pointer, repeated=earlier is not None)


def _earlier(releases: ReleaseStore, current: Pointer, act: Act) -> Pointer | None:
    """Return the pointer as an earlier attempt of the same act left it; None where there was none."""
    oldest = max(act.seen or 0, current.epoch - LOOK_BACK) + 1
    entry: Pointer | None = current
    while entry is not None and entry.change.operation != act.operation:
        if entry.epoch <= oldest or entry.change.kind is Kind.RECOVER:
            return None  # what was seen before a recovery is another history
        entry = releases.still_logged(entry.epoch - 1)
    return entry


def _check_seen(current: Pointer, seen: int | None) -> None:
    if seen is not None and current.epoch != seen:
        change = current.change
        raise Refused(
            f"latest has moved from epoch {seen} to {current.epoch} since it was looked at: "
            f"{change.kind} by {change.by}, now {current.version} is live",
            hint="look again, and decide again",
        )


def _refuse_live(current: Pointer, version: Version) -> None:
    if current.version == version:
        raise Refused(f"{version} is live already, since epoch {current.since}")


def _live_before(releases: ReleaseStore, current: Pointer) -> Version:
    for term in releases.terms(current):
        if term.version != current.version and why_barred(current, term.version) is None:
            return term.version
    raise Refused(
        f"there is nothing to go back to: no version but {current.version} was live and may be live again",
        where=f"{releases.uri}/{layout.POINTER}",
        hint="name a published version, or take one out of quarantine",
    )


def whole(releases: ReleaseStore, version: Version, opens: Try | None, *, sha256: str | None = None) -> Manifest:
    """Return a version's manifest, after every byte of its files and its loading were tried.

    Args:
        releases: of the model.
        version: a published one.
        opens: tries that it loads.
        sha256: of the manifest's bytes, where a pointer or the log tells it.

    Raises:
        NotFound, Corrupt: it is not there whole.
    """
    manifest = releases.manifest(version, sha256=sha256)
    claim = releases.claim(version)
    if claim is not None and claim.metadata.sha256() != manifest.sha256():  # the log is not asked beyond its training
        raise Corrupt("the manifest is not the one that its number was claimed for", where=f"{releases.uri}/{version}")
    with tempfile.TemporaryDirectory(prefix="model-release-") as name:
        for entry in manifest.files:
            target = Path(name) / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            fetch(releases.home, layout.artifact(version, entry.path), entry, target)
        if opens is not None:
            opens(Path(name), manifest)
    return manifest


def refuse_barred(releases: ReleaseStore, current: Pointer, version: Version) -> None:
    """Refuse a version that may not become live by any verb.

    Raises:
        Refused: it is in quarantine, or retired.
    """
    barred = why_barred(current, version)
    if barred is not None:
        raise Refused(barred, where=f"{releases.uri}/{layout.POINTER}")


def _may_be_live(releases: ReleaseStore, current: Pointer, version: Version, opens: Try | None) -> Manifest:
    """Return the manifest of a version that may be live, and is there whole.

    The pointer was read before, so that whoever retires the version meanwhile makes the swap fail.
    """
    refuse_barred(releases, current, version)
    return whole(releases, version, opens, sha256=_digest_when_live(releases, current, releases.manifest(version)))


def _digest_when_live(releases: ReleaseStore, current: Pointer, manifest: Manifest) -> str | None:
    """Return what the log says of a manifest's bytes; None where the version was never live.

    No version was live before it was trained, so the log is followed back no further than that.
    """
    trained = manifest.trained_date
    for term in releases.terms(current):
        if term.version == manifest.version:
            return term.metadata_sha256
        if trained is not None and term.began < trained - CLOCKS_APART:
            break
    return None


def change_of(
    act: Act,
    kind: Kind,
    current: Pointer | None,
    now: datetime,
    *,
    to: Version | None = None,
    about: list[Version] | None = None,
) -> Change:
    """Return what the pointer tells of an act: from what is live to `to`, or about other versions."""
    live = current.version if current else None
    return Change(
        kind=kind,
        from_version=live,
        to_version=to or live,
        by=act.by,
        reason=act.reason,
        at=now,
        operation=act.operation,
        about=about or [],
    )


def _in_words(gate: GateVerdict | None) -> str:
    if gate is None:
        return "no gate has judged it"
    outcome = "accepted" if gate.accepted else "rejected"
    live = f"against {gate.baseline}, live since epoch {gate.since}" if gate.baseline else "before anything was live"
    return f"it was {outcome} {live}"


def new_write_id() -> str:
    """Return what makes one write recognisable to its writer."""
    return uuid.uuid4().hex
