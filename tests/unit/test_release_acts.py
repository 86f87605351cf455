"""What a person does to the pointer: each verb's result, its refusals, and that no act happens twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.manifest import GateVerdict, Manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import FIRST, Version
from model_release.errors import Corrupt, NotFound, OutcomeUnknown, Refused, StoreUnavailable
from model_release.releases.acts import Act, Acted, hold, lift, promote, quarantine, rollback, unhold
from model_release.releases.catalog import history, live_pointer, read_pointer
from model_release.releases.claims import abandon
from model_release.releases.prune import retire
from model_release.releases.reconcile import reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Lost
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import AS_OF, Chain, act, assert_files, assert_settled, begun, make

pytestmark = pytest.mark.usefixtures("at_once")

V110, V120, V130 = Version(1, 1, 0), Version(1, 2, 0), Version(1, 3, 0)
Verb = Callable[[ReleaseStore, Act], Acted]

VERBS: dict[str, Verb] = {
    "rollback": rollback,
    "rollback to": lambda releases, by: rollback(releases, by, to=FIRST),
    "promote": lambda releases, by: promote(releases, V130, by),
    "hold": hold,
    "unhold": unhold,
    "quarantine": lambda releases, by: quarantine(releases, V110, by),
    "lift": lambda releases, by: lift(releases, FIRST, by),
}


def ready(verb: str, folder: Path) -> MemoryStore:
    """Three versions were live, the next one is published, and the verb has something to do."""
    home = begun(folder, "abc")
    Chain(home).publish(make(folder, "next", since=3))
    if verb == "unhold":
        hold(ReleaseStore(home), act("before"))
    if verb == "lift":
        quarantine(ReleaseStore(home), FIRST, act("before"))
    return home


@pytest.fixture(params=VERBS)
def verb(request: pytest.FixtureRequest) -> str:
    """Each verb."""
    name: str = request.param
    return name


def refused(home: MemoryStore, call: Callable[[], object], words: str) -> None:
    """The call is refused in these words, and nothing is written."""
    before = dict(home._objects)
    with pytest.raises(Refused, match=words):
        call()
    assert home._objects == before


def test_each_verb_says_who_and_why(verb: str, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    before = live_pointer(home)
    done = VERBS[verb](ReleaseStore(home), act("op", seen=before.epoch))
    assert not done.repeated
    assert done.pointer == live_pointer(home) == [*history(home)][-1]
    assert done.pointer.epoch == before.epoch + 1
    change = done.pointer.change
    assert (change.by, change.reason, change.operation) == ("ada", "a bad slice", "op")
    assert change.kind == verb.split()[0]
    assert (change.from_version, change.to_version) == (before.version, done.pointer.version)
    assert home.now() - change.at < timedelta(minutes=1)
    moved = verb.startswith(("rollback", "promote"))
    assert (done.pointer.since, done.pointer.previous) == (
        (done.pointer.epoch, before.version) if moved else (before.since, before.previous)
    )
    reconcile(ReleaseStore(home))
    assert_settled(home)


@pytest.mark.parametrize("looked", [True, False])
def test_the_same_act_again_changes_nothing(verb: str, looked: bool, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    mine = act("op", seen=live_pointer(home).epoch if looked else None)
    first = VERBS[verb](ReleaseStore(home), mine)
    again = VERBS[verb](ReleaseStore(home), mine)
    assert again.repeated
    assert again.pointer == first.pointer == live_pointer(home)
    (unhold if first.pointer.holds else hold)(ReleaseStore(home), act("other"))
    late = VERBS[verb](ReleaseStore(home), mine)
    assert late.repeated
    assert late.pointer == first.pointer, "as the act left it"
    assert live_pointer(home).epoch == first.pointer.epoch + 1


def test_a_second_click_changes_nothing(verb: str, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    seen = live_pointer(home).epoch
    VERBS[verb](ReleaseStore(home), act("first click", seen=seen))
    words = f"latest has moved from epoch {seen} to {seen + 1} since it was looked at: {verb.split()[0]} by ada"
    refused(home, lambda: VERBS[verb](ReleaseStore(home), act("second click", seen=seen)), words)


@pytest.mark.parametrize("operation", ["op", "another"])
def test_an_act_that_meets_another_one_on_its_way(verb: str, operation: str, tmp_path: Path) -> None:
    """Two clicks at once: the slower one finds that the pointer has moved at its own swap, and not before."""
    home = ready(verb, tmp_path)
    seen = live_pointer(home).epoch
    done: list[Acted] = []

    def between(request: Request) -> object:
        if request.verb == "replace" and not done:
            done.append(VERBS[verb](ReleaseStore(home), act("op", seen=seen)))
        return request.perform()

    slow = Interposed(home, between)
    if operation == "op":
        late = VERBS[verb](ReleaseStore(slow), act("op", seen=seen))
        assert late.repeated
        assert late.pointer == done[0].pointer
    else:
        with pytest.raises(Refused):
            VERBS[verb](ReleaseStore(slow), act("another", seen=seen))
    assert live_pointer(home) == done[0].pointer


def test_an_act_whose_author_looked_at_nothing_is_for_what_it_reads_first(verb: str, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    moved: list[Acted] = []

    def between(request: Request) -> object:
        if request.verb == "replace" and not moved:
            moved.append((hold if not live_pointer(home).holds else unhold)(ReleaseStore(home), act("faster")))
        return request.perform()

    with pytest.raises(Refused):
        VERBS[verb](ReleaseStore(Interposed(home, between)), act("op"))
    assert live_pointer(home) == moved[0].pointer


@pytest.mark.parametrize("fault", ["refused", "unknown", "unavailable"])
def test_a_lost_answer_is_settled(verb: str, fault: str, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    mine = act("op", seen=live_pointer(home).epoch)
    lost: list[Request] = []

    def between(request: Request) -> object:
        outcome = request.perform()
        if request.verb == "replace" and not lost:
            lost.append(request)
            if fault == "unknown":
                raise OutcomeUnknown("the answer was lost", where=request.key)
            if fault == "unavailable":
                raise StoreUnavailable("the answer was lost", where=request.key)
            return Lost()
        return outcome

    slow = Interposed(home, between)
    if fault == "unavailable":
        with pytest.raises(StoreUnavailable):
            VERBS[verb](ReleaseStore(slow), mine)
        assert VERBS[verb](ReleaseStore(slow), mine).repeated
    else:
        assert not VERBS[verb](ReleaseStore(slow), mine).repeated
    assert live_pointer(home).epoch == (mine.seen or 0) + 1


def test_a_follower_is_no_home(verb: str, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    elsewhere = home.clone()
    elsewhere.uri = "memory://follower"
    refused(elsewhere, lambda: VERBS[verb](ReleaseStore(elsewhere), act("op")), "its home is memory://home")


def test_nothing_was_ever_released(verb: str, memory: MemoryStore) -> None:
    with pytest.raises(NotFound):
        VERBS[verb](ReleaseStore(memory), act("op"))
    assert not list(memory.list())


def test_a_rollback_holds_and_quarantines(tmp_path: Path) -> None:
    home = begun(tmp_path, "abc")
    done = rollback(ReleaseStore(home), act("op"))
    pointer = done.pointer
    assert (pointer.version, pointer.previous, pointer.since, pointer.data_as_of) == (V110, V120, 4, date(2024, 4, 2))
    assert [(each.by, each.reason, each.operation) for each in pointer.holds] == [("ada", "a bad slice", "op")]
    assert list(pointer.quarantined) == ["v1.2.0"]
    newer = Chain(home).publish(make(tmp_path, "next", since=4))
    assert "latest is held at v1.1.0 by ada" in str(Chain(home).promote(newer, since=4).refusal)
    unhold(ReleaseStore(home), act("checked"))
    assert Chain(home).promote(newer, since=4).refusal is None


def test_a_rollback_goes_to_the_newest_that_was_live_and_may_be(tmp_path: Path) -> None:
    home = begun(tmp_path, "abcd")
    hold(ReleaseStore(home), act("hold"))
    Chain(home).publish(make(tmp_path, "never live", since=4))
    unhold(ReleaseStore(home), act("unhold"))
    quarantine(ReleaseStore(home), V120, act("quarantine"))
    assert rollback(ReleaseStore(home), act("one")).pointer.version == V110
    hold(ReleaseStore(home), act("another hold"))
    assert rollback(ReleaseStore(home), act("two")).pointer.version == FIRST
    refused(
        home,
        lambda: rollback(ReleaseStore(home), act("three")),
        r"nothing to go back to: no version but v1\.0\.0 was live",
    )
    lift(ReleaseStore(home), V110, act("by mistake"))
    assert rollback(ReleaseStore(home), act("four")).pointer.version == V110, "live before v1.0.0 was, in its last term"
    assert set(live_pointer(home).quarantined) == {"v1.0.0", "v1.2.0", "v1.3.0"}


def test_a_rollback_passes_by_what_is_retired(tmp_path: Path) -> None:
    home = begun(tmp_path, "abcd")
    retire(ReleaseStore(home), [V110], act("prune"))
    assert rollback(ReleaseStore(home), act("one")).pointer.version == V120
    assert rollback(ReleaseStore(home), act("two")).pointer.version == FIRST


def test_a_rollback_of_the_first_release(tmp_path: Path) -> None:
    home = begun(tmp_path)
    Chain(home).publish(make(tmp_path, "never live", since=1))
    refused(home, lambda: rollback(ReleaseStore(home), act("op")), "nothing to go back to")
    assert rollback(ReleaseStore(home), act("op"), to=V110).pointer.version == V110, "unless a person names one"


def test_what_a_rollback_may_not_go_to(tmp_path: Path) -> None:
    home = begun(tmp_path, "abc")
    chain = Chain(home)
    given_up = chain.claim(make(tmp_path, "died", since=3)).metadata.version
    abandon(ReleaseStore(home), given_up, by="housekeeping", reason="stale")
    claimed = chain.claim(make(tmp_path, "on its way", since=3)).metadata.version
    quarantine(ReleaseStore(home), FIRST, act("quarantine"))
    retire(ReleaseStore(home), [FIRST], act("prune"))
    refused(home, lambda: rollback(ReleaseStore(home), act("op"), to=V120), r"v1\.2\.0 is live already, since epoch 3")
    refused(
        home, lambda: rollback(ReleaseStore(home), act("op"), to=FIRST), r"v1\.0\.0 is quarantined by ada: a bad slice"
    )
    lift(ReleaseStore(home), FIRST, act("lift"))
    refused(home, lambda: rollback(ReleaseStore(home), act("op"), to=FIRST), r"v1\.0\.0 is retired")
    for version, words in [
        (given_up, "was given up: stale"),
        (claimed, "there is no release"),
        (Version(7, 0, 0), "there is no release"),
    ]:
        with pytest.raises(NotFound, match=words):
            rollback(ReleaseStore(home), act("op"), to=version)
    assert live_pointer(home).version == V120


@pytest.mark.parametrize("path", ["best_model.pkl", "preprocessor.pkl", "model_card.html"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_rollback_to_damaged_bytes(path: str, damage: str, tmp_path: Path) -> None:
    home = begun(tmp_path, "ab")
    key = layout.artifact(FIRST, path)
    body = home._found(key).body
    home.delete(key)
    if damage != "gone":
        home.create(key, body[:-1] if damage == "cut" else bytes(reversed(body)))
    with pytest.raises(NotFound if damage == "gone" else Corrupt, match=path):
        rollback(ReleaseStore(home), act("op"))
    assert live_pointer(home).epoch == 2


@pytest.mark.parametrize("verb", ["rollback", "rollback to"])
@pytest.mark.parametrize("told", ["as it was", "later"])
def test_a_rollback_to_another_manifest(verb: str, told: str, tmp_path: Path) -> None:
    """The log has the digest of what was live, and the claim whatever the manifest says of its age."""
    home = begun(tmp_path, "ab")
    key = layout.manifest(FIRST)
    manifest = Manifest.read(home._found(key).body, where=key)
    trained = datetime.now(UTC) + timedelta(days=30) if told == "later" else manifest.trained_at
    home.delete(key)
    home.create(key, manifest.model_copy(update={"seed": 7, "trained_at": trained}).to_bytes())
    with pytest.raises(Corrupt, match="the manifest is not the one that"):
        VERBS[verb](ReleaseStore(home), act("op"))
    assert live_pointer(home).epoch == 2


@pytest.mark.parametrize("verb", ["rollback", "promote"])
def test_what_does_not_open_is_refused_unless_overruled(verb: str, tmp_path: Path) -> None:
    home = ready(verb, tmp_path)
    opened: list[Manifest] = []

    def opens(folder: Path, manifest: Manifest) -> None:
        assert_files(folder, manifest)
        opened.append(manifest)

    def fails(folder: Path, manifest: Manifest) -> None:
        raise Corrupt(f"{manifest.version} does not load")

    def go(opens: Callable[[Path, Manifest], None] | None) -> Acted:
        if verb == "promote":
            return promote(ReleaseStore(home), V130, act("op"), opens=opens)
        return rollback(ReleaseStore(home), act("op"), opens=opens)

    with pytest.raises(Corrupt, match="does not load"):
        go(fails)
    assert live_pointer(home).epoch == 3
    moved = go(opens).pointer
    assert [each.version for each in opened] == [moved.version]
    home = ready(verb, tmp_path)
    assert go(None).pointer.version == moved.version


@pytest.mark.parametrize("looked", [True, False])
def test_an_act_does_not_need_the_log(looked: bool, tmp_path: Path) -> None:
    home = begun(tmp_path, "abc")
    for epoch in (1, 2):
        home.delete(layout.log_entry(epoch))
    assert hold(ReleaseStore(home), act("op", seen=3 if looked else None)).pointer.epoch == 4
    home.delete(layout.log_entry(3))
    refused(home, lambda: hold(ReleaseStore(home), act("another", seen=2)), "moved from epoch 2 to 4")
    assert unhold(ReleaseStore(home), act("checked")).pointer.epoch == 5


def test_holds(tmp_path: Path) -> None:
    home = begun(tmp_path)
    refused(home, lambda: unhold(ReleaseStore(home), act("op")), "latest is not held")
    hold(ReleaseStore(home), act("one"))
    pointer = hold(ReleaseStore(home), act("two", by="bob")).pointer
    assert [(each.by, each.operation) for each in pointer.holds] == [("ada", "one"), ("bob", "two")]
    assert (pointer.version, pointer.since) == (FIRST, 1)
    assert unhold(ReleaseStore(home), act("three")).pointer.holds == []


def test_quarantine(tmp_path: Path) -> None:
    home = begun(tmp_path, "ab")
    refused(home, lambda: quarantine(ReleaseStore(home), V110, act("op")), r"v1\.1\.0 is live\n.*roll back")
    pointer = quarantine(ReleaseStore(home), FIRST, act("op")).pointer
    assert pointer.change.about == [FIRST]
    assert pointer.quarantined["v1.0.0"].by == "ada"
    refused(
        home,
        lambda: quarantine(ReleaseStore(home), FIRST, act("again")),
        r"v1\.0\.0 is quarantined by ada: a bad slice",
    )
    with pytest.raises(NotFound, match=r"no release v1\.7\.0"):
        quarantine(ReleaseStore(home), Version(1, 7, 0), act("another"))
    refused(home, lambda: lift(ReleaseStore(home), V110, act("no")), r"v1\.1\.0 is not in quarantine")
    pointer = lift(ReleaseStore(home), FIRST, act("by mistake")).pointer
    assert (pointer.quarantined, pointer.change.kind, pointer.change.about) == ({}, Kind.LIFT, [FIRST])


def test_acts_reach_the_followers(tmp_path: Path) -> None:
    home, follower = begun(tmp_path, "ab"), MemoryStore("memory://follower")
    reconcile(ReleaseStore(home, [Follower(follower)]))
    pointer = rollback(ReleaseStore(home), act("op")).pointer
    assert live_pointer(follower).version == V110, "a rollback waits for nobody"
    reconcile(ReleaseStore(home, [Follower(follower)]))
    assert assert_settled(follower) == pointer


# ── promote ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def judged(gate: GateVerdict | None, folder: Path, *, as_of: date = AS_OF) -> MemoryStore:
    """v1.1.0 is published with this verdict, beside the live v1.0.0."""
    home = begun(folder)
    made = make(folder, "judged", as_of=as_of)
    Chain(home).publish(replace(made, draft=made.draft.model_copy(update={"gate": gate})))
    return home


def verdict(accepted: bool, since: int | None, baseline: Version | None = FIRST) -> GateVerdict:
    return GateVerdict(accepted=accepted, reasons=[], decision=None, baseline=baseline, since=since)


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (None, "no gate has judged it"),
        (verdict(False, 1), r"it was rejected against v1\.0\.0, live since epoch 1"),
        (verdict(True, None, None), "it was accepted before anything was live"),
        (verdict(True, 7), r"it was accepted against v1\.0\.0, live since epoch 7"),
    ],
)
def test_a_person_needs_the_gate_or_overrules_it(gate: GateVerdict | None, words: str, tmp_path: Path) -> None:
    home = judged(gate, tmp_path)
    refused(
        home,
        lambda: promote(ReleaseStore(home), V110, act("op")),
        rf"v1\.1\.0 was not accepted against what is live: {words}",
    )
    assert promote(ReleaseStore(home), V110, act("op"), overrule=True).pointer.version == V110


def test_a_person_promotes_what_the_gate_accepted(tmp_path: Path) -> None:
    home = judged(verdict(True, 1), tmp_path)
    refused(home, lambda: promote(ReleaseStore(home), FIRST, act("op")), r"v1\.0\.0 is live already, since epoch 1")
    with pytest.raises(NotFound, match=r"no release v1\.9\.0"):
        promote(ReleaseStore(home), Version(1, 9, 0), act("op"))
    pointer = promote(ReleaseStore(home), V110, act("op")).pointer
    assert (pointer.version, pointer.previous, pointer.holds, pointer.quarantined) == (V110, FIRST, [], {})
    refused(home, lambda: promote(ReleaseStore(home), V110, act("again")), r"v1\.1\.0 is live already")


@pytest.mark.parametrize("overrule", [True, False])
def test_a_person_does_not_overrule_hold_quarantine_order_or_retirement(overrule: bool, tmp_path: Path) -> None:
    home = begun(tmp_path, "ab")
    chain = Chain(home)
    newer = chain.publish(make(tmp_path, "newer", since=2)).version
    older = chain.publish(make(tmp_path, "older", since=2, as_of=date(2024, 3, 1))).version
    future = chain.publish(make(tmp_path, "future", since=2, as_of=home.now().date() + timedelta(days=2))).version

    def tries(version: Version, words: str) -> None:
        refused(home, lambda: promote(ReleaseStore(home), version, act("op"), overrule=overrule), words)

    tries(older, r"only moves forward: v1\.3\.0 .* comes before the live v1\.1\.0")
    tries(future, "the store's clock says")
    hold(ReleaseStore(home), act("hold"))
    tries(newer, r"held at v1\.1\.0 by ada")
    unhold(ReleaseStore(home), act("unhold"))
    quarantine(ReleaseStore(home), newer, act("quarantine"))
    tries(newer, r"v1\.2\.0 is quarantined by ada")
    lift(ReleaseStore(home), newer, act("lift"))
    retire(ReleaseStore(home), [newer], act("prune"))
    tries(newer, r"v1\.2\.0 is retired")


@pytest.mark.parametrize("path", ["best_model.pkl", "metadata.json"])
def test_a_person_does_not_promote_what_is_damaged(path: str, tmp_path: Path) -> None:
    home = judged(verdict(True, 1), tmp_path)
    home.delete(f"{V110}/{path}")
    home.create(f"{V110}/{path}", b"{}")
    with pytest.raises(Corrupt):
        promote(ReleaseStore(home), V110, act("op"), overrule=True)
    assert live_pointer(home).epoch == 1


def test_a_first_release_by_a_person(memory: MemoryStore, tmp_path: Path) -> None:
    Chain(memory).publish(make(tmp_path, "a"))
    rejected = make(tmp_path, "b")
    draft = rejected.draft.model_copy(update={"gate": verdict(False, None, None)})
    Chain(memory).publish(replace(rejected, draft=draft))
    refused(memory, lambda: promote(ReleaseStore(memory), V110, act("op")), "it was rejected before anything was live")
    done = promote(ReleaseStore(memory), FIRST, act("op"))
    assert (done.pointer.change.kind, done.pointer.change.by, done.repeated) == (Kind.FIRST, "ada", False)
    assert promote(ReleaseStore(memory), FIRST, act("op")).repeated
    assert live_pointer(memory).epoch == 1


@pytest.mark.parametrize("path", ["best_model.pkl", "preprocessor.pkl"])
def test_a_first_release_of_damaged_bytes(memory: MemoryStore, path: str, tmp_path: Path) -> None:
    Chain(memory).publish(make(tmp_path, "a"))
    memory.delete(layout.artifact(FIRST, path))
    with pytest.raises(NotFound, match=path):
        promote(ReleaseStore(memory), FIRST, act("op"))
    assert read_pointer(memory) is None


@pytest.mark.parametrize("operation", ["op", "another"])
def test_two_first_releases_by_persons(memory: MemoryStore, operation: str, tmp_path: Path) -> None:
    Chain(memory).publish(make(tmp_path, "a"))
    done: list[Pointer] = []

    def between(request: Request) -> object:
        if request.verb == "list" and not done:
            done.append(promote(ReleaseStore(memory), FIRST, act("op")).pointer)
        return request.perform()

    slow = Interposed(memory, between)
    if operation == "op":
        assert promote(ReleaseStore(slow), FIRST, act("op")).repeated
    else:
        with pytest.raises(Refused, match=r"moved from epoch 0 to 1 since it was looked at: first by ada"):
            promote(ReleaseStore(slow), FIRST, act(operation))
    assert [*history(memory)] == done


def test_a_first_release_is_refused_where_the_pointer_was_lost(tmp_path: Path) -> None:
    home = begun(tmp_path, "ab")
    home.delete(layout.POINTER)
    refused(home, lambda: promote(ReleaseStore(home), FIRST, act("op"), overrule=True), "damage, not a beginning")
    assert read_pointer(home) is None
