"""A killed process, a lost answer and a process that stood still, on S3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from emulators.addresses import Address
from emulators.seaweedfs import seaweedfs
from emulators.wire import Wire
from proofs.clouds import Cloud
from support.fault_matrices import LOST, ZOMBIES, Theatre, lost_response_matrix, zombies
from support.killed_processes import Nursery
from support.proof_tally import Record, proof
from support.release_scenes import RELEASE, SCENES


class TestSeaweedFS(Cloud):
    """The suite. S3's SDK is the one whose own retries a connection may leave on."""

    name = "seaweedfs"
    kind = "s3"
    serve = staticmethod(seaweedfs)

    def test_answers_lost_without_the_sdks_retries(
        self, container: Address, wire: Wire, tmp_path: Path, record_property: Record
    ) -> None:
        home = container.at("lost/without")
        with proof(record_property, "lost-response matrix, seaweedfs without the SDK's retries", *LOST) as tally:
            theatre = Theatre(SCENES["promote"], [home], tmp_path)
            lost_response_matrix(theatre, wire, replace(home, url=wire.url), tally)

    def test_woken_when_all_is_over(
        self, container: Address, tmp_path: Path, children: Nursery, record_property: Record
    ) -> None:
        with proof(record_property, "zombie, seaweedfs", *ZOMBIES) as tally:
            zombies(Theatre(RELEASE, [container.at("woken")], tmp_path), RELEASE, children, tally)
