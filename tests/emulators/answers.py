"""What a cloud's answers look like when it does not do what it was asked, or says so although it did."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from emulators.wire import Fault, Request

_CODES: dict[str, dict[int, str]] = {
    "s3": {
        500: "InternalError",
        503: "SlowDown",
        429: "TooManyRequests",
        409: "ConditionalRequestConflict",
        412: "PreconditionFailed",
    },
    "gcs": {
        500: "backendError",
        503: "backendError",
        429: "rateLimitExceeded",
        409: "conflict",
        412: "conditionNotMet",
    },
    "azure": {
        500: "InternalError",
        503: "ServerBusy",
        429: "TooManyRequests",
        409: "BlobAlreadyExists",
        412: "ConditionNotMet",
    },
}


STATUSES = (500, 503, 429)
"""Of answers that leave open what has happened."""


def faults(kind: str, request: Request, statuses: Sequence[int] = STATUSES) -> Iterator[Fault]:
    """Yield what may happen to a request: its answer is lost, or another one comes, whether or not it was performed.

    Only a write under a condition is answered 409 or 412. Of a condition that has failed nobody says so in error but
    the server, or the SDK, that has seen the first of two equal requests succeed: that one was performed.
    """
    yield Fault("the answer was lost", True, None)
    for status in statuses:
        yield Fault(f"{status} and not performed", False, _answer(kind, status, request))
        if request.writes:
            yield Fault(f"{status} and performed", True, _answer(kind, status, request))
    if request.conditional:
        if not (kind == "azure" and b"\nif-match:" in request.head.lower()):
            yield Fault("409 and performed", True, _answer(kind, 409, request))
        if kind != "azure":
            yield Fault("409 and not performed", False, _answer(kind, 409, request))
        yield Fault("412 and performed", True, _answer(kind, 412, request))


def _answer(kind: str, status: int, request: Request) -> bytes:
    code = _CODES[kind][status]
    body = {
        "s3": f"<Error><Code>{code}</Code><Message>as told</Message></Error>",
        "gcs": json.dumps({"error": {"code": status, "message": "as told", "errors": [{"reason": code}]}}),
        "azure": "",
    }[kind].encode()
    if request.head.startswith(b"HEAD "):
        body = b""
    kept = {"s3": "application/xml", "gcs": "application/json", "azure": "application/xml"}[kind]
    headers = {
        "Content-Type": kept,
        "Content-Length": len(body),
        "Date": format_datetime(datetime.now(UTC), usegmt=True),
    }
    headers |= {"x-ms-error-code": code} if kind == "azure" else {}
    lines = [f"HTTP/1.1 {status} No", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "\r\n"]).encode() + body
