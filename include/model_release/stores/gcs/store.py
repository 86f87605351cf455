"""Google Cloud Storage: `gs://bucket[/prefix]`. This folder is the only importer of Google's SDK.

Conditions are generations: every write makes a new one, so a token never comes back. A conditional write is
one request. No ACL is ever sent, so buckets with uniform bucket-level access work. The SDK's downloads do not
tell when an object was written, so reading is plain requests on its session.
"""

from __future__ import annotations

import base64
import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import google_crc32c
import requests
from google.api_core import exceptions as api
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption

from model_release.documents import limits
from model_release.errors import Corrupt, NotFound, StoreUnavailable, UsageError
from model_release.spec.transfer import TransferSettings
from model_release.stores.base import OCTETS, Entry, Lost, Outcome, Stored, Won
from model_release.stores.faults import Asked, clock, corrupt, may_repeat
from model_release.stores.gcs import resumable
from model_release.stores.gcs.errors import FAILURES, fault_of, status_of, translate, unauthenticated
from model_release.stores.gcs.fast import FastReads, Response
from model_release.stores.parts import hashed, new_file, side_by_side
from model_release.stores.uris import parse_here

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Client

PART = 8 * 1024 * 1024
"""Bytes. A larger file is sent by a resumable upload, and read in ranges of this size, side by side."""

_BLOCK = 1024 * 1024

_READ, _WRITE, _LIST = "storage.objects.get", "storage.objects.create", "storage.objects.list"
_REPLACE, _DELETE = "storage.objects.create and storage.objects.delete", "storage.objects.delete"

_NEVER = 1
"""A generation of the year 1970."""


class _Tries:
    """The attempts of one call. A conditional write is not repeated while its effect is unknown."""

    def __init__(self, attempts: float, *, conditional: bool) -> None:
        self._left = attempts
        self._conditional = conditional
        self.began = time.monotonic()

    def again(self, error: BaseException) -> bool:
        """Note a failed attempt; return whether another may follow."""
        self._left -= 1
        return self._left > 0 and may_repeat(fault_of(error), conditional=self._conditional)


def _left_as_it_is(*, new: bool) -> contextlib.AbstractContextManager[object]:
    """Take "it exists" for success if the write was to happen only for a missing object."""
    return contextlib.suppress(api.PreconditionFailed) if new else contextlib.nullcontext()


class GcsStore:
    """A bucket, or a folder of one.

    Args:
        client: makes the requests; its credentials decide who asks.
        bucket: the bucket's name.
        prefix: of every key, without slashes at its ends.
        settings: time-outs, retries, encryption key, tags (custom metadata), storage class.

    Raises:
        UsageError: a setting that this cloud does not have.
    """

    def __init__(
        self, client: Client, bucket: str, prefix: str = "", *, settings: TransferSettings | None = None
    ) -> None:
        self._settings = settings or TransferSettings()
        self._client = client
        self._bucket = client.bucket(bucket)
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._bucket_seen = False
        self.uri = f"gs://{bucket}/{self._prefix}".rstrip("/")
        lacking = [name for name in ("sse", "encryption_scope") if getattr(self._settings, name) is not None]
        if lacking:
            raise UsageError(
                f"Google Cloud Storage has no setting {lacking[0]}",
                where=self.uri,
                hint="always encrypted; kms_key takes a key of your own",
            )
        self._timeout = self._settings.timeouts
        self._fast = FastReads(client._http, client.api_endpoint, self._timeout, workers=self._settings.workers)

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist."""
        with self._errors(key, _READ) as tries:
            try:
                answer = self._read(key, tries, limit=limits.largest(key))
            except api.NotFound:
                self._require_bucket(key)
                return None
        promised = _promised_crc32c(answer)
        actual = _crc32c(answer.body).digest()
        if promised not in (None, base64.b64encode(actual).decode()):
            raise self._corrupt(key, "its bytes do not have the checksum that the store has for them")
        headers = answer.headers
        return Stored(answer.body, headers["X-Goog-Generation"], parsedate_to_datetime(headers["Last-Modified"]))

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        """Write an object that must not exist yet."""
        return self._put(key, body, 0, _WRITE, content_type, cache_control)

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        """Write an object that must still be of the generation that `token` names."""
        # a token that is no generation names no state that an object can be in
        generation = int(token) if token.isdecimal() else _NEVER
        return self._put(key, body, generation, _REPLACE, content_type, cache_control)

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        """Write a file of any size. Whole or not at all.

        Up to 8 MiB it is one request; above, a resumable upload. The store compares the CRC32C in both.
        """
        blob = self._new(key, cache_control)
        large = path.stat().st_size > PART
        condition = {"if_generation_match": 0} if new else {}
        permission = _WRITE if new else _REPLACE
        with self._errors(key, permission, attempts=math.inf if large else None) as tries, _left_as_it_is(new=new):
            if large:
                self._send(blob, path, content_type, condition, tries)
            else:
                blob.upload_from_filename(
                    str(path), content_type=content_type, checksum="crc32c", **condition, **self._bounds(tries)
                )

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object into a new file, removed again if that fails; one generation, whole.

        Raises:
            NotFound: there is no such object.
            Corrupt: it has more than `limit` bytes, or the bytes that arrived differ from those of the store.
        """
        with new_file(path) as file:
            self._receive(key, file, limit)

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        """Copy inside the store, on its side.

        One request; two where something about the copy is to differ: the store then wants all of its headers
        again.

        Raises:
            NotFound: there is no such source.
        """
        origin = self._bucket.blob(self._name(source))
        copied = self._bucket.blob(self._name(target), kms_key_name=self._settings.kms_key)
        with self._errors(source, f"{_READ}, {_REPLACE}") as tries, _left_as_it_is(new=new):
            bounds = self._bounds(tries)
            condition = {"if_generation_match": 0} if new else {}
            if cache_control or self._settings.storage_class is not None:
                origin.reload(**bounds)
                copied.content_type = origin.content_type
                copied.metadata = origin.metadata
                copied.cache_control = cache_control or origin.cache_control
                copied.storage_class = self._settings.storage_class
            token, _, _ = copied.rewrite(origin, **condition, **bounds)
            while token is not None:  # a large object that changes place or class is copied in steps
                token, _, _ = copied.rewrite(origin, token=token, **condition, **bounds)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key begins with `prefix`, in the order of their keys."""
        with self._errors(prefix, _LIST) as tries:
            for blob in self._client.list_blobs(
                self._bucket,
                prefix=self._prefix + prefix,
                fields="items(name,size,updated),nextPageToken",
                **self._bounds(tries),
            ):
                if not blob.name.endswith("/"):  # what the console calls a folder
                    yield Entry(blob.name.removeprefix(self._prefix), blob.size, blob.updated)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        with self._errors(key, _DELETE) as tries:
            try:
                self._bucket.blob(self._name(key)).delete(**self._bounds(tries))
            except api.NotFound:
                self._require_bucket(key)

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Nothing: a session of an upload ends by itself after a week."""
        return iter(())

    def now(self) -> datetime:
        """Return the store's own clock, from the date of any answer."""
        url = f"{self._client.api_endpoint}/storage/v1/b/{self._bucket.name}"

        def ask() -> requests.Response:
            answer: requests.Response = self._session.get(url, params={"fields": "name"}, timeout=self._timeout)
            if answer.status_code >= 500:
                raise api.from_http_response(answer)  # type: ignore[no-untyped-call]
            return answer

        with self._errors("", "storage.buckets.get") as tries:
            answer = self._retry(tries)(ask)()
        return clock(answer.headers.get("Date"), self.uri)

    def _receive(self, key: str, file: BufferedRandom, limit: int | None) -> None:
        with self._errors(key, _READ) as tries:
            try:
                first = self._read(key, tries, start=0, limit=PART if limit is None else min(PART, limit + 1))
            except api.RequestRangeNotSatisfiable:
                return  # nothing is the only thing without a first byte
        size = int(first.headers.get("Content-Range", f"/{len(first.body)}").rpartition("/")[2])
        limits.check_size(size, limit, f"{self.uri}/{key}")
        os.pwrite(file.fileno(), first.body, 0)

        def read(start: int) -> None:
            if start:
                self._read_more(key, first.headers["X-Goog-Generation"], start, file.fileno())

        parts = side_by_side(read, range(0, size, PART), self._settings.workers)
        crc32c = hashed(parts, file.fileno(), PART, _crc32c()).digest()
        arrived = os.fstat(file.fileno()).st_size
        if arrived != size:
            raise self._corrupt(key, f"{arrived} bytes arrived of {size}")
        if _promised_crc32c(first) not in (None, base64.b64encode(crc32c).decode()):
            raise self._corrupt(key, "the bytes that arrived do not have the store's checksum")

    def _send(self, blob: Blob, path: Path, content_type: str, condition: dict[str, int], tries: _Tries) -> None:
        with path.open("rb") as file:
            digest = _crc32c()
            for part in iter(lambda: file.read(_BLOCK), b""):
                digest.update(part)
            crc32c, size = base64.b64encode(digest.digest()).decode(), file.tell()
            session = blob.create_resumable_upload_session(
                content_type=content_type, size=size, checksum=None, **condition, **self._bounds(tries)
            )
            headers = {"Content-Type": content_type, "X-Goog-Hash": f"crc32c={crc32c}"}
            told = resumable.send(
                self._session, session, file, size, headers, timeouts=self._timeout, patient=self._retry(tries)
            )
        if told.get("crc32c") != crc32c:
            raise DataCorruption(None)

    def _put(
        self, key: str, body: bytes, generation: int, permission: str, content_type: str, cache_control: str
    ) -> Outcome:
        blob = self._new(key, cache_control)
        with self._errors(key, permission, conditional=True) as tries:
            try:
                blob.upload_from_string(
                    body,
                    content_type=content_type,
                    checksum="crc32c",
                    if_generation_match=generation,
                    **self._bounds(tries),
                )
            except api.PreconditionFailed:
                return Lost()
        return Won(str(blob.generation))

    def _read(
        self, key: str, tries: _Tries, *, start: int | None = None, generation: str | None = None, limit: int = PART
    ) -> Response:
        """Read the object, or one part of one generation of it.

        Raises:
            Corrupt: the answer has more than `limit` bytes.
        """
        name = quote(self._name(key), safe="")
        url = f"{self._client.api_endpoint}/download/storage/v1/b/{self._bucket.name}/o/{name}?alt=media"
        if generation is not None:
            url += f"&generation={generation}"
        headers = {} if start is None else {"Range": f"bytes={start}-{start + limit - 1}"}

        def ask() -> Response:
            answer = self._fast.get(url, headers, limit)
            if answer is None:
                with self._session.get(url, headers=headers, timeout=self._timeout, stream=True) as told:
                    if told.status_code >= 400:
                        raise api.from_http_response(told)  # type: ignore[no-untyped-call]
                    answer = Response(told.headers, told.raw.read(limit + 1, decode_content=True))
            limits.check_size(len(answer.body), limit, f"{self.uri}/{key}")
            return answer

        answer: Response = self._retry(tries)(ask)()
        return answer

    def _read_more(self, key: str, generation: str, start: int, file: int) -> None:
        """Write one more part of a generation where it belongs in `file`."""
        with self._errors(key, _READ) as tries:
            try:
                part = self._read(key, tries, start=start, generation=generation)
            except api.NotFound:
                raise StoreUnavailable(
                    "it was replaced while it was read", where=f"{self.uri}/{key}", hint="read it again"
                ) from None
        os.pwrite(file, part.body, start)

    def _new(self, key: str, cache_control: str) -> Blob:
        blob = self._bucket.blob(self._name(key), kms_key_name=self._settings.kms_key)
        if cache_control:
            blob.cache_control = cache_control
        if self._settings.tags:
            blob.metadata = self._settings.tags
        if self._settings.storage_class is not None:
            blob.storage_class = self._settings.storage_class
        return blob

    def _name(self, key: str) -> str:
        return self._prefix + self._settings.check(key)

    @property
    def _session(self) -> Any:
        return self._client._http

    def _bounds(self, tries: _Tries) -> dict[str, Any]:
        return {"timeout": self._timeout, "retry": self._retry(tries)}

    def _retry(self, tries: _Tries) -> Callable[..., Any]:
        # no attempt begins so late that it could end after the deadline
        last_begin = max(0.0, self._settings.deadline - sum(self._timeout))
        return Retry(predicate=tries.again, initial=0.2, multiplier=2.0, maximum=5.0, timeout=last_begin)

    def _require_bucket(self, key: str) -> None:
        """Tell a missing object from a missing bucket, which the store answers alike. Asked once.

        Raises:
            NotFound: the bucket does not exist.
        """
        if self._bucket_seen:
            return
        with self._errors(key, _LIST) as tries, contextlib.suppress(api.Forbidden):  # refused, but there
            for _ in self._client.list_blobs(self._bucket, max_results=1, fields="items(name)", **self._bounds(tries)):
                pass
        self._bucket_seen = True

    def _corrupt(self, key: str, what: str) -> Corrupt:
        return corrupt(what, f"{self.uri}/{key}")

    @contextlib.contextmanager
    def _errors(
        self, key: str, permission: str, *, conditional: bool = False, attempts: float | None = None
    ) -> Iterator[_Tries]:
        """Map the SDK's errors into the error tree, by code.

        The SDK's own errors are not kept as causes: their texts hold URLs, and some URLs are credentials.
        """
        tries = _Tries(attempts or self._settings.attempts, conditional=conditional)
        try:
            yield tries
        except FAILURES as error:
            where = f"{self.uri}/{key}"
            if status_of(error) == 404 and permission != _LIST:
                self._require_bucket(key)
                if _READ in permission:
                    raise NotFound("there is no such object", where=where) from None
                raise StoreUnavailable("the upload was forgotten half-way", where=where, hint="try again") from None
            asked = Asked(
                where=where,
                container=str(self._bucket.name),
                endpoint=urlsplit(self._client.api_endpoint).netloc,
                permission=permission,
                conditional=conditional,
                seconds=time.monotonic() - tries.began,
            )
            raise translate(error, asked) from None


def open_default(uri: str, settings: TransferSettings | None = None) -> GcsStore:
    """Open the store at `uri` with Google's default credentials; `STORAGE_EMULATOR_HOST` is honoured.

    Raises:
        UsageError: not a store's URI.
        CredentialsRefused: there are no default credentials.
    """
    parts = parse_here(uri)
    try:
        client = storage.Client()
    except GoogleAuthError as error:
        raise unauthenticated(error, f"gs://{parts.container}") from None
    return GcsStore(client, parts.container, parts.prefix, settings=settings)


def _promised_crc32c(answer: Response) -> str | None:
    """The CRC32C of the whole object, as the store has it, of a range too."""
    for part in answer.headers.get("X-Goog-Hash", "").split(","):
        kind, _, digest = part.strip().partition("=")
        if kind == "crc32c":
            return digest
    return None


def _crc32c(body: bytes = b"") -> Any:
    return google_crc32c.Checksum(body)  # type: ignore[no-untyped-call]
