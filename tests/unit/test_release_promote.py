"""Phase two of a release: the pointer, its rules, the followers and the copies."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.pointer import Hold, Kind, Pointer, Quarantine
from model_release.documents.version import FIRST, Version
from model_release.errors import BaselineMoved, Contended, Corrupt, NotFound, Refused, StoreUnavailable, UnknownFormat
from model_release.releases.acts import rollback
from model_release.releases.catalog import history, live_pointer, read_pointer
from model_release.releases.pointer_cas import move
from model_release.releases.promote import follow, refresh_latest
from model_release.releases.reconcile import reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Won
from model_release.stores.conditions import check_conditions
from model_release.stores.local import LocalStore
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import AS_OF, Chain, act, assert_settled, make

pytestmark = pytest.mark.usefixtures("at_once")

V110 = Version(1, 1, 0)
NOW = datetime(2024, 6, 1, 8, 30, tzinfo=UTC)


def changed(store: MemoryStore, **update: object) -> Pointer:
    """Change the pointer as a verb of a later day will."""

    def decide(current: Pointer | None) -> Pointer:
        assert current is not None
        more = {"epoch": current.epoch + 1, "write_id": f"change-{current.epoch + 1}", **update}
        return current.model_copy(update=more)

    pointer = move(ReleaseStore(store), decide)
    assert pointer is not None
    return pointer


def test_two_releases(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    first = chain.release(make(tmp_path, "a"))
    second = chain.release(make(tmp_path, "b", since=1), since=1)
    assert second.refusal is None
    pointer = assert_settled(memory)
    assert pointer == second.pointer
    assert (pointer.version, pointer.epoch, pointer.since, pointer.previous) == (V110, 2, 2, FIRST)
    assert first.pointer is not None
    assert pointer.lineage == first.pointer.lineage
    assert (pointer.change.kind, pointer.change.from_version, pointer.change.to_version) == (
        Kind.PROMOTE,
        FIRST,
        V110,
    )
    assert [each.epoch for each in history(memory)] == [1, 2]


@pytest.mark.parametrize(
    ("newer", "moves"),
    [
        ({"as_of": AS_OF}, True),
        ({"as_of": AS_OF + timedelta(days=1)}, True),
        ({"as_of": AS_OF - timedelta(days=1)}, False),
        ({"as_of": None}, False),
        ({"as_of": AS_OF - timedelta(days=1), "schema_revision": 3}, True),
        ({"as_of": AS_OF + timedelta(days=1), "schema_revision": 1}, False),
    ],
)
def test_the_pointer_only_moves_forward(
    memory: MemoryStore, tmp_path: Path, newer: dict[str, object], moves: bool
) -> None:
    chain = Chain(memory)
    chain.promote(chain.publish(make(tmp_path, "a", schema_revision=2)))
    options = {"schema_revision": 2, **newer}
    promotion = chain.promote(chain.publish(make(tmp_path, "b", since=1, **options)), since=1)  # type: ignore[arg-type]
    assert (promotion.refusal is None) == moves
    assert live_pointer(memory).epoch == (2 if moves else 1)
    if not moves:
        assert "only moves forward" in str(promotion.refusal)


def test_an_older_run_says_so_even_if_the_baseline_moved(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    slow = make(tmp_path, "slow", as_of=date(2024, 4, 1))
    chain.release(make(tmp_path, "a"))
    promotion = chain.promote(chain.publish(slow), since=None)
    assert "comes before the live v1.0.0" in str(promotion.refusal)


def test_data_from_the_future_is_refused(memory: MemoryStore, tmp_path: Path) -> None:
    today = memory.now().date()
    manifest = Chain(memory).publish(make(tmp_path, "a", as_of=today + timedelta(days=2)))
    promotion = Chain(memory).promote(manifest)
    assert promotion.pointer is None
    assert "the store's clock says" in str(promotion.refusal)
    assert Chain(memory).promote(Chain(memory).publish(make(tmp_path, "b", as_of=today))).refusal is None


def test_a_hold_stops_promotions(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    manifest = chain.publish(make(tmp_path, "b", since=1))
    changed(memory, holds=[Hold(by="ada", reason="audit", at=NOW, operation="op")])
    promotion = chain.promote(manifest, since=1)
    assert promotion.refusal == "latest is held at v1.0.0 by ada since 2024-06-01 08:30 UTC: audit"
    changed(memory, holds=[])
    assert chain.promote(manifest, since=1).refusal is None, "a hold does not change the baseline"
    assert assert_log_whole(memory) == [1, 2, 3, 4]


def test_quarantined_and_retired_versions_never_become_live(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    manifest = chain.publish(make(tmp_path, "b", since=1))
    changed(memory, quarantined={"v1.1.0": Quarantine(by="ada", reason="bad slice", at=NOW)})
    assert chain.promote(manifest, since=1).refusal == "v1.1.0 is quarantined by ada: bad slice"
    changed(memory, quarantined={}, retired=[V110])
    assert "retired" in str(chain.promote(manifest, since=1).refusal)


@pytest.mark.parametrize("judged_since", [None, 2, 7])
def test_a_verdict_against_another_baseline_is_void(
    memory: MemoryStore, tmp_path: Path, judged_since: int | None
) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    with pytest.raises(BaselineMoved, match=r"v1.0.0 \(live since epoch 1\)"):
        chain.promote(chain.publish(make(tmp_path, "b", since=judged_since)), since=judged_since)
    assert live_pointer(memory).epoch == 1


def test_a_verdict_against_a_baseline_where_nothing_is_live(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    with pytest.raises(BaselineMoved, match="now nothing is live"):
        chain.promote(chain.publish(make(tmp_path, "a")), since=3)


def test_only_what_is_published_becomes_live(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    claim = chain.claim(make(tmp_path, "a"))
    with pytest.raises(NotFound, match=r"no release v1.0.0"):
        chain.promote(claim.metadata)
    manifest = chain.publish(make(tmp_path, "a"))
    with pytest.raises(Corrupt, match="not the one"):
        chain.promote(manifest.model_copy(update={"seed": 7}))
    assert read_pointer(memory) is None


def test_a_writer_with_another_home_stops(memory: MemoryStore, tmp_path: Path) -> None:
    Chain(memory).release(make(tmp_path, "a"))
    moved = MemoryStore("memory://elsewhere")
    moved._objects = memory._objects
    with pytest.raises(Refused, match="its home is memory://home"):
        Chain(moved).promote(Chain(moved).publish(make(tmp_path, "b", since=1)), since=1)
    with pytest.raises(Refused, match="its home is memory://home"):
        reconcile(ReleaseStore(moved))


@pytest.mark.parametrize("left", ["log", "latest", "version judged against it", "version without a claim"])
def test_a_missing_pointer_beside_its_traces_is_damage(memory: MemoryStore, tmp_path: Path, left: str) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    if left == "version judged against it":
        chain.publish(make(tmp_path, "b", since=1))
    memory.delete(layout.POINTER)
    keep = {"log": "log/", "latest": "latest/"}.get(left, "v")
    for entry in list(memory.list()):
        if entry.key.startswith(("log/", "latest/", "v")) and not entry.key.startswith(keep):
            memory.delete(entry.key)
    if left == "version without a claim":
        memory.create("v1.7.0/best_model.pkl", b"whose?")
    later = chain.publish(make(tmp_path, "c", run="later"))
    with pytest.raises(Refused, match="damage, not a beginning"):
        chain.promote(later)
    assert read_pointer(memory) is None


def test_a_crash_before_the_first_pointer_is_no_damage(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.claim(make(tmp_path, "died"))
    chain.publish(make(tmp_path, "published only"))
    assert chain.release(make(tmp_path, "c")).refusal is None
    assert assert_settled(memory).version == Version(1, 2, 0)


def test_a_retry_of_a_promotion_is_a_no_op(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    manifest = chain.publish(make(tmp_path, "a"))
    first = chain.promote(manifest)
    assert chain.promote(manifest) == first
    assert chain.promote(manifest, since=1) == first
    assert live_pointer(memory).epoch == 1


def test_too_many_races_are_told(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    manifest = chain.publish(make(tmp_path, "b", since=1))

    def between(request: Request) -> object:
        if request.verb == "replace":
            changed(memory, holds=[])
        return request.perform()

    with pytest.raises(Contended, match="races for the pointer"):
        Chain(Interposed(memory, between)).promote(manifest, since=1)
    assert assert_log_whole(memory) == list(range(1, 52))


def test_a_log_of_another_history_is_found(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    memory.delete(layout.log_entry(1))
    memory.create(layout.log_entry(1), b"{}")
    with pytest.raises(Corrupt, match="different bytes"):
        reconcile(ReleaseStore(memory))


def test_followers_get_byte_copies_and_only_forward(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    chain = Chain(home)
    assert follow(ReleaseStore(home), follower) is None, "nothing is live yet"
    chain.release(make(tmp_path, "a"))
    given = follow(ReleaseStore(home), follower)
    assert given == live_pointer(home)
    assert follow(ReleaseStore(home), follower) is None
    kept = {each.key: each for each in follower.list()}
    chain.release(make(tmp_path, "b", since=1), since=1)
    assert follow(ReleaseStore(home), follower) is not None
    here, there = home.get(layout.POINTER), follower.get(layout.POINTER)
    assert here is not None
    assert there is not None
    assert here.body == there.body
    older = MemoryStore()
    older._objects = {key: each for key, each in home._objects.items() if key != layout.POINTER}
    older.create(layout.POINTER, home._objects[layout.log_entry(1)].body)
    with pytest.raises(Refused, match="at epoch 2, ahead of home at 1"):
        follow(ReleaseStore(older), follower)
    assert live_pointer(follower).epoch == 2
    assert kept.keys() < {each.key for each in follower.list()}
    refresh_latest(follower)
    assert_settled(follower)


def test_followers_follow_back_after_a_rollback(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    chain = Chain(home, [follower])
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    rollback(ReleaseStore(home), act("back"))
    chain.spread()
    assert assert_settled(follower).version == FIRST
    assert assert_settled(home).version == FIRST


def test_followers_with_another_past_are_refused(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    Chain(home).release(make(tmp_path, "a"))
    Chain(follower).release(make(tmp_path, "a"))
    with pytest.raises(Refused, match="has the history"):
        follow(ReleaseStore(home), follower)


def test_a_fork_at_one_epoch_is_found(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    chain = Chain(home, [follower])
    chain.release(make(tmp_path, "a"))
    changed(follower, holds=[])
    changed(home, holds=[], write_id="other")
    with pytest.raises(Corrupt, match="epoch 2 is v1.0.0 here and v1.0.0 at home"):
        follow(ReleaseStore(home), follower)


def test_copies_are_mended(store: LocalStore, tmp_path: Path) -> None:
    Chain(store).release(make(tmp_path, "a"))
    assert refresh_latest(store) == []
    (store.root / "latest" / "best_model.pkl").write_bytes(b"bit rot")
    (store.root / "latest" / "metadata.json").unlink()
    store.create("latest/left_over.bin", b"of an older version")
    assert refresh_latest(store) == ["best_model.pkl", "metadata.json", "left_over.bin"]
    assert_settled(store)


def test_copies_start_over_if_the_pointer_moves_under_them(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    chain.promote(chain.publish(make(tmp_path, "b", since=1)), since=1)
    moved: list[Pointer] = []

    def between(request: Request) -> object:
        if request.verb == "copy" and not moved:
            moved.append(rollback(ReleaseStore(memory), act("back")).pointer)
        return request.perform()

    refresh_latest(Interposed(memory, between))
    assert assert_settled(memory).version == FIRST


def test_reconcile_mends_everything_that_follows_from_the_pointer(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    assert reconcile(ReleaseStore(home, [Follower(follower)])).pointer is None
    chain = Chain(home)
    chain.promote(chain.publish(make(tmp_path, "a")))
    home.delete(layout.log_entry(1))
    done = reconcile(ReleaseStore(home, [Follower(follower)]))
    assert done.pointer == live_pointer(home)
    mended = [each.partition(": ")[2].partition(" ")[0] for each in done.mended]
    assert mended == ["latest/", "latest.json", "latest/"]
    assert_settled(home)
    assert_settled(follower)
    assert reconcile(ReleaseStore(home, [Follower(follower)])).mended == []


@pytest.mark.parametrize("required", [True, False])
def test_one_destination_down_does_not_keep_the_others_back(tmp_path: Path, required: bool) -> None:
    home, last = MemoryStore(), MemoryStore("memory://last")

    def down(request: Request) -> object:
        raise StoreUnavailable("the endpoint is down", where=request.key)

    Chain(home).release(make(tmp_path, "a"))
    followers = [Follower(Interposed(MemoryStore("memory://down"), down), required=required), Follower(last)]
    if required:
        with pytest.raises(StoreUnavailable):
            reconcile(ReleaseStore(home, followers))
    else:
        lagging = reconcile(ReleaseStore(home, followers)).lagging
        assert len(lagging) == 1
        assert "memory://down" in lagging[0]
    assert_settled(last)


def test_a_store_that_ignores_conditions_is_refused(memory: MemoryStore) -> None:
    check_conditions(memory)
    assert not list(memory.list())

    def overwrites(request: Request) -> object:
        return Won("anything") if request.verb == "create" else request.perform()

    def replaces(request: Request) -> object:
        return Won("anything") if request.verb == "replace" else request.perform()

    for careless in (overwrites, replaces):
        with pytest.raises(Refused, match="ignores conditional writes"):
            check_conditions(Interposed(memory, careless))


def test_what_cannot_be_read_is_not_repaired(memory: MemoryStore, tmp_path: Path) -> None:
    Chain(memory).release(make(tmp_path, "a"))
    memory.delete(layout.latest_copy("best_model.pkl"))

    def between(request: Request) -> object:
        if request.verb == "download":
            raise StoreUnavailable("the connection broke", where=request.key)
        return request.perform()

    with pytest.raises(StoreUnavailable):
        reconcile(ReleaseStore(Interposed(memory, between)))
    assert memory.get(layout.latest_copy("best_model.pkl")) is None


def test_an_empty_folder_has_no_pointer(memory: MemoryStore) -> None:
    with pytest.raises(NotFound, match=r"there is no latest.json here"):
        live_pointer(memory)
    assert [*history(memory)] == []
    assert refresh_latest(memory) == []


def test_history_has_what_the_log_does_not_have_yet(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    memory.delete(layout.log_entry(2))
    assert [each.epoch for each in history(memory)] == [1, 2]


def assert_log_whole(store: MemoryStore) -> list[int]:
    """Return the log's epochs; each entry is what it is called."""
    found = []
    for entry in store.list("log/"):
        stored = store.get(entry.key)
        assert stored is not None
        pointer = Pointer.read(stored.body, where=entry.key)
        assert entry.key == layout.log_entry(pointer.epoch)
        found.append(pointer.epoch)
    return found


def test_a_follower_with_a_newer_format_is_left_alone(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    chain = Chain(home, [follower])
    chain.release(make(tmp_path, "a"))
    newer = home._objects[layout.POINTER].body.replace(b'"format": 1', b'"format": 2')
    follower.delete(layout.POINTER)
    follower.create(layout.POINTER, newer)
    chain.promote(chain.publish(make(tmp_path, "b", since=1)), since=1)
    with pytest.raises(UnknownFormat):
        reconcile(ReleaseStore(home, [Follower(follower)]))
    assert follower._objects[layout.POINTER].body == newer
