"""Every schedule, within bounds, of two real verbs over one store: what simpler rules than DESIGN.md's would break.

The numbers in brackets are those of the design's own schedules. Here are the verbs of the nightly chain; a person's are
in `test_schedules_of_acts`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest, Manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import FIRST, Bump, Version
from model_release.errors import BaselineMoved, OutcomeUnknown, Refused
from model_release.releases.acts import rollback
from model_release.releases.catalog import fetch, read_pointer, read_version, versions
from model_release.releases.claims import abandon, became, take_number
from model_release.releases.promote import Promotion, follow, refresh_latest
from model_release.releases.publish import place, seal
from model_release.releases.reconcile import reconcile
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Store
from support.interposed_store import Interposed, Request, losing_the_answer
from support.memory_store import MemoryStore
from support.release_builder import Chain, Made, act, assert_readable, assert_settled, begun, make
from support.schedule_player import Actor, explore

pytestmark = pytest.mark.usefixtures("at_once")

V110 = Version(1, 1, 0)
Wrap = Callable[[Store], Store]


def epochs(store: Store) -> list[int]:
    return [int(entry.key.removeprefix("log/").removesuffix(".json")) for entry in store.list("log/")]


def publishing(home: Store, made: Made) -> Callable[[Wrap], Manifest]:
    """An actor that takes every step of phase one."""
    return lambda wrap: Chain(wrap(home)).publish(made)


def promoting(home: Store, manifest: Manifest, *, since: int | None) -> Callable[[Wrap], Promotion]:
    """An actor that makes a published version live."""
    return lambda wrap: Chain(wrap(home)).promote(manifest, since=since)


def no_errors(*actors: Actor, but: tuple[type[BaseException], ...] = ()) -> None:
    for actor in actors:
        assert actor.error is None or actor.died or isinstance(actor.error, but), f"{actor.name}: {actor.error!r}"


@pytest.mark.parametrize("deaths", [0, 1])
@pytest.mark.parametrize("first", [True, False])
def test_two_runs_get_two_numbers(tmp_path: Path, first: bool, deaths: int) -> None:
    """[5] Two runs, one number: whoever claims it owns its folder alone."""
    before = MemoryStore() if first else begun(tmp_path)
    one, two = make(tmp_path, "one"), make(tmp_path, "two")

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()
        actors = [Actor(each.run, publishing(home, each), mortal=True) for each in (one, two)]

        def check() -> None:
            no_errors(*actors)
            for each in versions(home):
                decided = read_version(home, each)
                if isinstance(decided, Manifest):
                    for entry in decided.files:
                        fetch(home, layout.artifact(each, entry.path), entry, None)
            results = [actor.result.version for actor in actors if actor.result is not None]
            assert len(set(results)) == len(results)
            for actor, made in zip(actors, (one, two), strict=True):  # whoever died goes on, mostly where it was
                if actor.died:
                    results.append(Chain(home).publish(made).version)
            undecided = [each for each in versions(home) if read_version(home, each) is None]
            assert len(set(results)) == 2
            assert len(undecided) <= deaths  # housekeeping gives it up
            assert sorted([*results, *undecided]) == [each for each in versions(home) if first or each != FIRST]

        return actors, check

    assert explore(setting, preemptions=2, deaths=deaths) > 50


@pytest.mark.parametrize("deaths", [0, 1])
def test_one_fingerprint_becomes_one_version(tmp_path: Path, deaths: int) -> None:
    """[9] Two runs of one fingerprint, one of which may die: one version is published, by whoever gets there."""
    before = begun(tmp_path)
    nights = [make(tmp_path, "same", run=run) for run in ("night1", "night2")]

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()
        actors = [Actor(each.run, publishing(home, each), mortal=True) for each in nights]

        def check() -> None:
            no_errors(*actors)
            again = Chain(home).publish(nights[0])
            made = [each for each in versions(home) if isinstance(read_version(home, each), Manifest) and each != FIRST]
            assert made == [again.version] == [became(ReleaseStore(home), again.fingerprint)]
            assert all(actor.result == again for actor in actors if not actor.died)
            undecided = [each for each in versions(home) if read_version(home, each) is None]
            assert len(undecided) <= deaths  # a number that nobody came back for; housekeeping gives it up

        return actors, check

    assert explore(setting, preemptions=2, deaths=deaths) > 50


def test_two_first_releases(tmp_path: Path) -> None:
    """Of two runs that both begin the history one does, and the other is told that its baseline moved."""
    before = MemoryStore()
    chain = Chain(before)
    made = [chain.publish(make(tmp_path, name)) for name in ("one", "two")]

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()
        actors = [Actor(str(each.version), promoting(home, each, since=None)) for each in made]

        def check() -> None:
            no_errors(*actors, but=(BaselineMoved,))
            live = read_pointer(home)
            assert live is not None
            assert live.pointer.change.kind is Kind.FIRST
            assert live.pointer.epoch == 1
            assert [actor.error is None and actor.result.refusal is None for actor in actors].count(True) == 1
            assert epochs(home) == [1]
            assert_readable(home)

        return actors, check

    assert explore(setting, preemptions=3) > 50


@pytest.mark.parametrize("deaths", [0, 1])
def test_promotions_race_forward_only(tmp_path: Path, deaths: int) -> None:
    """Two promotions judged against one baseline: one wins, the log has no gap, the pointer never goes back."""
    before = begun(tmp_path)
    chain = Chain(before)
    made = [chain.publish(make(tmp_path, name, as_of=date(2024, 5, d), since=1)) for d, name in enumerate("ab", 1)]

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()
        actors = [Actor(str(each.version), promoting(home, each, since=1), mortal=True) for each in made]

        def check() -> None:
            no_errors(*actors, but=(BaselineMoved,))
            reconcile(ReleaseStore(home))
            pointer = assert_settled(home)
            won = [a for a in actors if a.error is None and a.result.refusal is None]
            assert len(won) <= 1
            assert pointer.epoch <= 2
            if won:
                assert str(pointer.version) == won[0].name
            if not deaths:
                assert len(won) == 1

        return actors, check

    assert explore(setting, preemptions=3, deaths=deaths) > 50


def test_lost_answer_and_a_third_writer(tmp_path: Path) -> None:
    """[3] The answer of a swap is lost, another writer moves on: the log tells the first one that it had won."""
    before = begun(tmp_path, ("first", "second"))
    newer = Chain(before).publish(make(tmp_path, "newer", as_of=date(2024, 5, 1), since=2))

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()

        def promotes(wrap: Wrap) -> object:
            return Chain(losing_the_answer(wrap(home))).promote(newer, since=2)

        actors = [
            Actor("promotes", promotes),
            Actor("third", lambda wrap: rollback(ReleaseStore(wrap(home)), act("back"), to=FIRST)),
        ]

        def check() -> None:
            no_errors(*actors, but=(BaselineMoved, Refused))
            was_live = newer.version in [_at(home, epoch).version for epoch in epochs(home)]
            told = actors[0].error is None and actors[0].result.refusal is None
            assert told == was_live
            reconcile(ReleaseStore(home))
            assert assert_settled(home).version in (FIRST, newer.version)

        return actors, check

    assert explore(setting, preemptions=3) > 50


def test_late_request(tmp_path: Path) -> None:
    """[10] A swap times out and reaches the store any time later: nobody is told "lost" of what is live."""
    before = begun(tmp_path)
    newer = Chain(before).publish(make(tmp_path, "newer", since=1))

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()
        late: list[Callable[[], object]] = []

        def promotes(wrap: Wrap) -> object:
            def between(request: Request) -> object:
                if request.verb == "replace" and not late:
                    late.append(request.perform)
                    raise OutcomeUnknown("timed out", where=request.key)
                return request.perform()

            return Chain(wrap(Interposed(home, between))).promote(newer, since=1)

        def network(wrap: Wrap) -> object:
            slow = wrap(home)
            slow.get(layout.POINTER)  # time passes
            return late[0]() if late else None

        actors = [Actor("promotes", promotes), Actor("network", network)]

        def check() -> None:
            no_errors(*actors)
            assert actors[0].result.refusal is None
            live = read_pointer(home)
            assert live is not None
            assert (live.pointer.version, live.pointer.epoch, epochs(home)) == (newer.version, 2, [1, 2])

        return actors, check

    assert explore(setting, preemptions=3) > 5


@pytest.mark.parametrize("deaths", [0, 1])
def test_follower_never_stays_behind(tmp_path: Path, deaths: int) -> None:
    """[7] A follower gets home's current pointer, never one from a run's memory."""
    home_before, follower_before = begun(tmp_path), MemoryStore("memory://follower")
    chain = Chain(home_before, [follower_before])
    chain.spread()
    chain.promote(chain.publish(make(tmp_path, "newer", since=1)), since=1)

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home, follower = home_before.clone(), follower_before.clone()

        def rolls_back(wrap: Wrap) -> None:
            rollback(ReleaseStore(wrap(home)), act("back"))
            follow(ReleaseStore(wrap(home)), wrap(follower))

        actors = [
            Actor("publisher", lambda wrap: follow(ReleaseStore(wrap(home)), wrap(follower)), mortal=True),
            Actor("rollback", rolls_back),
        ]

        def check() -> None:
            no_errors(*actors)
            there, here = follower.get(layout.POINTER), home.get(layout.POINTER)
            assert there is not None and here is not None
            assert there.body == here.body
            assert_readable(follower)

        return actors, check

    assert explore(setting, preemptions=2, deaths=deaths) > 50


@pytest.mark.parametrize("deaths", [0, 1])
def test_copies_end_as_those_of_the_live_version(tmp_path: Path, deaths: int) -> None:
    """[2] The publisher's copies and a rollback's meet in `latest/`: the last one to finish is right."""
    before = begun(tmp_path, ("first", "second"))

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()
        home.delete(layout.latest_copy("best_model.pkl"))

        def rolls_back(wrap: Wrap) -> None:
            rollback(ReleaseStore(wrap(home)), act("back"))
            refresh_latest(wrap(home))

        actors = [
            Actor("publisher", lambda wrap: refresh_latest(wrap(home)), mortal=True),
            Actor("rollback", rolls_back),
        ]

        def check() -> None:
            no_errors(*actors)
            if any(actor.died for actor in actors):
                reconcile(ReleaseStore(home))
            assert assert_settled(home).version == FIRST

        return actors, check

    assert explore(setting, preemptions=2, deaths=deaths) > 50


def test_sweeper_and_late_worker(tmp_path: Path) -> None:
    """[6] Housekeeping gives up a claim while its worker comes back: published means that every file is there."""
    before = begun(tmp_path)
    claim = Chain(before).claim(make(tmp_path, "late", since=1))

    def setting() -> tuple[list[Actor], Callable[[], None]]:
        home = before.clone()

        def late_worker(wrap: Wrap) -> Manifest:
            place(ReleaseStore(wrap(home)), claim, wrap(home))
            return seal(ReleaseStore(wrap(home)), claim)

        def sweeper(wrap: Wrap) -> bool:
            store = wrap(home)
            won = abandon(ReleaseStore(store), claim.metadata.version, by="housekeeping", reason="stale")
            if won:
                for entry in claim.metadata.files:
                    store.delete(layout.artifact(claim.metadata.version, entry.path))
            return won

        actors = [Actor("late worker", late_worker, mortal=True), Actor("sweeper", sweeper, mortal=True)]

        def check() -> None:
            no_errors(*actors, but=(Refused,))
            decided = read_version(home, claim.metadata.version)
            if isinstance(decided, Manifest):
                assert not actors[1].result
                for entry in decided.files:
                    assert home.get(layout.artifact(decided.version, entry.path)) is not None
            else:
                assert actors[0].result is None
            if isinstance(decided, AbandonedManifest):  # the run again: the next number, published
                again = take_number(ReleaseStore(home), claim.metadata, run=claim.run)
                assert again.metadata.version == claim.metadata.version.next(Bump.MINOR)

        return actors, check

    assert explore(setting, preemptions=2, deaths=1) > 50


def _at(store: Store, epoch: int) -> Pointer:
    stored = store.get(layout.log_entry(epoch))
    assert stored is not None
    return Pointer.read(stored.body, where=str(epoch))
