"""Failed requests, alike for every cloud: the request in words, faults that may pass, and when to send it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_random_exponential

from model_release.errors import Corrupt, OutcomeUnknown, Refused, StoreUnavailable
from model_release.spec.transfer import TransferSettings


class Fault(Enum):
    """A fault that may pass if the same request is sent again, by the knowledge about the one that failed."""

    UNREACHED = "cannot be reached"
    THROTTLED = "asks for fewer requests"
    UNANSWERED = "gave no usable answer"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, for the message of an error.

    Attributes:
        where: the object.
        container: its bucket or container.
        endpoint: the host that got it, without path, query or credentials.
        permission: the smallest one that it needs, by the cloud's own names.
        conditional: whether it was a write under a condition.
        seconds: how long it took.
    """

    where: str
    container: str
    endpoint: str
    permission: str
    conditional: bool
    seconds: float


def may_repeat(fault: Fault | None, *, conditional: bool) -> bool:
    """Whether the same request may be sent again; not a conditional write that may have been carried out."""
    return fault is not None and not (conditional and fault is Fault.UNANSWERED)


def attempts(settings: TransferSettings, again: Callable[[BaseException], bool]) -> Retrying:
    """Return a caller of requests that repeats those that `again` allows, within the deadline."""
    return Retrying(
        retry=retry_if_exception(again),
        stop=stop_after_attempt(settings.attempts) | stop_before_delay(settings.deadline - sum(settings.timeouts)),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        reraise=True,
    )


def passing(fault: Fault, because: str, asked: Asked) -> OutcomeUnknown | StoreUnavailable:
    """Return the error for a fault that outlasted the attempts."""
    waited = f"{because}, after {asked.seconds:.1f} s"
    if asked.conditional and fault is Fault.UNANSWERED:
        return OutcomeUnknown(
            f"the answer of {asked.endpoint} was lost ({waited}); the write may have happened",
            where=asked.where,
            hint="send the same request again",
        )
    return StoreUnavailable(
        f"{asked.endpoint} {fault.value} ({waited})",
        where=asked.where,
        hint="try again later; check the endpoint, the network and the proxy",
    )


def clock(date: str | None, uri: str) -> datetime:
    """Return the time in the header `Date` of an answer.

    Raises:
        Refused: it has none, as behind a proxy that drops it.
    """
    if date is None:
        raise Refused("the store does not tell the time: its answers have no Date", where=uri)
    return parsedate_to_datetime(date).astimezone(UTC)


def corrupt(what: str, where: str) -> Corrupt:
    """Return the error for bytes that arrived and differ from those of the store."""
    return Corrupt(what, where=where, hint="read it again; if that helps, suspect the network")
