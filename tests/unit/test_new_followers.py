"""A destination that is added to a model with a history, and one that cannot be opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.version import FIRST, Version
from model_release.errors import CredentialsRefused, ModelReleaseError, NotFound
from model_release.releases.acts import rollback
from model_release.releases.catalog import live_pointer, read_pointer
from model_release.releases.prune import remove_files, retire
from model_release.releases.reconcile import reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import Store
from model_release.stores.unopened import Unopened
from model_release.workflows.checkup import checkup
from model_release.workflows.destinations import Destinations
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.quick_specs import quick_spec
from support.release_builder import act, assert_settled, begun
from support.schedule_player import Killed, dying_after

pytestmark = pytest.mark.usefixtures("at_once")

NAMES = [f"release-{number}" for number in range(12)]


@pytest.fixture
def home(tmp_path: Path) -> MemoryStore:
    """Twelve versions; the second one is retired and its files are gone."""
    home = begun(tmp_path, NAMES)
    retire(ReleaseStore(home), [Version(1, 1, 0)], act("housekeeping"))
    remove_files(home, Version(1, 1, 0))
    return home


def versions(store: Store) -> set[str]:
    return {entry.key.partition("/")[0] for entry in store.list("v")}


def test_a_follower_that_is_added_late_is_filled_and_doctor_finds_nothing(home: MemoryStore) -> None:
    late, told = MemoryStore("memory://late/heart"), list[str]()
    done = reconcile(ReleaseStore(home, [Follower(late)]), tell=told.append)
    assert done.lagging == []
    assert versions(late) == versions(home) - {"v1.1.0"}
    assert told[0] == "memory://late/heart: v1.0.0 is there now, 1 of 10 earlier versions"
    assert len(told) == 10
    assert_settled(late)
    assert checkup(Destinations(home, [Follower(late)]), read_data=True).found == []


def test_nothing_is_filled_twice(home: MemoryStore) -> None:
    late, told = MemoryStore("memory://late/heart"), list[str]()
    releases = ReleaseStore(home, [Follower(late)])
    reconcile(releases)
    before = dict(late._objects)
    reconcile(releases, tell=told.append)
    assert told == []
    assert late._objects == before


@pytest.mark.parametrize("requests", [1, 7, 20, 60, 100])
def test_a_fill_that_is_killed_goes_on_with_the_next_run(home: MemoryStore, requests: int) -> None:
    late = MemoryStore("memory://late/heart")
    with pytest.raises(Killed):
        reconcile(ReleaseStore(home, [Follower(Interposed(late, dying_after(requests)))]))
    assert read_pointer(late) is None, "a follower without a pointer is not full"
    reconcile(ReleaseStore(home, [Follower(late)]))
    assert versions(late) == versions(home) - {"v1.1.0"}
    assert_settled(late)


def test_a_follower_that_is_added_after_fifty_releases_is_filled_with_progress_also_if_that_is_interrupted(
    tmp_path: Path,
) -> None:
    home = begun(tmp_path, [f"release-{number}" for number in range(50)])
    late, told, sent = MemoryStore("memory://late/heart"), list[str](), list[Request]()

    def dying_half_way(request: Request) -> object:
        if len(told) == 25:
            raise Killed
        return request.perform()

    def counting(request: Request) -> object:
        sent.append(request)
        return request.perform()

    with pytest.raises(Killed):
        reconcile(ReleaseStore(home, [Follower(Interposed(late, dying_half_way))]), tell=told.append)
    assert told[-1] == "memory://late/heart: v1.24.0 is there now, 25 of 49 earlier versions"
    assert read_pointer(late) is None
    files = {key for key in late._objects if key.startswith("v")}
    done = reconcile(ReleaseStore(home, [Follower(Interposed(late, counting))]), tell=told.append)
    assert told[-1] == "memory://late/heart: v1.48.0 is there now, 49 of 49 earlier versions"
    assert (done.lagging, done.complete) == ([], True)
    assert not files & {each.key for each in sent if each.writes and each.key.endswith(".pkl")}, "no file twice"
    assert_settled(late)
    assert live_pointer(late) == live_pointer(home)
    assert versions(late) == versions(home)
    assert checkup(Destinations(home, [Follower(late)])).found == []


def test_a_version_that_is_damaged_at_home_keeps_no_other_one_back(home: MemoryStore) -> None:
    for entry in [*home.list(f"{layout.STAGING}/")]:
        home.delete(entry.key)
    home.delete(f"{FIRST}/best_model.pkl")
    late = MemoryStore("memory://late/heart")
    done = reconcile(ReleaseStore(home, [Follower(late)]))
    (lagging,) = done.lagging
    assert "v1.0.0 could not be put there" in lagging
    assert versions(late) == versions(home) - {"v1.1.0"}
    assert late.get(layout.manifest(FIRST)) is None
    assert live_pointer(late) == live_pointer(home)


# ── a destination that cannot be opened ─────────────────────────────────────────────────────────────────────────────

CLOSED = CredentialsRefused("the key of this destination was deleted")


def spec_of(folder: Path, *, required: bool) -> Spec:
    """A spec with home and one other destination, and without tracking."""
    gone = {"name": "gone", "uri": "file:///gone", "required": required}
    path = quick_spec(folder, "heart_disease", destinations=[{"name": "home", "uri": "file:///home"}, gone])
    return load_spec(path).model_copy(update={"tracking": None})


def opened(home: Store, folder: Path) -> Destinations:
    """The destinations of a spec: home, and one that is not required and cannot be opened."""
    spec = spec_of(folder, required=False)

    def opener(uri: str, _: TransferSettings) -> Store:
        if uri.startswith("file:///gone"):
            raise CLOSED
        return home

    return Destinations.of(spec, opener)


def test_a_destination_that_is_not_required_and_cannot_be_opened_stops_neither_night_nor_person(
    home: MemoryStore, tmp_path: Path
) -> None:
    destinations = opened(home, tmp_path)
    done = destinations.reconcile()
    assert done.complete
    (lagging,) = done.lagging
    assert "the key of this destination was deleted" in lagging
    acted = rollback(destinations.releases, act("op"))
    assert live_pointer(home) == acted.pointer
    assert destinations.reconcile(waits=False).complete


def test_doctor_says_that_it_could_not_look_there(home: MemoryStore, tmp_path: Path) -> None:
    found = checkup(opened(home, tmp_path), repair=True).left
    assert {each.what for each in found} == {CLOSED.what}


def test_home_and_a_required_destination_must_open(tmp_path: Path) -> None:
    for required, uri in ((True, "file:///gone"), (False, "file:///home")):
        spec = spec_of(tmp_path, required=required)

        def opener(asked: str, _: TransferSettings, uri: str = uri) -> Store:
            if asked.startswith(uri):
                raise CLOSED
            return MemoryStore(asked)

        with pytest.raises(CredentialsRefused):
            Destinations.of(spec, opener)


def test_every_call_of_a_store_that_could_not_be_opened_says_why() -> None:
    store = Unopened("s3://gone/heart", NotFound("there is no such connection"))
    calls: list[Callable[[], object]] = [
        lambda: store.get("k"),
        lambda: store.create("k", b""),
        lambda: store.replace("k", b"", "t"),
        lambda: store.upload("k", Path()),
        lambda: store.download("k", Path()),
        lambda: store.copy("k", "l"),
        lambda: store.list(),
        lambda: store.delete("k"),
        lambda: store.now(),
        lambda: store.unfinished(store.now(), remove=False),
    ]
    for call in calls:
        with pytest.raises(ModelReleaseError, match="no such connection"):
            call()
