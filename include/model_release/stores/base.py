"""The interface of an object store: the operations that this project needs, and no more.

A conditional write ends as won (`Won`), lost (`Lost`) or unknown (`OutcomeUnknown` is raised). A look-up that failed
raises; it never answers "missing". Keys are relative to the store's root and safe by `layout.check_key`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

OCTETS = "application/octet-stream"
NO_STORE = "no-store"
"""Cache-Control of an object that may change under its name."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A small object as it was read.

    Attributes:
        body: its bytes.
        token: opaque; names this state of the object to `replace`.
        modified: when it was written, by the store's clock, with time zone.
    """

    body: bytes
    token: str
    modified: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of a listing: key, size in bytes, time of its last write by the store's clock."""

    key: str
    size: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Won:
    """The conditional write happened; `token` names the new state."""

    token: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The condition did not hold; nothing was written."""


Outcome = Won | Lost


class Readable(Protocol):
    """A source of small objects: a store, or one that is opened only to read."""

    uri: str
    """Its URI, without connection id, query or credentials: the form that the pointer's `home` has."""

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist.

        Raises:
            Corrupt: it is larger than `limits.largest` of its key; no more of it was read.
        """
        ...


class Store(Readable, Protocol):
    """One folder of one object store.

    Every method may raise `StoreUnavailable` (retry), `CredentialsRefused`, `UnsafeKey`, or `NotFound` for a bucket or
    container that does not exist; the message names the store and the key.
    """

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        """Write an object that must not exist yet.

        Raises:
            OutcomeUnknown: the answer was lost.
        """
        ...

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        """Write an object that must still be in the state that `token` names.

        Raises:
            OutcomeUnknown: the answer was lost.
        """
        ...

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        """Write a file of any size. Whole or not at all.

        An existing object is replaced; with `new` it is left as it is, and nothing is written.
        """
        ...

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object into a new file.

        Raises:
            NotFound: there is no such object.
            Corrupt: it has more than `limit` bytes; no more of it was read.
        """
        ...

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        """Copy inside the store, on its side where it can.

        An existing object is replaced; with `new` it is left as it is, and nothing is written.

        Raises:
            NotFound: there is no such source.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key begins with `prefix`, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        ...

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Yield the remains of uploads that began before then and did not end; with `remove`, remove them.

        Nothing for stores that remove them by themselves.
        """
        ...

    def now(self) -> datetime:
        """Return the store's own clock, with time zone."""
        ...
