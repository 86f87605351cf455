"""A client's folder is its own; what it takes has an age and a floor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model_release import client
from model_release.client import Pulled
from model_release.client.memory import age, check_age, in_words
from model_release.documents.version import FIRST
from model_release.errors import ModelReleaseError, Refused, Stop, UsageError
from model_release.stores.local import LocalStore
from support.release_builder import Chain, make

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder with one release, v1.0.0, trained on 2024-05-02."""
    made = LocalStore(tmp_path / "store" / "heart-disease-models")
    Chain(made).release(make(tmp_path, "a"))
    return made


def everybody(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def sticky(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o1777)


def anothers(folder: Path) -> None:
    if os.geteuid() == 0:
        folder.mkdir()
        os.chown(folder, 65534, 65534)
    else:
        folder.symlink_to("/usr")


@pytest.mark.parametrize("spoil", [everybody, sticky, anothers])
@pytest.mark.refuses("folders of a client")
def test_a_folder_that_others_may_write_to_is_refused_unless_asked_for(
    spoil: Callable[[Path], None], store: LocalStore, tmp_path: Path
) -> None:
    to = tmp_path / "to"
    spoil(to)
    before = [*to.iterdir()]
    with pytest.raises(Refused, match="not this user's own") as caught:
        client.pull(store.uri, to=to)
    assert "--shared" in str(caught.value)
    assert [*to.iterdir()] == before
    if not to.is_symlink():
        assert client.pull(store.uri, to=to, shared=True).changed
        assert client.pull(store.uri, to=to / "own").changed, "a new folder below it is this user's own"


def test_the_command_says_what_to_do(store: LocalStore, tmp_path: Path) -> None:
    everybody(tmp_path / "to")
    line = [sys.executable, "-m", "model_release", "pull", store.uri, "--to", str(tmp_path / "to"), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "--shared" in json.loads(done.stderr)["hint"]
    assert subprocess.run([*line, "--shared"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", [".model-release", ".model-release/parts", ".model-release/scratch"])
@pytest.mark.refuses("folders of a client")
def test_a_planted_link_leads_no_removal_outside(name: str, store: LocalStore, tmp_path: Path) -> None:
    to, outside = tmp_path / "to", tmp_path / "outside"
    (to / name).parent.mkdir(parents=True)
    for each in ("parts", "scratch"):
        (outside / each).mkdir(parents=True)
        (outside / each / "precious").write_text("kept")
    (to / name).symlink_to(outside)
    with pytest.raises(Refused, match="is a link, and what it leads to would be removed"):
        client.pull(store.uri, to=to)
    assert sorted(path.name for path in outside.rglob("*")) == ["parts", "precious", "precious", "scratch"]


@pytest.mark.refuses("folders of a client")
def test_a_planted_part_is_not_written_through(store: LocalStore, tmp_path: Path) -> None:
    to, outside = tmp_path / "to", tmp_path / "outside"
    outside.write_bytes(b"")
    made = json.loads((store.root / "v1.0.0" / "metadata.json").read_bytes())
    (to / ".model-release" / "parts").mkdir(parents=True)
    for entry in made["files"]:
        (to / ".model-release" / "parts" / entry["sha256"]).symlink_to(outside)
    assert client.pull(store.uri, to=to).changed
    assert outside.read_bytes() == b""


@pytest.mark.refuses("folders of a client")
def test_a_planted_current_is_neither_served_nor_removed(store: LocalStore, tmp_path: Path) -> None:
    to, outside = tmp_path / "to", tmp_path / "outside"
    shutil.copytree(client.pull(store.uri, to=tmp_path / "other").folder, outside)
    to.mkdir()
    (to / "current").symlink_to(outside)
    pulled = client.pull(store.uri, to=to)
    assert pulled.folder.parent == to
    assert (outside / "metadata.json").exists()
    assert (to / "current").resolve() == pulled.folder


@pytest.mark.refuses("folders of a client")
def test_a_planted_lock_is_not_opened(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "to" / ".model-release").mkdir(parents=True)
    (tmp_path / "to" / ".model-release" / "lock").symlink_to(tmp_path / "outside")
    with pytest.raises(Stop, match="the disk says"):
        client.pull(store.uri, to=tmp_path / "to")
    assert not (tmp_path / "outside").exists()


def test_a_release_that_is_too_old_is_refused_and_what_is_current_stays(store: LocalStore, tmp_path: Path) -> None:
    to = tmp_path / "to"
    with pytest.raises(Refused, match=r"v1\.0\.0 was trained .* days ago, and at most 7\.0 days are asked for"):
        client.pull(store.uri, to=to, max_age=timedelta(days=7))
    assert not (to / "current").exists()
    assert client.pull(store.uri, to=to, max_age=timedelta(days=36_500)).changed
    assert client.pull(store.uri, to=to).promised.trained == datetime(2024, 5, 2, 2, 0, tzinfo=UTC)
    with pytest.raises(Refused, match="was trained"):
        client.pull(store.uri, to=to, max_age=timedelta(days=7))
    assert (to / "current").exists()


@pytest.mark.parametrize(
    ("most", "floor", "reported"),
    [(timedelta(days=7), None, "was trained"), (None, 2, "epoch 2 or a later one is asked for")],
)
def test_a_watch_takes_no_release_that_is_too_old_or_below_the_floor(
    store: LocalStore,
    tmp_path: Path,
    most: timedelta | None,
    floor: int | None,
    reported: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watcher = client.Watcher(store.uri, tmp_path / "to", max_age=most, min_epoch=floor)
    once = watcher._puller.poll

    def poll() -> Pulled | None:
        watcher.stop()
        return once()

    monkeypatch.setattr(watcher._puller, "poll", poll)
    assert [*watcher.follow(0.01)] == []
    assert reported in caplog.text
    assert not (tmp_path / "to" / "current").exists()


def test_a_copy_that_becomes_too_old_while_it_is_watched_is_reported_once(
    store: LocalStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher = client.Watcher(store.uri, tmp_path / "to", max_age=timedelta(days=36_500))
    copies = watcher.follow(0.01)
    assert next(copies).changed
    monkeypatch.setattr(watcher._puller, "_max_age", timedelta(days=7))  # time goes by
    polls = iter(range(5))

    def nothing_new() -> None:
        if next(polls, None) is None:
            watcher.stop()

    monkeypatch.setattr(watcher._puller, "poll", nothing_new)
    assert [*copies] == []
    assert caplog.text.count("was trained") == 1
    assert (tmp_path / "to" / "current").exists()


def test_the_copy_that_is_fallen_back_to_has_an_age_too(tmp_path: Path, store: LocalStore) -> None:
    to = tmp_path / "to"
    client.pull(store.uri, to=to)
    away = "http://127.0.0.1:9/heart-disease-models"
    assert client.pull(away, to=to).stale
    with pytest.raises(Refused, match="was trained"):
        client.pull(away, to=to, max_age=timedelta(days=7))
    with pytest.raises(Refused, match="epoch 2 or a later one"):
        client.pull(away, to=to, min_epoch=2)


@pytest.mark.parametrize(
    ("trained", "most", "said"),
    [
        (NOW - timedelta(hours=30), timedelta(hours=36), ""),
        (NOW - timedelta(hours=37), timedelta(hours=36), "trained 37.0 hours ago, and at most 36.0 hours"),
        (None, timedelta(hours=36), "does not say when it was trained"),
        (None, None, ""),
    ],
)
def test_a_release_has_an_age_or_does_not_say(trained: datetime | None, most: timedelta | None, said: str) -> None:
    try:
        check_age(FIRST, trained, most, now=NOW, where="there")
    except ModelReleaseError as error:
        assert said
        assert said in error.what
    else:
        assert not said


@pytest.mark.parametrize("text", ["90s", "30m", "36h", "7d"])
def test_an_age_is_read_as_it_is_written(text: str) -> None:
    assert age(text) > timedelta(0)
    assert in_words(age("7d")) == "7.0 days"


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "0d", "1.5d", "7w", "9999999999d"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(UsageError, match="is no age"):
        age(text)


def test_a_floor_holds_for_a_first_start_without_memory(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"latest\.json is of epoch 1, and epoch 2 or a later one is asked for"):
        client.pull(store.uri, to=tmp_path / "to", min_epoch=2)
    assert not (tmp_path / "to" / "latest.json").exists()
    assert client.pull(store.uri, to=tmp_path / "to", min_epoch=1).changed
    (store.root / "latest.json").unlink()
    with pytest.raises(Refused, match=r"there is no latest\.json, and epoch 1"):
        client.pull(store.uri, to=tmp_path / "to", version="v1.0.0", min_epoch=1)
