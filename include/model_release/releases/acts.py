"""What a person does to the pointer, by hand or through a form: promote, roll back, hold, quarantine (rule 8).

An act names the epoch that its author saw. Its id follows from the model, that epoch, the action and its target, unless
the author gives one: so a retry or a second click changes nothing, and nobody acts on a state that has passed. An act
that cannot be done is refused; no act ends well having done nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import GateVerdict
from model_release.documents.pointer import (
    Change,
    Kind,
    Pointer,
    PromotionTarget,
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
from model_release.errors import Refused, Retry
from model_release.releases.catalog import no_model, promotion_target_of
from model_release.releases.eligibility import Try, may_be_live, whole
from model_release.releases.pointer_cas import move
from model_release.releases.promote import check_beginning, check_home, from_the_future
from model_release.releases.store import ReleaseStore

LOOK_BACK = 20
"""Epochs that are searched for an act's earlier success, at most. Nobody retries what is that long ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who acts, why, and on what they saw.

    Attributes:
        by: a person, or a program that acts for one.
        reason: why, for the log.
        operation: id of the act; a retry of it has the same one. None: `operation_of` makes it.
        seen: the epoch of the pointer that the author looked at. None: the epoch that is read first; but if that one
            was made by the same act, by the same author for the same reason, the author repeats it, and saw the
            epoch before.
    """

    by: str
    reason: str
    operation: str | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of an act, at the store's time.

    Attributes:
        action: the kind of change.
        operation: id of the act.
    """

    act: Act
    action: Kind
    operation: str
    now: datetime

    def change(self, current: Pointer | None, *, to: Version | None = None, about: Sequence[Version] = ()) -> Change:
        """Return what the pointer tells of the act: from what is live to `to`, or about other versions."""
        live = current.version if current else None
        return Change(
            kind=self.action,
            from_version=live,
            to_version=to or live,
            by=self.act.by,
            reason=self.act.reason,
            at=self.now,
            operation=self.operation,
            about=[*about],
        )


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

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        target = to or live_before(releases, current)
        _refuse_live(current, target)
        manifest = may_be_live(releases, current, target, opens)
        change = attempt.change(current, to=target)
        return rolled_back(current, promotion_target_of(manifest), change=change, write_id=new_write_id())

    return performed(releases, act, Kind.ROLLBACK, to, propose)


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

    def may_be(current: Pointer | None, now: datetime) -> PromotionTarget:
        if current is None:
            manifest, since = whole(releases, version, opens), None
        else:
            _refuse_live(current, version)
            manifest, since = may_be_live(releases, current, version, opens), current.since
        gate = manifest.gate
        if not overrule and (gate is None or not gate.accepted or gate.since != since):
            raise Refused(
                f"{version} was not accepted against what is live: {_in_words(gate)}",
                where=f"{releases.uri}/{layout.manifest(version)}",
                hint="run the retraining DAG, which judges it again, or overrule the gate by saying so",
            )
        target = promotion_target_of(manifest)
        refusal = from_the_future(releases, target) or (
            why_not(current, target, today=now.astimezone(UTC).date()) if current else None
        )
        if refusal is not None:
            raise Refused(refusal, where=f"{releases.uri}/{layout.POINTER}")
        return target

    def begin(attempt: Attempt) -> Pointer:
        check_beginning(releases)
        target = may_be(None, attempt.now)
        change = attempt.change(None, to=version)
        return first(target, lineage=uuid.uuid4().hex, home=releases.uri, change=change, write_id=new_write_id())

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        target = may_be(current, attempt.now)
        change = attempt.change(current, to=version)
        return promoted(current, target, change=change, write_id=new_write_id())

    return performed(releases, act, Kind.PROMOTE, version, propose, begin=begin)


def hold(releases: ReleaseStore, act: Act) -> Acted:
    """Keep `latest` where it is: runs publish and do not promote until the hold is lifted.

    Raises:
        Refused: `latest` has moved since it was seen.
    """

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        return held(current, change=attempt.change(current), write_id=new_write_id())

    return performed(releases, act, Kind.HOLD, None, propose)


def unhold(releases: ReleaseStore, act: Act) -> Acted:
    """Lift every hold, so that the next run may move `latest` again.

    Raises:
        Refused: there is none, or `latest` has moved since it was seen.
    """

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        if not current.holds:
            raise Refused("latest is not held", where=f"{releases.uri}/{layout.POINTER}")
        return released(current, change=attempt.change(current), write_id=new_write_id())

    return performed(releases, act, Kind.UNHOLD, None, propose)


def quarantine(releases: ReleaseStore, version: Version, act: Act) -> Acted:
    """Bar a version from ever being live or a baseline.

    Raises:
        Refused: it is live, or in quarantine already, or `latest` has moved since it was seen.
        NotFound: there is no such release.
    """

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        if current.version == version:
            raise Refused(
                f"{version} is live",
                where=f"{releases.uri}/{layout.POINTER}",
                hint="roll back; that quarantines what it leaves",
            )
        if str(version) in current.quarantined:
            raise Refused(str(why_barred(current, version)), where=f"{releases.uri}/{layout.POINTER}")
        releases.manifest(version)
        change = attempt.change(current, about=[version])
        return quarantined(current, change=change, write_id=new_write_id())

    return performed(releases, act, Kind.QUARANTINE, version, propose)


def lift(releases: ReleaseStore, version: Version, act: Act) -> Acted:
    """Take a version out of quarantine, where it was put by mistake.

    Raises:
        Refused: it is not in quarantine, or `latest` has moved since it was seen.
    """

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        if str(version) not in current.quarantined:
            raise Refused(f"{version} is not in quarantine", where=f"{releases.uri}/{layout.POINTER}")
        change = attempt.change(current, about=[version])
        return lifted(current, change=change, write_id=new_write_id())

    return performed(releases, act, Kind.LIFT, version, propose)


def operation_of(model: str, seen: int, action: Kind, target: Version | None) -> str:
    """Return the id of an act: equal for the same model, epoch, action and target.

    Args:
        model: URI of the model's folder at home.
        seen: the epoch that the author saw; 0 if nothing was live.
        action: the kind of change.
        target: the version that the author named.
    """
    told = f"{model} {seen} {action} {target}"
    return f"{action}-{sha256_of(told.encode())[:20]}"


def performed(
    releases: ReleaseStore,
    act: Act,
    action: Kind,
    target: Version | None,
    propose: Callable[[Pointer, Attempt], Pointer],
    *,
    begin: Callable[[Attempt], Pointer] | None = None,
) -> Acted:
    """Change the pointer once, by what `propose` makes of the state that the author saw, at the store's time.

    Args:
        releases: of the model.
        act: the person's.
        action: the kind of change.
        target: the version that the author named; None if the action finds one itself, or is about `latest`.
        propose: makes the next pointer.
        begin: makes the first one, for an act that may begin a history.

    Raises:
        NoModel: nothing is live here.
        Refused: this is not home, or `latest` has moved since it was seen; and what `propose` raises.
        Retry: with the option that makes the same call again the same act.
    """
    seen = act.seen
    operation = act.operation
    earlier: Pointer | None = None

    def decide(current: Pointer | None) -> Pointer | None:
        nonlocal seen, operation, earlier
        if current is None and begin is None:
            raise no_model(releases.home)
        if current is not None:
            check_home(releases, current)
        if seen is None:
            seen = _seen(releases, current, act, action, target)
        operation = operation or operation_of(releases.uri, seen, action, target)
        if current is None:
            return begin(Attempt(act, Kind.FIRST, operation, releases.now())) if begin else None
        earlier = _earlier(releases, current, operation, (act.seen or 0) if act.operation else seen)
        if earlier is not None:
            return None
        _check_seen(current, seen)
        return propose(current, Attempt(act, action, operation, releases.now()))

    try:
        pointer = move(releases, decide)
    except Retry as error:  # the act may have happened; on the state that it left it would be another act
        if seen is None:
            raise
        option = f"--epoch {seen}" if act.operation is None else f"--operation {act.operation}"
        raise type(error)(error.what, where=error.where, hint=f"send the same act again: add {option}") from error
    if pointer is None:
        raise no_model(releases.home)
    return Acted(earlier or pointer, repeated=earlier is not None)


def _seen(releases: ReleaseStore, current: Pointer | None, act: Act, action: Kind, target: Version | None) -> int:
    """Return the epoch that the author of an act saw who names none: before their own act, if they repeat it."""
    if current is None:
        return 0
    if act.operation is None:
        before, change = current.epoch - 1, current.change
        same = (change.by, change.reason) == (act.by, act.reason)
        if same and change.operation == operation_of(releases.uri, before, action, target):
            return before
    return current.epoch


def _earlier(releases: ReleaseStore, current: Pointer, operation: str, after: int) -> Pointer | None:
    """Return the pointer as an earlier attempt of the same act left it, after an epoch; None if there was none."""
    oldest = max(after, current.epoch - LOOK_BACK) + 1
    entry: Pointer | None = current
    while entry is not None and entry.change.operation != operation:
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


def live_before(releases: ReleaseStore, current: Pointer) -> Version:
    """Return what a rollback goes to that names no version: the newest that was live before and is not barred.

    Raises:
        Refused: there is none.
        Corrupt: the log lacks an epoch that is needed.
    """
    for term in releases.terms(current):
        if term.version != current.version and why_barred(current, term.version) is None:
            return term.version
    raise Refused(
        f"there is nothing to go back to: no version but {current.version} was live and may be live again",
        where=f"{releases.uri}/{layout.POINTER}",
        hint="name a published version, or take one out of quarantine",
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
