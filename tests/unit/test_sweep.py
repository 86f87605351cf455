"""Sweeping up after runs that died: what is old and nobody's goes, what may be somebody's stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from builders import Chain, assert_settled, make
from interposed import Interposed, Request
from memory_store import MemoryStore
from model_release import layout
from model_release.errors import Refused, StoreUnavailable
from model_release.metadata import AbandonedManifest, Manifest
from model_release.release.catalog import read_version
from model_release.release.numbers import abandon
from model_release.release.publish import place, seal
from model_release.release.sweep import Litter, sweep
from model_release.stores.base import Entry, Store
from model_release.version import FIRST, Bump
from scenes import Later, agreeing

V110 = FIRST.next(Bump.MINOR)


@pytest.fixture(autouse=True)
def clocks() -> Iterator[None]:
    with agreeing():
        yield


@pytest.fixture
def home(memory: MemoryStore, tmp_path: Path) -> MemoryStore:
    """A store with one release, and the staging of the run that made it."""
    Chain(memory).release(make(tmp_path, "first"))
    return memory


def swept(home: Store, *followers: Store, later: bool = True, remove: bool = True) -> list[Litter]:
    stores = [Later(each) if later else each for each in (home, *followers)]
    return sweep(stores[0], stores[1:], by="housekeeping", remove=remove)


def said(litter: list[Litter]) -> list[tuple[str, int]]:
    return [(each.what, each.files) for each in litter]


def keys(store: Store, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def test_what_is_young_stays(home: MemoryStore, tmp_path: Path) -> None:
    Chain(home).claim(make(tmp_path, "under way", since=1))
    before = keys(home)
    assert swept(home, later=False) == []
    assert keys(home) == before


def test_a_number_that_nobody_came_back_for(home: MemoryStore, tmp_path: Path) -> None:
    claim = Chain(home).claim(make(tmp_path, "died", since=1))
    place(claim, home=home, target=home)
    assert said(swept(home)) == [
        ("a number that nobody came back for", 0),
        ("files of a number that was given up", 3),
        ("staging of a run that is over", 3),
        ("staging of a run that is over", 3),
    ]
    decided = read_version(home, V110)
    assert isinstance(decided, AbandonedManifest)
    assert (decided.abandoned.by, decided.abandoned.reason) == ("housekeeping", "nobody came back for it within a day")
    assert keys(home, f"{V110}/") == [layout.claim(V110), layout.manifest(V110)], "the number is never used again"
    assert keys(home, "staging/") == []
    assert assert_settled(home).version == FIRST
    assert swept(home) == [], "there is nothing left to sweep"
    with pytest.raises(Refused, match="housekeeping"):
        seal(home, claim)


def test_a_number_without_a_claim(home: MemoryStore) -> None:
    """Files alone, as a hand has put them: the number is given up, so that no run meets them."""
    home.create("v1.4.0/best_model.pkl", b"by hand")
    assert ("files of a number that was given up", 1) in said(swept(home))
    assert keys(home, "v1.4.0/") == ["v1.4.0/metadata.json"]


def test_saying_what_there_is_changes_nothing(home: MemoryStore, tmp_path: Path) -> None:
    place(Chain(home).claim(make(tmp_path, "died", since=1)), home=home, target=home)
    before = keys(home)
    assert [each.what for each in swept(home, remove=False)] == [
        "a number that nobody came back for",
        "staging of a run that is over",
        "staging of a run that is over",
    ]
    assert keys(home) == before
    assert {each.where for each in swept(home, remove=False)} == {
        f"{home.uri}/{V110}/",
        *(f"{home.uri}/{layout.STAGING}/{layout.run_token(f'run-{name}')}/" for name in ("first", "died")),
    }


def test_staging_is_kept_while_its_claim_is_young(home: MemoryStore, tmp_path: Path) -> None:
    """A run that was staged long ago and has claimed its number just now goes on from its staging."""
    made = make(tmp_path, "slow", since=1)
    claim = Chain(home).claim(made)
    folder = f"{layout.STAGING}/{made.run}/"
    young = layout.claim(V110)

    class Aged(Later):
        """Everything is old but one claim."""

        def list(self, prefix: str = "") -> Iterator[Entry]:
            for entry in super().list(prefix):
                yield replace(entry, modified=self.now()) if entry.key == young else entry

    assert said(sweep(Aged(home), [], by="housekeeping", remove=True)) == [("staging of a run that is over", 3)]
    assert len(keys(home, folder)) == 3
    place(claim, home=home, target=home)
    assert isinstance(seal(home, claim), Manifest)


def test_every_destination_is_swept(home: MemoryStore, tmp_path: Path) -> None:
    follower = MemoryStore("memory://follower")
    Chain(home, [follower]).spread()
    claim = Chain(home).claim(make(tmp_path, "died", since=1))
    place(claim, home=home, target=follower)
    swept(home, follower)
    assert keys(follower, f"{V110}/") == [layout.claim(V110), layout.manifest(V110)]
    assert assert_settled(follower, log=False).version == FIRST


def test_a_number_that_is_published_meanwhile(home: MemoryStore, tmp_path: Path) -> None:
    """Its run comes back in the very moment: then nothing of it is touched."""
    claim = Chain(home).claim(make(tmp_path, "late", since=1))
    place(claim, home=home, target=home)

    def between(request: Request) -> object:
        if (request.verb, request.key) == ("create", layout.manifest(V110)):
            seal(home, claim)
        return request.perform()

    assert "a number that nobody came back for" not in [each.what for each in swept(Interposed(home, between))]
    assert isinstance(read_version(home, V110), Manifest)
    assert len(keys(home, f"{V110}/")) == 5


def test_uploads_that_never_ended(home: MemoryStore) -> None:
    asked: list[bool] = []

    class Parts(Later):
        def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
            assert self.now() - before >= timedelta(days=1)
            asked.append(remove)
            return iter(["v1.0.0/model.onnx"])

    for remove in (False, True):
        litter = sweep(Parts(home), [], by="housekeeping", remove=remove)
        assert litter[-1] == Litter("an upload that was never finished", f"{home.uri}/v1.0.0/model.onnx", 0, 0)
    assert asked == [False, True]


def test_clocks_that_differ(home: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_release.release.prune.CLOCKS_APART", timedelta(minutes=5))
    before = keys(home)
    with pytest.raises(Refused, match="apart"):
        swept(home)
    assert keys(home) == before


def test_a_store_that_cannot_be_read(home: MemoryStore, tmp_path: Path) -> None:
    """What cannot be read is not taken for litter."""
    claim = Chain(home).claim(make(tmp_path, "died", since=1))
    abandon(home, V110, by="a person", reason="no longer wanted")
    place_again = [layout.artifact(V110, entry.path) for entry in claim.metadata.files]
    for key in place_again:
        home.create(key, b"left")
    before = keys(home)
    failing: list[Callable[[Request], bool]] = [
        lambda request: request.verb == "list",
        lambda request: request.key == layout.manifest(V110),
    ]
    for fails in failing:

        def between(request: Request, fails: Callable[[Request], bool] = fails) -> object:
            if fails(request):
                raise StoreUnavailable("no answer", where=request.key)
            return request.perform()

        with pytest.raises(StoreUnavailable):
            swept(Interposed(home, between))
        assert keys(home) == before
