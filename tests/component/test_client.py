"""The consumer: what it fetches, what it refuses, what it leaves in place whatever happens."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model_release import client
from model_release.client.folder import Folder
from model_release.client.watching import pause
from model_release.documents.pointer import Change, Kind, Pointer, recovered
from model_release.errors import Corrupt, NotFound, Refused, Stop, StoreUnavailable, UsageError
from model_release.releases import acts
from model_release.releases.catalog import live_manifest, promotion_target_of, read_pointer
from model_release.releases.store import ReleaseStore
from model_release.stores.local import LocalStore
from support.release_builder import Chain, act, make
from support.web_server import Shop, shop

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder with one release, v1.0.0."""
    made = LocalStore(tmp_path / "store" / "heart-disease-models")
    Chain(made).release(make(tmp_path, "a"))
    return made


@pytest.fixture
def to(tmp_path: Path) -> Path:
    """The consumer's folder, not there yet."""
    return tmp_path / "to"


@pytest.fixture
def web(store: LocalStore) -> Iterator[Shop]:
    """The release on the web."""
    with shop(store.root) as opened:
        yield opened


def release(store: LocalStore, tmp_path: Path, name: str, **facts: Any) -> None:
    """Make another release, which goes live."""
    live = read_pointer(store)
    assert live is not None
    since = live.pointer.since
    assert Chain(store).release(make(tmp_path, name, since=since, **facts), since=since).pointer is not None


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "model_release", *map(str, arguments)]


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, check=False, **options)


def set_pointer(store: LocalStore, **changes: Any) -> None:
    """Write a pointer as no release does."""
    live = read_pointer(store)
    assert live is not None
    (store.root / "latest.json").write_bytes(live.pointer.model_copy(update=changes).to_bytes())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


class TestPull:
    """What a pull brings."""

    def test_exactly_what_the_manifest_names(self, store: LocalStore, to: Path) -> None:
        (store.root / "v1.0.0" / "stray.txt").write_text("not in the manifest")
        pulled = client.pull(store.uri, to=to)
        assert (str(pulled.version), pulled.changed, pulled.stale) == ("v1.0.0", True, False)
        assert names(pulled.folder) == ["best_model.pkl", "metadata.json", "model_card.html", "preprocessor.pkl"]
        for name in names(pulled.folder):
            assert (to / "current" / name).read_bytes() == (store.root / "v1.0.0" / name).read_bytes()
        assert (to / "current").resolve() == pulled.folder
        assert (to / "latest.json").read_bytes() == (store.root / "latest.json").read_bytes()
        assert pulled.pointer is not None
        assert live_manifest(store, pulled.pointer) == pulled.manifest
        again = client.pull(str(store.root), to=to)
        assert (again.folder, again.changed) == (pulled.folder, False)

    def test_a_release_of_an_older_format(self, to: Path) -> None:
        pulled = client.pull(str(GOLDEN), to=to)
        assert str(pulled.version) == "v1.4.0"
        assert str(client.pull(str(GOLDEN), to=to, version="v1.1.0").version) == "v1.1.0"

    def test_the_copy_before_is_kept_and_older_ones_go(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        folders = [client.pull(store.uri, to=to).folder]
        for name in ("b", "c"):
            release(store, tmp_path, name)
            folders.append(client.pull(store.uri, to=to).folder)
            assert client.pull(store.uri, to=to).folder == folders[-1], "an unchanged pull removes nothing"
        assert [folder.exists() for folder in folders] == [False, True, True]
        assert names(to) == sorted(["current", "latest.json", folders[1].name, folders[2].name])

    def test_a_damaged_copy_is_replaced_and_what_is_right_of_it_is_not_fetched_again(self, web: Shop, to: Path) -> None:
        first = client.pull(web.url, to=to)
        (first.folder / "preprocessor.pkl").unlink()
        (first.folder / "preprocessor.pkl").write_bytes(b"preprocessor of x")
        web.forget()
        second = client.pull(web.url, to=to)
        assert second.changed
        assert second.folder != first.folder
        assert web.paths() == ["latest.json", "v1.0.0/metadata.json", "v1.0.0/preprocessor.pkl"]
        assert (to / "current" / "preprocessor.pkl").read_bytes() == b"preprocessor of a"

    def test_the_web_is_asked_for_exact_keys_with_the_signature_of_the_base(
        self, web: Shop, store: LocalStore, tmp_path: Path, to: Path
    ) -> None:
        client.pull(f"{web.url}?sig=s3cret%2F&se=2026", to=to)
        files = ["best_model.pkl", "metadata.json", "model_card.html", "preprocessor.pkl"]
        assert web.paths() == ["latest.json", *(f"v1.0.0/{name}" for name in files)]
        assert set(web.queries) == {"sig=s3cret%2F&se=2026"}
        assert not any("s3cret" in path.read_text(errors="replace") for path in to.rglob("*.json"))
        release(store, tmp_path, "b", model=b"model of " + b"a" * 10)
        web.forget()
        client.pull(web.url, to=to)
        assert "v1.1.0/best_model.pkl" not in web.paths(), "the bytes are those of the version before"

    def test_secrets_of_the_base_are_in_no_message(self, web: Shop, to: Path) -> None:
        done = run("pull", f"{web.url}/nothing?sig=s3cret", "--to", to)
        assert done.returncode == NotFound.exit_code
        assert "s3cret" not in done.stderr + done.stdout
        web.before = lambda _path: (_ for _ in ()).throw(ConnectionError)
        with pytest.raises(StoreUnavailable) as error:
            client.pull(web.url.replace("http://", "http://user:s3cret@"), to=to)
        assert "s3cret" not in str(error.value)

    def test_nothing_is_there(self, tmp_path: Path, to: Path) -> None:
        with pytest.raises(NotFound, match="no latest.json here"):
            client.pull(str(tmp_path / "nowhere"), to=to)
        with pytest.raises(UsageError):
            client.pull("ftp://host/x", to=to)
        with pytest.raises(UsageError, match="Airflow"):
            client.pull("s3://conn@bucket/x", to=to)


class TestAFolderThatIsNotMounted:
    """A store on a disk that is away leaves a folder that is empty, or none."""

    @pytest.mark.parametrize("left", ["an empty folder", "no folder", "no parent"])
    def test_the_last_good_copy_is_used_and_said(self, store: LocalStore, to: Path, left: str) -> None:
        first = client.pull(store.uri, to=to)
        away = store.root.parent if left == "no parent" else store.root
        away.rename(away.with_name("elsewhere"))
        if left == "an empty folder":
            store.root.mkdir()
        again = client.pull(store.uri, to=to)
        assert (again.stale, again.folder, again.changed) == (True, first.folder, False)
        assert "this folder is missing or empty, as one that is not mounted is" in again.notes[0]
        with pytest.raises(StoreUnavailable, match="not mounted"):
            client.pull(store.uri, to=to, strict=True)

    def test_a_watcher_goes_on_when_it_is_back(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        watcher = client.Watcher(store.uri, to)
        watcher.poll()
        store.root.rename(tmp_path / "elsewhere")
        with pytest.raises(StoreUnavailable, match="not mounted"):
            watcher.poll()
        (tmp_path / "elsewhere").rename(store.root)
        release(store, tmp_path, "b")
        pulled = watcher.poll()
        assert pulled is not None
        assert (str(pulled.version), pulled.stale) == ("v1.1.0", False)

    def test_a_follower_that_starts_without_the_folder_has_the_copy(self, store: LocalStore, to: Path) -> None:
        client.pull(store.uri, to=to)
        store.root.rename(store.root.with_name("elsewhere"))
        watcher = client.Watcher(store.uri, to)
        for _ in range(2):
            pulled = watcher.poll()
            assert pulled is not None
            assert pulled.stale

    def test_a_folder_without_a_pointer_that_holds_other_files_is_not_away(self, store: LocalStore, to: Path) -> None:
        client.pull(store.uri, to=to)
        (store.root / "latest.json").unlink()
        with pytest.raises(NotFound, match="no latest.json here"):
            client.pull(store.uri, to=to)


class TestPins:
    """A version or a digest that is asked for."""

    def test_a_version(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        release(store, tmp_path, "b")
        pulled = client.pull(store.uri, to=to, version="v1.0.0")
        assert (str(pulled.version), names(to)) == ("v1.0.0", ["current", pulled.folder.name])
        (store.root / "latest.json").unlink()
        assert client.pull(store.uri, to=to, version="v1.1.0").pointer is None
        with pytest.raises(NotFound, match=r"no release v9.0.0"):
            client.pull(store.uri, to=to, version="v9.0.0")

    def test_a_barred_version_is_refused_with_the_reason(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        release(store, tmp_path, "b")
        acts.rollback(ReleaseStore(store), act("op"))
        with pytest.raises(Refused, match=r"v1\.1\.0 is quarantined by ada: a bad slice\n  → live is v1\.0\.0"):
            client.pull(store.uri, to=to, version="v1.1.0")
        with pytest.raises(Refused, match="v1.0.0 is retired"):
            client.pull(str(GOLDEN), to=to, version="v1.0.0")
        with pytest.raises(NotFound, match="given up"):
            client.pull(str(GOLDEN), to=to, version="v1.3.0")

    def test_a_digest(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        digest = hashlib.sha256((store.root / "v1.0.0" / "metadata.json").read_bytes()).hexdigest()
        assert client.pull(store.uri, to=to, sha256=f"sha256:{digest}").changed
        release(store, tmp_path, "b")
        with pytest.raises(Refused, match="v1.1.0 is live with a manifest of"):
            client.pull(store.uri, to=to, sha256=digest)
        assert str(client.pull(store.uri, to=to, version="v1.0.0", sha256=digest).version) == "v1.0.0"
        with pytest.raises(Corrupt, match="is promised"):
            client.pull(store.uri, to=to, version="v1.0.0", sha256="0" * 64)
        with pytest.raises(UsageError, match="SHA-256"):
            client.pull(store.uri, to=to, sha256="abc")


class TestMemory:
    """Rule 14: which pointers are refused."""

    def refused(self, store: LocalStore, to: Path, match: str) -> None:
        before = (to / "latest.json").read_bytes(), (to / "current").readlink()
        with pytest.raises(Refused, match=match):
            client.pull(store.uri, to=to)
        assert ((to / "latest.json").read_bytes(), (to / "current").readlink()) == before

    def test_a_lower_epoch(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        old = (store.root / "latest.json").read_bytes()
        release(store, tmp_path, "b")
        client.pull(store.uri, to=to)
        (store.root / "latest.json").write_bytes(old)
        self.refused(store, to, r"went back: epoch 1 \(v1.0.0\) after epoch 2 \(v1.1.0\)")
        (to / "latest.json").unlink()
        assert str(client.pull(store.uri, to=to).version) == "v1.0.0", "the way out that the message names"

    def test_a_fork(self, store: LocalStore, to: Path) -> None:
        client.pull(store.uri, to=to)
        set_pointer(store, write_id="another writer")
        self.refused(store, to, "fork: epoch 1")

    def test_another_history(self, store: LocalStore, to: Path) -> None:
        client.pull(store.uri, to=to)
        live = read_pointer(store)
        assert live is not None
        set_pointer(store, lineage="other", epoch=9)
        self.refused(store, to, "another history, other")
        change = Change(
            kind=Kind.RECOVER,
            from_version=None,
            to_version=live.pointer.version,
            by="ada",
            reason="lost",
            at=live.pointer.change.at,
            operation="op",
        )
        new = recovered(
            live.pointer,
            promotion_target_of(live_manifest(store, live.pointer)),
            epoch=9,
            lineage="other",
            ancestors=[live.pointer.lineage],
            home=store.uri,
            change=change,
            write_id="w",
        )
        (store.root / "latest.json").write_bytes(new.to_bytes())
        pulled = client.pull(store.uri, to=to)
        assert pulled.resolved is not None
        assert (pulled.resolved.lineage, pulled.changed) == ("other", False)

    def test_a_hold_is_remembered_and_changes_nothing(self, store: LocalStore, to: Path) -> None:
        client.pull(store.uri, to=to)
        acts.hold(ReleaseStore(store), act("op"))
        pulled = client.pull(store.uri, to=to)
        assert pulled.resolved is not None
        assert (pulled.changed, pulled.resolved.epoch) == (False, 2)
        assert Pointer.read((to / "latest.json").read_bytes(), where="").epoch == 2

    @pytest.mark.parametrize("name", ["best_model.pkl", "metadata.json"])
    def test_nothing_is_remembered_of_what_does_not_verify(
        self, store: LocalStore, tmp_path: Path, to: Path, name: str
    ) -> None:
        before = client.pull(store.uri, to=to)
        release(store, tmp_path, "b")
        path = store.root / "v1.1.0" / name
        body = bytearray(path.read_bytes())
        body[9] ^= 1
        path.write_bytes(body)
        with pytest.raises(Corrupt, match=name):
            client.pull(store.uri, to=to)
        assert (to / "current").resolve() == before.folder
        assert Pointer.read((to / "latest.json").read_bytes(), where="").epoch == 1
        body[9] ^= 1
        path.write_bytes(body)
        assert client.pull(store.uri, to=to).changed

    def test_what_is_longer_than_promised(self, store: LocalStore, to: Path) -> None:
        with (store.root / "v1.0.0" / "best_model.pkl").open("ab") as file:
            file.write(b"!")
        with pytest.raises(Corrupt, match="best_model.pkl"):
            client.pull(store.uri, to=to)

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"format": 1, "version": "1"}', b"\xff", b"[" * 100_000])
    def test_a_pointer_that_is_none(self, store: LocalStore, to: Path, body: bytes) -> None:
        (store.root / "latest.json").write_bytes(body)
        with pytest.raises(Corrupt, match="not what it should be"):
            client.pull(store.uri, to=to)

    def test_a_manifest_that_leads_out_of_the_folder(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        path = store.root / "v1.0.0" / "metadata.json"
        body = path.read_bytes().replace(b'"path": "model_card.html"', b'"path": "../../../evil"')
        path.write_bytes(body)
        set_pointer(store, metadata_sha256=hashlib.sha256(body).hexdigest())
        with pytest.raises(Corrupt, match="path is missing or wrong"):
            client.pull(store.uri, to=to)

    def test_the_pointer_moves_while_its_release_is_read(
        self, web: Shop, store: LocalStore, tmp_path: Path, to: Path
    ) -> None:
        """What it named is pruned before the files were read: the release that is live by then arrives."""

        def move(path: str) -> None:
            if path == "v1.0.0/preprocessor.pkl":
                web.before = lambda _path: None
                release(store, tmp_path, "b")
                (store.root / path).unlink()

        web.before = move
        assert str(client.pull(web.url, to=to).version) == "v1.1.0"


class TestAway:
    """The store cannot be reached."""

    def test_the_last_good_copy_is_used_and_that_is_said(self, web: Shop, tmp_path: Path, to: Path) -> None:
        client.pull(web.url, to=to)
        web.before = lambda _path: (_ for _ in ()).throw(ConnectionError)
        done = run("pull", web.url, "--to", to, "--json")
        told = json.loads(done.stdout)
        assert (done.returncode, told["version"], told["stale"], told["changed"]) == (0, "v1.0.0", True, False)
        assert "the last good copy, v1.0.0, is used: 127.0.0.1" in done.stderr
        with pytest.raises(StoreUnavailable):
            client.pull(web.url, to=to, strict=True)
        assert run("pull", web.url, "--to", tmp_path / "new").returncode == StoreUnavailable.exit_code
        (to / "current" / "best_model.pkl").unlink()
        with pytest.raises(Corrupt, match="is missing"):
            client.pull(web.url, to=to)


class TestKilled:
    """A pull may end at any byte, and several may run at once."""

    SIZE = 6 * 1024 * 1024

    def test_what_has_arrived_is_not_fetched_again(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        first = client.pull(store.uri, to=to)
        release(store, tmp_path, "b", model=os.urandom(self.SIZE))
        with shop(store.root) as web:
            web.chunk, web.delay = 64 * 1024, 0.004
            model = "v1.1.0/best_model.pkl"
            kills = range(1, 4)
            for kill in kills:
                process = subprocess.Popen(command("pull", web.url, "--to", to, "-q"), stdout=subprocess.DEVNULL)
                while web.sent.get(model, 0) < kill * self.SIZE / 4:
                    assert process.poll() is None
                    time.sleep(0.002)
                process.kill()
                assert process.wait() == -signal.SIGKILL
                assert (to / "current").resolve() == first.folder
            web.delay = 0.0
            assert str(client.pull(web.url, to=to).version) == "v1.1.0"
            again = web.sent[model] - self.SIZE
            assert again <= len(kills) * 2 * 1024 * 1024, "only what was on its way"
        assert not (to / ".model-release" / "parts").exists()

    def test_a_part_that_is_something_else_is_begun_anew(self, web: Shop, to: Path) -> None:
        folder = Folder(to)
        with folder.locked():
            for each in json.loads((web.folder / "v1.0.0" / "metadata.json").read_bytes())["files"]:
                (folder.parts / each["sha256"]).write_bytes(b"rubbish")
        assert client.pull(web.url, to=to).changed

    def test_several_at_once(self, web: Shop, to: Path) -> None:
        web.delay = 0.05
        processes = [
            subprocess.Popen(command("pull", web.url, "--to", to, "--json"), stdout=subprocess.PIPE) for _ in range(3)
        ]
        told = [json.loads(process.communicate()[0]) for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0]
        assert sorted(each["changed"] for each in told) == [False, False, True]
        assert web.paths().count("v1.0.0/best_model.pkl") == 1

    def test_a_full_disk(self, store: LocalStore, tmp_path: Path, to: Path) -> None:
        first = client.pull(store.uri, to=to)
        release(store, tmp_path, "b", model=os.urandom(200_000))
        limit = (resource.RLIMIT_FSIZE, (99_000, 99_000))
        done = run("pull", store.uri, "--to", to, preexec_fn=lambda: resource.setrlimit(*limit))
        assert (done.returncode, (to / "current").resolve()) == (Stop.exit_code, first.folder)
        assert "the disk says: " in done.stderr
        assert client.pull(store.uri, to=to).changed


class TestWatch:
    """Following `latest`."""

    def test_an_unchanged_poll_is_one_conditional_request(
        self, web: Shop, store: LocalStore, tmp_path: Path, to: Path
    ) -> None:
        watcher = client.Watcher(web.url, to)
        assert watcher.poll() is not None
        web.forget()
        assert watcher.poll() is None
        assert web.asked == [("latest.json", 304)]
        release(store, tmp_path, "b")
        web.forget()
        moved = watcher.poll()
        assert moved is not None
        assert (str(moved.version), web.paths().count("latest.json")) == ("v1.1.0", 1)
        acts.hold(ReleaseStore(store), act("op"))
        held = watcher.poll()
        assert held is not None
        assert not held.changed

    def test_an_outage_is_told_and_passes(
        self, web: Shop, store: LocalStore, tmp_path: Path, to: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        watcher = client.Watcher(web.url, to)
        seen: list[str] = []

        def follow() -> None:
            seen.extend(str(pulled.version) for pulled in watcher.follow(every=0.05))

        thread = threading.Thread(target=follow)
        thread.start()
        wait_for(lambda: (to / "current").exists())
        (store.root / "latest.json").rename(tmp_path / "aside")
        wait_for(lambda: "was there and is gone" in caplog.text)
        (tmp_path / "aside").rename(store.root / "latest.json")
        release(store, tmp_path, "b")
        wait_for(lambda: (to / "current" / "metadata.json").read_bytes().count(b"1.1.0") > 0)
        watcher.stop()
        thread.join(5)
        assert not thread.is_alive()
        assert seen == ["v1.0.0", "v1.1.0"]

    def test_polls_slow_down_and_spread(self) -> None:
        assert all(24 <= pause(30, 0) <= 36 for _ in range(100))
        assert len({pause(30, 0) for _ in range(100)}) > 50
        assert 96 <= pause(30, 2) <= 144
        assert pause(30, 1000) <= 720

    def test_the_command_runs_at_each_change_and_sigterm_ends_it_at_once(
        self, web: Shop, store: LocalStore, tmp_path: Path, to: Path
    ) -> None:
        log = tmp_path / "log"
        script = f'echo "$MODEL_RELEASE_VERSION $(basename $MODEL_RELEASE_FOLDER)" >> {log}'
        process = subprocess.Popen(
            command("watch", web.url, "--to", to, "--every", "0.1", "--run", f"sh -c '{script}'"),
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_for(log.exists)
        release(store, tmp_path, "b")
        wait_for(lambda: log.read_text().count("\n") == 2)
        hanging = threading.Event()

        def hang(_path: str) -> None:
            hanging.set()
            time.sleep(5)

        web.before = hang
        assert hanging.wait(5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=5)
        assert (process.returncode, time.monotonic() - began < 2) == (0, True)
        assert [line.split()[0] for line in log.read_text().splitlines()] == ["v1.0.0", "v1.1.0"]
        assert [line.split()[:2] for line in out.splitlines()] == [["v1.0.0", "new"], ["v1.1.0", "new"]]


def wait_for(happened: Any, seconds: float = 20) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class TestCommand:
    """How the commands speak and end."""

    @pytest.mark.parametrize("module", ["model_release", "model_release.cli"])
    def test_words_and_json(self, store: LocalStore, to: Path, module: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", module, "pull", store.uri, "--to", to], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"v1.0.0  new  3 files, 70 bytes, verified  {to}/current\n"
        assert done.stderr == ""
        told = json.loads(run("pull", store.uri, "--to", to, "--json").stdout)
        assert (told["version"], told["epoch"], told["files"], told["changed"]) == ("v1.0.0", 1, 3, False)

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("pull",), 2, "required: URI, --to"),
            (("pull", "{store}"), 2, "required: --to"),
            (("pull", "{store}", "--to", "{to}", "--version", "1.0"), 2, "is not a version"),
            (("pull", "{store}", "--to", "{to}", "--nonsense"), 2, "unrecognized"),
            (("pull", "{empty}", "--to", "{to}"), 1, "no latest.json"),
            (("pull", "{store}", "--to", "{to}", "--trust", "nowhere.pem"), 2, "no such file"),
            (("pull", "{store}", "--to", "/proc/x"), 1, "the disk says"),
            (("watch", "{store}", "--to", "{to}", "--every", "0"), 2, "0.1"),
            (("watch", "{store}", "--to", "{to}", "--run", "'"), 2, "quotes"),
        ],
    )
    def test_errors_end_with_their_code(
        self, store: LocalStore, tmp_path: Path, to: Path, arguments: tuple[str, ...], code: int, said: str
    ) -> None:
        destinations = {"store": store.uri, "to": to, "empty": tmp_path / "empty"}
        done = run(*(each.format(**destinations) for each in arguments))
        assert (done.returncode, done.stdout) == (code, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr

    def test_the_old_door(self, store: LocalStore, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.download_models", str(store.root.parent), "--to", tmp_path / "models"],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / "include")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        files = ["best_model.pkl", "metadata.json", "model_card.html", "preprocessor.pkl"]
        assert names(tmp_path / "models") == files


HEAVY = "airflow mlflow sklearn pandas numpy botocore azure google.auth obstore onnxruntime httpx pydantic typer rich"


def test_the_client_is_light() -> None:
    code = f"import sys, model_release.client.command; print({{*sys.modules}} & {{*{HEAVY.split()!r}}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
