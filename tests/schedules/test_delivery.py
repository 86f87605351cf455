"""A person's release: published and adopted by the rules, again and again, and killed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Kind
from model_release.documents.version import FIRST, Bump, Version
from model_release.errors import BaselineMoved, ModelReleaseError, Refused, StoreUnavailable, UsageError
from model_release.releases.acts import hold, lift, rollback, unhold
from model_release.releases.catalog import history, published, read_version, versions
from model_release.releases.claims import abandon, became
from model_release.releases.manual import describe
from model_release.releases.manual.collect import from_folder
from model_release.releases.manual.publish import Delivered, Intent, adopt, publish
from model_release.releases.reconcile import reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Store
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, assert_readable, assert_settled, make
from support.schedule_player import LIMIT, Actor, Killed, explore

pytestmark = pytest.mark.usefixtures("at_once")

V110 = Version(1, 1, 0)


class Team:
    """A team with a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.folder.mkdir()
        self._scratch = folder
        self.train("a")

    def train(self, name: str) -> None:
        """Write a model and its preprocessor."""
        for path in ("best_model.pkl", "preprocessor.pkl"):
            (self.folder / path).write_text(f"{path} of {name}")
        scratch = self._scratch / f"copy of {name}"
        scratch.mkdir(exist_ok=True)
        self.collected = from_folder(self.folder, scratch)

    def publish(
        self,
        home: Store,
        *followers: Store,
        act: Callable[..., Delivered] = publish,
        promote: bool = True,
        bump: Bump | None = None,
        **facts: str,
    ) -> Delivered:
        """Do what the command does."""
        draft = describe.draft(self.collected, facts, called="heart")
        wish = Intent(by="ann", reason="published from models", promote=promote, bump=bump)
        releases = ReleaseStore(home, [Follower(store) for store in followers])
        done = act(releases, self.collected, draft, wish)
        after = reconcile(releases)
        return replace(done, pointer=after.pointer)


@pytest.fixture
def team(tmp_path: Path) -> Team:
    """One team."""
    return Team(tmp_path)


def is_live(done: Delivered) -> bool:
    return done.pointer is not None and done.pointer.version == done.manifest.version


def snapshot(*stores: MemoryStore) -> list[dict[str, bytes]]:
    return [{key: each.body for key, each in store._objects.items()} for store in stores]


def test_publish_makes_a_folder_live_everywhere(team: Team, memory: MemoryStore) -> None:
    follower = MemoryStore("memory://follower")
    done = team.publish(memory, follower)
    assert (done.manifest.version, done.before, is_live(done), done.refusal) == (FIRST, False, True, None)
    pointer = assert_settled(memory)
    assert assert_settled(follower) == pointer
    assert (pointer.change.by, pointer.change.reason, pointer.data_as_of) == ("ann", "published from models", None)
    team.train("b")
    assert team.publish(memory, follower).manifest.version == V110
    team.train("c")
    assert team.publish(memory, follower, bump=Bump.PATCH).manifest.version == Version(1, 1, 1)
    team.train("d")
    assert team.publish(memory, follower, schema_revision="2").manifest.version == Version(2, 0, 0)
    assert [str(each) for each in versions(follower)] == ["v1.0.0", "v1.1.0", "v1.1.1", "v2.0.0"]


def test_the_same_folder_finds_its_own_version_and_changes_nothing(team: Team, memory: MemoryStore) -> None:
    team.publish(memory)
    before = snapshot(memory)
    again = team.publish(memory)
    assert (again.manifest.version, again.before, is_live(again)) == (FIRST, True, True)
    assert snapshot(memory) == before


def test_an_older_folder_says_why_latest_stays(team: Team, memory: MemoryStore) -> None:
    team.publish(memory)
    team.train("b")
    team.publish(memory)
    team.train("a")
    again = team.publish(memory)
    assert (again.manifest.version, again.before, is_live(again)) == (FIRST, True, False)
    assert again.refusal is not None
    assert "latest only moves forward" in again.refusal
    assert assert_settled(memory).version == V110


def test_a_destination_that_is_named_later_gets_what_is_live(team: Team, memory: MemoryStore) -> None:
    team.publish(memory)
    follower = MemoryStore("memory://follower")
    done = team.publish(memory, follower)
    assert done.before
    assert assert_settled(follower).version == FIRST


def test_without_promotion_latest_is_left_alone(team: Team, memory: MemoryStore) -> None:
    done = team.publish(memory, promote=False)
    assert (is_live(done), done.refusal, done.pointer) == (False, None, None)
    assert isinstance(published(memory, FIRST).files, list)
    assert is_live(team.publish(memory))
    team.train("b")
    later = team.publish(memory, promote=False)
    assert (later.manifest.version, is_live(later)) == (V110, False)
    assert assert_settled(memory).version == FIRST


def test_a_hold_and_a_date_keep_latest_where_it_is(team: Team, memory: MemoryStore, tmp_path: Path) -> None:
    Chain(memory).release(make(tmp_path, "nightly"))
    undated = team.publish(memory)
    assert undated.refusal is not None
    assert "data as of None) comes before the live v1.0.0" in undated.refusal
    hold(ReleaseStore(memory), act("audit", by="bo"))
    dated = team.publish(memory, data_as_of="2024-05-02")
    assert dated.manifest.data_as_of == date(2024, 5, 2)
    assert dated.refusal is not None
    assert "held at v1.0.0 by bo" in dated.refusal
    assert assert_settled(memory).version == FIRST


def test_a_version_that_was_left_may_be_published_again(team: Team, memory: MemoryStore) -> None:
    team.publish(memory)
    team.train("b")
    team.publish(memory)
    rollback(ReleaseStore(memory), act("back"))
    unhold(ReleaseStore(memory), act("let go"))
    assert not is_live(team.publish(memory)), "what a rollback left is in quarantine"
    lift(ReleaseStore(memory), FIRST.next(Bump.MINOR), act("a mistake"))
    again = team.publish(memory)
    assert is_live(again)
    operations = [entry.change.operation for entry in history(memory) if entry.change.kind is Kind.PROMOTE]
    assert len({*operations}) == 2, "another act, not a second click"


def test_a_number_that_was_given_up_is_not_used_again(team: Team, memory: MemoryStore) -> None:
    with pytest.raises(Killed):
        team.publish(Interposed(memory, killed_at(f"copy {layout.artifact(FIRST, 'preprocessor.pkl')}")))
    assert abandon(ReleaseStore(memory), FIRST, by="housekeeping", reason="stale")
    assert team.publish(memory).manifest.version == V110


def killed_at(words: str) -> Callable[[Request], Any]:
    def between(request: Request) -> Any:
        if str(request) == words:
            raise Killed
        return request.perform()

    return between


@pytest.mark.parametrize(("moment", "version"), [(layout.claim(V110), Version(1, 2, 0)), (layout.manifest(V110), V110)])
def test_another_version_that_becomes_live_meanwhile_is_noticed(
    team: Team, memory: MemoryStore, tmp_path: Path, moment: str, version: Version
) -> None:
    """If it took the number before ours, it is not what our author saw; if it took the one after, it comes later."""
    team.publish(memory)
    (tmp_path / "other").mkdir()
    other = Team(tmp_path / "other")
    other.train("other")

    def between(request: Request) -> Any:
        if str(request) == f"create {moment}":
            other.publish(memory)
        return request.perform()

    team.train("b")
    if version == V110:
        refusal = team.publish(Interposed(memory, between)).refusal
        assert refusal is not None
        assert "latest only moves forward" in refusal
    else:
        with pytest.raises(BaselineMoved, match=r"v1\.2\.0 is published and not live: another version became") as why:
            team.publish(Interposed(memory, between))
        assert "the same command again makes yours live" in str(why.value)
        assert assert_settled(memory).version == V110
        assert is_live(team.publish(memory))
    assert assert_settled(memory).version == Version(1, 2, 0)


@pytest.mark.parametrize(
    ("prepare", "kind", "said"),
    [
        (lambda home, other: home.create("log/000000000001.json", b"{}"), Refused, "that is damage, not a beginning"),
        (lambda home, other: home.create("v1.0.0/best_model.pkl", b"x"), Refused, "that is damage, not a beginning"),
        (lambda home, other: home.create("latest/best_model.pkl", b"x"), Refused, "`model-release adopt`"),
        (lambda home, other: other.create("latest/x", b"x"), Refused, "latest/x would be removed by the first release"),
        (lambda home, other: Team(other.scratch).publish(other), Refused, "has a history of its own"),
        (lambda home, other: setattr(other, "uri", home.uri), UsageError, "is named twice"),
    ],
)
def test_what_can_only_go_wrong_is_refused_before_anything_is_sent(
    team: Team,
    memory: MemoryStore,
    tmp_path: Path,
    prepare: Callable[[MemoryStore, Any], object],
    kind: type[ModelReleaseError],
    said: str,
) -> None:
    other: Any = MemoryStore("memory://other")
    other.scratch = tmp_path / "other"
    other.scratch.mkdir()
    prepare(memory, other)
    before = snapshot(memory, other)
    with pytest.raises(kind) as caught:
        team.publish(memory, other)
    assert said in str(caught.value)
    assert snapshot(memory, other) == before


def test_data_of_tomorrow_is_refused(team: Team, memory: MemoryStore) -> None:
    with pytest.raises(Refused, match="as of 2199-01-01, and the store's clock says"):
        team.publish(memory, data_as_of="2199-01-01")
    with pytest.raises(UsageError, match="data_as_of: it should lie between 1900-01-01 and 2199-12-31"):
        team.publish(memory, data_as_of="2999-01-01")
    assert snapshot(memory) == [{}]


HAND_MADE = {"v1/best_model.pkl": b"x", "latest/best_model.pkl": b"x", "latest/metadata.json": b"{}"}


def laid_out(store: MemoryStore, **more: bytes) -> None:
    for key, body in {**HAND_MADE, **more}.items():
        store.create(key, body)


def test_a_hand_made_layout_becomes_the_first_release(team: Team, memory: MemoryStore) -> None:
    laid_out(memory)
    done = team.publish(memory, act=adopt)
    assert (done.manifest.version, is_live(done), done.before) == (FIRST, True, False)
    assert_settled(memory)
    assert memory.get("v1/best_model.pkl") is not None
    before = snapshot(memory)
    again = team.publish(memory, act=adopt)
    assert (again.manifest.version, is_live(again), again.before) == (FIRST, True, True)
    assert team.publish(memory).before, "an adoption is a publication too"
    assert snapshot(memory) == before
    team.train("b")
    with pytest.raises(Refused, match="something was released here before"):
        team.publish(memory, act=adopt)
    assert team.publish(memory).manifest.version == V110


def test_an_adoption_loses_nothing(team: Team, memory: MemoryStore) -> None:
    laid_out(memory, **{"latest/notes.txt": b"x", "latest/old/model.pkl": b"x"})
    before = snapshot(memory)
    with pytest.raises(Refused, match=r"latest/notes\.txt, latest/old/model\.pkl would be removed"):
        team.publish(memory, act=adopt)
    assert snapshot(memory) == before


@pytest.mark.parametrize("trace", ["log/000000000007.json", "v2.0.0/best_model.pkl"])
def test_an_adoption_is_no_repair(team: Team, memory: MemoryStore, trace: str) -> None:
    laid_out(memory, **{trace: b"{}"})
    with pytest.raises(Refused, match="that is damage, not a beginning"):
        team.publish(memory, act=adopt)


def test_an_adoption_comes_first_or_not_at_all(team: Team, memory: MemoryStore) -> None:
    team.publish(memory, promote=False)
    team.train("b")
    with pytest.raises(Refused, match="something was released here before"):
        team.publish(memory, act=adopt)


class Scene:
    """Two places, with one release live or none, or a hand-made layout, and a folder to be published."""

    def __init__(self, team: Team, kind: str) -> None:
        self.team = team
        self.stores = (MemoryStore(), MemoryStore("memory://follower"))
        self.act = adopt if kind == "adoption" else publish
        self.epoch = 1
        if kind == "adoption":
            laid_out(self.stores[0])
        if kind == "next release":
            team.publish(*self.stores)
            team.train("b")
            self.epoch = 2
        self._begin = [dict(store._objects) for store in self.stores]

    def run(self, between: Callable[[Request], object]) -> None:
        home, follower = (Interposed(store, between) for store in self.stores)
        self.team.publish(home, follower, act=self.act)

    def begin(self) -> None:
        for store, objects in zip(self.stores, self._begin, strict=True):
            store._objects = dict(objects)

    def check(self) -> None:
        for store in self.stores:
            pointer = assert_settled(store)
            assert pointer.epoch == pointer.since == self.epoch
            assert pointer.version == versions(store)[-1] == (FIRST if self.epoch == 1 else V110)
            assert (
                became(ReleaseStore(self.stores[0]), published(store, pointer.version).fingerprint) == pointer.version
            )
        assert self.stores[0].get(layout.POINTER).body == self.stores[1].get(layout.POINTER).body  # type: ignore[union-attr]

    def requests(self) -> Sequence[Request]:
        sent: list[Request] = []

        def between(request: Request) -> object:
            sent.append(request)
            return request.perform()

        self.begin()
        self.run(between)
        self.check()
        return sent


@pytest.fixture(params=["first release", "next release", "adoption"])
def scene(request: pytest.FixtureRequest, team: Team) -> Scene:
    """Every situation."""
    return Scene(team, request.param)


@pytest.mark.parametrize("performed", [False, True], ids=["killed before", "answer lost after"])
def test_killed_at_every_request_and_done_again(scene: Scene, performed: bool) -> None:
    total = len(scene.requests())
    assert total > 50
    for moment in range(total):
        scene.begin()
        count = 0

        def between(request: Request, moment: int = moment) -> object:
            nonlocal count
            count += 1
            if count > moment:
                if performed:
                    request.perform()
                    raise StoreUnavailable("the answer was lost", where=request.key)
                raise Killed
            return request.perform()

        with pytest.raises(StoreUnavailable if performed else Killed):
            scene.run(between)
        for store in scene.stores:
            assert_readable(store)
        scene.run(lambda request: request.perform())
        scene.check()


def test_files_that_travel_are_told(team: Team, memory: MemoryStore) -> None:
    follower = MemoryStore("memory://follower")
    draft = describe.draft(team.collected, {}, called="heart")
    told: list[tuple[str, str]] = []
    publish(
        ReleaseStore(memory, [Follower(follower)]),
        team.collected,
        draft,
        Intent(by="ann", reason="x"),
        watch=lambda entry, uri: told.append((entry.path, uri)),
    )
    destinations = ["memory://home", "memory://follower", "memory://home"]
    assert told == [(path, uri) for uri in destinations for path in ("best_model.pkl", "preprocessor.pkl")]


@pytest.mark.parametrize("folders", ["the same folder", "two folders", "one adoption"])
def test_two_people_at_once(tmp_path: Path, folders: str) -> None:
    teams = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        teams.append(Team(tmp_path / name))
        teams[-1].train(name if folders == "two folders" else "a")

    def begin() -> tuple[list[Actor], Callable[[], None]]:
        store, follower = MemoryStore(), MemoryStore("memory://follower")
        act = publish
        if folders == "one adoption":
            laid_out(store)
            act = adopt
        actors = [
            Actor(name, lambda wrap, team=team: team.publish(wrap(store), wrap(follower), act=act))  # type: ignore[misc]
            for name, team in zip(("ann", "bo"), teams, strict=True)
        ]

        def check() -> None:
            live = assert_settled(store)
            assert assert_settled(follower, log=False) == live
            made = [each for each in versions(store) if isinstance(read_version(store, each), Manifest)]
            assert len(made) == (2 if folders == "two folders" else 1)
            for actor in actors:
                assert actor.error is None or isinstance(actor.error, BaselineMoved)
            assert live.version in made

        return actors, check

    assert explore(begin, limit=LIMIT // 2) > 20


@pytest.mark.parametrize("moment", ["list latest/", f"create {layout.claim(FIRST)}"])
def test_a_destination_that_is_not_required_lags_behind_loudly(team: Team, memory: MemoryStore, moment: str) -> None:
    def between(request: Request) -> Any:
        if str(request) == moment:
            raise StoreUnavailable("no answer", where=request.key)
        return request.perform()

    draft = describe.draft(team.collected, {}, called="heart")
    broken = Interposed(MemoryStore("memory://broken"), between)
    wish = Intent(by="ann", reason="x")
    done = publish(ReleaseStore(memory, [Follower(broken, required=False)]), team.collected, draft, wish)
    assert done.pointer is not None
    assert len(done.lagging) == 1
    assert done.lagging[0].startswith("memory://broken lags behind: ")
    with pytest.raises(StoreUnavailable):
        publish(ReleaseStore(memory, [Follower(broken)]), team.collected, draft, wish)
