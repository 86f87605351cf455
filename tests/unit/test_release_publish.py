"""Phase one of a release: numbers, staging, files in place, the manifest last."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.base import sha256_of
from model_release.documents.manifest import AbandonedManifest, Claim, FileEntry, Manifest
from model_release.documents.version import FIRST, Bump, Version
from model_release.errors import Corrupt, CredentialsRefused, NotFound, Refused
from model_release.releases.acts import rollback
from model_release.releases.catalog import published, read_claim, read_version, versions
from model_release.releases.claims import Noted, abandon, became, take_number
from model_release.releases.promote import follow
from model_release.releases.publish import place, seal, stage
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Store
from model_release.stores.local import LocalStore
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, act, assert_readable, assert_settled, begun, fingerprint_of, make

V110, V120, V200 = Version(1, 1, 0), Version(1, 2, 0), Version(2, 0, 0)


def counted(store: Store) -> tuple[Store, Counter[str]]:
    """The store, and a count of its requests by verb."""
    count: Counter[str] = Counter()

    def between(request: Request) -> object:
        count[request.verb] += 1
        return request.perform()

    return Interposed(store, between), count


def test_first_release(store: LocalStore, tmp_path: Path) -> None:
    promotion = Chain(store).release(make(tmp_path, "a"))
    assert promotion.refusal is None
    pointer = assert_settled(store)
    assert (pointer.version, pointer.epoch, pointer.since, pointer.previous) == (FIRST, 1, 1, None)
    assert pointer.home == store.uri
    assert [entry.key for entry in store.list("v")] == [
        "v1.0.0/best_model.pkl",
        "v1.0.0/claim.json",
        "v1.0.0/metadata.json",
        "v1.0.0/model_card.html",
        "v1.0.0/preprocessor.pkl",
    ]


def test_each_step_again_changes_nothing(store: LocalStore, tmp_path: Path) -> None:
    made, chain = make(tmp_path, "a"), Chain(store, [LocalStore(tmp_path / "follower")])
    first = chain.release(made)
    before = {entry.key: entry.modified for entry in store.list()}
    claim = chain.claim(made)
    assert claim == chain.claim(made)
    assert [place(ReleaseStore(store), claim, each) for each in (store, *chain.followers)] == [[], []]
    assert seal(ReleaseStore(store), claim) == published(store, FIRST)
    assert chain.promote(seal(ReleaseStore(store), claim)) == first
    chain.spread()
    after = {entry.key: entry.modified for entry in store.list()}
    assert {key for key in after if after[key] != before[key]} == {
        layout.staged(made.run, entry.sha256) for entry in made.draft.files
    }


def test_another_run_of_one_fingerprint_adopts_its_version(store: LocalStore, tmp_path: Path) -> None:
    chain = Chain(store)
    first = chain.publish(make(tmp_path, "same", run="night1"))
    again = chain.publish(make(tmp_path, "same", run="night2"))
    assert again == first
    assert again.run.run_id.startswith("night1")
    assert versions(store) == [FIRST]


def test_one_fingerprint_in_threads_becomes_one_version(store: LocalStore, tmp_path: Path) -> None:
    made = [make(tmp_path, "same", run=f"night{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(Chain(store).publish, made)]
    assert len({result.sha256() for result in results}) == 1
    assert became(ReleaseStore(store), made[0].draft.fingerprint) == results[0].version
    decided = [read_version(store, each) for each in versions(store)]
    assert [type(each) for each in decided].count(Manifest) == 1
    assert None not in decided


def test_other_bytes_for_one_fingerprint_are_an_error(store: LocalStore, tmp_path: Path) -> None:
    chain = Chain(store)
    chain.publish(make(tmp_path, "same"))
    with pytest.raises(Corrupt, match=r"made v1.0.0 before, and make other bytes now"):
        chain.publish(make(tmp_path, "same", run="forced", model=b"chance"))
    assert versions(store) == [FIRST]


def test_a_report_may_differ_where_the_model_does_not(store: LocalStore, tmp_path: Path) -> None:
    chain = Chain(store)
    first = chain.publish(make(tmp_path, "same", run="night1"))
    other = make(tmp_path, "same", run="night2")
    assert other.draft.file("model_card.html") != first.file("model_card.html")
    assert chain.publish(other) == first
    assert_readable(store)


def test_fifty_runs_at_once_get_fifty_numbers(store: LocalStore, tmp_path: Path) -> None:
    drafts = [make(tmp_path, f"run{number}") for number in range(50)]
    with ThreadPoolExecutor(16) as pool:
        claims = [*pool.map(lambda made: take_number(ReleaseStore(store), made.draft, run=made.run), drafts)]
    assert sorted(claim.metadata.version for claim in claims) == [Version(1, minor, 0) for minor in range(50)]
    assert [claim.run for claim in claims] == [made.run for made in drafts]


@pytest.mark.parametrize("live", [True, False])
def test_the_search_for_a_number_does_not_grow_with_the_numbers_taken(tmp_path: Path, live: bool) -> None:
    first: dict[int, int] = {}
    then: dict[int, int] = {}
    for many in (20, 2000):
        home = MemoryStore()
        chain = Chain(home)
        base = make(tmp_path, f"base{many}")
        manifest = chain.publish(base)
        if live:
            chain.promote(manifest)
        for minor in range(1, many):
            home.create(layout.claim(Version(1, minor, 0)), Claim(run="x", metadata=base.draft).to_bytes())
        watched, count = counted(home)
        for minor, cost in ((many, first), (many + 1, then)):
            count.clear()
            claim = take_number(ReleaseStore(watched), make(tmp_path, f"{minor}").draft, run="run")
            assert claim.metadata.version == Version(1, minor, 0)
            assert count["list"] == 0
            cost[many] = count.total()
    assert first[2000] <= first[20] + 16, "it is searched for by doubling once"
    assert then[2000] == then[20] < first[20], "then from where it was found"


def test_a_note_of_a_number_decides_nothing(memory: MemoryStore, tmp_path: Path) -> None:
    manifest = Chain(memory).publish(make(tmp_path, "base"))
    for minor in range(1, 30):
        memory.create(layout.claim(Version(1, minor, 0)), Claim(run="x", metadata=manifest).to_bytes())
    notes = (b"", b"{", b'{"version": "v1.99.0"}', b'{"version": "v2.0.0"}', b'{"version": "v1.4.0"}')
    for minor, note in enumerate(notes, 30):
        memory.delete(layout.NEAR_THE_LAST)
        memory.create(layout.NEAR_THE_LAST, note)
        taken = take_number(ReleaseStore(memory), make(tmp_path, f"{minor}").draft, run="run").metadata.version
        assert taken == Version(1, minor, 0), note
        stored = memory.get(layout.NEAR_THE_LAST)
        assert stored is not None and stored.body == Noted(version=Version(1, minor - 1, 0)).to_bytes()


def test_a_note_that_may_not_be_written_costs_no_release(memory: MemoryStore, tmp_path: Path) -> None:
    manifest = Chain(memory).publish(make(tmp_path, "base"))
    for minor in range(1, 30):
        memory.create(layout.claim(Version(1, minor, 0)), Claim(run="x", metadata=manifest).to_bytes())

    def between(request: Request) -> object:
        if request.key == layout.NEAR_THE_LAST and request.verb != "get":
            raise CredentialsRefused("not permitted", where=request.key)
        return request.perform()

    claim = take_number(ReleaseStore(Interposed(memory, between)), make(tmp_path, "next").draft, run="run")
    assert claim.metadata.version == Version(1, 30, 0)


def test_numbers_go_by_bump_and_schema(memory: MemoryStore, tmp_path: Path) -> None:
    chain = Chain(memory)
    chain.promote(chain.publish(make(tmp_path, "a")))

    def next_number(name: str, revision: int = 1, bump: Bump | None = None) -> str:
        return str(chain.publish(make(tmp_path, name, schema_revision=revision), bump=bump).version)

    assert next_number("b") == "v1.1.0"
    assert next_number("c", bump=Bump.PATCH) == "v1.0.1"
    assert next_number("d", bump=Bump.PATCH) == "v1.0.2"
    assert next_number("e", revision=2) == "v2.0.0"
    assert next_number("f", revision=2) == "v2.1.0", "v2.0.0 has risen to this schema already"
    assert next_number("g") == "v1.2.0", "an older spec still counts on below"
    assert next_number("h", revision=3) == "v3.0.0"
    assert next_number("i", bump=Bump.MAJOR) == "v4.0.0"
    assert next_number("j", revision=2, bump=Bump.MINOR) == "v1.3.0"


def test_numbers_after_the_pointer_moved_back(memory: MemoryStore, tmp_path: Path) -> None:
    begun(tmp_path, "abc", home=memory)
    rollback(ReleaseStore(memory), act("back"), to=FIRST)
    assert str(Chain(memory).publish(make(tmp_path, "d")).version) == "v1.3.0"


def test_a_number_that_was_given_up_is_never_used_again(memory: MemoryStore, tmp_path: Path) -> None:
    chain, made = Chain(memory), make(tmp_path, "a")
    claim = chain.claim(made)
    assert abandon(ReleaseStore(memory), FIRST, by="housekeeping", reason="stale for a day")
    assert abandon(ReleaseStore(memory), FIRST, by="housekeeping", reason="again"), "again is as good as once"
    for step in (lambda: place(ReleaseStore(memory), claim, memory), lambda: seal(ReleaseStore(memory), claim)):
        with pytest.raises(Refused, match="given up by housekeeping: stale for a day"):
            step()
    assert became(ReleaseStore(memory), made.draft.fingerprint) is None
    with pytest.raises(NotFound, match="given up"):
        published(memory, FIRST)
    assert chain.publish(made).version == V110
    assert became(ReleaseStore(memory), made.draft.fingerprint) == V110
    assert isinstance(read_version(memory, FIRST), AbandonedManifest)


def test_a_published_number_is_not_given_up(memory: MemoryStore, tmp_path: Path) -> None:
    manifest = Chain(memory).publish(make(tmp_path, "a"))
    assert not abandon(ReleaseStore(memory), FIRST, by="housekeeping", reason="stale")
    assert published(memory, FIRST) == manifest


def test_a_run_that_died_before_its_record_finds_its_claim(memory: MemoryStore, tmp_path: Path) -> None:
    """Between the claim and `version.json` nothing says what the fingerprint became, yet the claim does."""
    chain = Chain(memory)
    chain.promote(chain.publish(make(tmp_path, "a")))
    made = make(tmp_path, "b")
    claim = chain.claim(made)
    memory.delete(layout.version_of(made.draft.fingerprint))
    assert chain.claim(made) == claim
    assert versions(memory) == [FIRST, V110]


def test_staging_refuses_what_is_not_as_promised(store: LocalStore, tmp_path: Path) -> None:
    made = make(tmp_path, "a")
    (made.folder / "best_model.pkl").write_bytes(b"half")
    with pytest.raises(Corrupt, match="4 bytes"):
        stage(ReleaseStore(store), made.run, made.folder, made.draft.files)


def test_damaged_bytes_are_an_error_and_never_written_over(store: LocalStore, tmp_path: Path) -> None:
    claim = Chain(store).claim(make(tmp_path, "a"))
    store.create("v1.0.0/best_model.pkl", b"half")
    with pytest.raises(Corrupt, match="written once"):
        place(ReleaseStore(store), claim, store)
    store.delete("v1.0.0/best_model.pkl")
    assert place(ReleaseStore(store), claim, store) == [entry.path for entry in claim.metadata.files]
    assert place(ReleaseStore(store), claim, store) == []


def test_bytes_that_come_back_wrong_are_not_sealed(memory: MemoryStore, tmp_path: Path) -> None:
    def between(request: Request) -> object:
        if request.verb == "copy":
            return memory.create(request.key, b"silently cut")
        return request.perform()

    chain = Chain(Interposed(memory, between))
    with pytest.raises(Corrupt, match="best_model.pkl"):
        chain.publish(make(tmp_path, "a"))
    assert read_version(memory, FIRST) is None


def test_seal_refuses_another_manifest(memory: MemoryStore, tmp_path: Path) -> None:
    claim = Chain(memory).claim(make(tmp_path, "a"))
    other = claim.metadata.model_copy(update={"seed": 7})
    memory.create(layout.manifest(FIRST), other.to_bytes())
    with pytest.raises(Corrupt, match="different bytes"):
        seal(ReleaseStore(memory), claim)


def test_a_follower_holds_the_release_before_home_decides(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    claim = Chain(home).claim(make(tmp_path, "a"))
    place(ReleaseStore(home), claim, follower)
    assert read_version(home, FIRST) is None
    stored, here = follower.get(layout.manifest(FIRST)), claim.metadata.to_bytes()
    assert stored is not None
    assert stored.body == here
    place(ReleaseStore(home), claim, home)
    seal(ReleaseStore(home), claim)
    decided = home.get(layout.manifest(FIRST))
    assert decided is not None
    assert decided.body == here


def test_what_came_back_is_inspected_each_time_and_before_a_follower_has_the_manifest(tmp_path: Path) -> None:
    home, follower = LocalStore(tmp_path / "home"), LocalStore(tmp_path / "follower")
    claim = Chain(home, [follower]).claim(make(tmp_path, "a"))
    whole = {entry.path: entry.sha256 for entry in claim.metadata.files}

    def refuse(folder: Path) -> None:
        assert {path.name: sha256_of(path.read_bytes()) for path in folder.iterdir()} == whole
        raise Refused("it does not open")

    for _ in range(2):  # the second time every file is there already
        with pytest.raises(Refused, match="does not open"):
            place(ReleaseStore(home), claim, follower, inspect=refuse)
        assert follower.get(layout.manifest(FIRST)) is None
    assert place(ReleaseStore(home), claim, follower, inspect=lambda _: None) == []
    assert follower.get(layout.manifest(FIRST)) is not None


def test_a_new_follower_gets_what_staging_no_longer_has(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    Chain(home).release(make(tmp_path, "a"))
    for entry in home.list("staging/"):
        home.delete(entry.key)
    assert follow(ReleaseStore(home), follower) is not None
    assert_readable(follower)


def test_a_follower_with_another_releases_claim_is_refused(tmp_path: Path) -> None:
    home, follower = MemoryStore(), MemoryStore("memory://follower")
    Chain(follower).publish(make(tmp_path, "stranger"))
    claim = Chain(home).claim(make(tmp_path, "a"))
    with pytest.raises(Corrupt, match="different bytes"):
        place(ReleaseStore(home), claim, follower)


def test_published_reads_what_it_promises(memory: MemoryStore, tmp_path: Path) -> None:
    manifest = Chain(memory).publish(make(tmp_path, "a"))
    assert published(memory, FIRST, sha256=manifest.sha256()) == manifest
    with pytest.raises(NotFound, match=r"no release v1.1.0"):
        published(memory, V110)
    with pytest.raises(Corrupt, match="not the one"):
        published(memory, FIRST, sha256="0" * 64)
    memory.copy(layout.manifest(FIRST), layout.manifest(V110))
    with pytest.raises(Corrupt, match=r"of v1.0.0"):
        published(memory, V110)


def test_claims_compare_by_fingerprint_and_model_bytes(tmp_path: Path) -> None:
    made = make(tmp_path, "a")
    claim = Claim(run="one", metadata=made.draft)
    other_card = [*made.draft.files[:2], FileEntry(path="model_card.html", size=1, sha256="0" * 64)]
    assert claim.same_release(Claim(run="two", metadata=made.draft.model_copy(update={"files": other_card})))
    other_model = [FileEntry(path="best_model.pkl", size=1, sha256="0" * 64), *made.draft.files[1:]]
    assert not claim.same_release(Claim(run="two", metadata=made.draft.model_copy(update={"files": other_model})))
    other_print = made.draft.model_copy(update={"fingerprint": fingerprint_of("b")})
    assert not claim.same_release(Claim(run="two", metadata=other_print))


def test_no_claim_on_a_free_number(memory: MemoryStore) -> None:
    assert read_claim(memory, V120) is None
    assert read_version(memory, V200) is None
    assert versions(memory) == []
