"""The mirror of MLflow's data: pushed while runs are logged, killed, raced for, and restored elsewhere."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mlruns_mirror import keys, pull, push
from mlruns_mirror.local import Source, scan, scratch_in
from mlruns_mirror.manifest import Index, absorbed
from mlruns_mirror.reading import read_files, read_mirror
from mlruns_mirror.unchanged import Pushed, unchanged
from model_release.errors import Contended, Corrupt, NotFound, Refused, UsageError
from model_release.stores.base import Store
from model_release.stores.local import LocalStore
from model_release.stores.reader.reader import Reader
from support.interposed_store import Interposed, Request
from support.local_mlruns import Local
from support.memory_store import MemoryStore

LONG_AGO = 1_700_000_000


def reading(store: Store) -> Reader:
    """What a pull reads a store by."""
    return Reader(store.uri, "", lambda: store)


@dataclass
class Counted:
    """A store that counts what it is asked, and may let something happen before a request."""

    inner: Store
    before: Callable[[Request], None] = lambda request: None
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def store(self) -> Interposed:
        def between(request: Request) -> Any:
            self.before(request)
            self.counts[request.verb] += 1
            return request.perform()

        return Interposed(self.inner, between)


@pytest.fixture(autouse=True)
def settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust stamps that are a fiftieth of a second old: a file system's clock has steps of four milliseconds."""
    monkeypatch.setattr("mlruns_mirror.local._SETTLED_NS", 20_000_000)


@pytest.fixture
def local(tmp_path: Path) -> Local:
    made = Local(tmp_path / "here", files=10)
    time.sleep(0.03)
    return made


def names(store: Store) -> dict[str, str]:
    """The files that a mirror names, by path, with the content that lies there."""
    found = store.get(keys.TOP)
    assert found is not None
    return {path: body_of(store, keys.file(path)) for path in read_files(store, read_mirror(store, found))}


def body_of(store: Store, key: str) -> str:
    found = store.get(key)
    assert found is not None, key
    return found.body.decode()


def restored(store: Store, folder: Path) -> dict[str, str]:
    """What a pull makes of a mirror: the files, and each run's place of artifacts under its id."""
    done = pull.pull(reading(store), folder)
    files = {path: (folder / "mlruns" / path).read_text() for path in scan(folder / "mlruns")}
    assert done.files == len(files)
    with closing(sqlite3.connect(folder / "mlflow.db")) as opened:
        return files | dict(opened.execute("SELECT run_uuid, artifact_uri FROM runs").fetchall())


class TestPushing:
    @pytest.mark.parametrize("files", [10, 1000])
    def test_what_has_not_changed_costs_one_request(self, tmp_path: Path, files: int) -> None:
        here = Local(tmp_path / "here")
        for number in range(files):
            here.write(f"1/run/artifacts/{number}", str(number))
        time.sleep(0.03)
        counted = Counted(MemoryStore())
        first = push.push(counted.store, here.source)
        assert (first.sent, first.database, first.files) == (files, True, files)
        counted.counts.clear()
        assert unchanged(counted.store, here.source) == Pushed(first.uri, files, first.size, 0)
        assert counted.counts == {"get": 1}
        counted.counts.clear()
        again = push.push(counted.store, here.source)
        assert (again.sent, again.database, counted.counts) == (0, False, {"get": 1})

    def test_what_is_new_goes_up_alone(self, memory: MemoryStore, local: Local) -> None:
        counted = Counted(memory)
        push.push(counted.store, local.source)
        local.run("more")
        time.sleep(0.03)
        counted.counts.clear()
        done = push.push(counted.store, local.source)
        assert (done.sent, done.sent_size, done.files, done.runs) == (1, 4, 11, 11)
        assert counted.counts == {"get": 1, "upload": 2, "create": 1, "replace": 1}, "a file, the database, the index"
        runs = [*(f"run{number:04d}" for number in range(10)), "more"]
        assert names(memory) == {f"1/{run}/artifacts/model.pkl": run for run in runs}

    def test_indexes_stay_few_and_small(self, memory: MemoryStore, local: Local) -> None:
        push.push(memory, local.source)
        for number in range(40):
            local.run(f"more{number}")
            push.push(memory, local.source)
        found = memory.get(keys.TOP)
        assert found is not None
        mirror = read_mirror(memory, found)
        assert len(mirror.indexes) <= 6
        assert len(read_files(memory, mirror)) == mirror.files == 50

    def test_an_index_takes_up_those_that_are_not_much_larger(self) -> None:
        indexes = [Index(sha256="0" * 64, paths=each) for each in (1000, 30, 9, 4)]
        assert [absorbed(indexes, new) for new in (1, 2, 5, 20, 1000)] == [0, 3, 3, 3, 4]

    def test_what_is_gone_here_stays_there_unless_told(self, tmp_path: Path, local: Local) -> None:
        store = LocalStore(tmp_path / "bucket")
        push.push(store, local.source)
        (local.root / "1/run0003/artifacts/model.pkl").unlink()
        local.run("run0004", "changed")
        time.sleep(0.03)
        assert push.push(store, local.source).files == 10
        assert names(store)["1/run0003/artifacts/model.pkl"] == "run0003"
        assert len([*store.list("mirror/")]) == 5, "two databases, two indexes, what was replaced"

        told = push.push(store, local.source, delete=True, dry_run=True)
        assert (told.forgotten, told.files, len(names(store))) == (1, 9, 10)
        done = push.push(store, local.source, delete=True)
        assert (done.forgotten, done.files, done.removed) == (1, 9, 0), "a pull may be under way: a day later"
        for each in store.list():
            os.utime(store.root / each.key, (LONG_AGO, LONG_AGO))
        assert push.push(store, local.source, delete=True).removed == 4
        assert len([*store.list()]) == 9 + 4, "mirror.json, two indexes, a database"
        assert len(restored(store, tmp_path / "there")) == 9 + 10

    def test_any_name_finds_its_way(self, tmp_path: Path, memory: MemoryStore) -> None:
        here = Local(tmp_path / "here")
        odd = ["a b/c=d", ".hidden/.x", "mirror/index", "mirror.json", "ünï", "=20", " ", "_= ", "_==20", "dot.", "-"]
        for each in odd:
            here.write(each, each)
        time.sleep(0.03)
        push.push(memory, here.source)
        files = restored(memory, tmp_path / "there")
        assert sorted(files.values()) == sorted(odd)
        assert len({keys.file(each) for each in odd}) == len(odd)

    def test_a_dry_run_changes_nothing(self, memory: MemoryStore, local: Local) -> None:
        told = push.push(memory, local.source, dry_run=True)
        assert (told.sent, told.database, told.files) == (10, True, 10)
        assert [*memory.list()] == []

    def test_nothing_to_push_is_told(self, memory: MemoryStore, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such folder"):
            push.push(memory, Source(None, tmp_path / "mlruns"))
        (tmp_path / "mlflow.db").write_text("no database, but long enough for one of SQLite's own headers" * 9)
        with pytest.raises(UsageError, match="not a database of MLflow's"):
            push.push(memory, Source(tmp_path / "mlflow.db", tmp_path / "mlruns"))
        (tmp_path / "mlruns").mkdir()
        (tmp_path / "mlruns" / "1").symlink_to(tmp_path)
        with pytest.raises(UsageError, match="link to a folder"):
            push.push(memory, Source(None, tmp_path / "mlruns"))


class TestAnotherHistory:
    def test_runs_that_are_not_here_are_not_hidden(self, memory: MemoryStore, local: Local, tmp_path: Path) -> None:
        push.push(memory, local.source)
        other = Local(tmp_path / "other", files=3)
        with pytest.raises(Refused, match="knows 7 runs that are not here, such as run0003"):
            push.push(memory, other.source)
        with pytest.raises(Refused, match="has a database, and this folder has none"):
            push.push(memory, Source(None, other.root))
        assert push.push(memory, other.source, force=True).runs == 3
        assert push.push(memory, local.source).runs == 10, "it has all that the other has"

    def test_a_restored_history_goes_on(self, memory: MemoryStore, local: Local, tmp_path: Path) -> None:
        push.push(memory, local.source)
        pull.pull(reading(memory), tmp_path / "there")
        done = push.push(memory, Source(tmp_path / "there" / "mlflow.db", tmp_path / "there" / "mlruns"))
        assert (done.sent, done.database) == (0, True), "the same files; the database names another place"


class TestRaces:
    def test_two_pushers_lose_nothing(self, memory: MemoryStore, local: Local) -> None:
        """The other one is done while the first sends its last file."""
        other_did: list[Pushed] = []

        def meanwhile(request: Request) -> None:
            if request.verb in ("replace", "create") and request.key == keys.TOP and not other_did:
                other_did.append(Pushed(""))
                local.run("late")
                other_did[0] = push.push(memory, local.source)

        done = push.push(Counted(memory, meanwhile).store, local.source)
        assert (other_did[0].runs, done.runs, done.files) == (11, 11, 11)
        assert len(names(memory)) == 11

    def test_one_that_always_loses_says_so(self, memory: MemoryStore, local: Local) -> None:
        push.push(memory, local.source)
        local.run("more")

        def meanwhile(request: Request) -> None:
            if request.verb == "replace":
                now = memory.get(keys.TOP)
                assert now is not None
                other = read_mirror(memory, now).model_copy(update={"write_id": uuid.uuid4().hex})
                memory.replace(keys.TOP, other.to_bytes(), now.token)

        with pytest.raises(Contended, match="5 other pushes"):
            push.push(Counted(memory, meanwhile).store, local.source)

    def test_a_file_that_changes_while_it_goes_up_is_named_as_it_lies_there(
        self, memory: MemoryStore, local: Local, tmp_path: Path
    ) -> None:
        texts = iter(str(number) * 7 for number in range(10, 99))

        def meanwhile(request: Request) -> None:
            if request.verb == "upload" and "run0005" in request.key:
                local.write("1/run0005/artifacts/model.pkl", next(texts))

        push.push(Counted(memory, meanwhile).store, local.source)
        path = "1/run0005/artifacts/model.pkl"
        assert restored(memory, tmp_path / "there")[path] == names(memory)[path]
        time.sleep(0.03)
        push.push(memory, local.source)
        assert names(memory)[path] == (local.root / path).read_text()

    def test_a_half_push_leaves_the_mirror_as_it_was(self, memory: MemoryStore, local: Local, tmp_path: Path) -> None:
        push.push(memory, local.source)
        before = restored(memory, tmp_path / "before")
        local.write("1/run0002/artifacts/model.pkl", "overwritten")
        local.run("more")
        time.sleep(0.03)

        def dies(request: Request) -> None:
            if request.verb == "replace":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            push.push(Counted(memory, dies).store, local.source)
        assert body_of(memory, "1/run0002/artifacts/model.pkl") == "overwritten"
        after = restored(memory, tmp_path / "after")
        assert {path: text for path, text in after.items() if "/after/" not in text} == {
            path: text for path, text in before.items() if "/before/" not in text
        }

    def test_a_pull_begins_anew_when_a_push_has_passed_by(
        self, memory: MemoryStore, local: Local, tmp_path: Path
    ) -> None:
        push.push(memory, local.source)
        passed: list[bool] = []

        def meanwhile(request: Request) -> None:
            if request.key.startswith("mirror/index/") and not passed:
                passed.append(True)
                path = "1/run0007/artifacts/model.pkl"
                (local.root / path).unlink()
                push.push(memory, local.source, delete=True)
                memory.delete(keys.file(path))

        assert pull.pull(reading(Counted(memory, meanwhile).store), tmp_path / "there").files == 9


class TestPulling:
    def test_damage_is_found_and_named(self, memory: MemoryStore, local: Local, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="no mirror is there"):
            pull.pull(reading(memory), tmp_path / "there")
        push.push(memory, local.source)
        key = "1/run0001/artifacts/model.pkl"
        memory.delete(key)
        memory.create(key, b"run0002")
        with pytest.raises(Corrupt, match="run0001/artifacts/model.pkl: these bytes differ from the pushed ones"):
            pull.pull(reading(memory), tmp_path / "there")
        assert not (tmp_path / "there" / "mlflow.db").exists()
        assert not (tmp_path / "there" / "mlruns" / key).exists()

    def test_what_files_have_in_common_travels_once(self, memory: MemoryStore, local: Local, tmp_path: Path) -> None:
        paths = [f"1/models/m-{number}/artifacts/conda.yaml" for number in range(5)]
        for each in paths:
            local.write(each, "the same for all")
        push.push(memory, local.source)
        (tmp_path / "there" / "mlruns" / paths[3]).parent.mkdir(parents=True)
        (tmp_path / "there" / "mlruns" / paths[3]).write_text("the same for all")
        memory.delete(paths[0])
        counted = Counted(memory)
        done = pull.pull(reading(counted.store), tmp_path / "there")
        assert (done.files, done.fetched) == (15, 14)
        assert counted.counts["download"] == 10 + 2 + 1, "ten models; one that is gone, one that is not; the database"
        for each in paths:
            (tmp_path / "there" / "mlruns" / each).write_text(each)
        assert {(tmp_path / "there" / "mlruns" / each).read_text() for each in paths} == {*paths}, "files of their own"

    def test_a_database_is_not_replaced_unless_told(self, memory: MemoryStore, local: Local, tmp_path: Path) -> None:
        push.push(memory, local.source)
        there = tmp_path / "there"
        assert pull.pull(reading(memory), there).fetched == 10
        with pytest.raises(Refused, match="a database already"):
            pull.pull(reading(memory), there)
        (there / "mlruns/1/run0001/artifacts/model.pkl").write_text("damaged")
        assert pull.pull(reading(memory), there, overwrite=True).fetched == 1

    @pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a/../../x", ".", ""])
    def test_a_mirror_cannot_write_elsewhere(self, path: str) -> None:
        with pytest.raises(Corrupt, match="not the path of a file"):
            pull._check_path(path, "s3://bucket/mlruns")


KILLED = """
import os, sys, time
from pathlib import Path
from support.interposed_store import Interposed
from mlruns_mirror import local, pull, push
from model_release.stores.local import LocalStore
from model_release.stores.reader.reader import Reader
local._SETTLED_NS = 20_000_000
verb, here, bucket, count, log = sys.argv[1:]
seen = 0
def between(request):
    global seen
    if request.verb in ("upload", "download"):
        seen += 1
        if seen == int(count):
            os.kill(os.getpid(), 9)
        done = request.perform()
        with open(log, "a") as out:
            out.write(request.key + chr(10))
        return done
    return request.perform()
store = Interposed(LocalStore(Path(bucket)), between)
if verb == "push":
    push.push(store, local.Source(Path(here) / "mlflow.db", Path(here) / "mlruns"))
else:
    pull.pull(Reader(store.uri, "", lambda: store), Path(here))
"""


class Killed:
    """Pushes and pulls as processes that kill themselves at a transfer."""

    def __init__(self, tmp_path: Path) -> None:
        self.bucket, self.log = tmp_path / "bucket", tmp_path / "log"

    def run(self, verb: str, here: Path, at: int = 10**9) -> tuple[int, list[str]]:
        """Return how it ended, and the keys that travelled to their end."""
        self.log.unlink(missing_ok=True)
        words = [sys.executable, "-c", KILLED, verb, str(here), str(self.bucket), str(at), str(self.log)]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        ended = subprocess.run(words, env=env, check=False, timeout=60).returncode
        return ended, self.log.read_text().split() if self.log.exists() else []


def test_killed_it_goes_on_where_it_was(tmp_path: Path) -> None:
    local, killed = Local(tmp_path / "here", files=120), Killed(tmp_path)
    time.sleep(0.03)
    ended, first = killed.run("push", tmp_path / "here", at=60)
    assert ended == -signal.SIGKILL and len(first) >= 40
    ended, second = killed.run("push", tmp_path / "here", at=20)
    assert ended == -signal.SIGKILL
    ended, third = killed.run("push", tmp_path / "here")
    assert ended == 0
    sent = Counter(key for key in first + second + third if key.startswith("1/"))
    assert len(sent) == 120
    assert sum(sent.values()) <= 120 + 2 * 32, "again only what was on its way, or not noted yet; beginning anew is 200"
    assert len(names(LocalStore(killed.bucket))) == 120

    ended, some = killed.run("pull", tmp_path / "there", at=70)
    assert ended == -signal.SIGKILL and not (tmp_path / "there" / "mlflow.db").exists()
    ended, rest = killed.run("pull", tmp_path / "there")
    assert ended == 0 and len(some) + len(rest) <= 120 + 3 + 16
    files = {path: (tmp_path / "there" / "mlruns" / path).read_text() for path in scan(tmp_path / "there" / "mlruns")}
    assert files == {path: (local.root / path).read_text() for path in scan(local.root)}

    left = [*(tmp_path / "there" / ".model-release").glob("new-*")]
    for each in left:
        os.utime(each, (LONG_AGO, LONG_AGO))
    assert left
    with scratch_in(tmp_path / "there"):
        assert not [each for each in left if each.exists()]
