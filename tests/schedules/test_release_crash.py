"""Whatever breaks at whichever request of a release: run again, it ends as if nothing had happened.

Meanwhile readers are right at every moment.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.version import FIRST, Version
from model_release.errors import OutcomeUnknown, StoreUnavailable
from model_release.releases.catalog import read_pointer, versions
from model_release.stores.base import Lost, Store
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.proof_tally import Record, proof
from support.release_builder import Chain, Made, assert_readable, assert_settled, make
from support.schedule_player import Killed, dying_after

pytestmark = pytest.mark.usefixtures("at_once")

V110 = Version(1, 1, 0)


class Scene:
    """A home and a follower, with one release live or none, and one more to be made."""

    def __init__(self, folder: Path, *, first: bool) -> None:
        self.stores = (MemoryStore(), MemoryStore("memory://follower"))
        self.since = None if first else 1
        if not first:
            Chain(self.stores[0], self.stores[1:]).release(make(folder, "before"))
        self.made = make(folder, "now", since=self.since)
        self.version = FIRST if first else V110
        self._begin = [dict(store._objects) for store in self.stores]

    def reset(self) -> None:
        for store, objects in zip(self.stores, self._begin, strict=True):
            store._objects = dict(objects)

    def run(self, between: Callable[[Request], object], made: Made | None = None) -> None:
        home, *followers = (Interposed(store, between) for store in self.stores)
        Chain(home, followers).persist(made or self.made, since=self.since, tries=6)

    def requests(self) -> Sequence[Request]:
        """What an undisturbed run sends."""
        sent: list[Request] = []

        def between(request: Request) -> object:
            sent.append(request)
            return request.perform()

        self.reset()
        self.run(between)
        self.check()
        return sent

    def check_readers(self) -> None:
        """A reader finds a whole release, or none, at every destination."""
        for store in self.stores:
            assert_readable(store)

    def check(self) -> None:
        """The state that every run must end in."""
        for store in self.stores:
            pointer = assert_settled(store)
            assert pointer.version == self.version
            assert pointer.epoch == pointer.since == (1 if self.since is None else 2)
            assert versions(store) == ([FIRST] if self.since is None else [FIRST, V110])
        home, follower = (store.get(layout.POINTER) for store in self.stores)
        assert home is not None
        assert follower is not None
        assert home.body == follower.body


@pytest.fixture(params=["first release", "next release"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """Both situations."""
    return Scene(tmp_path, first=request.param == "first release")


@pytest.mark.parametrize("again", ["the same run", "another run"])
def test_killed_before_every_request(scene: Scene, tmp_path: Path, again: str, record_property: Record) -> None:
    total = len(scene.requests())
    assert total > 50
    other = make(tmp_path, "now", run="the next night", since=scene.since)
    with proof(record_property, "a release, in memory", "crashes", "torn reads", "releases lost") as tally:
        for moment in range(total):
            scene.reset()
            with pytest.raises(Killed):
                scene.run(dying_after(moment))
            tally.counts["crashes"] += 1
            tally.expect("torn reads", scene.check_readers, moment)
            scene.run(lambda request: request.perform(), scene.made if again == "the same run" else other)
            tally.expect("releases lost", scene.check, moment)


def performed_then_unknown(request: Request) -> object:
    request.perform()
    raise OutcomeUnknown("the answer was lost", where=request.key)


def unknown_and_not_performed(request: Request) -> object:
    raise OutcomeUnknown("the request was lost", where=request.key)


def performed_then_refused(request: Request) -> object:
    """An SDK lost the answer, sent the request again by itself, and was refused by its own success."""
    request.perform()
    return Lost()


def performed_then_unavailable(request: Request) -> object:
    request.perform()
    raise StoreUnavailable("the answer was lost", where=request.key)


def unavailable(request: Request) -> object:
    raise StoreUnavailable("throttled", where=request.key)


@pytest.mark.parametrize(
    ("fault", "concerns"),
    [
        (performed_then_unknown, "conditional"),
        (unknown_and_not_performed, "conditional"),
        (performed_then_refused, "conditional"),
        (performed_then_unavailable, "writes"),
        (unavailable, "any"),
    ],
)
@pytest.mark.parametrize("times", [1, 5], ids=["once", "until the call gives up"])
def test_an_answer_lost_at_every_request(
    scene: Scene, fault: Callable[[Request], object], concerns: str, times: int
) -> None:
    for moment, which in enumerate(scene.requests()):
        if concerns != "any" and not getattr(which, concerns):
            continue
        scene.reset()
        count, left = 0, times

        def between(request: Request, moment: int = moment) -> object:
            nonlocal count, left
            count += 1
            if count - 1 < moment or not left or (concerns != "any" and not getattr(request, concerns)):
                return request.perform()
            left -= 1
            return fault(request)

        scene.run(between)
        scene.check()


def test_no_request_is_sent_for_nothing(scene: Scene) -> None:
    """What a release costs, so that a change of it is noticed."""
    sent = [str(request) for request in scene.requests()]
    writes = [each for each in sent if each.split()[0] not in ("get", "list", "download")]
    pointer = [each for each in writes if each.endswith(layout.POINTER)]
    assert len(pointer) == 2, "one write of each pointer"
    assert len(writes) < 40


def test_readers_are_right_in_between(scene: Scene) -> None:
    """A reader who comes at any moment finds the old release or the new one, whole."""
    seen = set()

    def between(request: Request) -> object:
        outcome = request.perform()
        for store in scene.stores:
            assert_readable(store)
            live = read_pointer(store)
            seen.add(live.pointer.version if live else None)
        return outcome

    scene.run(between)
    assert seen == ({None, FIRST} if scene.since is None else {FIRST, V110})


def test_store_protocol() -> None:
    """The stand-ins are stores as far as the type checker can tell."""
    stores: list[Store] = [MemoryStore(), Interposed(MemoryStore(), lambda request: request.perform())]
    assert [store.get("key") for store in stores] == [None, None]
