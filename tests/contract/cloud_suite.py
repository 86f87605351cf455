"""What Google's and Azure's stores must do beside the suite of every store, with answers spoiled on their way."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from contract.test_store import TestStore
from emulators.proxy import Proxy
from model_release.errors import OutcomeUnknown, StoreUnavailable
from model_release.stores.base import Lost, Store, Won
from model_release.stores.create_once import create_once


def spoil(proxy: Proxy, verb: str, *answers: bytes | None) -> list[str]:
    """Answer the next requests of one verb so; return the growing list of all request lines."""
    seen: list[str] = []
    left = list(answers)

    def change(request: bytes, answer: bytes) -> bytes | None:
        if not answer.startswith(b"HTTP/1.1 "):
            return answer
        seen.append(request.split(b"\r\n", 1)[0].decode())
        return left.pop(0) if left and request.startswith(verb.encode()) else answer

    proxy.spoil = change
    return seen


class CloudSuite(TestStore):
    """The suite. A module that runs it has the fixtures `server`, `any_store`, `store` (through `proxy`) and `big`.

    Attributes:
        creates: the HTTP verb of an upload.
        throttled: status and code of the answers that ask for fewer requests.
        told: what of them the error repeats.
    """

    creates: ClassVar[str]
    throttled: ClassVar[list[tuple[int, str]]]
    told: ClassVar[str]

    @staticmethod
    @abstractmethod
    def answering(status: int, code: str, /) -> bytes:
        """An answer in the service's form."""

    @staticmethod
    @abstractmethod
    def outage(status: int) -> bytes | None:
        """An answer in the service's form that leaves open what has happened."""

    @pytest.mark.parametrize("status", [None, 500, 503])
    def test_a_lost_answer_is_neither_won_nor_lost(self, store: Store, proxy: Proxy, status: int | None) -> None:
        answer = None if status is None else self.outage(status)
        requests = spoil(proxy, self.creates, answer)
        with pytest.raises(OutcomeUnknown, match="may have happened"):
            store.create("key", b"mine")
        assert len(requests) == 1, "what may have happened is not repeated in silence"
        assert isinstance(store.create("key", b"mine"), Lost), "it had happened"
        spoil(proxy, self.creates, answer)
        assert create_once(store, "other", b"mine") == b"mine"

    def test_throttling_is_waited_for(self, store: Store, proxy: Proxy) -> None:
        store.create("key", b"x")
        for status, code in self.throttled:
            spoil(proxy, "GET", self.answering(status, code))
            assert store.get("key") is not None
            spoil(proxy, "GET", *[self.answering(status, code)] * 3)
            with pytest.raises(StoreUnavailable, match=self.told.format(status=status, code=code)):
                store.get("key")

    @pytest.mark.parametrize("status", [500, 503])
    def test_reads_and_uploads_are_repeated(self, store: Store, proxy: Proxy, tmp_path: Path, status: int) -> None:
        (tmp_path / "file").write_bytes(b"x")
        calls: dict[str, Callable[[], object]] = {
            self.creates: lambda: store.upload("key", tmp_path / "file"),
            "GET": lambda: store.get("key"),
            "DELETE": lambda: store.delete("key"),
        }
        for verb, call in calls.items():
            requests = spoil(proxy, verb, self.outage(status), None)
            call()
            assert len([each for each in requests if each.startswith(verb)]) == 3

    def test_requests(self, store: Store, proxy: Proxy, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        won = store.create("first", b"x")
        assert isinstance(won, Won)
        calls: dict[str, Callable[[], object]] = {
            "get": lambda: store.get("first"),
            "create": lambda: store.create("key", b"x"),
            "replace": lambda: store.replace("first", b"y", won.token),
            "upload": lambda: store.upload("file", tmp_path / "file"),
            "download": lambda: store.download("file", tmp_path / "target"),
            "copy": lambda: store.copy("file", "latest/file"),
            "delete": lambda: store.delete("file"),
            "now": lambda: store.now(),
        }
        for name, call in calls.items():
            requests = spoil(proxy, "-")
            call()
            assert len(requests) == 1, (name, requests)

    def test_parts(self, any_store: Store, big: Path, tmp_path: Path) -> None:
        target = tmp_path / "target"
        any_store.upload("big", big)
        any_store.copy("big", "copy")
        any_store.download("copy", target)
        assert target.read_bytes() == big.read_bytes()
