"""Repairs that are killed or cut off, choices that a person takes, and what is in flight."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.pointer import Kind
from model_release.documents.version import Version
from model_release.errors import Contended, CredentialsRefused, StoreUnavailable
from model_release.releases.acts import Act, lift, rollback
from model_release.releases.doctor.examine import examine
from model_release.releases.doctor.findings import Damage
from model_release.releases.reconcile import reconcile
from model_release.releases.recover import recover
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Store
from model_release.stores.local import LocalStore
from model_release.workflows.checkup import Checkup, checkup
from model_release.workflows.destinations import Destinations
from support.damaged_stores import CASES, EPOCH, LIVE, MODEL, POINTER, V110, Case, Scene
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore, _Object
from support.proof_tally import Record, proof
from support.release_builder import Chain, assert_settled, make
from support.schedule_player import Killed, dying_after

pytestmark = pytest.mark.usefixtures("at_once")

WORST = (
    "live_file_only_in_latest",
    "live_manifest_missing",
    "live_manifest_changed",
    "version_missing_at_home",
    "follower_emptied",
    "log_unreadable_at_the_present_epoch",
    "copies_of_an_older_version",
    "claim_that_nobody_came_back_for",
    "follower_has_published_what_home_gave_up",
)
"""Kinds of damage whose repairs take every way there is."""

CHOICE = re.compile(r"`model-release (\w+) (\S+)(?: --to)? (v\S+)")


@pytest.fixture(scope="module", autouse=True)
def in_memory() -> Iterator[None]:
    """Keep temporary files off the disk, where a folder takes milliseconds to make and to remove."""
    with pytest.MonkeyPatch.context() as patch:
        if Path("/dev/shm").is_dir():  # noqa: S108 - if it is not there, the tests are merely slower
            patch.setattr(tempfile, "tempdir", "/dev/shm")  # noqa: S108
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A healthy scene, made once."""
    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def scene(built: Scene) -> Scene:
    """A healthy scene."""
    built.reset()
    return built


def repaired(scene: Scene, between: Callable[[Request], object] = lambda request: request.perform()) -> Checkup:
    destinations = scene.seen_through(lambda store: Interposed(store, between))
    return checkup(destinations, read_data=True, repair=True)


def told(done: Checkup) -> set[tuple[object, str]]:
    return {(each.kind, each.where) for each in done.left}


def requests(scene: Scene) -> list[Request]:
    """What an undisturbed repair sends."""
    sent: list[Request] = []

    def between(request: Request) -> object:
        sent.append(request)
        return request.perform()

    repaired(scene, between)
    return sent


@pytest.mark.parametrize("name", WORST)
def test_a_repair_killed_before_any_request_and_run_again_ends_the_same(
    scene: Scene, name: str, record_property: Record
) -> None:
    case = CASES[name]
    case(scene)
    broken = scene.state()
    sent = requests(scene)
    right = scene.bodies()

    def check() -> None:
        done = repaired(scene)
        assert (done.left, done.failures) == ([], [])
        assert without_times(scene.bodies(), case) == without_times(right, case)

    with proof(record_property, "repairs, in memory", "crashes", "other ends") as tally:
        for moment in [moment for moment, request in enumerate(sent) if request.writes]:
            scene.reset(broken)
            with pytest.raises(Killed):
                repaired(scene, dying_after(moment))
            tally.counts["crashes"] += 1
            tally.expect("other ends", check, sent[moment])


def without_times(bodies: list[dict[str, bytes]], case: Case) -> list[dict[str, bytes]]:
    """Leave out what is written with the time at which it was."""
    return [{key: body for key, body in each.items() if not key.startswith(case.apart)} for each in bodies]


@pytest.mark.parametrize("error", [StoreUnavailable, CredentialsRefused])
@pytest.mark.parametrize("whose", ["home", "follower"])
def test_what_cannot_be_read_is_never_taken_for_missing(
    scene: Scene, whose: str, error: type[StoreUnavailable | CredentialsRefused]
) -> None:
    """At each request in turn one store stops answering: all that was there is there, and the next repair is right."""
    CASES["live_file_only_in_latest"](scene)
    CASES["follower_behind"](scene)
    broken = scene.state()
    sent = requests(scene)
    right = scene.bodies()
    store = scene.home if whose == "home" else scene.follower
    for moment in range(0 if error is StoreUnavailable else 1, len(sent), 2 if error is StoreUnavailable else 9):
        scene.reset(broken)
        count = refused = 0

        def between(request: Request, of: Store, moment: int = moment) -> object:
            nonlocal count, refused
            count += 1
            if count > moment and of is store:
                refused += 1
                raise error("the endpoint is down", where=request.key)
            return request.perform()

        def watched(of: Store) -> Store:
            return Interposed(of, lambda request: between(request, of))

        done = checkup(scene.seen_through(watched), read_data=True, repair=True)
        assert done.left or done.failures or not refused, sent[moment]
        for before, after in zip(broken, scene.state(), strict=True):
            assert before.keys() <= after.keys(), sent[moment]
        assert repaired(scene).left == []
        assert scene.bodies() == right


def test_an_unreadable_object_stops_every_repair_of_its_store(scene: Scene) -> None:
    scene.drop(f"{LIVE}/{MODEL}")
    scene.drop(f"{LIVE}/{MODEL}", scene.follower)
    before = scene.state()

    def between(request: Request) -> object:
        if request.key == layout.claim(V110) and request.verb == "get":
            raise CredentialsRefused("the key that encrypts it is gone", where=request.key)
        return request.perform()

    done = repaired(scene, between)
    assert scene.state() == before
    unread = [each for each in done.left if each.kind is Damage.UNREADABLE]
    assert {each.where for each in unread} == {f"{store.uri}/{layout.claim(V110)}" for store in scene.stores}
    files = [each for each in done.left if each.kind is Damage.FILE_MISSING]
    assert {each.repairable for each in files} == {False}
    assert all("can be read" in each.remedy for each in files)


def test_an_unreadable_follower_keeps_nobody_else_back(scene: Scene) -> None:
    scene.drop(layout.log_entry(EPOCH))
    scene.drop(f"latest/{MODEL}")
    third = MemoryStore("memory://down")

    def down(request: Request) -> object:
        raise StoreUnavailable("the endpoint is down", where=request.key)

    followers = [*scene.destinations.releases.followers, Follower(Interposed(third, down))]
    done = checkup(Destinations(scene.destinations.home, followers), repair=True)
    assert told(done) == {(Damage.UNREADABLE, f"memory://down/{POINTER}")}
    assert done.failures == []
    scene.check()


# ── choices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.choices])
def test_every_choice_that_is_offered_leads_out(scene: Scene, name: str) -> None:
    CASES[name](scene)
    broken = scene.state()
    offered = {choice for each in checkup(scene.destinations, read_data=True).left for choice in each.choices}
    taken = 0
    for choice in sorted(offered):
        command, uri, version = CHOICE.search(choice).groups()  # type: ignore[union-attr]
        act = Act(by="ada", reason="doctor said so", operation=choice)
        stores = {store.uri: store for store in scene.stores}
        home = stores.pop(uri)
        match command:
            case "recover":
                done = recover(
                    ReleaseStore(home, [Follower(each) for each in [*stores.values()]]), Version.parse(version), act
                )
                assert done.pointer.change.kind is Kind.RECOVER
            case "rollback":
                done = rollback(ReleaseStore(home), act, to=Version.parse(version))
            case "quarantine":
                assert "--lift" in choice
                done = lift(ReleaseStore(home), Version.parse(version), act)
        assert str(done.pointer.version) == version
        destinations = scene.destinations
        if home is scene.follower:
            destinations = Destinations(home, [Follower(scene.home)])
        checkup(destinations, read_data=True, repair=True)
        scene.age()
        reconcile(destinations.releases)
        for store in scene.stores:
            assert assert_settled(store, log=False) == done.pointer
        left = checkup(destinations, read_data=True).left
        lost = {Damage.FILE_MISSING, Damage.FILE_WRONG, Damage.RELEASE_GIVEN_UP, Damage.MANIFEST_MISSING}
        assert all(each.kind in lost and each.version == LIVE for each in left if name != "everything_at_home_is_gone")
        assert not any(each.choices for each in left)
        scene.reset(broken)
        taken += 1
    assert taken >= 1


def test_a_follower_that_became_home_learns_what_each_fingerprint_became(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    chain = Chain(home, [follower])
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    done = recover(ReleaseStore(follower), V110, Act(by="ada", reason="home burned down", operation="recover"))
    destinations = Destinations(follower)
    assert {each.kind for each in checkup(destinations, read_data=True).left} == {Damage.RECORD_MISSING}
    assert checkup(destinations, repair=True).left == []
    assert assert_settled(follower) == done.pointer
    again = Chain(follower).claim(make(tmp_path, "b", since=1))
    assert again.metadata.version == V110, "the same inputs do not become a second version"


def test_a_log_that_is_ahead_is_recovered_from_at_a_home_alone(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    for number, name in enumerate("abc"):
        chain.release(make(tmp_path, name, since=number or None), since=number or None)
    aged(memory)
    memory._objects[POINTER] = memory._objects[layout.log_entry(2)]
    (found,) = (each for each in checkup(Destinations(memory)).left if each.kind is not Damage.LITTER)
    assert found.kind is Damage.LOG_AHEAD
    done = recover(ReleaseStore(memory), V110, Act(by="ada", reason="restored from a backup", operation="recover"))
    assert done.pointer.epoch == 4
    assert checkup(Destinations(memory), repair=True).left == []
    assert assert_settled(memory).version == V110


# ── what is in flight ───────────────────────────────────────────────────────────────────────────────────────────────


def aged(store: MemoryStore) -> None:
    for key, each in store._objects.items():
        store._objects[key] = _Object(each.body, each.token, each.modified - timedelta(days=3))


def young(store: MemoryStore, key: str) -> None:
    found = store._objects[key]
    store._objects[key] = _Object(found.body, found.token, store.now())


@pytest.mark.parametrize(
    "name", ["log_lacks_the_present_epoch", "follower_behind", "follower_without_pointer", "copies_of_an_older_version"]
)
def test_what_a_run_is_seeing_to_is_no_damage_and_a_repair_sees_to_it_all_the_same(scene: Scene, name: str) -> None:
    CASES[name](scene)
    young(scene.home, POINTER)
    assert checkup(scene.destinations).left == []
    assert repaired(scene) == Checkup([], [], [])
    scene.check()


def test_every_moment_of_a_release_is_no_damage(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    chain = Chain(home, [follower])
    chain.release(make(tmp_path, "a"))
    destinations = Destinations(home, [Follower(follower)])

    def between(request: Request) -> object:
        outcome = request.perform()
        if request.writes:
            assert checkup(destinations, read_data=True).left == [], str(request)
        return outcome

    watched = [Interposed(store, between) for store in (home, follower)]
    Chain(watched[0], [watched[1]]).release(make(tmp_path, "b", since=1), since=1)
    assert checkup(destinations, read_data=True).left == []


def test_before_anything_is_released_nothing_is_wrong(memory: MemoryStore, tmp_path: Path) -> None:
    assert checkup(Destinations(memory), repair=True) == Checkup([], [], [])
    Chain(memory).claim(make(tmp_path, "a"))
    assert checkup(Destinations(memory), repair=True) == Checkup([], [], [])


def test_it_begins_anew_when_the_pointer_moves(scene: Scene) -> None:
    moved = 0

    def between(request: Request) -> object:
        nonlocal moved
        if request.verb == "get" and request.key == POINTER and moved < limit:
            scene.rewrite(write_id=f"moved {moved}")
            moved += 1
        return request.perform()

    for limit in (2, 1000):
        home = Interposed(scene.home, between)
        if limit == 2:
            assert examine(ReleaseStore(home, [Follower(scene.follower)])) == []
        else:
            with pytest.raises(Contended, match="moved 5 times while doctor looked"):
                examine(ReleaseStore(home, [Follower(scene.follower)]))


def test_clocks_that_differ_are_told_and_nothing_is_swept(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    CASES["old_staging"](scene)
    now = scene.follower.now
    monkeypatch.setattr(scene.follower, "now", lambda: now() + timedelta(hours=1))
    before = scene.state()
    done = repaired(scene)
    assert told(done) == {(Damage.CLOCKS_APART, "memory://follower")}
    assert scene.state() == before


def test_an_upload_that_was_never_finished_is_swept(store: LocalStore, tmp_path: Path) -> None:
    Chain(store).release(make(tmp_path, "a"))
    left = store.root / ".model-release" / "new-left"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    (found,) = checkup(Destinations(store)).left
    assert (found.kind, found.repairable) == (Damage.LITTER, True)
    assert "never finished" in found.what
    assert checkup(Destinations(store), repair=True).mended == [found]
    assert not left.exists()
    assert checkup(Destinations(store)).left == []


def test_what_is_published_while_doctor_looks_is_not_missing_anywhere(scene: Scene, tmp_path: Path) -> None:
    made = make(tmp_path, "meanwhile", since=6)

    def between(request: Request) -> object:
        outcome = request.perform()
        if (request.verb, request.key) == ("list", ""):
            Chain(scene.home, [scene.follower]).publish(made)
        return outcome

    assert (
        examine(
            ReleaseStore(scene.home, [Follower(each) for each in [Interposed(scene.follower, between)]]), read_data=True
        )
        == []
    )


def test_a_follower_named_as_home_is_told_from_one_and_nothing_is_written_there(scene: Scene) -> None:
    before = scene.state()
    done = checkup(Destinations(scene.follower), read_data=True, repair=True)
    assert told(done) == {(Damage.ANOTHER_HOME, f"{scene.follower.uri}/{POINTER}")}
    assert "name that destination first" in done.left[0].remedy
    assert scene.state() == before
