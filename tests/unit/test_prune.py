"""What pruning keeps, what it retires, and when files go: by the pointer and the log, at the store's time (rule 12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import FIRST, Version
from model_release.errors import Corrupt, NotFound, Refused, StoreUnavailable
from model_release.releases import prune as pruning
from model_release.releases.acts import hold, lift, promote, quarantine, rollback, unhold
from model_release.releases.catalog import live_pointer, promotion_target_of, published, read_version
from model_release.releases.claims import abandon
from model_release.releases.prune import Plan, plan, prune, retire
from model_release.releases.reconcile import reconcile
from model_release.releases.recover import recover
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.retention import Retention
from model_release.stores.base import Store
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, assert_settled, make
from support.schedule_player import Killed, dying_after

pytestmark = pytest.mark.usefixtures("at_once")

KEEP = Retention(live_versions=2, days=10, other_versions=1, grace_hours=24)
V110, V120, V130, V140 = (Version(1, minor, 0) for minor in range(1, 5))


class Days:
    """Home and a follower, whose clocks and this machine's a test sets to so many days ago."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        days = self

        class Machine(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Machine:
                return super().now(tz) + days.home.ahead

        monkeypatch.setattr(pruning, "datetime", Machine)
        self.folder = folder
        self.home, self.follower = MemoryStore(), MemoryStore("memory://follower")
        self.chain = Chain(self.home, [self.follower])

    def ago(self, days: float) -> None:
        for store in (self.home, self.follower):
            store.ahead = -timedelta(days=days)

    def publish(self, days: float) -> Manifest:
        """Publish a version so many days ago."""
        self.ago(days)
        live = self.home.get(layout.POINTER)
        since = Pointer.read(live.body, where="").since if live else None
        name = f"{days} days ago"
        made = make(self.folder, name, since=since, as_of=date(2024, 4, 1))
        draft = made.draft.model_copy(update={"trained_at": self.home.now()})
        return self.chain.publish(replace(made, draft=draft))

    def release(self, *ago: float) -> None:
        """Make versions live so many days ago, one after the other."""
        for days in ago:
            manifest = self.publish(days)
            assert manifest.gate is not None
            assert self.chain.promote(manifest, since=manifest.gate.since).refusal is None
            self.chain.spread()
        self.ago(0)

    def plan(self, keep: Retention = KEEP) -> Plan:
        return plan(ReleaseStore(self.home, [Follower(self.follower)]), keep)

    def prune(self, keep: Retention = KEEP, *, operation: str = "prune") -> Plan:
        return prune(ReleaseStore(self.home, [Follower(self.follower)]), keep, act(operation, by="housekeeping"))


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Days:
    """An empty store today."""
    return Days(tmp_path, monkeypatch)


def retiring(made: Plan) -> list[str]:
    return [str(fate.version) for fate in made.retiring]


def whys(made: Plan) -> dict[str, str]:
    return {str(fate.version): fate.why for fate in made.fates}


def keys(store: Store, version: Version) -> list[str]:
    return [entry.key.partition("/")[2] for entry in store.list(f"{version}/")]


DECIDED = ["claim.json", "metadata.json"]
WHOLE = ["best_model.pkl", "claim.json", "metadata.json", "model_card.html", "preprocessor.pkl"]


@pytest.mark.parametrize(
    ("keep", "retired"),
    [
        ({"live_versions": 1, "days": 1}, ["v1.0.0", "v1.1.0", "v1.2.0"]),
        ({"live_versions": 2, "days": 10}, ["v1.0.0", "v1.1.0", "v1.2.0"]),
        ({"live_versions": 3, "days": 10}, ["v1.0.0", "v1.1.0"]),
        ({"live_versions": 4, "days": 10}, ["v1.0.0"]),
        ({"live_versions": 5, "days": 10}, []),
        ({"live_versions": 1, "days": 41}, ["v1.0.0", "v1.1.0"]),
        ({"live_versions": 1, "days": 40}, ["v1.0.0", "v1.1.0", "v1.2.0"]),
        ({"live_versions": 1, "days": 81}, ["v1.0.0"]),
        ({"live_versions": 1, "days": 91}, []),
    ],
)
def test_the_last_that_were_live_and_what_left_lately(days: Days, keep: dict[str, int], retired: list[str]) -> None:
    """Age counts from the end of being live: v1.2.0 became live 80 days ago, and was so until 40 days ago."""
    days.release(100, 90, 80, 40, 5)
    assert retiring(days.plan(KEEP.model_copy(update=keep))) == retired


def test_each_fate_says_why(days: Days) -> None:
    days.release(100, 90, 80, 9, 8, 7)
    days.publish(50)
    days.publish(40)
    days.publish(0.5)
    days.ago(0)
    made = days.plan(KEEP.model_copy(update={"live_versions": 3}))
    until = (days.home.now() - timedelta(days=80)).date()
    assert whys(made) == {
        "v1.0.0": f"it was live until {until - timedelta(days=10)}",
        "v1.1.0": f"it was live until {until}",
        "v1.2.0": "it was live within the last 10 days",
        "v1.3.0": "it is one of the last 3 that were live",
        "v1.4.0": "it was live before",
        "v1.5.0": "it is live",
        "v1.6.0": "it was never live",
        "v1.7.0": "it was never live",
        "v1.8.0": "it is younger than a day",
    }
    assert made.epoch == 6
    assert all(fate.size == sum(entry.size for entry in fate.files) > 0 for fate in made.fates)


def test_what_was_never_live_has_a_quota_of_its_own(days: Days) -> None:
    days.release(60)
    for ago in (50, 45, 40, 35):
        days.publish(ago)
    days.release(20, 15)

    def left(others: int) -> list[str]:
        return retiring(days.plan(KEEP.model_copy(update={"other_versions": others, "days": 1})))

    assert left(0) == ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"]
    assert left(1) == ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]
    assert left(3) == ["v1.0.0", "v1.1.0"]
    assert left(4) == ["v1.0.0"]


def test_what_was_live_before_a_rollback_and_after_it(days: Days) -> None:
    """The one before is the one that was left, quarantined as it is; terms long ago count when they came again."""
    days.release(100, 90, 80, 70)
    days.ago(20)
    rollback(ReleaseStore(days.home), act("back"), to=FIRST)
    days.ago(0)
    made = days.plan(KEEP.model_copy(update={"live_versions": 1}))
    assert whys(made)["v1.0.0"] == "it is live"
    assert whys(made)["v1.3.0"] == "it was live before"
    assert retiring(made) == ["v1.1.0", "v1.2.0"]
    assert retiring(days.plan(KEEP.model_copy(update={"live_versions": 3}))) == ["v1.1.0"]


def test_a_plan_changes_nothing(days: Days) -> None:
    days.release(100, 90, 80, 40, 5)
    days.ago(3)
    retire(ReleaseStore(days.home), [FIRST], act("prune"))
    days.ago(0)

    def reads(request: Request) -> object:
        assert not request.writes
        return request.perform()

    made = plan(
        ReleaseStore(Interposed(days.home, reads), [Follower(each) for each in [Interposed(days.follower, reads)]]),
        KEEP,
    )
    assert retiring(made) == ["v1.1.0", "v1.2.0"]
    assert [fate.version for fate in made.due] == [FIRST]


def test_pruning_retires_then_waits_then_removes(days: Days) -> None:
    days.release(100, 90, 40, 5)
    days.ago(3)
    made = days.prune()
    assert retiring(made) == ["v1.0.0", "v1.1.0"]
    pointer = live_pointer(days.home)
    assert (pointer.retired, pointer.change.kind, pointer.change.about) == ([FIRST, V110], Kind.RETIRE, [FIRST, V110])
    assert (pointer.version, pointer.since, pointer.change.by) == (V130, 4, "housekeeping")
    assert keys(days.home, FIRST) == WHOLE, "the grace period"
    assert live_pointer(days.follower) == pointer
    days.ago(2.5)
    again = days.prune()
    assert (again.retiring, again.due) == ([], [])
    assert again.waiting == {version: pointer.change.at + timedelta(hours=24) for version in (FIRST, V110)}
    assert live_pointer(days.home) == pointer, "nothing is written for nothing"
    days.ago(1.9)
    assert [fate.version for fate in days.prune().due] == [FIRST, V110]
    for store in (days.home, days.follower):
        for version in (FIRST, V110):
            assert keys(store, version) == DECIDED
        for version in (V120, V130):
            assert keys(store, version) == WHOLE
    assert published(days.home, FIRST).version == FIRST, "what it was can still be read"
    days.ago(0)
    last = days.prune()
    assert (last.retiring, last.due, last.waiting) == ([], [], {})
    reconcile(ReleaseStore(days.home, [Follower(days.follower)]))
    assert assert_settled(days.home) == assert_settled(days.follower) == pointer
    manifest = days.publish(0)
    assert str(manifest.version) == "v1.4.0", "a number is never used twice"


@pytest.mark.parametrize("hours", [1, 24, 100])
def test_the_grace_period(days: Days, hours: int) -> None:
    days.release(100, 90, 5)
    days.ago(2)
    retire(ReleaseStore(days.home), [FIRST], act("prune"))
    days.ago(0)
    made = days.plan(KEEP.model_copy(update={"grace_hours": hours}))
    assert ([fate.version for fate in made.due], [*made.waiting]) == (([FIRST], []) if hours < 48 else ([], [FIRST]))


def test_whatever_lies_in_a_retired_folder_goes_but_what_decided_it(days: Days) -> None:
    days.release(100, 90, 5)
    days.home.create("v1.0.0/extra/deeper.bin", b"left over")
    days.home.create("v1.0.0/extra/metadata.json", b"not the manifest")
    days.home.create("v1.0.01/other", b"no version")
    days.ago(2)
    retire(ReleaseStore(days.home), [FIRST], act("prune"))
    days.ago(0)
    days.prune()
    assert keys(days.home, FIRST) == DECIDED
    assert days.home.get("v1.0.01/other") is not None


@pytest.mark.parametrize("which", ["home", "follower"])
@pytest.mark.parametrize(("minutes", "well"), [(4, True), (-4, True), (6, False), (-6, False)])
def test_clocks_that_differ(tmp_path: Path, which: str, minutes: int, well: bool) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    Chain(home, [follower]).release(make(tmp_path, "a"))
    (home if which == "home" else follower).ahead = timedelta(minutes=minutes)
    before = dict(home._objects), dict(follower._objects)
    if well:
        prune(ReleaseStore(home, [Follower(follower)]), KEEP, act("prune"))
    else:
        with pytest.raises(Refused, match="clock and the store's are 3(60|59) s apart"):
            prune(ReleaseStore(home, [Follower(follower)]), KEEP, act("prune"))
    assert (home._objects, follower._objects) == before


def test_pruning_is_for_home(days: Days) -> None:
    with pytest.raises(NotFound, match="nothing was ever released here"):
        days.plan()
    with pytest.raises(NotFound, match="nothing was ever released here"):
        retire(ReleaseStore(days.home), [FIRST], act("prune"))
    days.release(100, 90, 5)
    for call in (
        lambda: prune(ReleaseStore(days.follower, [Follower(days.home)]), KEEP, act("prune")),
        lambda: retire(ReleaseStore(days.follower), [FIRST], act("prune")),
    ):
        with pytest.raises(Refused, match="its home is memory://home"):
            call()


# ── what must not fool it ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("told", [True, False])
def test_a_restored_bucket(days: Days, told: bool) -> None:
    """Every object is new, and manifests may tell nothing of their age: the log says what was live until when."""
    days.release(100, 90, 80, 40, 5)
    for version in () if told else (FIRST, V110, V120):
        manifest = published(days.home, version).model_copy(update={"trained_date": None, "trained_at": None})
        days.home._put(layout.manifest(version), manifest.to_bytes())
    for store in (days.home, days.follower):
        store.restore()
    made = days.plan(KEEP.model_copy(update={"live_versions": 1, "days": 50}))
    assert retiring(made) == [], "younger than a day, for all one can tell"
    days.ago(-2)
    made = days.plan(KEEP.model_copy(update={"live_versions": 1, "days": 50}))
    assert retiring(made) == ["v1.0.0", "v1.1.0"]
    assert whys(made)["v1.2.0"] == "it was live within the last 50 days"


def test_old_files_of_a_version_that_tells_a_later_training(days: Days) -> None:
    days.release(100, 90, 80, 40, 5)
    manifest = published(days.home, V120)
    later = manifest.model_copy(update={"trained_at": days.home.now()})
    days.home._put(layout.manifest(V120), later.to_bytes())
    assert whys(days.plan(KEEP.model_copy(update={"days": 50})))["v1.2.0"] == "it was live within the last 50 days"


def test_retired_before_a_recovery(days: Days) -> None:
    """What was retired stays retired, and its grace period begins anew, since the log may have lost when it did."""
    days.release(100, 90, 80, 5)
    days.ago(4)
    retire(ReleaseStore(days.home), [FIRST, V110], act("prune"))
    days.ago(1.5)
    days.home.delete(layout.POINTER)
    recovered = recover(ReleaseStore(days.home, [Follower(days.follower)]), V120, act("recover")).pointer
    assert recovered.retired == [FIRST, V110]
    days.ago(1)
    made = days.plan()
    assert made.waiting == {version: recovered.change.at + timedelta(hours=24) for version in (FIRST, V110)}
    assert whys(made)["v1.3.0"] == "it was live before"
    days.ago(0)
    assert [fate.version for fate in days.prune().due] == [FIRST, V110]
    assert keys(days.follower, FIRST) == DECIDED
    assert live_pointer(days.follower) == recovered


@pytest.mark.parametrize("lost", [[], [1], [1, 2], [2], [3], [4], [1, 2, 3, 4]])
def test_a_log_that_was_damaged_before_a_recovery(days: Days, lost: list[int]) -> None:
    """Pruning goes by what is left; the live version and the one before stay in any case."""
    days.release(100, 90, 80, 5)
    for epoch in lost:
        days.home.delete(layout.log_entry(epoch))
    days.home.delete(layout.POINTER)
    recover(ReleaseStore(days.home, [Follower(days.follower)]), V130, act("recover"))
    kept = {fate.version for fate in days.plan(KEEP.model_copy(update={"other_versions": 0})).fates if fate.kept}
    assert {V120, V130} <= kept


def test_a_follower_that_lags_keeps_what_it_names(days: Days) -> None:
    days.release(100, 90)
    lagging = days.follower.clone()
    days.release(80, 70, 5)
    lagging.ahead = timedelta(0)
    made = plan(ReleaseStore(days.home, [Follower(lagging)]), KEEP)
    assert whys(made)["v1.1.0"] == "it is live at memory://follower"
    assert retiring(made) == ["v1.0.0", "v1.2.0"]
    prune(ReleaseStore(days.home, [Follower(lagging)]), KEEP, act("prune"))
    assert live_pointer(lagging).version == V140, "it was moved on before any file could go"
    assert retiring(plan(ReleaseStore(days.home, [Follower(lagging)]), KEEP)) == ["v1.1.0"]


@pytest.mark.parametrize("reachable", range(4))
def test_a_follower_that_does_not_answer(days: Days, reachable: int) -> None:
    """What it names cannot be known, or it cannot be moved on: then no file goes."""
    days.release(100, 90, 80, 5)
    days.ago(3)
    retire(ReleaseStore(days.home), [FIRST], act("before"))
    days.ago(0)
    asked = 0

    def between(request: Request) -> object:
        nonlocal asked
        asked += 1
        if asked > reachable:
            raise StoreUnavailable("the endpoint is down", where=request.key)
        return request.perform()

    with pytest.raises(StoreUnavailable):
        prune(
            ReleaseStore(days.home, [Follower(each) for each in [Interposed(days.follower, between)]]),
            KEEP,
            act("prune"),
        )
    assert keys(days.home, FIRST) == WHOLE
    assert live_pointer(days.home).retired == ([FIRST] if reachable < 2 else [FIRST, V110]), (
        "its clock and its pointer come first"
    )
    days.prune()
    assert keys(days.home, FIRST) == keys(days.follower, FIRST) == DECIDED


def test_a_follower_whose_pointer_is_garbage(days: Days) -> None:
    days.release(100, 90, 80, 5)
    days.follower._put(layout.POINTER, b"garbage")
    before = dict(days.home._objects)
    with pytest.raises(Corrupt):
        days.prune()
    assert days.home._objects == before


def test_what_cannot_be_read_or_is_undecided_stays(days: Days) -> None:
    days.release(100, 90, 80, 5)
    days.home._put(layout.manifest(FIRST), b"garbage")
    days.ago(50)
    undecided = days.chain.claim(make(days.folder, "undecided", since=4)).metadata.version
    given_up = days.chain.claim(make(days.folder, "given up", since=4)).metadata.version
    for version in (undecided, given_up):
        days.home.create(layout.artifact(version, "best_model.pkl"), b"half")
    abandon(ReleaseStore(days.home), given_up, by="housekeeping", reason="stale")
    days.ago(0)
    made = days.prune(KEEP.model_copy(update={"other_versions": 0}))
    assert whys(made).keys() == {"v1.1.0", "v1.2.0", "v1.3.0"}
    assert retiring(made) == ["v1.1.0"]
    assert keys(days.home, FIRST) == WHOLE
    assert keys(days.home, undecided) == ["best_model.pkl", "claim.json"]


def test_what_becomes_live_meanwhile_is_left_out(days: Days) -> None:
    days.release(100, 90, 80, 5)
    moved: list[Pointer] = []

    def between(request: Request) -> object:
        if request.verb == "replace" and not moved:
            moved.append(rollback(ReleaseStore(days.home), act("back"), to=FIRST).pointer)
        return request.perform()

    prune(ReleaseStore(Interposed(days.home, between), [Follower(days.follower)]), KEEP, act("prune"))
    pointer = live_pointer(days.home)
    assert (pointer.version, pointer.retired) == (FIRST, [V110])
    assert retire(ReleaseStore(days.home), [FIRST, V130, V110], act("again")) == pointer, (
        "live, before it, and retired already"
    )


# ── a retired version never comes back ───────────────────────────────────────────────────────────────────────────────


def lost(home: MemoryStore) -> MemoryStore:
    home.delete(layout.POINTER)
    return home


WAYS: dict[str, Callable[[Days, Manifest], object]] = {
    "rollback": lambda days, it: rollback(ReleaseStore(days.home), act("op"), to=it.version),
    "promote": lambda days, it: promote(ReleaseStore(days.home), it.version, act("op"), overrule=True),
    "after a lift": lambda days, it: [
        quarantine(ReleaseStore(days.home), it.version, act("quarantine")),
        lift(ReleaseStore(days.home), it.version, act("lift")),
        promote(ReleaseStore(days.home), it.version, act("op"), overrule=True),
    ],
    "after a hold": lambda days, it: [
        hold(ReleaseStore(days.home), act("hold")),
        unhold(ReleaseStore(days.home), act("unhold")),
        promote(ReleaseStore(days.home), it.version, act("op"), overrule=True),
    ],
    "recover": lambda days, it: recover(
        ReleaseStore(lost(days.home), [Follower(days.follower)]), it.version, act("op")
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_retired_version_never_comes_back(days: Days, way: str) -> None:
    days.release(100, 90)
    newest = days.publish(50)
    days.ago(2)
    retire(ReleaseStore(days.home), [newest.version], act("prune"))
    days.ago(0)
    with pytest.raises(Refused, match=r"v1\.2\.0 is retired: its files are removed, or soon will be"):
        WAYS[way](days, newest)


def test_a_night_does_not_make_a_retired_version_live(days: Days) -> None:
    days.release(100)
    newest = days.publish(50)
    retire(ReleaseStore(days.home), [newest.version], act("prune"))
    assert "is retired" in str(days.chain.promote(newest, since=1).refusal)
    assert promotion_target_of(newest).order > live_pointer(days.home).order


# ── killed anywhere ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_killed_before_every_request(days: Days) -> None:
    """Run again, it ends the same; meanwhile what the pointers name is whole, and what is not retired too."""
    days.release(100, 90, 80, 40, 5)
    days.ago(3)
    retire(ReleaseStore(days.home), [FIRST, V110], act("before"))
    days.ago(0)
    stores = (days.home, days.follower)
    begin = [dict(store._objects) for store in stores]
    ends = set()
    for moment in range(1000):
        for store, objects in zip(stores, begin, strict=True):
            store._objects = dict(objects)
        between = dying_after(moment)

        home, follower = (Interposed(store, between) for store in stores)
        try:
            prune(ReleaseStore(home, [Follower(follower)]), KEEP, act("prune"))
            break
        except Killed:
            pass
        for store in stores:
            for version in (V120, V130, V140):
                assert keys(store, version) == WHOLE
        days.prune()
        pointer = live_pointer(days.home)
        assert pointer.retired == [FIRST, V110, V120]
        assert live_pointer(days.follower) == pointer
        ends.add(pointer.epoch)
        for store in stores:
            assert [keys(store, version) for version in (FIRST, V110)] == [DECIDED, DECIDED]
            assert keys(store, V120) == WHOLE
            assert isinstance(read_version(store, FIRST), Manifest)
    assert moment > 40
    assert ends == {7}, "retired once"
