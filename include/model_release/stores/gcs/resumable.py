"""A large file to Google Cloud Storage: a resumable session, and one request for the whole body, read as it is sent.

The SDK sends chunks, each of which it holds in memory and waits for the answer of. Where the one request is cut off,
the store says how far it came, and gets the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BufferedReader
from typing import Any

import requests
from google.api_core import exceptions as api

from model_release.stores.gcs.errors import FAILURES, fault_of

_INCOMPLETE = 308


def send(
    http: Any,
    session: str,
    file: BufferedReader,
    size: int,
    headers: dict[str, str],
    *,
    timeouts: tuple[float, float],
    patient: Callable[[Callable[[], Any]], Callable[[], Any]],
) -> dict[str, Any]:
    """Send a file to a session that was made for it; return the store's facts of the new object.

    Args:
        http: the SDK's session of HTTP.
        session: the address of the upload's session, which is a permission to write.
        file: open for reading.
        size: of the file, in bytes; not zero.
        headers: of the body: its type, and the hash without which the store makes no object of it.
        timeouts: connect and read, in seconds.
        patient: makes a call be repeated within a deadline, which begins anew as long as the store gets further.

    Raises:
        FAILURES: see `gcs.errors`.
    """
    reached, begun = 0, False

    def put(body: BufferedReader | None, described: dict[str, str]) -> requests.Response:
        answer: requests.Response = http.put(
            session, data=body, headers=described, timeout=timeouts, allow_redirects=False
        )
        return answer

    def ask() -> dict[str, Any] | None:
        nonlocal reached
        answer = put(None, {"Content-Range": f"bytes */{size}"})
        if answer.status_code != _INCOMPLETE:
            return _object(answer)
        last = answer.headers.get("Range", "").rpartition("-")[2]  # such as bytes=0-1048575, or nothing yet
        reached = int(last) + 1 if last else 0
        return None

    def attempt() -> dict[str, Any]:
        nonlocal begun
        told = ask() if begun else None
        if told is not None:
            return told
        begun = True
        file.seek(reached)
        rest = f"bytes {reached}-{size - 1}/{size}"
        return _object(put(file, {**headers, "Content-Range": rest}))

    while True:
        before = reached
        try:
            told: dict[str, Any] = patient(attempt)()
        except FAILURES as error:
            if fault_of(error) is None:
                raise
            finished: dict[str, Any] | None = patient(ask)()
            if finished is not None:
                return finished
            if reached <= before:
                raise
        else:
            return told


def _object(answer: requests.Response) -> dict[str, Any]:
    if answer.status_code not in (requests.codes.ok, requests.codes.created):
        raise api.from_http_response(answer)  # type: ignore[no-untyped-call]
    return dict(answer.json())
