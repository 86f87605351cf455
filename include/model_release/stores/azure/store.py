"""Azure Blob Storage: `wasb://container@account[/prefix]`. This folder is the only importer of Azure's SDK.

Conditions are ETags, which the service never gives twice. The SDK's retries are off: a client that a hook
made waits 15 seconds before the first and has no deadline, so the attempts are made here. What is larger than
one part travels as blocks and ranges, side by side; a blob appears with the list of its blocks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BufferedRandom
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
)
from azure.storage.blob import BlobBlock, BlobClient, ContainerClient, ContentSettings, StandardBlobTier

from model_release.documents import limits
from model_release.documents.base import sha256_of
from model_release.errors import Corrupt, NotFound, StoreUnavailable, UsageError
from model_release.spec.transfer import TransferSettings
from model_release.stores.azure.errors import CHANGED, EXISTS, NO_CONTAINER, code_of, fault_of, status_of, translate
from model_release.stores.azure.fast import SHA256, AzureFast
from model_release.stores.base import OCTETS, Entry, Lost, Outcome, Stored, Won
from model_release.stores.faults import Asked, attempts, clock, corrupt, may_repeat
from model_release.stores.parts import hashed, new_file, side_by_side
from model_release.stores.uris import parse_here

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

PART = 8 * 1024 * 1024
"""Bytes. A larger file is read in ranges of this size and sent in blocks of it, several at once."""

SHA256_OF_PARTS = f"model_release_sha256_of_parts_{PART}"
"""Name of the metadata: each part is hashed by the thread that moves it. An MD5 of the whole, which Azure has a field
for, is one thread's work, at less than a gigabyte a second."""

_READ, _WRITE, _LIST, _DELETE = "read", "create and write", "list", "delete"

_TIERS = (StandardBlobTier.HOT, StandardBlobTier.COOL, StandardBlobTier.COLD)


class _Tries:
    """The attempts of each request of one call. A conditional write of unknown effect is not repeated."""

    def __init__(self, settings: TransferSettings, *, conditional: bool) -> None:
        self._settings = settings
        self._conditional = conditional
        self.began = time.monotonic()

    def __call__(self, request: Callable[..., T], *args: Any, **options: Any) -> T:
        """Make a request of the SDK, again where that is safe and the deadline allows it."""
        connect, read = self._settings.timeouts
        bounds = {"retry_total": 0, "connection_timeout": connect, "read_timeout": read}
        return attempts(self._settings, self._again)(request, *args, **options, **bounds)

    def _again(self, error: BaseException) -> bool:
        return may_repeat(fault_of(error), conditional=self._conditional)


_MISSING: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}


def _left_as_it_is(*, new: bool) -> contextlib.AbstractContextManager[object]:
    """Take "it exists" for success if the write was to happen only for a missing object."""
    return contextlib.suppress(ResourceExistsError, ResourceModifiedError) if new else contextlib.nullcontext()


class AzureStore:
    """A container, or a folder of one; in a storage account or in Azurite.

    Args:
        container: makes the requests; its credential decides who asks.
        prefix: of every key, without slashes at its ends.
        settings: time-outs, retries, encryption scope, tags (blob index tags), `storage_class` (access tier).

    Raises:
        UsageError: a setting that this cloud does not have.
    """

    def __init__(
        self, container: ContainerClient, prefix: str = "", *, settings: TransferSettings | None = None
    ) -> None:
        self._settings = settings or TransferSettings()
        self._container = container
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._account = container.account_name or container.primary_hostname
        self.uri = f"wasb://{container.container_name}@{self._account}/{self._prefix}".rstrip("/")
        self._written = self._writing()
        self._fast = AzureFast(container, self._settings)

    @property
    def quick(self) -> ObjectStore | None:
        """Give obstore's client of the container, with this store's credentials; None if it cannot be made."""
        return self._fast.client

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist."""
        limit = limits.largest(key)

        def read(**bounds: Any) -> tuple[Any, bytes]:
            answer = self._blob(key).download_blob(0, limit + 1, **bounds)
            return answer.properties, answer.readall()

        try:
            with self._errors(key, _READ) as tries:
                found, body = tries(read)
        except _NoSuchBlob:
            return None
        limits.check_size(len(body), limit, f"{self.uri}/{key}")
        promised = found.content_settings.content_md5
        if promised is not None and bytes(promised) != _md5(body):
            raise self._corrupt(key, "its bytes do not have the checksum that the store has for them")
        return Stored(body, found.etag, found.last_modified)

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        """Write an object that must not exist yet."""
        try:
            return Won(self._put(key, body, content_type, cache_control, overwrite=False))
        except (ResourceExistsError, ResourceModifiedError):
            return Lost()

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        """Write an object that must still have the ETag that `token` is."""
        unchanged = {"etag": token, "match_condition": MatchConditions.IfNotModified}
        try:
            return Won(self._put(key, body, content_type, cache_control, overwrite=True, **unchanged))
        except ResourceModifiedError:
            return Lost()

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        """Write a file of any size. Whole or not at all.

        Up to 8 MiB it is one request; above, blocks and then their list. The service checks the MD5 of each
        request, and keeps with the blob a SHA-256 for `download` to check: of the whole, or of the parts' SHA-256.
        """
        size = path.stat().st_size
        if size > PART:
            self._put_blocks(key, path, size, content_type, cache_control, new=new)
            return
        body = path.read_bytes()
        content = _content(content_type, cache_control, _md5(body))
        with self._errors(key, _WRITE) as tries, _left_as_it_is(new=new):
            tries(
                self._blob(key).upload_blob,
                body,
                overwrite=not new,
                validate_content="md5",
                content_settings=content,
                metadata={SHA256: sha256_of(body)},
                **self._written,
            )

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object into a new file, removed again if that fails; one state of it, whole.

        Raises:
            NotFound: there is no such object.
            Corrupt: it has more than `limit` bytes, or the bytes that arrived differ from those of the store.
        """
        name = self._name(key)
        with new_file(path) as file:
            body = self._fast.get(name, PART if limit is None else min(PART, limit))
            if body is None:
                self._receive(key, file, limit)
            else:
                file.write(body)

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        """Copy inside the store.

        On the store's side in one request, and two more for another `cache_control`: the service copies
        headers as they are. Nor can it put a copy under an encryption scope; then the bytes pass through
        here.

        Raises:
            NotFound: there is no such source.
        """
        if self._settings.encryption_scope is not None:
            self._copy_through_here(source, target, cache_control, new=new)
            return
        copied = self._blob(target)
        options = {name: value for name, value in self._written.items() if name != "encryption_scope"}
        options |= _MISSING if new else {}
        with self._errors(source, f"{_READ}, {_WRITE}") as tries, _left_as_it_is(new=new):
            started = tries(copied.start_copy_from_url, self._blob(source).url, **options)
            state = str(started["copy_status"])
            while state == "pending" and time.monotonic() - tries.began < self._settings.deadline:
                time.sleep(0.2)
                state = str(tries(copied.get_blob_properties).copy.status)
            if state != "success":
                raise StoreUnavailable(f"the copy is {state}", where=f"{self.uri}/{target}", hint="try again")
            if cache_control:
                content = tries(copied.get_blob_properties).content_settings
                content.cache_control = cache_control
                tries(copied.set_http_headers, content)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key begins with `prefix`, in the order of their keys."""
        pages = self._container.list_blobs(
            name_starts_with=self._prefix + prefix,
            include=["metadata"],
            retry_total=0,
            connection_timeout=self._settings.timeouts[0],
            read_timeout=self._settings.timeouts[1],
        ).by_page()
        while True:
            with self._errors(prefix, _LIST) as tries:
                page = tries(lambda **_: next(pages, None))
                blobs = [] if page is None else [*page]
            if page is None:
                return
            for blob in blobs:
                if (blob.metadata or {}).get("hdi_isfolder") != "true":  # accounts with folders list those too
                    yield Entry(blob.name.removeprefix(self._prefix), blob.size, blob.last_modified)

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        with contextlib.suppress(_NoSuchBlob), self._errors(key, _DELETE) as tries:
            tries(self._blob(key).delete_blob)

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Nothing: blocks that were never committed are dropped after a week."""
        return iter(())

    def now(self) -> datetime:
        """Return the store's own clock, from the date of an answer."""
        dates: list[str | None] = []

        def note(answer: Any) -> None:
            dates.append(answer.http_response.headers.get("Date"))

        with self._errors("", _READ) as tries:
            tries(self._container.get_blob_client(f"{self._prefix}clock").exists, raw_response_hook=note)
        return clock(dates[-1], self.uri)

    def _writing(self) -> dict[str, Any]:
        """Return the arguments that the settings add to every write."""
        settings = self._settings
        for name in ("sse", "kms_key"):
            if getattr(settings, name) is not None:
                raise UsageError(
                    f"Azure has no setting {name}",
                    where=self.uri,
                    hint="always encrypted; encryption_scope takes a key of your own",
                )
        written: dict[str, Any] = {}
        if settings.tags:
            written["tags"] = settings.tags
        if settings.encryption_scope is not None:
            written["encryption_scope"] = settings.encryption_scope
        if settings.storage_class is not None:
            tiers = {tier.value.lower(): tier for tier in _TIERS}
            if settings.storage_class.lower() not in tiers:
                raise UsageError(
                    f"{settings.storage_class!r} is no access tier whose blobs can be read at once",
                    where=self.uri,
                    hint="storage_class: " + ", ".join(tier.value for tier in _TIERS),
                )
            written["standard_blob_tier"] = tiers[settings.storage_class.lower()]
        return written

    def _receive(self, key: str, file: BufferedRandom, limit: int | None) -> None:
        try:
            first, body = self._read_part(key, 0, most=PART if limit is None else min(PART, limit + 1))
        except _Empty:
            return
        size = int(first.content_range.rpartition("/")[2])
        limits.check_size(size, limit, f"{self.uri}/{key}")

        def read(start: int) -> bytes:
            part = body if start == 0 else self._read_more(key, start, min(PART, size - start), first.etag)
            os.pwrite(file.fileno(), part, start)
            return hashlib.sha256(part).digest()

        parts = side_by_side(read, range(0, size, PART), self._settings.workers)
        promised = first.metadata.get(SHA256_OF_PARTS)
        if promised is not None:
            actual = hashlib.sha256(b"".join(parts)).hexdigest()
        else:  # not written by `_put_blocks`
            promised = bytes(first.content_settings.content_md5 or b"").hex()
            actual = hashed(parts, file.fileno(), PART, _md5_hash()).hexdigest()
        arrived = os.fstat(file.fileno()).st_size
        if arrived != size:
            raise self._corrupt(key, f"{arrived} bytes arrived of {size}")
        if promised and promised != actual:
            raise self._corrupt(key, "the bytes that arrived do not have the store's checksum")

    def _put(self, key: str, body: bytes, content_type: str, cache_control: str, **condition: Any) -> str:
        """Write in one request under a condition; return the new ETag.

        Raises:
            ResourceExistsError: it was not to exist, and does.
            ResourceModifiedError: it is not in the state that it should be in.
        """
        content = _content(content_type, cache_control, _md5(body))
        options = {**self._written, **condition}
        with self._errors(key, _WRITE, conditional=True) as tries:
            answer = tries(
                self._blob(key).upload_blob, body, validate_content="md5", content_settings=content, **options
            )
        return str(answer["etag"])

    def _put_blocks(self, key: str, path: Path, size: int, content_type: str, cache_control: str, *, new: bool) -> None:
        blob = self._blob(key)
        upload = uuid.uuid4().hex  # two uploads at once must not mix their blocks
        scope = {name: value for name, value in self._written.items() if name == "encryption_scope"}
        starts = range(0, size, PART)
        blocks = [BlobBlock(f"{upload}-{start // PART:05d}") for start in starts]
        with path.open("rb") as file:

            def send(start: int) -> bytes:
                body = os.pread(file.fileno(), PART, start)
                with self._errors(key, _WRITE) as tries:
                    block = f"{upload}-{start // PART:05d}"
                    tries(blob.stage_block, block, body, validate_content="md5", **scope)
                return hashlib.sha256(body).digest()

            sha256 = hashlib.sha256(b"".join(side_by_side(send, starts, self._settings.workers)))
        with self._errors(key, _WRITE) as tries, _left_as_it_is(new=new):
            tries(
                blob.commit_block_list,
                blocks,
                **(_MISSING if new else {}),
                content_settings=_content(content_type, cache_control),
                metadata={SHA256_OF_PARTS: sha256.hexdigest()},
                validate_content="md5",
                **self._written,
            )

    def _read_more(self, key: str, start: int, size: int, etag: str) -> bytes | memoryview:
        """Read `size` bytes of the state that `etag` names; fewer where the blob ends."""
        quick = self._fast.get_range(self._name(key), start, size, etag)
        return self._read_part(key, start, etag)[1] if quick is None else quick

    def _read_part(self, key: str, start: int, etag: str | None = None, most: int = PART) -> tuple[Any, bytes]:
        """Read up to `most` bytes, of the state that `etag` names.

        Raises:
            _Empty: there is no first byte.
        """
        same: dict[str, Any] = {}
        if etag is not None:
            same = {"etag": etag, "match_condition": MatchConditions.IfNotModified}

        def read(**bounds: Any) -> tuple[Any, bytes]:
            answer = self._blob(key).download_blob(start, most, encoding=None, **same, **bounds)
            return answer.properties, answer.readall()

        with self._errors(key, _READ) as tries:
            try:
                return tries(read)
            except ResourceModifiedError:
                raise StoreUnavailable(
                    "it was replaced while it was read", where=f"{self.uri}/{key}", hint="read it again"
                ) from None
            except HttpResponseError as error:
                if error.status_code == 416 and start == 0:
                    raise _Empty from None
                raise

    def _copy_through_here(self, source: str, target: str, cache_control: str, *, new: bool) -> None:
        with self._errors(source, _READ) as tries:
            content = tries(self._blob(source).get_blob_properties).content_settings
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "copy"
            self.download(source, path)
            self.upload(
                target,
                path,
                content_type=content.content_type or OCTETS,
                cache_control=cache_control or content.cache_control or "",
                new=new,
            )

    def _name(self, key: str) -> str:
        return self._prefix + self._settings.check(key)

    def _blob(self, key: str) -> BlobClient:
        return self._container.get_blob_client(self._name(key))

    def _corrupt(self, key: str, what: str) -> Corrupt:
        return corrupt(what, f"{self.uri}/{key}")

    @contextlib.contextmanager
    def _errors(self, key: str, permission: str, *, conditional: bool = False) -> Iterator[_Tries]:
        """Map the SDK's errors into the error tree, by code; a condition that did not hold is no failure.

        The SDK's own errors are not kept as causes: their texts hold URLs, and a URL may hold a SAS.
        """
        tries = _Tries(self._settings, conditional=conditional)
        try:
            yield tries
        except AzureError as error:
            code, where = code_of(error), f"{self.uri}/{key}"
            if conditional and code in EXISTS:
                raise ResourceExistsError from None
            if conditional and code in CHANGED:
                raise ResourceModifiedError from None
            if status_of(error) == 404 and code != NO_CONTAINER:
                raise _NoSuchBlob("there is no such object", where=where) from None
            asked = Asked(
                where=where,
                container=f"wasb://{self._container.container_name}@{self._account}",
                endpoint=urlsplit(self._container.url).netloc,
                permission=permission,
                conditional=conditional,
                seconds=time.monotonic() - tries.began,
            )
            raise translate(error, asked) from None


def open_default(uri: str, settings: TransferSettings | None = None) -> AzureStore:
    """Open the store at `uri` with `AZURE_STORAGE_CONNECTION_STRING` where set, else default credentials.

    Raises:
        UsageError: not a store's URI, no account, or an unreadable connection string.
    """
    settings = settings or TransferSettings()
    parts = parse_here(uri)
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if text:
        try:
            client = ContainerClient.from_connection_string(text, parts.container)
        except ValueError:
            raise UsageError("AZURE_STORAGE_CONNECTION_STRING is not a connection string", where=uri) from None
        return AzureStore(client, parts.prefix, settings=settings)
    if parts.account is None:
        raise UsageError(
            "the URI does not say which storage account",
            where=uri,
            hint="wasb://container@account.blob.core.windows.net/…, or set AZURE_STORAGE_CONNECTION_STRING",
        )
    from azure.identity import DefaultAzureCredential

    host = parts.account if "." in parts.account else f"{parts.account}.blob.core.windows.net"
    credential = DefaultAzureCredential(
        connection_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retry_total=settings.attempts - 1,
    )
    return AzureStore(
        ContainerClient(f"https://{host}", parts.container, credential=credential),
        parts.prefix,
        settings=settings,
    )


class _NoSuchBlob(NotFound):
    """The container is there and the blob is not."""


class _Empty(Exception):
    """A blob without a first byte."""


def _content(content_type: str, cache_control: str, md5: bytes | None = None) -> ContentSettings:
    kept = None if md5 is None else bytearray(md5)
    return ContentSettings(content_type=content_type, cache_control=cache_control or None, content_md5=kept)


def _md5_hash(body: bytes = b"") -> Any:
    return hashlib.md5(body, usedforsecurity=False)


def _md5(body: bytes) -> bytes:
    return bytes(_md5_hash(body).digest())
