"""Every schedule, within bounds, of a person's act and another verb over one store, one of which may die.

The numbers in brackets are those of the design's own schedules. Whatever the schedule, one of the two comes first, the
other one either follows from it or is refused, and no state in between is ever lost or seen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest, Manifest
from model_release.documents.pointer import Kind
from model_release.documents.version import FIRST, Version
from model_release.errors import BaselineMoved, Contended, ModelReleaseError, NotFound, Refused
from model_release.releases import acts
from model_release.releases.acts import Act, Acted, hold, quarantine, rollback, unhold
from model_release.releases.catalog import fetch, history, live_pointer, read_version
from model_release.releases.promote import Promotion
from model_release.releases.prune import prune, retire
from model_release.releases.publish import place, seal
from model_release.releases.reconcile import reconcile
from model_release.releases.recover import recover, rehome
from model_release.releases.store import Follower, ReleaseStore
from model_release.releases.sweep import sweep
from model_release.spec.retention import Retention
from model_release.stores.base import Store
from support.interposed_store import losing_the_answer
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, assert_lawful, assert_readable, assert_settled, begun, make
from support.schedule_player import Actor, explore

pytestmark = pytest.mark.usefixtures("at_once")

V110, V120 = Version(1, 1, 0), Version(1, 2, 0)
Wrap = Callable[[Store], Store]
Setting = tuple[list[Actor], Callable[[], None]]


@pytest.fixture
def before(tmp_path: Path) -> MemoryStore:
    """v1.0.0 was live, v1.1.0 is, and v1.2.0 is published and accepted against it."""
    home = begun(tmp_path, "ab")
    Chain(home).publish(make(tmp_path, "newer", since=2))
    return home


def night(home: Store, *, since: int = 2) -> Callable[[Wrap], Promotion]:
    """The nightly chain makes v1.2.0 live."""

    def promotes(wrap: Wrap) -> Promotion:
        manifest = read_version(home, V120)
        assert isinstance(manifest, Manifest)
        return Chain(wrap(home)).promote(manifest, since=since)

    return promotes


def operate_run(
    home: Store, verb: Callable[[ReleaseStore, Act], Acted], *, seen: int | None = 2, operation: str = "op"
) -> Any:
    """A person acts on what epoch `seen` showed."""
    return lambda wrap: verb(ReleaseStore(wrap(home)), act(operation, seen=seen))


def ended(*actors: Actor, but: tuple[type[BaseException], ...] = (Refused, BaselineMoved)) -> None:
    for actor in actors:
        assert actor.error is None or actor.died or isinstance(actor.error, but), f"{actor.name}: {actor.error!r}"


def done(actor: Actor) -> bool:
    """Whether an actor was told that it had done it."""
    if actor.error is not None:
        return False
    return actor.result.refusal is None if isinstance(actor.result, Promotion) else True


def settled(home: MemoryStore) -> list[Kind]:
    """Let the next run heal; return what has happened since v1.1.0 became live."""
    reconcile(ReleaseStore(home))
    assert_settled(home)
    return assert_lawful(home)[2:]


def to_newest(releases: ReleaseStore, by: Act) -> Acted:
    return quarantine(releases, V120, by)


def by_word(releases: ReleaseStore, by: Act) -> Acted:
    return acts.promote(releases, V120, by)


@pytest.mark.parametrize("deaths", [0, 1])
@pytest.mark.parametrize("verb", [rollback, hold, to_newest, by_word], ids=lambda verb: str(verb.__name__))
def test_an_act_and_a_night(before: MemoryStore, verb: Callable[[ReleaseStore, Act], Acted], deaths: int) -> None:
    """[4] The act comes first and the night is refused, or the night does and the act, which has not seen it, is."""

    def setting() -> Setting:
        home = before.clone()
        person = Actor("person", operate_run(home, verb), mortal=True)
        run = Actor("night", night(home), mortal=True)

        def check() -> None:
            ended(person, run)
            kinds = settled(home)
            assert len(kinds) <= 1
            assert done(person) <= (live_pointer(home).change.operation == "op")
            if not deaths and verb is not by_word:
                assert done(person) != done(run)
                assert kinds == [Kind.PROMOTE if done(run) else live_pointer(home).change.kind]
            if person.died:
                again = Actor("again", operate_run(home, verb))
                try:
                    assert again.play(lambda store: store).repeated == (kinds != [])
                except Refused:
                    assert kinds == [Kind.PROMOTE]
                assert len(settled(home)) == 1
            if run.died and not kinds:
                assert night(home)(lambda store: store).refusal is None

        return [person, run], check

    assert explore(setting, preemptions=3, deaths=deaths) > 50


def test_unhold_and_a_night(before: MemoryStore) -> None:
    """The night is refused and the hold lifted afterwards, or the other way round; a hold is no baseline."""
    hold(ReleaseStore(before), act("hold"))

    def setting() -> Setting:
        home = before.clone()
        person, run = Actor("person", operate_run(home, unhold, seen=3), mortal=True), Actor("night", night(home))

        def check() -> None:
            ended(person, run, but=())
            kinds = settled(home)
            if done(run):
                assert kinds == [Kind.HOLD, Kind.UNHOLD, Kind.PROMOTE]
            elif person.died:
                assert kinds in ([Kind.HOLD], [Kind.HOLD, Kind.UNHOLD])
            else:
                assert kinds == [Kind.HOLD, Kind.UNHOLD]
                assert "held at v1.1.0" in str(run.result.refusal)

        return [person, run], check

    assert explore(setting, preemptions=3, deaths=1) > 50


@pytest.mark.parametrize("deaths", [0, 1])
@pytest.mark.parametrize("operation", ["op", "another"])
@pytest.mark.parametrize("verb", [rollback, by_word], ids=lambda verb: str(verb.__name__))
def test_one_act_twice(
    before: MemoryStore, verb: Callable[[ReleaseStore, Act], Acted], operation: str, deaths: int
) -> None:
    """Two clicks at once: of one act, both are told that it is done; of two, one is refused. One move in any case."""

    def setting() -> Setting:
        home = before.clone()
        one = Actor("one", operate_run(home, verb), mortal=True)
        two = Actor("two", operate_run(home, verb, operation=operation), mortal=True)

        def check() -> None:
            ended(one, two)
            kinds = settled(home)
            assert len(kinds) == 1 or any(actor.died for actor in (one, two))
            if operation == "op":
                assert all(done(actor) or actor.died for actor in (one, two))
            if not deaths:
                assert done(one) + done(two) == (2 if operation == "op" else 1)
                assert [actor.result.repeated for actor in (one, two) if done(actor)].count(False) == 1

        return [one, two], check

    assert explore(setting, preemptions=3, deaths=deaths, limit=60) > 50


PAIRS: list[tuple[Callable[[ReleaseStore, Act], Acted], Callable[[ReleaseStore, Act], Acted]]] = [
    (rollback, hold),
    (rollback, to_newest),
    (rollback, by_word),
    (hold, by_word),
    (to_newest, by_word),
    (hold, to_newest),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: "-".join(verb.__name__ for verb in pair))
def test_two_acts_on_one_state(
    before: MemoryStore, pair: tuple[Callable[[ReleaseStore, Act], Acted], Callable[[ReleaseStore, Act], Acted]]
) -> None:
    """Two persons who looked at the same epoch: one acts, the other one looks again."""

    def setting() -> Setting:
        home = before.clone()
        ada, bob = (Actor(f"{n}", operate_run(home, verb, operation=f"{n}")) for n, verb in enumerate(pair))

        def check() -> None:
            ended(ada, bob)
            assert done(ada) != done(bob)
            assert len(settled(home)) == 1

        return [ada, bob], check

    assert explore(setting, preemptions=3, limit=60) > 50


@pytest.mark.parametrize("verb", [rollback, hold, to_newest, by_word], ids=lambda verb: str(verb.__name__))
def test_lost_answer_inside_an_act(before: MemoryStore, verb: Callable[[ReleaseStore, Act], Acted]) -> None:
    """[3] The answer of the act's swap is lost and another one moves on: the log tells that the act was done."""

    def setting() -> Setting:
        home = before.clone()
        person = Actor("person", lambda wrap: verb(ReleaseStore(losing_the_answer(wrap(home))), act("op", seen=2)))
        third = Actor("third", lambda wrap: hold(ReleaseStore(wrap(home)), act("third")))

        def check() -> None:
            ended(person, third)
            assert done(person) == ("op" in [pointer.change.operation for pointer in history(home)])
            assert done(person) or done(third)
            settled(home)

        return [person, third], check

    assert explore(setting, preemptions=3, limit=80) > 50


# ── pruning ──────────────────────────────────────────────────────────────────────────────────────────────────────────

KEEP = Retention(live_versions=1, days=1, other_versions=0, grace_hours=1)


def of_old(folder: Path, names: str) -> MemoryStore:
    """Everything was made sixty days ago, and v1.0.0 was retired two days ago."""
    home = MemoryStore()
    home.ahead = timedelta(days=-60)
    begun(folder, names, home=home)
    Chain(home).publish(make(folder, "never live", since=len(names), as_of=date(2024, 6, 1)))
    home.ahead = timedelta(days=-2)
    retire(ReleaseStore(home), [FIRST], act("before"))
    home.ahead = timedelta(0)
    return home


@pytest.mark.parametrize("deaths", [0, 1])
@pytest.mark.parametrize("to", [V110, V120])
def test_rollback_and_prune(tmp_path: Path, to: Version, deaths: int) -> None:
    """[1] What is live has its files, whether it was about to be retired or was live before."""
    before = of_old(tmp_path, "abcd")

    def setting() -> Setting:
        home = before.clone()
        person = Actor("person", lambda wrap: rollback(ReleaseStore(wrap(home)), act("op", seen=5), to=to), mortal=True)
        keeper = Actor("keeper", lambda wrap: prune(ReleaseStore(wrap(home)), KEEP, act("prune")), mortal=True)

        def check() -> None:
            ended(person, keeper)
            settled(home)
            pointer = live_pointer(home)
            assert done(person) <= (pointer.version == to)
            assert pointer.version not in pointer.retired
            if deaths:
                prune(ReleaseStore(home), KEEP, act("prune"))
            assert len([*home.list("v1.0.0/")]) == 2
            assert_readable(home)
            assert pointer.previous is not None
            assert len([*home.list(f"{pointer.previous}/")]) == 5, "the one before stays"

        return [person, keeper], check

    assert explore(setting, preemptions=3, deaths=deaths) > 50


def test_files_that_go_at_once(tmp_path: Path) -> None:
    """[1] Without any grace period: the swap alone orders a rollback and the end of the files it needs."""
    before = begun(tmp_path, "abc")

    def setting() -> Setting:
        home = before.clone()

        def removes(wrap: Wrap) -> None:
            store = wrap(home)
            pointer = retire(ReleaseStore(store), [FIRST], act("prune"))
            if pointer is not None and FIRST in pointer.retired:
                for path in ("best_model.pkl", "model_card.html", "preprocessor.pkl"):
                    store.delete(layout.artifact(FIRST, path))

        person = Actor("person", lambda wrap: rollback(ReleaseStore(wrap(home)), act("op"), to=FIRST))
        keeper = Actor("keeper", removes)

        def check() -> None:
            ended(person, keeper, but=(Refused, NotFound))
            assert done(person) == (live_pointer(home).version == FIRST)
            assert done(person) != (FIRST in live_pointer(home).retired)
            settled(home)

        return [person, keeper], check

    assert explore(setting, preemptions=3) > 50


@pytest.mark.parametrize("deaths", [0, 1])
def test_retire_and_a_night(before: MemoryStore, deaths: int) -> None:
    """A version that was never live is retired, or it becomes live: never both."""

    def setting() -> Setting:
        home = before.clone()
        keeper = Actor("keeper", lambda wrap: retire(ReleaseStore(wrap(home)), [V120], act("prune")), mortal=True)
        run = Actor("night", night(home), mortal=True)

        def check() -> None:
            ended(keeper, run, but=())
            assert len(settled(home)) <= 1
            pointer = live_pointer(home)
            if not deaths:
                assert (pointer.version == V120) != (V120 in pointer.retired)
                assert done(run) == (pointer.version == V120)

        return [keeper, run], check

    assert explore(setting, preemptions=3, deaths=deaths) > 50


def test_two_prunes(tmp_path: Path) -> None:
    before = of_old(tmp_path, "abcd")

    def setting() -> Setting:
        home = before.clone()
        actors = [
            Actor(name, lambda wrap, name=name: prune(ReleaseStore(wrap(home)), KEEP, act(name)), mortal=True)  # type: ignore[misc]
            for name in ("one", "two")
        ]

        def check() -> None:
            ended(*actors, but=())
            assert settled(home) == [Kind.PROMOTE, Kind.PROMOTE, Kind.RETIRE, Kind.RETIRE]
            assert len([*home.list("v1.0.0/")]) == 2

        return actors, check

    assert explore(setting, preemptions=3, deaths=1) > 50


def test_sweeping_and_a_late_worker(tmp_path: Path) -> None:
    """[6] Housekeeping gives up a claim while its worker comes back: published means that every file is there."""
    home_before, follower_before = begun(tmp_path), MemoryStore("memory://follower")
    home_before.ahead = timedelta(days=-2)
    made = make(tmp_path, "late", since=1)
    claim = Chain(home_before).claim(made)
    home_before.ahead = timedelta(0)

    def setting() -> Setting:
        home, follower = home_before.clone(), follower_before.clone()

        def late_worker(wrap: Wrap) -> Manifest:
            for store in (follower, home):
                place(ReleaseStore(wrap(home)), claim, wrap(store))
            return seal(ReleaseStore(wrap(home)), claim)

        worker = Actor("worker", late_worker, mortal=True)
        keeper = Actor(
            "keeper",
            lambda wrap: sweep(ReleaseStore(wrap(home), [Follower(wrap(follower))]), by="housekeeping", remove=True),
            mortal=True,
        )

        def check() -> None:
            ended(worker, keeper, but=(Refused, NotFound))
            decided = read_version(home, V110)
            assert done(worker) <= isinstance(decided, Manifest)
            if isinstance(decided, Manifest):
                for store in (home, follower):
                    for entry in decided.files:
                        fetch(store, layout.artifact(V110, entry.path), entry, None)
            again = Chain(home, [follower]).publish(made)
            assert again.version == (V120 if isinstance(decided, AbandonedManifest) else V110)
            sweep(ReleaseStore(home, [Follower(follower)]), by="housekeeping", remove=True)
            if isinstance(decided, AbandonedManifest):
                for store in (home, follower):
                    assert {entry.key for entry in store.list("v1.1.0/")} <= {
                        "v1.1.0/claim.json",
                        "v1.1.0/metadata.json",
                    }

        return [worker, keeper], check

    assert explore(setting, preemptions=2, deaths=1) > 50


# ── recover and rehome ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("deaths", [0, 1])
def test_recover_and_a_late_night(before: MemoryStore, tmp_path: Path, deaths: int) -> None:
    """Home was restored from a backup: a night that was judged before meets the person who begins anew."""
    follower_before = MemoryStore("memory://follower")
    lost = before.clone()
    hold(ReleaseStore(lost), act("lost"))
    reconcile(ReleaseStore(lost, [Follower(follower_before)]))

    def setting() -> Setting:
        home, follower = before.clone(), follower_before.clone()
        person = Actor(
            "person",
            lambda wrap: recover(ReleaseStore(wrap(home), [Follower(wrap(follower))]), FIRST, act("op")),
            mortal=True,
        )
        run = Actor("night", night(home), mortal=True)

        def check() -> None:
            ended(person, run, but=(Contended, BaselineMoved))
            reconcile(ReleaseStore(home))
            kinds = [each.change.kind for each in history(home)][2:]
            assert kinds in ([], [Kind.PROMOTE], [Kind.RECOVER], [Kind.PROMOTE, Kind.RECOVER])
            assert done(person) <= (Kind.RECOVER in kinds)
            if not deaths:
                assert done(person) or done(run)
            again = recover(ReleaseStore(home, [Follower(follower)]), FIRST, act("op"))
            assert again.repeated == (Kind.RECOVER in kinds)
            assert again.pointer == live_pointer(home)
            assert bool(again.pointer.holds) == (Kind.PROMOTE not in kinds), "of the newest pointer, home's first"
            reconcile(ReleaseStore(home, [Follower(follower)]))
            assert assert_settled(home, log=False) == assert_settled(follower, log=False) == again.pointer

        return [person, run], check

    assert explore(setting, preemptions=3, deaths=deaths) > 50


@pytest.mark.parametrize("deaths", [0, 1])
def test_rehome_and_a_night(before: MemoryStore, deaths: int) -> None:
    """What the night did at the old home goes along, or the night is told that home is elsewhere."""
    new_before = MemoryStore("memory://new")
    reconcile(ReleaseStore(before, [Follower(new_before)]))

    def setting() -> Setting:
        home, new = before.clone(), new_before.clone()
        person = Actor("person", lambda wrap: rehome(ReleaseStore(wrap(home)), wrap(new), act("op")), mortal=True)
        run = Actor("night", night(home), mortal=True)

        def check() -> None:
            ended(person, run)
            if run.error is not None and not run.died:
                assert "its home is memory://new" in str(run.error)
            if person.error is not None and not person.died:
                assert "latest has moved" in str(person.error)
            moved = live_pointer(home).version == V120
            assert done(run) <= moved
            assert live_pointer(new).epoch <= live_pointer(home).epoch
            if not done(person):
                rehome(ReleaseStore(home), new, act("op"))
            kinds = assert_lawful(new)[2:]
            assert kinds == ([Kind.PROMOTE, Kind.REHOME] if moved else [Kind.REHOME])
            reconcile(ReleaseStore(new, [Follower(home)]))
            assert assert_settled(new) == assert_settled(home)
            if not moved:
                assert night(new)(lambda store: store).refusal is None

        return [person, run], check

    assert explore(setting, preemptions=2, deaths=deaths) > 50


def test_what_an_old_home_is_told(before: MemoryStore) -> None:
    """Every writer whose spec still has the old home stops."""
    new = MemoryStore("memory://new")
    rehome(ReleaseStore(before), new, act("op"))
    for verb in (rollback, hold, to_newest, by_word):
        with pytest.raises(Refused, match="its home is memory://new"):
            verb(ReleaseStore(before), act("late"))
    with pytest.raises(Refused, match="its home is memory://new"):
        night(before)(lambda store: store)
    with pytest.raises(ModelReleaseError, match="its home is memory://new"):
        reconcile(ReleaseStore(before))
