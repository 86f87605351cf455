"""Beginning anew where the pointer was lost or has forked, and moving home: a person's two acts (rule 13)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import FIRST, Version
from model_release.errors import Contended, Corrupt, NotFound, OutcomeUnknown, Refused, StoreUnavailable
from model_release.releases.acts import Acted, hold, promote, quarantine, rollback, unhold
from model_release.releases.catalog import history, live_pointer, published, read_pointer
from model_release.releases.claims import abandon, became
from model_release.releases.promote import follow
from model_release.releases.prune import plan, retire
from model_release.releases.publish import place
from model_release.releases.reconcile import reconcile
from model_release.releases.recover import copy_missing, recover, rehome
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.retention import Retention
from model_release.stores.base import Lost, Store
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, assert_settled, begun, make
from support.schedule_player import Killed, dying_after

pytestmark = pytest.mark.usefixtures("at_once")

V110, V120, V130, V140 = (Version(1, minor, 0) for minor in range(1, 5))


class Pair:
    """Home and a follower with v1.0.0, v1.1.0 and the live v1.2.0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.follower = MemoryStore(), MemoryStore("memory://follower")
        for name in "abc":
            self.release(name)

    def settle(self) -> None:
        reconcile(ReleaseStore(self.home, [Follower(self.follower)]))

    def release(self, name: str) -> None:
        live = read_pointer(self.home)
        since = live.pointer.since if live else None
        Chain(self.home, [self.follower]).release(make(self.folder, name, since=since), since=since)

    def recover(self, version: Version = V110, operation: str = "recover", home: Store | None = None) -> Acted:
        return recover(ReleaseStore(home or self.home, [Follower(self.follower)]), version, act(operation))


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Home and a follower."""
    return Pair(tmp_path)


def broken(store: MemoryStore, how: str) -> None:
    store.delete(layout.POINTER)
    if how != "missing":
        store.create(layout.POINTER, b"" if how == "empty" else b'{"format": 1, "garbage": true}')


@pytest.mark.parametrize("how", ["missing", "empty", "garbage"])
def test_a_lost_pointer(pair: Pair, how: str) -> None:
    hold(ReleaseStore(pair.home), act("hold"))
    retire(ReleaseStore(pair.home), [FIRST], act("prune"))
    quarantine(ReleaseStore(pair.home), FIRST, act("quarantine"))
    before = live_pointer(pair.home)
    broken(pair.home, how)
    done = pair.recover()
    pointer = done.pointer
    assert not done.repeated
    assert pointer == live_pointer(pair.home)
    assert (pointer.version, pointer.previous, pointer.epoch, pointer.since) == (V110, V120, 7, 7)
    assert (pointer.holds, pointer.quarantined, pointer.retired) == (
        before.holds,
        before.quarantined,
        before.retired,
    )
    assert pointer.lineage != before.lineage
    assert pointer.ancestors == [before.lineage]
    change = pointer.change
    assert (change.kind, change.from_version, change.to_version, change.by) == (Kind.RECOVER, V120, V110, "ada")
    assert [each.epoch for each in history(pair.home)] == [1, 2, 3, 4, 5, 6, 7]
    pair.settle()
    assert assert_settled(pair.home) == assert_settled(pair.follower) == pointer


def test_the_live_version_is_recovered(pair: Pair) -> None:
    """What was live before stays so, for pruning and for a rollback."""
    pair.home.delete(layout.POINTER)
    assert pair.recover(V120).pointer.previous == V110
    assert rollback(ReleaseStore(pair.home), act("back")).pointer.version == V110


def test_life_goes_on_after_a_recovery(pair: Pair) -> None:
    pair.home.delete(layout.POINTER)
    pair.recover(V120)
    pair.release("next")
    assert assert_settled(pair.follower).version == V130
    pair.home.delete(layout.POINTER)
    pair.recover(V130, "again")
    assert len(live_pointer(pair.home).ancestors) == 2
    pair.settle()
    assert assert_settled(pair.home) == assert_settled(pair.follower)
    assert [term.version for term in ReleaseStore(pair.home).terms(live_pointer(pair.home))] == [
        V130,
        V130,
        V120,
        V120,
        V110,
        FIRST,
    ]
    assert rollback(ReleaseStore(pair.home), act("one")).pointer.version == V120
    assert rollback(ReleaseStore(pair.home), act("two")).pointer.version == V110


def test_nothing_but_files_is_left(tmp_path: Path) -> None:
    home = begun(tmp_path, "ab")
    for entry in [*home.list("log/"), *home.list("latest")]:
        home.delete(entry.key)
    pointer = recover(ReleaseStore(home), V110, act("recover")).pointer
    assert (pointer.epoch, pointer.previous, pointer.ancestors, pointer.change.from_version) == (1, None, [], None)
    reconcile(ReleaseStore(home))
    assert assert_settled(home) == pointer
    with pytest.raises(Refused, match="nothing to go back to"):
        rollback(ReleaseStore(home), act("back"))
    assert rollback(ReleaseStore(home), act("back"), to=FIRST).pointer.version == FIRST


def test_an_entry_of_the_log_counts_though_it_cannot_be_read(pair: Pair) -> None:
    pair.home.delete(layout.POINTER)
    pair.home.create(layout.log_entry(999_999), b"garbage")
    pair.home.create("log/notes.txt", b"a person's")
    assert pair.recover().pointer.epoch == 1_000_000
    new = MemoryStore("memory://new")
    reconcile(ReleaseStore(pair.home, [Follower(pair.follower), Follower(new)]))
    for store in (pair.follower, new):
        assert live_pointer(store).epoch == 1_000_000, "nobody counts up to it"
    assert rollback(ReleaseStore(pair.home), act("back")).pointer.version == V120


@pytest.mark.parametrize("seen", [2, 3, None])
def test_an_act_on_what_was_before_a_recovery(pair: Pair, seen: int | None) -> None:
    pair.home.delete(layout.POINTER)
    pair.home.delete(layout.log_entry(3))
    pair.recover()
    if seen is None:
        assert hold(ReleaseStore(pair.home), act("hold")).pointer.holds
    else:
        with pytest.raises(Refused, match=f"moved from epoch {seen} to 4 since it was looked at: recover by ada"):
            hold(ReleaseStore(pair.home), act("hold", seen=seen))


# ── whole, forked, lost ──────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_whole_is_refused(pair: Pair) -> None:
    before = dict(pair.home._objects), dict(pair.follower._objects)
    with pytest.raises(Refused, match=r"latest\.json is whole: v1\.2\.0, epoch 3"):
        pair.recover()
    with pytest.raises(Refused, match=r"memory://home/latest\.json: latest\.json is whole: v1\.2\.0, epoch 3"):
        recover(ReleaseStore(pair.follower, [Follower(pair.home)]), V110, act("recover"))
    assert (pair.home._objects, pair.follower._objects) == before


def test_what_may_not_be_live_is_refused(pair: Pair) -> None:
    quarantine(ReleaseStore(pair.home), V110, act("quarantine"))
    retire(ReleaseStore(pair.home), [FIRST], act("prune"))
    pair.settle()
    for store in (pair.home, pair.follower):
        store.delete(layout.POINTER)
    with pytest.raises(Refused, match="v1.1.0 is quarantined"):
        pair.recover(V110)
    with pytest.raises(Refused, match="v1.0.0 is retired"):
        pair.recover(FIRST)
    with pytest.raises(NotFound, match="no release v1.7.0"):
        pair.recover(Version(1, 7, 0))
    key = layout.artifact(V120, "best_model.pkl")
    pair.home._put(key, b"bit rot")
    with pytest.raises(Corrupt, match="best_model.pkl"):
        pair.recover(V120)
    with pytest.raises(NotFound, match="does not load"):
        recover(ReleaseStore(pair.follower), V120, act("op"), opens=not_loading)
    assert pair.home.get(layout.POINTER) is None


def not_loading(folder: Path, manifest: Manifest) -> None:
    raise NotFound(f"{manifest.version} does not load")


def test_a_manifest_that_is_not_the_one_that_was_live(pair: Pair) -> None:
    key = layout.manifest(V120)
    edited = published(pair.home, V120).model_copy(update={"seed": 7})
    pair.home._put(key, edited.to_bytes())
    pair.home.delete(layout.claim(V120))
    pair.home.delete(layout.POINTER)
    with pytest.raises(Corrupt, match="the manifest is not the one"):
        pair.recover(V120)


@pytest.mark.parametrize("went_on", [True, False])
def test_home_was_restored_from_a_backup(pair: Pair, went_on: bool) -> None:
    """The follower has seen an epoch that home has lost, or has seen otherwise: a person decides at home."""
    backup = pair.home.clone()
    pair.release("lost")
    pair.home = backup
    if went_on:
        hold(ReleaseStore(pair.home), act("hold"))
    with pytest.raises((Refused, Corrupt)):
        follow(ReleaseStore(pair.home), pair.follower)
    pointer = pair.recover(V120).pointer
    assert pointer.epoch == 5
    assert len(pointer.ancestors) == 1
    assert bool(pointer.holds) == went_on, "of the newest pointer, home's first"
    pair.settle()
    assert assert_settled(pair.home, log=False) == assert_settled(pair.follower, log=False) == pointer
    assert rollback(ReleaseStore(pair.home), act("back")).pointer.version == V110


@pytest.mark.parametrize("how", ["an older epoch", "the same epoch by hand"])
def test_a_pointer_that_contradicts_its_own_log(tmp_path: Path, how: str) -> None:
    """It is not whole, although it can be read and no follower contradicts it: nothing else could ever mend it."""
    home = begun(tmp_path, "abc")
    if how == "an older epoch":
        home._put(layout.POINTER, home._found(layout.log_entry(2)).body)
    else:
        home._put(layout.POINTER, live_pointer(home).model_copy(update={"version": V110}).to_bytes())
    pointer = recover(ReleaseStore(home), V110, act("recover")).pointer
    assert (pointer.epoch, pointer.version) == (4, V110)
    assert [each.epoch for each in history(home)] == [1, 2, 3, 4]
    assert rollback(ReleaseStore(home), act("back")).pointer.epoch == 5
    reconcile(ReleaseStore(home))
    assert_settled(home)


def test_the_epoch_that_was_live_gets_its_log_entry(pair: Pair) -> None:
    """Whoever moves the pointer on makes the log good before, a recovery too."""
    backup = pair.home.clone()
    pair.release("lost")
    pair.home = backup
    hold(ReleaseStore(pair.home), act("hold"))
    pair.home.delete(layout.log_entry(4))
    pair.recover()
    assert [each.epoch for each in history(pair.home)] == [1, 2, 3, 4, 5]


def test_home_is_lost_and_a_follower_becomes_home(pair: Pair) -> None:
    hold(ReleaseStore(pair.home), act("hold"))
    unhold(ReleaseStore(pair.home), act("unhold"))
    pair.settle()  # two epochs at once: the follower has the log of both
    hold(ReleaseStore(pair.home), act("never followed"))
    lost = pair.home
    new = pair.follower
    pointer = recover(ReleaseStore(new), V120, act("recover")).pointer
    assert (pointer.home, pointer.epoch, pointer.holds) == ("memory://follower", 6, [])
    assert [each.epoch for each in history(new)] == [1, 2, 3, 4, 5, 6]
    assert {term.version for term in ReleaseStore(new).terms(pointer)} == {FIRST, V110, V120}
    reconcile(ReleaseStore(new))
    assert assert_settled(new) == pointer
    keep = Retention(live_versions=1, days=1, other_versions=0, grace_hours=1)
    assert plan(ReleaseStore(new), keep).retiring == [], "younger than a day"
    with pytest.raises(Refused, match="its home is memory://follower"):
        hold(ReleaseStore(_at(new, "memory://home")), act("wrong home"))
    # the lost one comes back, at an epoch of its own of the same number
    with pytest.raises(Corrupt, match="epoch 6 is"):
        follow(ReleaseStore(new), lost)
    again = recover(ReleaseStore(new, [Follower(lost)]), V120, act("again")).pointer
    assert again.epoch == 7
    reconcile(ReleaseStore(new, [Follower(lost)]))
    assert assert_settled(new) == assert_settled(lost) == again
    assert rollback(ReleaseStore(new), act("back")).pointer.version == V110


def _at(store: MemoryStore, uri: str) -> MemoryStore:
    moved = store.clone()
    moved.uri = uri
    return moved


@pytest.mark.parametrize("damage", ["missing", "garbage"])
def test_home_can_be_reached_and_its_pointer_is_lost(pair: Pair, damage: str) -> None:
    broken(pair.home, damage)
    pointer = recover(ReleaseStore(pair.follower, [Follower(pair.home)]), V110, act("recover")).pointer
    assert (pointer.home, pointer.epoch) == ("memory://follower", 4)
    reconcile(ReleaseStore(pair.follower, [Follower(pair.home)]))
    assert assert_settled(pair.home) == assert_settled(pair.follower) == pointer


def test_what_cannot_be_read_is_not_taken_for_missing(pair: Pair) -> None:
    def down(request: Request) -> object:
        raise StoreUnavailable("the endpoint is down", where=request.key)

    pair.home.delete(layout.POINTER)
    with pytest.raises(StoreUnavailable):
        recover(
            ReleaseStore(pair.home, [Follower(each) for each in [Interposed(pair.follower, down)]]),
            V110,
            act("recover"),
        )
    assert pair.home.get(layout.POINTER) is None


# ── recover, again and at once ───────────────────────────────────────────────────────────────────────────────────────


def at_every_request(run: Callable[[Callable[[Request], object]], object]) -> int:
    """Let `run` be killed before its first request, its second, and so on; return how many there are."""
    for moment in range(1000):
        between = dying_after(moment)

        if run(between) is None:
            return moment
    raise AssertionError("it never ends")


@pytest.mark.parametrize("how", ["missing", "garbage", "fork"])
def test_recover_is_killed_before_every_request(pair: Pair, how: str) -> None:
    if how == "fork":
        backup = pair.home.clone()
        pair.release("lost")
        pair.home = backup
    else:
        broken(pair.home, how)
    begin = dict(pair.home._objects), dict(pair.follower._objects)

    def run(between: Callable[[Request], object]) -> object:
        pair.home._objects, pair.follower._objects = map(dict, begin)
        home, follower = Interposed(pair.home, between), Interposed(pair.follower, between)
        try:
            recover(ReleaseStore(home, [Follower(follower)]), V110, act("op"))
        except Killed as error:
            pointer = pair.recover(operation="op").pointer
            assert pointer.epoch == (5 if how == "fork" else 4)
            assert pointer == live_pointer(pair.home)
            assert pair.recover(operation="op").repeated
            pair.settle()
            assert assert_settled(pair.home, log=False) == assert_settled(pair.follower, log=False) == pointer
            return error
        return None

    assert at_every_request(run) > 15


def test_a_recovery_is_known_when_others_have_gone_on(pair: Pair) -> None:
    pair.home.delete(layout.POINTER)
    first = pair.recover(operation="op")
    hold(ReleaseStore(pair.home), act("hold"))
    again = pair.recover(operation="op")
    assert again.repeated
    assert again.pointer == first.pointer
    with pytest.raises(Refused, match="is whole"):
        pair.recover(operation="another")


@pytest.mark.parametrize("fault", ["refused", "unknown", "refused, and others go on"])
def test_the_answer_of_a_recovery_is_lost(pair: Pair, fault: str) -> None:
    pair.home.delete(layout.POINTER)
    lost: list[Request] = []

    def between(request: Request) -> object:
        outcome = request.perform()
        if request.key == layout.POINTER and request.conditional and not lost:
            lost.append(request)
            if fault == "unknown":
                raise OutcomeUnknown("the answer was lost", where=request.key)
            if fault == "refused, and others go on":
                hold(ReleaseStore(pair.home), act("faster"))
            return Lost()
        return outcome

    done = pair.recover(home=Interposed(pair.home, between))
    assert (done.pointer.epoch, done.pointer.change.kind) == (4, Kind.RECOVER)
    assert [each.change.kind for each in history(pair.home)][3:] == (
        [Kind.RECOVER, Kind.HOLD] if "go on" in fault else [Kind.RECOVER]
    )


@pytest.mark.parametrize("operation", ["op", "another"])
def test_two_recoveries_at_once(pair: Pair, operation: str) -> None:
    pair.home.delete(layout.POINTER)
    done: list[Pointer] = []

    def between(request: Request) -> object:
        if request.key == layout.POINTER and request.conditional and not done:
            done.append(pair.recover(operation="op").pointer)
        return request.perform()

    with pytest.raises(Contended, match="another writer was faster"):
        pair.recover(operation=operation, home=Interposed(pair.home, between))
    assert live_pointer(pair.home) == done[0]
    if operation == "op":
        assert pair.recover(operation="op").repeated


# ── rehome ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("target", ["the follower", "an empty place"])
def test_rehome(pair: Pair, target: str) -> None:
    hold(ReleaseStore(pair.home), act("hold"))
    unhold(ReleaseStore(pair.home), act("unhold"))
    new = pair.follower if target == "the follower" else MemoryStore("memory://new")
    before = live_pointer(pair.home)
    done = rehome(ReleaseStore(pair.home), new, act("op"))
    pointer = done.pointer
    assert not done.repeated
    assert (pointer.home, pointer.epoch, pointer.change.kind) == (new.uri, 6, Kind.REHOME)
    assert (pointer.version, pointer.since, pointer.lineage) == (before.version, before.since, before.lineage)
    assert live_pointer(new) == live_pointer(pair.home) == pointer
    assert [each.epoch for each in history(new)] == [1, 2, 3, 4, 5, 6]
    for folder in ("v", "log/", "decisions/"):
        assert {each.key: each.size for each in new.list(folder)} == {
            each.key: each.size for each in pair.home.list(folder)
        }
    others = {store.uri: Follower(store) for store in (pair.home, pair.follower) if store is not new}
    reconcile(ReleaseStore(new, [*others.values()]))
    for store in (new, pair.home, pair.follower):
        assert assert_settled(store) == pointer
    with pytest.raises(Refused, match=f"its home is {new.uri}"):
        hold(ReleaseStore(pair.home), act("late"))
    with pytest.raises(Refused, match=f"its home is {new.uri}"):
        reconcile(ReleaseStore(pair.home))
    Chain(new, [pair.home]).release(make(pair.folder, "next", since=3), since=3)
    assert assert_settled(new) == assert_settled(pair.home)
    assert rollback(ReleaseStore(new), act("back")).pointer.version == V120


def test_a_rehome_again(pair: Pair) -> None:
    """Repeated, it changes nothing, even where the new home has gone on; and home can be moved back."""
    first = rehome(ReleaseStore(pair.home), pair.follower, act("op"))
    again = rehome(ReleaseStore(pair.home), pair.follower, act("op"))
    assert again.repeated
    assert again.pointer == first.pointer
    promoted = hold(ReleaseStore(pair.follower), act("hold")).pointer
    late = rehome(ReleaseStore(pair.home), pair.follower, act("op"))
    assert late.repeated
    assert late.pointer == promoted
    back = rehome(ReleaseStore(pair.follower), pair.home, act("back")).pointer
    assert back.home == "memory://home"
    pair.settle()
    assert assert_settled(pair.home) == assert_settled(pair.follower) == back


def test_rehome_is_killed_before_every_request(pair: Pair) -> None:
    hold(ReleaseStore(pair.home), act("hold"))
    begin = dict(pair.home._objects), dict(pair.follower._objects)

    def run(between: Callable[[Request], object]) -> object:
        pair.home._objects, pair.follower._objects = map(dict, begin)
        try:
            rehome(ReleaseStore(Interposed(pair.home, between)), Interposed(pair.follower, between), act("op"))
        except Killed as error:
            rehome(ReleaseStore(pair.home), pair.follower, act("op"))
            assert [each.epoch for each in history(pair.follower)] == [1, 2, 3, 4, 5]
            reconcile(ReleaseStore(pair.follower, [Follower(pair.home)]))
            assert assert_settled(pair.follower) == assert_settled(pair.home)
            assert live_pointer(pair.home).home == pair.follower.uri
            return error
        return None

    assert at_every_request(run) > 20


def test_rehome_is_refused(pair: Pair) -> None:
    with pytest.raises(NotFound, match="nothing was ever released here"):
        rehome(ReleaseStore(MemoryStore("memory://empty")), pair.home, act("op"))
    elsewhere = MemoryStore("memory://elsewhere")
    Chain(elsewhere).release(make(pair.folder, "a"))
    with pytest.raises(Refused, match="has the history"):
        rehome(ReleaseStore(pair.home), elsewhere, act("op"))
    with pytest.raises(Refused, match="its home is memory://home"):
        rehome(ReleaseStore(pair.follower), MemoryStore("memory://new"), act("op"))
    hold(ReleaseStore(pair.home), act("hold"))
    pair.settle()
    pair.home._put(layout.POINTER, pair.home._found(layout.log_entry(3)).body)
    with pytest.raises(Refused, match="ahead of home"):
        rehome(ReleaseStore(pair.home), pair.follower, act("op"))
    assert live_pointer(pair.home).epoch == 3


@pytest.mark.parametrize("key", ["log/000000000001.json", "v1.0.0/claim.json", "v1.0.0/metadata.json"])
@pytest.mark.parametrize("size", ["the same size", "another size"])
def test_rehome_to_a_place_that_holds_something_else(pair: Pair, key: str, size: str) -> None:
    new = MemoryStore("memory://new")
    body = pair.home._found(key).body
    new.create(key, b" " * len(body) if size == "the same size" else b"another")
    with pytest.raises(Corrupt, match="another object has this name already"):
        rehome(ReleaseStore(pair.home), new, act("op"))
    assert live_pointer(pair.home).home == "memory://home"


@pytest.mark.parametrize("swept", [True, False])
def test_rehome_to_a_follower_that_holds_what_home_gave_up(pair: Pair, swept: bool) -> None:
    """A run died between a follower's manifest and home's: home gave the number up, and the follower cannot."""
    claim = Chain(pair.home).claim(make(pair.folder, "died", since=3))
    place(ReleaseStore(pair.home), claim, pair.follower)
    abandon(ReleaseStore(pair.home), V130, by="housekeeping", reason="stale")
    for entry in [*pair.follower.list("v1.3.0/")] if swept else ():
        if not entry.key.endswith(".json"):
            pair.follower.delete(entry.key)
    pointer = rehome(ReleaseStore(pair.home), pair.follower, act("op")).pointer
    assert pointer.home == pair.follower.uri
    reconcile(ReleaseStore(pair.follower, [Follower(pair.home)]))
    assert assert_settled(pair.follower) == assert_settled(pair.home) == pointer


def test_rehome_back_to_where_a_fingerprint_had_become_another_version(pair: Pair) -> None:
    """`version.json` is replaced when its number was given up; what the former home remembers of it is out of date."""
    made = make(pair.folder, "died", since=3)
    Chain(pair.home).claim(made)
    rehome(ReleaseStore(pair.home), pair.follower, act("there"))
    abandon(ReleaseStore(pair.follower), V130, by="housekeeping", reason="stale")
    assert Chain(pair.follower).publish(made).version == V140
    rehome(ReleaseStore(pair.follower), pair.home, act("back"))
    assert became(ReleaseStore(pair.home), made.draft.fingerprint) == V140
    assert Chain(pair.home).publish(made).version == V140


def test_copy_missing_brings_manifests_last(pair: Pair) -> None:
    new = MemoryStore("memory://new")
    sent: list[str] = []

    def between(request: Request) -> object:
        if request.writes:
            sent.append(request.key)
        return request.perform()

    count = copy_missing(pair.home, Interposed(new, between))
    assert count == len(sent)
    versions = [key for key in sent if key.startswith("v")]
    assert [key.endswith("metadata.json") for key in versions] == [False] * 12 + [True] * 3
    assert copy_missing(pair.home, new) == 0


def test_a_promotion_by_a_person_after_a_recovery(pair: Pair) -> None:
    """A new lineage makes every verdict void: the baseline is live since another epoch."""
    newer = Chain(pair.home).publish(make(pair.folder, "newer", since=3)).version
    pair.home.delete(layout.POINTER)
    pair.recover(V120)
    with pytest.raises(Refused, match="was not accepted against what is live"):
        promote(ReleaseStore(pair.home), newer, act("op"))
    assert promote(ReleaseStore(pair.home), newer, act("op"), overrule=True).pointer.version == V130
