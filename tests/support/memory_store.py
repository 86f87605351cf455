"""A `Store` in memory. It passes the same contract suite as the others, and makes thousands of schedules affordable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from model_release.documents import limits
from model_release.documents.layout import check_key
from model_release.errors import NotFound
from model_release.stores.base import OCTETS, Entry, Lost, Outcome, Stored, Won


@dataclass(frozen=True, slots=True)
class _Object:
    body: bytes
    token: str
    modified: datetime


class MemoryStore:
    """Objects in a dictionary; each write gets a token of its own, as generations do on Google Cloud Storage."""

    def __init__(self, uri: str = "memory://home") -> None:
        self.uri = uri
        self._objects: dict[str, _Object] = {}
        self._writes = 0
        self._lock = threading.Lock()
        self.ahead = timedelta(0)
        """How far its clock is ahead of this machine's; a test makes a past by setting it back."""

    def clone(self) -> MemoryStore:
        """Return a store with the same objects under the same tokens; they are immutable, so this costs nothing."""
        fresh = MemoryStore(self.uri)
        fresh._objects, fresh._writes, fresh.ahead = dict(self._objects), self._writes, self.ahead
        return fresh

    def restore(self) -> None:
        """Make every object as young as a bucket's that was restored from a backup just now."""
        self._objects = {key: replace(each, modified=self.now()) for key, each in self._objects.items()}

    def get(self, key: str) -> Stored | None:
        found = self._objects.get(check_key(key))
        limits.check_size(0 if found is None else len(found.body), limits.largest(key), f"{self.uri}/{key}")
        return None if found is None else Stored(found.body, found.token, found.modified)

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        with self._lock:
            return Lost() if check_key(key) in self._objects else self._put(key, body)

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        with self._lock:
            found = self._objects.get(check_key(key))
            return self._put(key, body) if found is not None and found.token == token else Lost()

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        body = path.read_bytes()
        with self._lock:
            if not new or key not in self._objects:
                self._put(check_key(key), body)

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        body = self._found(key).body
        limits.check_size(len(body), limit, f"{self.uri}/{key}")
        path.write_bytes(body)

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        with self._lock:
            body = self._found(source).body
            if not new or target not in self._objects:
                self._put(check_key(target), body)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        found = sorted((key, each) for key, each in list(self._objects.items()) if key.startswith(prefix))
        return iter([Entry(key, len(each.body), each.modified) for key, each in found])

    def delete(self, key: str) -> None:
        with self._lock:
            self._objects.pop(check_key(key), None)

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        return iter(())

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def _found(self, key: str) -> _Object:
        found = self._objects.get(check_key(key))
        if found is None:
            raise NotFound("there is no such object", where=f"{self.uri}/{key}")
        return found

    def _put(self, key: str, body: bytes) -> Won:
        self._writes += 1
        self._objects[key] = _Object(body, str(self._writes), self.now())
        return Won(str(self._writes))
