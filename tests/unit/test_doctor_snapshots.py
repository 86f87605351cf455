"""Doctor and the snapshots that kept versions were trained on: one listing tells which of them are gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_release.documents.manifest import DatasetFacts
from model_release.documents.version import FIRST
from model_release.errors import CredentialsRefused
from model_release.releases.acts import Act
from model_release.releases.doctor.findings import Damage
from model_release.releases.prune import remove_files, retire
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Store
from model_release.workflows.checkup import Checkup, checkup
from model_release.workflows.destinations import Destinations
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, Made, make

pytestmark = pytest.mark.usefixtures("at_once")

FILES = ("data.parquet", "snapshot.json")


@pytest.fixture
def data() -> MemoryStore:
    """The dataset's folder, with the snapshots `a` and `b`."""
    store = MemoryStore("memory://datasets/heart-disease")
    for name in ("a", "b"):
        for file in FILES:
            store.create(f"processed/{name}/{file}", b"rows")
    return store


@pytest.fixture
def home(memory: MemoryStore, data: MemoryStore, tmp_path: Path) -> MemoryStore:
    """Two versions of snapshot `a`, and one, which is live, of `b`."""
    chain = Chain(memory)
    for epoch, (name, snapshot) in enumerate((("one", "a"), ("two", "a"), ("three", "b"))):
        made = make(tmp_path, name, since=epoch or None)
        facts = DatasetFacts(uri=f"{data.uri}/processed/{snapshot}/data.parquet", fingerprint=snapshot)
        draft = made.draft.model_copy(update={"dataset": facts})
        chain.release(Made(made.folder, draft, made.run), since=epoch or None)
    return memory


def look(home: Store, data: Store) -> Checkup:
    return checkup(Destinations(home, data=lambda: data))


def noted(done: Checkup) -> dict[str, str]:
    assert done.wrong == []
    return {each.where: each.what for each in done.left if each.kind is Damage.SNAPSHOT_MISSING}


def test_snapshots_that_are_there_are_no_finding(home: MemoryStore, data: MemoryStore) -> None:
    assert noted(look(home, data)) == {}


@pytest.mark.parametrize("lost", [("data.parquet",), ("snapshot.json",), FILES])
def test_a_snapshot_that_is_gone_is_told_once_with_its_versions(
    home: MemoryStore, data: MemoryStore, lost: tuple[str, ...]
) -> None:
    for file in lost:
        data.delete(f"processed/a/{file}")
    ((where, what),) = noted(look(home, data)).items()
    assert where == f"{data.uri}/processed/a/data.parquet"
    assert what == f"v1.0.0, v1.1.0 was trained on these rows, and they lack {' and '.join(lost)}"


def test_a_retired_version_asks_for_no_snapshot(home: MemoryStore, data: MemoryStore) -> None:
    retire(ReleaseStore(home), [FIRST], Act(by="ada", reason="make room", operation="retire"))
    remove_files(home, FIRST)
    for file in FILES:
        data.delete(f"processed/a/{file}")
    (what,) = noted(look(home, data)).values()
    assert what.startswith("v1.1.0 was trained on")


def test_the_folder_is_listed_once_whatever_the_number_of_versions(home: MemoryStore, data: MemoryStore) -> None:
    sent: list[tuple[str, str]] = []

    def between(request: Request) -> object:
        sent.append((request.verb, request.key))
        return request.perform()

    look(home, Interposed(data, between))
    assert sent == [("list", "processed/")]


def test_a_folder_that_cannot_be_read_is_said_and_is_no_finding(home: MemoryStore, data: MemoryStore) -> None:
    def refuse(request: Request) -> object:
        raise CredentialsRefused("this identity may not list here", where=request.key)

    done = look(home, Interposed(data, refuse))
    assert noted(done) == {}
    assert "the snapshots of v1.0.0, v1.1.0, v1.2.0 were not seen: this identity may not list here" in done.looked


def test_snapshots_elsewhere_are_said_and_never_opened(home: MemoryStore) -> None:
    done = look(home, MemoryStore("memory://datasets/renamed"))
    assert noted(done) == {}
    assert any("lie elsewhere than in memory://datasets/renamed" in each for each in done.looked)
