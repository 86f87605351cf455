"""A person's act on a model's releases, one method a task: what Airflow's form and the command line both call.

The pointer at home moves at once; the other destinations and the registry follow afterwards. Every method may be killed
anywhere and called again: an act that was done is found in the log, and is not done twice.
"""

from __future__ import annotations

import logging
from datetime import datetime

from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import Version
from model_release.model_files.sandbox import tries
from model_release.releases import acts
from model_release.releases.acts import Act, Acted
from model_release.releases.request import Action, Request
from model_release.workflows.destinations import Destinations
from model_release.workflows.messages import ActOutcome, Looked, OperateOutcome
from model_release.workflows.result import holds_in_words

log = logging.getLogger(__name__)


class Operation:
    """One request about one model.

    Args:
        destinations: of the model.
        request: the person's.
    """

    def __init__(self, destinations: Destinations, request: Request) -> None:
        self.destinations = destinations
        self.request = request

    def look(self) -> Looked:
        """Return what is live, and the epoch that the person saw when they asked."""
        live = self.destinations.releases.pointer()
        pointer = live.pointer if live else None
        seen = self.request.epoch
        if seen is None and self.request.asked is not None:
            seen = self._epoch_at(self.request.asked, pointer) if pointer else 0
        version = f" {self.request.version}" if self.request.version else ""
        log.info("%s%s, asked for by %s: %s", self.request.action, version, self.request.by, self.request.reason)
        log.info("live: %s", f"{pointer.version}, epoch {pointer.epoch}" if pointer else "nothing yet")
        return Looked(
            live=pointer.version if pointer else None,
            epoch=pointer.epoch if pointer else 0,
            held=holds_in_words(pointer),
            seen=seen,
        )

    def act(self, looked: Looked) -> ActOutcome:
        """Verify and load what is to be live, and move home's pointer.

        Raises:
            Refused: a rule says no, no form loads, or the pointer has moved since the person looked at it.
            NotFound, Corrupt: the version is not there whole.
        """
        done = self.perform(looked.seen)
        summary = _in_words(done.pointer)
        if done.repeated:
            summary += "; an earlier attempt of this run had done it"
        log.info("%s", summary)
        return ActOutcome(summary=summary, repeated=done.repeated, epoch=done.pointer.epoch)

    def reconcile(self, acted: ActOutcome) -> OperateOutcome:
        """Bring every destination, `latest/` and the registry to home's current pointer."""
        done = self.destinations.reconcile()
        log.info("%s", acted.summary)
        return OperateOutcome(**done.facts(), summary=acted.summary)

    def perform(self, seen: int | None) -> Acted:
        """Do what `act` does, and return the pointer as the act left it.

        Args:
            seen: the epoch that the person saw; None: that of the pointer that is read first.

        Raises:
            Refused, NotFound, Corrupt: as `act` says.
        """
        releases, request = self.destinations.releases, self.request
        act = Act(by=request.by, reason=request.reason, operation=request.operation, seen=seen)
        opens = None if request.unopened else tries
        match request.action, request.version:
            case Action.ROLLBACK, version:
                return acts.rollback(releases, act, to=version, opens=opens)
            case Action.HOLD, _:
                return acts.hold(releases, act)
            case Action.UNHOLD, _:
                return acts.unhold(releases, act)
            case Action.PROMOTE, Version() as version:
                return acts.promote(releases, version, act, overrule=request.overrule, opens=opens)
            case Action.QUARANTINE, Version() as version:
                return acts.quarantine(releases, version, act)
            case Action.LIFT, Version() as version:
                return acts.lift(releases, version, act)
        raise AssertionError(request)  # the request has been checked

    def _epoch_at(self, asked: datetime, pointer: Pointer) -> int:
        """Return the epoch of the pointer then; if it has moved since, `act` refuses, or finds its own earlier try."""
        while pointer.change.at > asked:
            if pointer.change.kind in (Kind.FIRST, Kind.RECOVER):
                return pointer.epoch - 1
            pointer = self.destinations.releases.logged(pointer.epoch - 1)
        return pointer.epoch


def _in_words(pointer: Pointer) -> str:
    """What the change that led to this pointer was, in one sentence."""
    change, live = pointer.change, pointer.version
    about = ", ".join(str(each) for each in change.about)
    match change.kind:
        case Kind.ROLLBACK:
            done = f"latest went back from {change.from_version}, now in quarantine, to {live}, and is held there"
        case Kind.HOLD:
            done = f"latest is held at {live}: runs publish and do not promote"
        case Kind.UNHOLD:
            done = f"latest is not held at {live} any more: the next run may move it"
        case Kind.QUARANTINE:
            done = f"{about} is in quarantine and will not be live; {live} is"
        case Kind.LIFT:
            done = f"{about} is out of quarantine; {live} is live"
        case _:
            done = f"{live} is live" + (f", after {change.from_version}" if change.from_version else "")
    return f"{done} (epoch {pointer.epoch})"
