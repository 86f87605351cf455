"""A person's request about a model's releases. Pure, and light: forms are made of it at every parse."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from model_release.documents.version import Version
from model_release.errors import UsageError


class Action(StrEnum):
    """What a person can ask for."""

    ROLLBACK = "rollback"
    PROMOTE = "promote"
    HOLD = "hold"
    UNHOLD = "unhold"
    QUARANTINE = "quarantine"
    LIFT = "lift"


NEEDS_VERSION = frozenset({Action.PROMOTE, Action.QUARANTINE, Action.LIFT})
TAKES_VERSION = NEEDS_VERSION | {Action.ROLLBACK}
TAKES_OVERRULE = frozenset({Action.PROMOTE})
TAKES_UNOPENED = frozenset({Action.ROLLBACK, Action.PROMOTE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a person.

    Attributes:
        action: what to do.
        reason: why, for the log.
        by: who asks.
        operation: id of the request; a retry has the same one. None: it follows from the request.
        asked: when; None: now.
        version: which one it is about; a rollback finds one itself.
        epoch: of the pointer that they looked at; None for the one that stood when they asked.
        overrule: promote although the gate has not accepted the version.
        unopened: although no form of the version loads.

    Raises:
        UsageError: it makes no sense, whatever is live.
    """

    action: Action
    reason: str
    by: str
    operation: str | None = None
    asked: datetime | None = None
    version: Version | None = None
    epoch: int | None = None
    overrule: bool = False
    unopened: bool = False

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise UsageError("no reason is given", hint="say why; the log keeps the reason for ever")
        if self.action in NEEDS_VERSION and self.version is None:
            raise UsageError(f"{self.action}: no version is given", hint="name one, such as v1.2.0")
        if self.action not in TAKES_VERSION and self.version is not None:
            raise UsageError(
                f"{self.action} is about latest, whatever version is live, and {self.version} is given",
                hint=f"leave the version out; actions about a version: {_listed(TAKES_VERSION)}",
            )
        if self.action not in TAKES_OVERRULE and self.overrule:
            raise UsageError(f"{self.action} has nothing to overrule", hint=f"it goes with {_listed(TAKES_OVERRULE)}")
        if self.action not in TAKES_UNOPENED and self.unopened:
            raise UsageError(f"{self.action} opens nothing", hint=f"unopened goes with {_listed(TAKES_UNOPENED)}")


def _listed(actions: Collection[Action]) -> str:
    return ", ".join(each for each in Action if each in actions)
