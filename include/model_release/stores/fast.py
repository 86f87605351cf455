"""The quick way to a cloud: whole small objects and ranges of large ones through obstore, a third of an SDK's cost.

It answers, or leaves the request to the SDK: a request that fails here is sent again there, where errors get their
words. It sends what the SDK's client would, with that client's endpoint and current credentials;
a client with anything that cannot be mirrored (a proxy, its own authorities) has no quick way. Each cloud says how its
client is mirrored, and what its answers promise about their bytes: `s3.fast`, `gcs.fast`, `azure.fast`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from model_release.stores.forks import forked

if TYPE_CHECKING:
    from obstore import GetResult

T = TypeVar("T")


class Fast(ABC):
    """A bucket's objects by requests that either succeed or leave the SDK to say why not; all methods are thread-safe.

    Attributes:
        failures: the SDK's exceptions if it has no credentials.
    """

    failures: tuple[type[Exception], ...]

    @abstractmethod
    def _mirror(self) -> ObjectStore | None:
        """Return a client that sends requests as the SDK's does; None if there can be none."""

    @abstractmethod
    def _promised(self, found: GetResult) -> tuple[str, str] | None:
        """Return a hash's name and the digest that a whole object must have; None if its answer has none."""

    @property
    def client(self) -> ObjectStore | None:
        """Return obstore's client, for reading in other ways; None if it cannot be made."""
        return self._requests

    @cached_property
    def _requests(self) -> ObjectStore | None:
        return self._mirror()

    def put(self, name: str, body: bytes, *, headers: Mapping[str, str | None], tags: dict[str, str]) -> bool:
        """Write an object; return whether it was written."""
        kept: Any = {header: value for header, value in headers.items() if value}
        sent = self._ask(
            lambda of: obstore.put(of, name, body, attributes=kept, tags=tags or None, use_multipart=False)
        )
        return sent is not None

    def get(self, name: str, limit: int) -> memoryview | None:
        """Read an object of up to `limit` bytes, checked by the digest that the store promises.

        Bytes with another digest are read again by the SDK, as are all further objects: not every store is right.
        """
        found = self._ask(lambda of: obstore.get(of, name))
        promised = None if found is None or found.meta["size"] > limit else self._promised(found)
        if found is None or promised is None:
            return None
        body = self._ask(lambda _: memoryview(found.bytes()))
        if body is not None and hashlib.new(promised[0], body, usedforsecurity=False).hexdigest() != promised[1]:
            self._requests = body = None
        return body

    def get_range(self, name: str, first: int, size: int, etag: str) -> memoryview | None:
        """Read some bytes of the state that `etag` names. The caller checks them."""
        wanted: Any = {"range": (first, first + size), "if_match": etag}
        return self._ask(lambda of: memoryview(obstore.get(of, name, options=wanted).bytes()))

    def _ask(self, request: Callable[[ObjectStore], T]) -> T | None:
        """Send one request; None if it failed. After a fault of the service the SDK gets all further ones."""
        requests = None if forked() else self._requests
        if requests is None:
            return None
        try:
            return request(requests)
        except (FileNotFoundError, obstore.exceptions.PreconditionError):
            return None
        except (BaseError, OSError, *self.failures):  # type: ignore[misc]
            self._requests = None
            return None
