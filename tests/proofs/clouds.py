"""The proofs on a cloud. A module that runs them says which server stands for the cloud."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from emulators.addresses import Address, Kind
from emulators.process import Server
from emulators.wire import Wire, wired
from support.fault_matrices import CRASHES, LOST, Theatre, crash_matrix, lost_response_matrix
from support.killed_processes import Nursery, nursery
from support.proof_tally import Record, proof
from support.release_scenes import SCENES


class Cloud:
    """The suite.

    Attributes:
        name: of the server.
        kind: of the store.
        serve: runs the server.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind]
    serve: ClassVar[Callable[[], AbstractContextManager[Server]]]

    @pytest.fixture(scope="class")
    @classmethod
    def container(cls) -> Iterator[Address]:
        with cls.serve() as server:
            address = Address(cls.kind, server.url, "models", "")
            address.make_container()
            yield address

    @pytest.fixture(scope="class")
    @classmethod
    def children(cls, container: Address) -> Iterator[Nursery]:
        with nursery() as running:
            running.warm(container.open)
            yield running

    @pytest.fixture
    def wire(self, container: Address, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
        """A way to the server that can be disturbed; nobody waits before trying again."""
        with wired(container.url) as running:
            monkeypatch.setattr(time, "sleep", lambda _: None)
            yield running

    @pytest.mark.parametrize("scene", SCENES)
    def test_killed_at_every_call(
        self, scene: str, container: Address, tmp_path: Path, children: Nursery, record_property: Record
    ) -> None:
        theatre = Theatre(SCENES[scene], [container.at(f"killed/{scene}")], tmp_path)
        with proof(record_property, f"crash matrix, {self.name}", *CRASHES) as tally:
            crash_matrix(theatre, children, tally)

    @pytest.mark.parametrize("scene", SCENES)
    def test_answers_lost_at_every_request(
        self, scene: str, container: Address, wire: Wire, tmp_path: Path, record_property: Record
    ) -> None:
        home = container.at(f"lost/{scene}")
        through = replace(home, url=wire.url, insistent=True)
        with proof(record_property, f"lost-response matrix, {self.name}", *LOST) as tally:
            lost_response_matrix(Theatre(SCENES[scene], [home], tmp_path), wire, through, tally)
