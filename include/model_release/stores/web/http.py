"""One GET over HTTPS: bounded in time, repeated if that may help, failures in the project's words. For `web` alone.

A server may send the request on, and only to another `https://`.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import ssl
import time
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

import httpx
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_random_exponential

from model_release import __version__
from model_release.errors import (
    Corrupt,
    CredentialsRefused,
    ModelReleaseError,
    NotFound,
    Refused,
    StoreUnavailable,
    UsageError,
)
from model_release.spec.transfer import TransferSettings

PART = 8 * 1024 * 1024
"""Bytes that must arrive within the deadline, of a body that may take longer as a whole."""

_REDIRECTS = 5
_NOT_MODIFIED = 304
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a GET.

    Attributes:
        sha256: of the bytes; None where they are those that the ETag named.
        etag: the server's, empty if it has none.
        date: the server's clock; None if unknown.
        modified: when the object was written, by the server; None if unknown.
    """

    sha256: str | None
    etag: str
    date: datetime | None
    modified: datetime | None


class Fetcher:
    """Gets objects below one URL.

    Args:
        uri: `https://[user:password@]host[:port]/folder[?query]`; `http://` for a host on loopback.
        settings: time-outs and attempts.

    Raises:
        UsageError: the URI is malformed.
    """

    def __init__(self, uri: str, settings: TransferSettings) -> None:
        try:
            url = httpx.URL(uri)
        except httpx.InvalidURL:
            raise UsageError("the source is not a URL", hint="https://host/folder") from None
        self._settings = settings
        self._plain = url.scheme == "http"
        self._host = url.netloc.decode("ascii")
        self._query = f"?{url.query.decode('ascii')}" if url.query else ""
        self.uri = f"{url.scheme}://{self._host}{url.raw_path.partition(b'?')[0].decode('ascii').rstrip('/')}"
        if not url.host or url.fragment:
            raise UsageError("not the URL of a folder", where=self.uri, hint="https://host/folder")
        if self._plain and not _is_loopback(url.host):
            raise UsageError("plain http is for this machine alone", where=self.uri, hint="use https://")
        connect, read = settings.timeouts
        self._client = httpx.Client(
            auth=(url.username, url.password) if url.userinfo else None,
            headers={"User-Agent": f"model-release/{__version__}", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(read, connect=connect),
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            event_hooks={"request": [self._refuse_plain]},
        )
        weakref.finalize(self, self._client.close)
        logging.getLogger("httpx").addFilter(_without_query)

    def get(self, key: str, path: Path, *, etag: str = "", limit: int | None = None) -> Response:
        """Write an object to `path`.

        Args:
            key: below the URL.
            path: written anew, unless the object still has `etag`.
            etag: of the state that the caller has.
            limit: most bytes that are taken.

        Raises:
            NotFound: the server does not have it.
            CredentialsRefused: the server does not give it to this identity.
            StoreUnavailable: no answer, a broken one, a slow one, or a fault of the server, at every attempt.
            Refused: any other answer of the server, and a redirect away from HTTPS.
            Corrupt: more bytes than `limit`.
        """
        where, began, settings = f"{self.uri}/{key}", time.monotonic(), self._settings
        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(settings.attempts) | stop_before_delay(settings.deadline - sum(settings.timeouts)),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            reraise=True,
        )
        try:
            return attempts(self._get, key, path, etag, limit, where)
        except (_Unwell, httpx.RequestError) as error:  # their texts may hold URLs, and URLs secrets: none is kept
            raise self._translate(error, where, time.monotonic() - began) from None

    def _get(self, key: str, path: Path, etag: str, limit: int | None, where: str) -> Response:
        headers = {"If-None-Match": etag} if etag else {}
        with self._client.stream("GET", f"{self.uri}/{quote(key)}{self._query}", headers=headers) as response:
            if response.status_code == _NOT_MODIFIED and etag:
                return _answer(response, None, etag)
            if response.status_code in _MAY_PASS:
                raise _Unwell(f"answers {response.status_code}")
            if response.status_code != httpx.codes.OK:
                raise _refusal(response.status_code, self._host, where)
            return _answer(response, self._receive(response, path, limit, where), response.headers.get("ETag", ""))

    def _receive(self, response: httpx.Response, path: Path, limit: int | None, where: str) -> str:
        digest, size = hashlib.sha256(), 0
        part_began, part_end = time.monotonic(), PART
        with path.open("wb") as file:
            for chunk in response.iter_bytes():  # as it arrives: a full buffer may be long in coming
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if limit is not None and size > limit:
                    raise Corrupt(f"is larger than {limit} bytes", where=where, hint="is this the right file?")
                if size >= part_end:
                    part_began, part_end = time.monotonic(), size + PART
                elif time.monotonic() - part_began > self._settings.deadline:
                    raise _Unwell(f"is too slow: {size} bytes so far")
        return digest.hexdigest()

    def _refuse_plain(self, request: httpx.Request) -> None:
        """Called before each request, those of redirects included."""
        url = request.url
        if url.scheme == "https" or (self._plain and url.scheme == "http" and _is_loopback(url.host)):
            return
        raise Refused(
            f"the source sends its reader on to {url.scheme}://{url.host}, which is not https",
            where=self.uri,
            hint="use the address that the source redirects to, if it has https",
        )

    def _translate(self, error: Exception, where: str, seconds: float) -> ModelReleaseError:
        if isinstance(error, httpx.TooManyRedirects):
            return Refused(f"more than {_REDIRECTS} redirects", where=where, hint="use the address that they end at")
        if isinstance(error, httpx.DecodingError):
            return Corrupt("the answer cannot be decompressed", where=where, hint="try again")
        if _is_untrusted(error):
            return Refused(
                f"the certificate of {self._host} is not trusted",
                where=where,
                hint="name its authority's file in SSL_CERT_FILE",
            )
        what = str(error) if isinstance(error, _Unwell) else f"gave no whole answer ({type(error).__name__})"
        return StoreUnavailable(f"{self._host} {what} (tried for {seconds:.1f} s)", where=where, hint="try again later")


class _Unwell(Exception):
    """The server has a fault that may pass."""


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, _Unwell) or (isinstance(error, httpx.TransportError) and not _is_untrusted(error))


def _is_untrusted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _refusal(status: int, host: str, where: str) -> ModelReleaseError:
    if status in (404, 410):
        return NotFound(f"{host} does not have it ({status})", where=where)
    if status in (401, 403, 407):
        return CredentialsRefused(
            f"{host} does not give it to this identity ({status})",
            where=where,
            hint="put the user or the token into an environment variable and that into dataset.source: "
            "https://${DATA_USER}:${DATA_PASSWORD}@host/folder",
        )
    return Refused(f"{host} answers {status}", where=where, hint="open the address by hand")


def _answer(response: httpx.Response, sha256: str | None, etag: str) -> Response:
    return Response(sha256, etag, _time(response, "Date"), _time(response, "Last-Modified"))


def _time(response: httpx.Response, name: str) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers[name]).astimezone(UTC)
    except (KeyError, ValueError):
        return None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_query(record: logging.LogRecord) -> bool:
    """Take queries out of the lines in which httpx reports its requests: a query may be a signature."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            each.copy_with(query=None, username=None, password=None) if isinstance(each, httpx.URL) else each
            for each in record.args
        )
    return True
