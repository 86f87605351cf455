"""A killed process, on the folder store with a folder that follows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.addresses import Address
from support.fault_matrices import CRASHES, ZOMBIES, Theatre, crash_matrix, zombies
from support.killed_processes import Nursery, for_good, nursery
from support.proof_tally import Record, proof
from support.release_scenes import RELEASE, ROLLED_BACK, SCENES, Scene, flushing_nothing


@pytest.fixture(scope="module")
def children() -> Iterator[Nursery]:
    with flushing_nothing(), nursery() as running:
        running.warm(for_good, flushing_nothing)
        yield running


@pytest.fixture
def addresses(tmp_path: Path) -> list[Address]:
    return [Address("folder", "", str(tmp_path), name) for name in ("home", "follower")]


@pytest.mark.parametrize("scene", SCENES)
def test_killed_at_every_call(
    scene: str,
    addresses: list[Address],
    tmp_path: Path,
    children: Nursery,
    record_property: Record,
) -> None:
    with proof(record_property, "crash matrix, folder", *CRASHES) as tally:
        crash_matrix(Theatre(SCENES[scene], addresses, tmp_path), children, tally)


@pytest.mark.parametrize("scene", [RELEASE, ROLLED_BACK], ids=["the second attempt", "the second attempt, rolled back"])
def test_woken_when_all_is_over(
    scene: Scene,
    addresses: list[Address],
    tmp_path: Path,
    children: Nursery,
    record_property: Record,
) -> None:
    with proof(record_property, "zombie, folder", *ZOMBIES) as tally:
        zombies(Theatre(scene, addresses, tmp_path), RELEASE, children, tally)
