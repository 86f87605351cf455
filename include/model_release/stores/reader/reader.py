"""A store opened only to read, with the operations of a consumer, at a low cost.

Requests go through obstore, which takes .01 s to import: with the credentials of the environment alone (`environment`)
or, if those are not enough, as the SDK's client would send them. A request that fails there is sent again by the SDK,
where errors get their words. So a store is read as `stores.open_store` would, and most processes never import an SDK.
Only obstore's synchronous calls are used: its asynchronous ones were seen to abort the process.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from model_release.documents import limits
from model_release.documents.layout import check_key
from model_release.errors import NotFound, StoreUnavailable, UsageError
from model_release.stores import folder_of, open_store
from model_release.stores.base import Stored
from model_release.stores.forks import forked
from model_release.stores.local import LocalStore
from model_release.stores.reader import environment
from model_release.stores.uris import parse_here

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PART = 8 * 1024 * 1024
"""Bytes. A larger object is read in ranges of this size, several at once."""

WORKERS = 8

_CHUNK = 256 * 1024
_MISSES = 3
"""How often the SDK may succeed after obstore failed, before the SDK alone is used."""

_CLOUDS = {"s3": ("s3", environment.s3), "gs": ("gcs", environment.gcs), "wasb": ("azure", environment.azure)}


class Careful(Protocol):
    """Reads whole objects, and raises the project's errors. Every `Store` does."""

    uri: str

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist."""

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object of up to `limit` bytes into a new file."""


def open_reader(uri: str) -> Reader:
    """Open the folder at `uri` for reading, with the credentials of this process. No request is sent yet.

    Args:
        uri: as `open_store` takes it; `https://host/folder` may have a query, such as a signature, for every request.

    Raises:
        UsageError: not a URI that any store answers to.
    """
    parts = urlsplit(uri)
    match parts.scheme:
        case "s3" | "gs" | "wasb" as scheme:
            extra, quick = _CLOUDS[scheme]
            told = parse_here(uri, known=("endpoint_url", "region") if scheme == "s3" else ())
            at = f"@{told.account}" if told.account else ""
            where = f"{scheme}://{told.container}{at}/{told.prefix}".rstrip("/")
            root = f"{told.prefix}/" if told.prefix else ""
            return Reader(where, extra, partial(open_store, uri), partial(quick, told), root=root)
        case "https" | "http":
            plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")
            return Reader(plain, "web", partial(_Web, uri), partial(environment.web, uri))
        case "file" | "":
            store = LocalStore(folder_of(uri), allow_network=True)  # reading needs neither locks nor links
            return Reader(store.uri, "", lambda: store)
        case _:
            open_store(uri)
            raise UsageError("nothing can be read there", where=uri)


class Reader:
    """One folder of a store. Several threads may read at once.

    Args:
        uri: where it is, without query or credentials.
        extra: of this package, with the dependencies of `careful`.
        careful: opens the SDK's store, which explains each failure.
        quick: opens obstore's client; None where there is none.
        root: prefix of the names of objects in that client.
    """

    def __init__(
        self,
        uri: str,
        extra: str,
        careful: Callable[[], Careful],
        quick: Callable[[], ObjectStore | None] = lambda: None,
        *,
        root: str = "",
    ) -> None:
        self.uri = uri
        self._extra = extra
        self._open_careful = careful
        self._open_quick = quick
        self._root = root
        self._misses = 0

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist.

        Raises:
            Corrupt: it is larger than `limits.largest` of its key; no more of it was read.
        """
        return self._get(key, None)

    def changed(self, key: str, since: Stored) -> Stored | None:
        """Return a small object if it has changed, by one request, conditional if the store knows that.

        Raises:
            NotFound: it is gone.
        """
        found = self._get(key, since)
        if found is None:
            raise NotFound("was there and is gone", where=f"{self.uri}/{key}")
        return None if found.body == since.body else found

    def check_mounted(self) -> None:
        """Check that a store that is a folder is there and not empty. Stores that answer requests pass.

        Raises:
            StoreUnavailable: it is missing or empty, as the folder of a disk that is not mounted is.
        """
        if not isinstance(self._careful, LocalStore):
            return
        root = self._careful.root
        if not root.is_dir() or not any(root.iterdir()):
            raise StoreUnavailable(
                "this folder is missing or empty, as one that is not mounted is",
                where=self.uri,
                hint="mount it; if the model was removed on purpose, remove its copies too",
            )

    def read(self, key: str, start: int, size: int, scratch: Path) -> Iterator[bytes | memoryview]:
        """Yield the bytes of an object from `start` on. A caller that stops asking stops the reading.

        Args:
            key: of the object.
            start: how many bytes the caller has.
            size: of the whole object, in bytes.
            scratch: a folder on the disk that has room for it.

        Raises:
            NotFound: there is no such object.
            Corrupt: it has more than `size` bytes, and the store said so.
        """
        if self._quick is not None:
            import obstore

            with suppress(obstore.exceptions.BaseError, OSError):  # the SDK continues, or explains the failure
                for chunk in _stream(self._quick, self._root + check_key(key), start, size):
                    start += len(chunk)
                    yield chunk
                return
        if isinstance(self._careful, LocalStore):
            yield from self._careful.read(key, start)
            return
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            path = Path(folder) / "whole"
            self._careful.download(key, path, limit=size)
            with path.open("rb") as file:
                file.seek(start)
                while rest := file.read(_CHUNK):
                    yield rest

    def _get(self, key: str, since: Stored | None) -> Stored | None:
        name, missed = self._root + check_key(key), False
        if self._quick is not None:
            import obstore

            try:
                options: Any = {"if_none_match": since.token} if since and since.token else {}
                answer = obstore.get(self._quick, name, options=options)
                limits.check_size(answer.meta["size"], limits.largest(key), f"{self.uri}/{key}")
                body = bytes(answer.bytes())
                return Stored(body, answer.meta["e_tag"] or "", answer.meta["last_modified"])
            except obstore.exceptions.NotModifiedError:
                return since
            except (obstore.exceptions.BaseError, OSError) as error:
                missed = not isinstance(error, FileNotFoundError)
        found = self._careful.get(key)
        if missed:
            self._misses += 1
            if self._misses == _MISSES:
                self._requests = None
        return found

    @property
    def _quick(self) -> ObjectStore | None:
        return None if forked() else self._requests

    @cached_property
    def _requests(self) -> ObjectStore | None:
        try:
            return self._open_quick() or getattr(self._careful, "quick", None)
        except ImportError:
            return None

    @cached_property
    def _careful(self) -> Careful:
        try:
            return self._open_careful()
        except ImportError as error:
            raise UsageError(
                f"a package that reads this is not installed: {error.name}",
                where=self.uri,
                hint=f"install model-release with its extra {self._extra!r}",
            ) from error


class _Web:
    """A folder on the web, file by file, by a client that explains each failure."""

    def __init__(self, uri: str) -> None:
        from model_release.spec.transfer import TransferSettings
        from model_release.stores.web.http import Fetcher

        self._fetcher = Fetcher(uri, TransferSettings())
        self.uri = self._fetcher.uri

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist."""
        with tempfile.TemporaryDirectory(prefix="model-release-") as folder:
            path = Path(folder) / "object"
            try:
                answer = self._fetcher.get(key, path, limit=limits.largest(key))
            except NotFound:
                return None
            return Stored(path.read_bytes(), answer.etag, answer.modified or answer.date or datetime.now(UTC))

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object of up to `limit` bytes into a new file."""
        self._fetcher.get(key, path, limit=limit)


def _stream(store: ObjectStore, name: str, start: int, size: int) -> Iterator[memoryview]:
    """Yield the bytes from `start` on: as they come if they are few, else range by range."""
    import obstore

    if size - start <= PART:
        options: Any = {"range": (start, size)} if start else {}
        for chunk in obstore.get(store, name, options=options).stream(min_chunk_size=_CHUNK):
            yield memoryview(chunk)
        return

    def part(first: int) -> memoryview:
        last: Any = {"range": (first, min(first + PART, size))}
        return memoryview(obstore.get(store, name, options=last).bytes())

    starts = iter(range(start, size, PART))
    with ThreadPoolExecutor(WORKERS) as pool:
        coming = deque(pool.submit(part, first) for first in islice(starts, WORKERS))
        while coming:
            yield coming.popleft().result()
            coming.extend(pool.submit(part, first) for first in islice(starts, 1))
