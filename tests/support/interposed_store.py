"""A `Store` that lets a test stand between code and a real store: to count, fail, kill or hand over control."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from model_release.stores.base import OCTETS, Entry, Lost, Outcome, Store, Stored


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the verb and the key that it is about (the target, for a copy)."""

    verb: str
    key: str
    perform: Callable[[], Any]

    @property
    def writes(self) -> bool:
        """Whether it changes the store."""
        return self.verb in ("create", "replace", "upload", "copy", "delete")

    @property
    def conditional(self) -> bool:
        """Whether it ends as won or lost."""
        return self.verb in ("create", "replace")

    def __str__(self) -> str:
        return f"{self.verb} {self.key}"


class Interposed:
    """Passes every request to `between`, which performs it or does not."""

    def __init__(self, inner: Store, between: Callable[[Request], Any]) -> None:
        self.uri = inner.uri
        self._inner = inner
        self._between = between

    def get(self, key: str) -> Stored | None:
        answer: Stored | None = self._between(Request("get", key, lambda: self._inner.get(key)))
        return answer

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        kept = {"content_type": content_type, "cache_control": cache_control}
        answer: Outcome = self._between(Request("create", key, lambda: self._inner.create(key, body, **kept)))
        return answer

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        kept = {"content_type": content_type, "cache_control": cache_control}
        answer: Outcome = self._between(Request("replace", key, lambda: self._inner.replace(key, body, token, **kept)))
        return answer

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        kept: dict[str, Any] = {"content_type": content_type, "cache_control": cache_control, "new": new}
        self._between(Request("upload", key, lambda: self._inner.upload(key, path, **kept)))

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        self._between(Request("download", key, lambda: self._inner.download(key, path, limit=limit)))

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        kept: dict[str, Any] = {"cache_control": cache_control, "new": new}
        self._between(Request("copy", target, lambda: self._inner.copy(source, target, **kept)))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        answer: Iterator[Entry] = self._between(Request("list", prefix, lambda: iter([*self._inner.list(prefix)])))
        return answer

    def delete(self, key: str) -> None:
        self._between(Request("delete", key, lambda: self._inner.delete(key)))

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        def perform() -> Iterator[str]:
            return iter([*self._inner.unfinished(before, remove=remove)])

        answer: Iterator[str] = self._between(Request("unfinished", "", perform))
        return answer

    def now(self) -> datetime:
        answer: datetime = self._between(Request("now", "", self._inner.now))
        return answer


def losing_the_answer(store: Store) -> Store:
    """The first swap happens, and its answer is lost inside the SDK, whose own retry is then refused."""
    lost: list[Request] = []

    def between(request: Request) -> object:
        outcome = request.perform()
        if request.verb == "replace" and not lost:
            lost.append(request)
            return Lost()
        return outcome

    return Interposed(store, between)
