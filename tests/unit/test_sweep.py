"""Sweeping up after runs that died: only what is old, and only what nobody can still need."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest, Claim, Manifest
from model_release.documents.version import Version
from model_release.errors import Refused, StoreUnavailable
from model_release.releases.catalog import read_version
from model_release.releases.claims import abandon, take_number
from model_release.releases.publish import place, seal, stage
from model_release.releases.store import Follower, ReleaseStore
from model_release.releases.sweep import Litter, sweep
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, begun, make
from support.schedule_player import Killed, dying_after

pytestmark = pytest.mark.usefixtures("at_once")

V110 = Version(1, 1, 0)
OLD, YOUNG = timedelta(hours=-25), timedelta(hours=-23)


class Scene:
    """v1.0.0 is live; a run claimed v1.1.0 so long ago, brought it to the follower, and died."""

    def __init__(self, folder: Path, ago: timedelta) -> None:
        self.home, self.follower = begun(folder), MemoryStore("memory://follower")
        self.made = make(folder, "died", since=1)
        for store in (self.home, self.follower):
            store.restore()
            store.ahead = ago
        self.claim: Claim = Chain(self.home).claim(self.made)
        place(ReleaseStore(self.home), self.claim, self.follower)
        place(ReleaseStore(self.home), self.claim, self.home)
        for store in (self.home, self.follower):
            store.ahead = timedelta(0)

    def sweep(self, *, remove: bool = True) -> list[Litter]:
        return sweep(ReleaseStore(self.home, [Follower(self.follower)]), by="housekeeping", remove=remove)


def names(store: MemoryStore, prefix: str) -> list[str]:
    return [entry.key.removeprefix(prefix) for entry in store.list(prefix)]


def test_a_stale_claim_is_given_up(tmp_path: Path) -> None:
    scene = Scene(tmp_path, OLD)
    found = [f"{each.what}: {each.where}, {each.files}" for each in scene.sweep()]
    assert found == [
        "a number that nobody came back for: memory://home/v1.1.0/, 0",
        "files of a number that was given up: memory://home/v1.1.0/, 3",
        f"staging of a run that is over: memory://home/staging/{scene.made.run}/, 3",
        "files of a number that was given up: memory://follower/v1.1.0/, 3",
    ]
    assert isinstance(read_version(scene.home, V110), AbandonedManifest)
    for store in (scene.home, scene.follower):
        assert names(store, "v1.1.0/") == ["claim.json", "metadata.json"]
    assert len(names(scene.home, "v1.0.0/")) == 5
    assert scene.sweep() == []
    with pytest.raises(Refused, match="given up by housekeeping: nobody came back for it within a day"):
        seal(ReleaseStore(scene.home), scene.claim)
    assert Chain(scene.home, [scene.follower]).publish(scene.made).version == Version(1, 2, 0)


def test_what_is_younger_than_a_day_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path, YOUNG)
    before = dict(scene.home._objects), dict(scene.follower._objects)
    assert scene.sweep() == []
    assert (scene.home._objects, scene.follower._objects) == before
    assert Chain(scene.home, [scene.follower]).publish(scene.made).version == V110


def test_a_run_that_wrote_lately_is_under_way(tmp_path: Path) -> None:
    """Its claim is old, and so is its staging, which it still needs."""
    scene = Scene(tmp_path, OLD)
    scene.home.create(layout.artifact(V110, "late.bin"), b"now")
    assert scene.sweep() == []
    assert len(names(scene.home, f"staging/{scene.made.run}/")) == 3


@pytest.mark.parametrize("ago", [OLD, YOUNG])
def test_a_folder_without_a_claim(tmp_path: Path, ago: timedelta) -> None:
    """Somebody copies a version back, file by file, its manifest last: it is no litter while it is young."""
    home = begun(tmp_path)
    home.restore()
    home.ahead = ago
    home.create("v1.7.0/best_model.pkl", b"copied back")
    home.ahead = timedelta(0)
    found = sweep(ReleaseStore(home), by="housekeeping", remove=True)
    assert [each.where for each in found if "v1.7.0" in each.where] == ["memory://home/v1.7.0/"] * (
        2 if ago == OLD else 0
    )
    assert names(home, "v1.7.0/") == (["metadata.json"] if ago == OLD else ["best_model.pkl"])


def test_what_is_published_is_never_touched(tmp_path: Path) -> None:
    scene = Scene(tmp_path, OLD)
    seal(ReleaseStore(scene.home), scene.claim)
    assert [each.what for each in scene.sweep()] == ["staging of a run that is over"]
    for store in (scene.home, scene.follower):
        assert len(names(store, "v1.1.0/")) == 5


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path, OLD)

    def reads(request: Request) -> object:
        assert not request.writes
        return request.perform()

    found = sweep(
        ReleaseStore(Interposed(scene.home, reads), [Follower(scene.follower)]), by="housekeeping", remove=False
    )
    assert [each.what for each in found] == ["a number that nobody came back for", "staging of a run that is over"]
    assert all(each.size > 0 for each in found if each.files)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_clocks_that_differ(tmp_path: Path, minutes: int) -> None:
    scene = Scene(tmp_path, OLD)
    scene.follower.ahead = timedelta(minutes=minutes)
    with pytest.raises(Refused, match="clock and the store's are"):
        scene.sweep()
    assert read_version(scene.home, V110) is None


def test_uploads_that_were_never_finished(tmp_path: Path) -> None:
    asked: list[tuple[datetime, bool]] = []

    class Unfinished(MemoryStore):
        def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
            asked.append((before, remove))
            return iter(["v1.1.0/best_model.pkl"])

    home = begun(tmp_path, home=Unfinished())
    for remove in (True, False):
        [found] = sweep(ReleaseStore(home), by="housekeeping", remove=remove)
        assert (found.what, found.where) == (
            "an upload that was never finished",
            "memory://home/v1.1.0/best_model.pkl",
        )
    assert [remove for _, remove in asked] == [True, False]
    assert all(before <= datetime.now(UTC) - timedelta(days=1) for before, _ in asked)


def test_killed_before_every_request(tmp_path: Path) -> None:
    scene = Scene(tmp_path, OLD)
    begin = dict(scene.home._objects), dict(scene.follower._objects)
    for moment in range(1000):
        scene.home._objects, scene.follower._objects = map(dict, begin)
        between = dying_after(moment)

        home, follower = Interposed(scene.home, between), Interposed(scene.follower, between)
        try:
            sweep(ReleaseStore(home, [Follower(follower)]), by="housekeeping", remove=True)
            break
        except Killed:
            scene.sweep()
        for store in (scene.home, scene.follower):
            assert names(store, "v1.1.0/") == ["claim.json", "metadata.json"]
        assert names(scene.home, f"staging/{scene.made.run}/") == []
    assert moment > 20


def test_staging_is_kept_while_its_claim_is_young(tmp_path: Path) -> None:
    """A run that was staged long ago and has claimed its number just now goes on from its staging."""
    home, made = begun(tmp_path), make(tmp_path, "slow", since=1)
    home.ahead = OLD
    stage(ReleaseStore(home), made.run, made.folder, made.draft.files)
    home.ahead = timedelta(0)
    claim = take_number(ReleaseStore(home), made.draft, run=made.run)
    sweep(ReleaseStore(home), by="housekeeping", remove=True)
    assert len(names(home, f"staging/{made.run}/")) == 3
    place(ReleaseStore(home), claim, home)
    assert isinstance(seal(ReleaseStore(home), claim), Manifest)


def test_a_number_that_is_published_meanwhile(tmp_path: Path) -> None:
    """Its run comes back in the very moment: then nothing of it is touched."""
    scene = Scene(tmp_path, OLD)

    def between(request: Request) -> object:
        if (request.verb, request.key) == ("create", layout.manifest(V110)):
            seal(ReleaseStore(scene.home), scene.claim)
        return request.perform()

    found = sweep(
        ReleaseStore(Interposed(scene.home, between), [Follower(scene.follower)]), by="housekeeping", remove=True
    )
    assert "a number that nobody came back for" not in [each.what for each in found]
    assert isinstance(read_version(scene.home, V110), Manifest)
    assert len(names(scene.home, "v1.1.0/")) == 5


@pytest.mark.parametrize("fails", ["list v", f"get {layout.manifest(V110)}"])
def test_what_cannot_be_read_is_not_taken_for_litter(tmp_path: Path, fails: str) -> None:
    scene = Scene(tmp_path, OLD)
    abandon(ReleaseStore(scene.home), V110, by="a person", reason="no longer wanted")
    before = names(scene.home, "")

    def between(request: Request) -> object:
        if str(request) == fails:
            raise StoreUnavailable("no answer", where=request.key)
        return request.perform()

    with pytest.raises(StoreUnavailable):
        sweep(ReleaseStore(Interposed(scene.home, between), [Follower(scene.follower)]), by="housekeeping", remove=True)
    assert names(scene.home, "") == before
