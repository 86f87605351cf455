"""What every store must do. A later store joins by one line in `STORES`."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model_release.documents import limits
from model_release.errors import Corrupt, NotFound, UnsafeKey
from model_release.stores.base import Lost, Store, Won
from model_release.stores.local import LocalStore
from support.memory_store import MemoryStore

STORES: dict[str, Callable[[Path], Store]] = {
    "local": lambda folder: LocalStore(folder / "store"),
    "memory": lambda folder: MemoryStore(),
}
THREADS = 16


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each store, empty."""
    opened: Store = request.param(tmp_path)
    return opened


def body_of(store: Store, key: str) -> bytes:
    stored = store.get(key)
    assert stored is not None
    return stored.body


@pytest.fixture
def ignored() -> set[str]:
    """The conditions that a server does not look at: none of these do that."""
    return set()


class TestStore:
    """The suite. A module that runs it says by `ignored` which conditions its server does not look at."""

    def test_what_is_not_there(self, any_store: Store, tmp_path: Path) -> None:
        assert any_store.get("a/b") is None
        any_store.create("a/b", b"x")
        assert any_store.get("a") is None, "a prefix is not an object"
        assert any_store.get("a/b/c") is None, "an object is not a folder"
        with pytest.raises(NotFound, match="a/missing"):
            any_store.download("a/missing", tmp_path / "target")
        with pytest.raises(NotFound, match="a/missing"):
            any_store.copy("a/missing", "a/target")
        assert any_store.get("a/target") is None

    def test_what_is_larger_than_its_bound_is_not_read(self, any_store: Store, tmp_path: Path) -> None:
        limit = limits.largest("model.sig")
        for size in (limit, limit + 1):
            (tmp_path / "source").write_bytes(b"x" * size)
            any_store.upload(f"{size}/model.sig", tmp_path / "source")
        assert len(body_of(any_store, f"{limit}/model.sig")) == limit
        with pytest.raises(Corrupt, match=f"{limit + 1}/model.sig: is larger than {limit:,} bytes"):
            any_store.get(f"{limit + 1}/model.sig")
        assert len(body_of(any_store, f"{limit}/model.sig")) == limit, "the next request is answered"
        any_store.download(f"{limit}/model.sig", tmp_path / "target", limit=limit)
        with pytest.raises(Corrupt, match="is larger than 728 bytes"):
            any_store.download(f"{limit}/model.sig", tmp_path / "target", limit=728)

    def test_a_large_object_is_not_downloaded_beyond_its_bound(self, any_store: Store, tmp_path: Path) -> None:
        (tmp_path / "source").write_bytes(b"x" * (17 * 1024 * 1024))
        any_store.upload("v1.0.0/file.bin", tmp_path / "source")
        with pytest.raises(Corrupt, match="is larger than 16,777,216 bytes"):
            any_store.download("v1.0.0/file.bin", tmp_path / "target", limit=16 * 1024 * 1024)
        any_store.download("v1.0.0/file.bin", tmp_path / "target", limit=17 * 1024 * 1024)

    def test_a_download_asks_for_no_more_than_its_bound_and_one_byte(self, any_store: Store, tmp_path: Path) -> None:
        (tmp_path / "source").write_bytes(b"x" * 729)
        any_store.upload("v1.0.0/file.bin", tmp_path / "source")
        for limit in (0, 727, 728):
            with pytest.raises(Corrupt, match=f"is larger than {limit} bytes"):
                any_store.download("v1.0.0/file.bin", tmp_path / "target", limit=limit)
            assert not (tmp_path / "target").exists()
        any_store.download("v1.0.0/file.bin", tmp_path / "target", limit=729)
        assert (tmp_path / "target").stat().st_size == 729

    def test_create_only(self, any_store: Store) -> None:
        assert isinstance(any_store.create("deep/in/key", b"first"), Won)
        assert isinstance(any_store.create("deep/in/key", b"second"), Lost)
        assert isinstance(any_store.create("deep/in/key", b"first"), Lost), "equal bytes lose as well"
        assert body_of(any_store, "deep/in/key") == b"first"

    def test_replace_needs_the_token_of_now(self, any_store: Store) -> None:
        assert isinstance(any_store.replace("key", b"x", "any token"), Lost), "there is nothing to replace"
        assert any_store.get("key") is None
        won = any_store.create("key", b"one")
        assert isinstance(won, Won)
        read = any_store.get("key")
        assert read is not None
        assert read.token == won.token
        second = any_store.replace("key", b"two", won.token)
        assert isinstance(second, Won)
        assert isinstance(any_store.replace("key", b"three", won.token), Lost), "a stale token"
        assert body_of(any_store, "key") == b"two"
        assert isinstance(any_store.replace("key", b"three", second.token), Won)
        any_store.delete("key")
        assert isinstance(any_store.replace("key", b"four", second.token), Lost)
        assert any_store.get("key") is None

    @pytest.mark.parametrize("size", [0, 1, 5 * 1024 * 1024 + 17])
    def test_files(self, any_store: Store, tmp_path: Path, size: int) -> None:
        source, target = tmp_path / "source", tmp_path / "target"
        source.write_bytes((b"0123456789abcde" * (size // 15 + 1))[:size])
        any_store.upload("v1.0.0/file.bin", source)
        any_store.copy("v1.0.0/file.bin", "latest/file.bin")
        any_store.delete("v1.0.0/file.bin")
        any_store.download("latest/file.bin", target)
        assert target.read_bytes() == source.read_bytes()
        assert [(each.key, each.size) for each in any_store.list()] == [("latest/file.bin", size)]

    def test_upload_and_copy_replace(self, any_store: Store, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"new")
        any_store.create("one", b"old")
        any_store.create("two", b"old and long")
        any_store.upload("one", tmp_path / "file")
        any_store.copy("one", "two")
        assert body_of(any_store, "one") == body_of(any_store, "two") == b"new"

    @pytest.mark.parametrize("size", [5, 9 * 1024 * 1024])
    def test_what_is_new_leaves_what_is_there(
        self, any_store: Store, tmp_path: Path, size: int, ignored: set[str]
    ) -> None:
        first, second, back = (tmp_path / name for name in ("first", "second", "back"))
        first.write_bytes(b"1" * size)
        second.write_bytes(b"2" * size)
        any_store.upload("new/a", first, new=True)
        if not (size > 9 and "large upload" in ignored):
            any_store.upload("new/a", second, new=True)
        any_store.upload("new/b", second)
        any_store.copy("new/b", "new/c", new=True)
        any_store.download("new/c", back)
        assert back.read_bytes() == second.read_bytes()
        if "copy" not in ignored:
            any_store.copy("new/b", "new/a", new=True)
        any_store.download("new/a", back)
        assert back.read_bytes() == first.read_bytes()

    def test_list(self, any_store: Store) -> None:
        keys = [
            "v1.0.0/a",
            "v1.0.0/a.b",
            "v1.0.0/a/b",
            "v1.0.0-x",
            "v1.10.0/a",
            "v1.9.0/a",
            "log/000000000002.json",
        ]
        for key in keys:
            if key != "v1.0.0/a/b":  # a folder cannot hold a file and a folder of one name
                any_store.create(key, key.encode())
        keys.remove("v1.0.0/a/b")
        assert [each.key for each in any_store.list()] == sorted(keys)
        assert [each.key for each in any_store.list("v1.0.0/")] == ["v1.0.0/a", "v1.0.0/a.b"]
        assert [each.key for each in any_store.list("v1.0.0/a.")] == ["v1.0.0/a.b"]
        assert [each.key for each in any_store.list("v1")] == sorted(key for key in keys if key.startswith("v1"))
        assert [each.key for each in any_store.list("v1.0.0/a")] == ["v1.0.0/a", "v1.0.0/a.b"]
        assert [*any_store.list("nothing/")] == []
        assert [*any_store.list("nothing")] == []
        assert {each.key: each.size for each in any_store.list()} == {key: len(key) for key in keys}

    def test_delete_again(self, any_store: Store) -> None:
        any_store.create("a/b", b"x")
        any_store.delete("a/b")
        any_store.delete("a/b")
        any_store.delete("never/there")
        assert any_store.get("a/b") is None
        assert [*any_store.list()] == []
        assert isinstance(any_store.create("a/b", b"y"), Won)

    @pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\\b", "a\0b", ".hidden", "ä"])
    def test_unsafe_keys(self, any_store: Store, tmp_path: Path, key: str) -> None:
        (tmp_path / "file").write_bytes(b"x")
        any_store.create("safe", b"x")
        calls: list[Callable[[], object]] = [
            lambda: any_store.get(key),
            lambda: any_store.create(key, b"x"),
            lambda: any_store.replace(key, b"x", "token"),
            lambda: any_store.upload(key, tmp_path / "file"),
            lambda: any_store.download(key, tmp_path / "target"),
            lambda: any_store.copy("safe", key),
            lambda: any_store.copy(key, "target"),
            lambda: any_store.delete(key),
        ]
        for call in calls:
            with pytest.raises(UnsafeKey):
                call()
        assert [each.key for each in any_store.list()] == ["safe"]

    def test_clock(self, any_store: Store) -> None:
        now = any_store.now()
        assert now.tzinfo is not None
        assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
        any_store.create("key", b"x")
        stored, (entry,) = any_store.get("key"), [*any_store.list()]
        assert stored is not None
        for written in (stored.modified, entry.modified):
            assert abs(written - now) < timedelta(minutes=1)

    def test_racing_creators_have_one_winner(self, any_store: Store) -> None:
        start = threading.Barrier(THREADS)

        def race(me: int, key: str) -> bool:
            start.wait()
            return isinstance(any_store.create(key, str(me).encode()), Won)

        with ThreadPoolExecutor(THREADS) as pool:
            for turn in range(10):
                key = f"race/{turn}"
                won = [*pool.map(race, range(THREADS), [key] * THREADS)]
                assert won.count(True) == 1
                assert body_of(any_store, key) == str(won.index(True)).encode()

    def test_racing_swaps_lose_no_change(self, any_store: Store) -> None:
        any_store.create("counter", b"0")

        def add(times: int) -> None:
            while times:
                stored = any_store.get("counter")
                assert stored is not None
                more = str(int(stored.body) + 1).encode()
                times -= isinstance(any_store.replace("counter", more, stored.token), Won)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(add, [200 // THREADS + (me < 200 % THREADS) for me in range(THREADS)]))
        assert body_of(any_store, "counter") == b"200"


ADDS = """
import sys
from pathlib import Path
from model_release.stores.base import Won
from model_release.stores.local import LocalStore

store, times = LocalStore(Path(sys.argv[1])), int(sys.argv[2])
created = isinstance(store.create("race", sys.argv[3].encode()), Won)
while times:
    stored = store.get("counter")
    times -= isinstance(store.replace("counter", str(int(stored.body) + 1).encode(), stored.token), Won)
print(created)
"""

WRITES = """
import sys
from pathlib import Path
from model_release.stores.local import LocalStore

store, source = LocalStore(Path(sys.argv[1])), Path(sys.argv[2])
print("ready", flush=True)
for turn in range(10_000):
    store.upload(f"big/{turn}", source)
    store.upload("big/again", source)
    store.create(f"created/{turn}", source.read_bytes())
"""


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start Python with this process's import path."""
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    return subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_racing_processes(tmp_path: Path) -> None:
    """The folder's lock and links hold between processes too."""
    store = LocalStore(tmp_path / "store")
    store.create("counter", b"0")
    racers = [python(ADDS, str(store.root), "25", str(me)) for me in range(4)]
    said = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert body_of(store, "counter") == b"100"
    assert sorted(said) == ["False", "False", "False", "True"]
    assert body_of(store, "race") == str(said.index("True")).encode()


def test_killed_writer_leaves_no_half_object(tmp_path: Path) -> None:
    """Killed at any moment of an upload or a create, whatever stands under a key is whole, for readers at once."""
    store = LocalStore(tmp_path / "store")
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 4 * 1024 * 3)
    whole = source.read_bytes()
    for moment in range(12):
        writer = python(WRITES, str(store.root), str(source))
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        try:
            for _ in range(moment):
                seen = store.get("big/again")
                assert seen is None or seen.body == whole
            threading.Event().wait(0.003 * moment)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.communicate(timeout=30)
        for entry in store.list():
            assert body_of(store, entry.key) == whole, entry.key
    assert isinstance(store.create("afterwards", b"x"), Won)
    stored = store.get("afterwards")
    assert stored is not None
    assert isinstance(store.replace("afterwards", b"y", stored.token), Won), "the dead writers hold no lock"
