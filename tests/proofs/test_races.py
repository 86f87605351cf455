"""Many processes at once: nobody's success is lost, and every number belongs to one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.addresses import Address
from emulators.moto import moto
from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest, Manifest
from model_release.documents.version import FIRST, Bump, Version
from model_release.releases.catalog import history, read_claim, read_version, versions
from model_release.releases.store import ReleaseStore
from model_release.releases.sweep import sweep
from support.fault_matrices import EVERY
from support.killed_processes import Nursery, for_good, nursery
from support.proof_tally import Record, proof
from support.racing_processes import promote_all, publish_all
from support.release_builder import Chain, make
from support.release_scenes import Later, agreeing, flushing_nothing, released

RACERS = 16
RUNS = 50
DEAD = ("taken up", "abandoned")


@pytest.fixture(scope="module")
def container() -> Iterator[Address]:
    with moto() as server:
        address = Address("s3", server.url, "models", "")
        address.make_container()
        yield address


@pytest.fixture
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Address:
    """An empty folder of a model: of a disk, or of S3."""
    if request.param == "folder":
        return Address("folder", "", str(tmp_path), "home")
    container: Address = request.getfixturevalue("container")
    return container.at(tmp_path.name)


@pytest.fixture
def children(address: Address) -> Iterator[Nursery]:
    with nursery() as running, flushing_nothing():
        running.warm(for_good, flushing_nothing)
        running.warm(address.open)
        yield running


@pytest.mark.parametrize(
    ("address", "rounds"), [("folder", 200 if EVERY else 50), ("moto", 8 if EVERY else 4)], indirect=["address"]
)
def test_promotions(address: Address, rounds: int, children: Nursery, tmp_path: Path, record_property: Record) -> None:
    store = address.open()
    (first,) = released(store, [], tmp_path, ["first"])
    for number in range(1, RACERS * rounds + 1):
        manifest = first.model_copy(update={"version": Version(1, number, 0)})
        store.create(layout.manifest(manifest.version), manifest.to_bytes())
    end = children.fork(promote_all, address, RACERS, rounds)
    assert end.state == "ended", end
    log = [*history(store)]
    changes = [(each.epoch, each.version) for each in log[1:]]
    with proof(record_property, f"{RACERS} promoters, {address.kind}", "rounds", "changes", "lost or doubled") as tally:
        lost = {*end.value} ^ {*changes}
        tally.counts.update({"rounds": rounds, "changes": len(changes), "lost or doubled": len(lost)})
        assert sorted(end.value) == changes, "each change is one process's success, and each success a change"
        assert [each.epoch for each in log] == [*range(1, len(log) + 1)], "no gap"
        assert sorted({each.version for each in log}) == [each.version for each in log], "forward only"
    assert len(changes) >= rounds


@pytest.mark.parametrize("address", ["folder", "moto"], indirect=True)
def test_numbers(address: Address, children: Nursery, tmp_path: Path, record_property: Record) -> None:
    store = address.open()
    end = children.fork(publish_all, address, tmp_path, RUNS, {})
    assert end.state == "ended", end
    numbers = [FIRST]
    while len(numbers) < RUNS:
        numbers.append(numbers[-1].next(Bump.MINOR))
    with proof(record_property, f"{RUNS} publishers, {address.kind}", "numbers", "overwritten") as tally:
        tally.counts["numbers"] += len({*end.value.values()})
        assert sorted(end.value.values()) == numbers == versions(store)
        for run, number in end.value.items():
            decided, claim = read_version(store, number), read_claim(store, number)
            mine = make(tmp_path, f"run {run}", card=False).draft.fingerprint
            assert isinstance(decided, Manifest)
            assert claim is not None
            tally.counts["overwritten"] += {decided.fingerprint, claim.metadata.fingerprint} != {mine}
        assert not tally.counts["overwritten"]


@pytest.mark.parametrize("address", ["folder"], indirect=True)
def test_numbers_of_runs_that_die(address: Address, children: Nursery, tmp_path: Path, record_property: Record) -> None:
    """Some die with a claim alone, some when it is settled that the number is theirs."""
    store = address.open()
    mortal = {me: layout.CLAIM if me % 2 else "version.json" for me in range(0, RUNS, 5)}
    end = children.fork(publish_all, address, tmp_path, RUNS, mortal)
    assert end.state == "ended", end
    taken = versions(store)
    assert len({*end.value.values()}) == len(end.value) == RUNS - len(mortal), "the dead block nobody"
    left = {number for number in taken if read_version(store, number) is None}
    again = {me: Chain(store).publish(make(tmp_path, f"run {me}", card=False)).version for me in mortal}
    assert {again[me] for me, when in mortal.items() if when == "version.json"} <= left, "taken up again"
    assert not {*again.values()} & {*end.value.values()}
    with agreeing():
        sweep(ReleaseStore(Later(store)), by="housekeeping", remove=True)
    decided = {number: read_version(store, number) for number in versions(store)}
    abandoned = {number for number, each in decided.items() if isinstance(each, AbandonedManifest)}
    with proof(record_property, f"{RUNS} publishers, {len(mortal)} killed, {address.kind}", *DEAD) as tally:
        tally.counts.update({"taken up": len({*again.values()} & left), "abandoned": len(abandoned)})
    assert abandoned == left - {*again.values()}
    assert {*decided} - abandoned == {*end.value.values(), *again.values()}
    assert Chain(store).publish(make(tmp_path, "the next night")).version == max(decided).next(Bump.MINOR)
