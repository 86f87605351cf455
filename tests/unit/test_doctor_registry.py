"""Doctor and MLflow's alias: compared with what is live, made to follow it, and never in anybody's way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import model_release
from model_release.documents import layout
from model_release.documents.manifest import Manifest, TrackedRun
from model_release.errors import StoreUnavailable
from model_release.releases.doctor.findings import Damage
from model_release.releases.store import ReleaseStore
from model_release.releases.sweep import sweep
from model_release.spec.tracking import Tracking
from model_release.workflows.checkup import MLFLOW, Checkup, checkup
from model_release.workflows.destinations import Destinations
from support.memory_store import MemoryStore, _Object
from support.release_builder import Chain, Made, assert_settled, make

pytestmark = pytest.mark.usefixtures("at_once")

ALIAS = "heart-disease@champion"
RUN = "0" * 32
TRACKING = Tracking(uri="sqlite:////nowhere/mlflow.db", experiment="heart-disease", registered_model="heart-disease")


class Registry(SimpleNamespace):
    """Stands for `model_release.tracking`: which run is champion, and whether it answers."""

    champion: str | None = None
    stale: str | None = None
    down = False

    def aliases(self, where: Tracking) -> SimpleNamespace:
        assert where == TRACKING
        if self.down:
            raise StoreUnavailable("connection refused", where="MLflow, experiment heart-disease")
        return SimpleNamespace(champion=self.champion and "3", champion_run=self.champion, stale=self.stale)

    def follow_pointer(
        self, where: Tracking, *, folders: list[str], read_live: Callable[[], tuple[int, Manifest]]
    ) -> list[str]:
        self.aliases(where)
        live = read_live()[1].mlflow
        self.champion, self.stale = live.run_id if live else None, None
        return ["moved"]


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry that says what it is told to."""
    made = Registry(champion=RUN)
    monkeypatch.setattr(model_release, "tracking", made, raising=False)
    return made


@pytest.fixture
def destinations(memory: MemoryStore, tmp_path: Path) -> Destinations:
    """One release of some days ago, which the registry knows."""
    made = make(tmp_path, "a")
    tracked = TrackedRun(run_id=RUN, registered_model="heart-disease", registered_version="7")
    Chain(memory).release(Made(made.folder, made.draft.model_copy(update={"mlflow": tracked}), made.run))
    for key, each in memory._objects.items():
        memory._objects[key] = _Object(each.body, each.token, each.modified - timedelta(days=3))
    sweep(ReleaseStore(memory), by="housekeeping", remove=True)
    return Destinations(memory, tracking=TRACKING)


def told(done: Checkup) -> list[tuple[Damage, str, bool]]:
    return [(each.kind, each.where, each.repairable) for each in done.left]


def test_an_alias_that_names_what_is_live_is_right(destinations: Destinations, registry: Registry) -> None:
    assert told(checkup(destinations)) == []


@pytest.mark.parametrize("champion", [None, "another run"])
def test_an_alias_that_does_not_is_made_to(
    destinations: Destinations, registry: Registry, champion: str | None
) -> None:
    registry.champion = champion
    assert told(checkup(destinations)) == [(Damage.ALIAS_DIFFERS, ALIAS, True)]
    assert registry.champion == champion, "looking changes nothing"
    done = checkup(destinations, repair=True)
    assert [each.kind for each in done.mended] == [Damage.ALIAS_DIFFERS]
    assert (done.left, done.failures, registry.champion) == ([], [], RUN)


def test_a_challenger_that_nobody_judges_is_one_no_longer(destinations: Destinations, registry: Registry) -> None:
    registry.stale = "9"
    assert told(checkup(destinations)) == [(Damage.ALIAS_DIFFERS, "heart-disease@challenger", True)]
    assert checkup(destinations, repair=True).left == []
    assert registry.stale is None


def test_a_version_that_the_registry_has_lost_is_told_again(
    destinations: Destinations, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.champion = "another run"
    monkeypatch.setattr(Registry, "follow_pointer", lambda *_arguments, **_options: [])
    assert told(checkup(destinations)) == [(Damage.ALIAS_DIFFERS, ALIAS, True)]
    done = checkup(destinations, repair=True)
    assert told(done) == [(Damage.ALIAS_DIFFERS, ALIAS, False)]
    assert "`--repair` was tried, and it is as it was" in done.left[0].remedy
    assert done.mended == []


def test_a_registry_that_does_not_answer_keeps_nothing_from_being_mended(
    destinations: Destinations, registry: Registry
) -> None:
    registry.down = True
    destinations.home.delete("latest/best_model.pkl")
    done = checkup(destinations, repair=True)
    assert told(done) == [(Damage.UNREADABLE, ALIAS, False)]
    assert done.left[0].destination == MLFLOW
    assert (done.failures, [each.kind for each in done.mended]) == ([], [Damage.COPY_MISSING])
    assert_settled(destinations.home)


def test_without_mlflow_the_alias_is_unreadable(destinations: Destinations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(model_release, "tracking", raising=False)
    monkeypatch.setitem(sys.modules, "model_release.tracking", None)
    (found,) = checkup(destinations, repair=True).left
    assert (found.kind, found.what) == (Damage.UNREADABLE, "mlflow is not installed here")


def test_while_a_run_moves_the_pointer_or_nothing_is_live_the_alias_is_nobody_s_fault(
    destinations: Destinations, registry: Registry
) -> None:
    registry.champion = "another run"
    home = destinations.home
    assert isinstance(home, MemoryStore)
    found = home._objects[layout.POINTER]
    home._objects[layout.POINTER] = _Object(found.body, found.token, home.now())
    assert told(checkup(destinations)) == []
    home.delete(layout.POINTER)
    assert [each.kind for each in checkup(destinations).left] == [Damage.POINTER_MISSING]
    assert told(checkup(Destinations(MemoryStore(), tracking=TRACKING))) == []
