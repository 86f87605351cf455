"""A request for predictions by ASGI: the body read within a limit, then one adapter's response, or an error.

Plain Starlette routes to these objects are what makes the service fast; FastAPI's own would check every row twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec
from prometheus_client import Counter
from starlette.types import Message, Receive, Scope, Send

from model_release.serving.content import decoded, too_long
from model_release.serving.problems import Problem
from model_release.serving.served import Served

INLINE_BYTES = 64 * 1024
"""A larger body is answered in a thread, so that small requests do not wait behind it."""

_LINGER_SECONDS = 5.0
"""How long the rest of a body that is too long is read and dropped, so that its client reads the error."""

JSON = b"application/json"


class Request(NamedTuple):
    """The parts of a request that an adapter uses: the body, its type, and the parameters of the path."""

    body: bytes
    content_type: str
    path: Mapping[str, str]


class Encoded(NamedTuple):
    """The JSON of a response, and its number of rows."""

    body: bytes
    rows: int


Adapter = Callable[[Served, Request], Encoded]
"""One protocol: the request's rows out of it, through `Served.answer`, and JSON back.

Raises:
    Problem: the request is refused.
"""


class Fault(msgspec.Struct, omit_defaults=True):
    """The body of every error: `error` is the whole message; `row` and `field` name the place if it is known."""

    error: str
    row: int | None = None
    field: str | None = None


class Endpoint:
    """An ASGI application that answers by an adapter.

    Args:
        adapter: the protocol.
        limit: of the body, in bytes.
        predictions: counts the rows that were answered, by version.
    """

    def __init__(self, adapter: Adapter, limit: int, predictions: Counter) -> None:
        self._adapter = adapter
        self._limit = limit
        self._predictions = predictions
        self._too_long = too_long(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; `served` in its scope is the release that does."""
        served: Served = scope["served"]
        try:
            body = await self._read(scope, receive)
            encoding = _header(scope, b"content-encoding")
            if encoding:
                body = await asyncio.to_thread(decoded, body, encoding, self._limit)
            request = _request(scope, body)
            if len(body) <= INLINE_BYTES and served.model.form == "onnx":
                answer = self._adapter(served, request)
            else:
                answer = await asyncio.to_thread(self._adapter, served, request)
        except Problem as problem:
            await answer_problem(problem, send)
            return
        except _TooLong as error:
            await _refuse_the_rest(self._too_long, receive, send, more=error.more)
            return
        except _Gone:
            return
        self._predictions.labels(served.version).inc(answer.rows)
        await send(_start(200, answer.body))
        await send({"type": "http.response.body", "body": answer.body})

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        for name, value in scope["headers"]:
            if name == b"content-length" and int(value) > self._limit:
                raise _TooLong(more=True)
        message = await receive()
        parts, length = [message.get("body", b"")], len(message.get("body", b""))
        while message.get("more_body", False) and length <= self._limit:
            message = await receive()
            parts.append(message.get("body", b""))
            length += len(parts[-1])
        if message["type"] == "http.disconnect":
            raise _Gone
        if length > self._limit:
            raise _TooLong(more=message.get("more_body", False))
        return b"".join(parts)


async def answer_problem(problem: Problem, send: Send) -> None:
    """Send an error."""
    body = fault(problem)
    await send(_start(problem.status, body))
    await send({"type": "http.response.body", "body": body})


def fault(problem: Problem) -> bytes:
    """Return an error as JSON."""
    return msgspec.json.encode(Fault(str(problem), problem.row, problem.field))


def _request(scope: Scope, body: bytes) -> Request:
    if _header(scope, b"inference-header-content-length"):
        raise Problem(415, "the extension for binary tensors is not spoken; send the tensors' data as JSON")
    return Request(body, _header(scope, b"content-type"), scope["path_params"])


def _header(scope: Scope, name: bytes) -> str:
    """Return the first header of a name; the empty text if there is none."""
    return next((bytes(value).decode("latin-1") for each, value in scope["headers"] if each == name), "")


class _Gone(Exception):
    """The client left before its request was whole."""


class _TooLong(Exception):
    """The body is longer than the limit; `more` of it is still to come."""

    def __init__(self, *, more: bool) -> None:
        self.more = more


def _start(status: int, body: bytes) -> Message:
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _refuse_the_rest(problem: Problem, receive: Receive, send: Send, *, more: bool) -> None:
    """Respond at once, and read the rest: a client whose connection ends while it sends never reads the response."""
    body = fault(problem)
    start = _start(problem.status, body)
    start["headers"].append((b"connection", b"close"))
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while more:
                more = (await receive()).get("more_body", False)
    await send({"type": "http.response.body", "body": b""})
