"""Every command that changes something is repeated while a destination is dead: what is done at home is done once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

import pytest
from typer.testing import CliRunner, Result

from model_release import cli
from model_release.cli import destinations, upkeep
from model_release.documents import layout
from model_release.documents.version import FIRST, Version
from model_release.errors import EXIT_DONE, EXIT_LAGGING, EXIT_TRY_AGAIN, StoreUnavailable
from model_release.model_files import sandbox
from model_release.releases.acts import Act, hold, quarantine
from model_release.releases.catalog import live_pointer, read_pointer
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores import open_store
from model_release.stores.base import Store
from model_release.stores.local import LocalStore
from model_release.workflows.destinations import Destinations
from support.interposed_store import Interposed, Request
from support.release_builder import Chain, make

WHY = ("-m", "recall fell", "--by", "ada")
TIMES = 3


@dataclass
class Stage:
    """Home and two followers with three releases, and the fourth one published at home; one store may be dead.

    Args:
        folder: of the stores.
        patch: puts the dead store in place.
    """

    folder: Path
    patch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        names = ("home", "one", "two")
        self.home, self.one, self.two = (LocalStore(self.folder / each / "heart-disease-models") for each in names)
        since = None
        for day in (1, 2, 3):
            made = make(self.folder, f"m{day}", as_of=date(2024, 4, day), since=since)
            pointer = Chain(self.home, [self.one, self.two]).release(made, since=since).pointer
            assert pointer is not None
            since = pointer.since
        Chain(self.home).publish(make(self.folder, "m4", as_of=date(2024, 4, 4), since=since))
        self.models = self.folder / "models"
        self.models.mkdir()
        (self.models / "best_model.pkl").write_bytes(b"another model")

    def kill(self, dead: LocalStore | None) -> None:
        """From now on a destination does not answer; None: every destination answers."""

        def down(request: Request) -> NoReturn:
            raise StoreUnavailable("the endpoint is down", where=request.key)

        def opened(uri: str, *settings: Any) -> Store:
            store = open_store(uri, *settings)
            return Interposed(store, down) if dead is not None and store.uri == dead.uri else store

        for module in (destinations, upkeep):
            self.patch.setattr(module, "open_store", opened)

    def call(self, *arguments: str) -> Result:
        """Run a command."""
        return CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, [*arguments])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A stage on which made-up models load."""
    monkeypatch.setattr(sandbox, "tries", lambda *_: None)
    return Stage(tmp_path, monkeypatch)


def _held(stage: Stage) -> None:
    hold(ReleaseStore(stage.home), Act(by="bob", reason="before"))


def _quarantined(stage: Stage) -> None:
    quarantine(ReleaseStore(stage.home), FIRST, Act(by="bob", reason="before"))


def _lost(stage: Stage) -> None:
    stage.home.delete(layout.POINTER)


def _nothing(_stage: Stage) -> None:
    pass


ACTS: dict[str, tuple[Callable[[Stage], None], list[str], str]] = {
    "rollback": (_nothing, ["rollback", "HOME", "--unopened", *WHY], "v1.1.0"),
    "rollback to": (_nothing, ["rollback", "HOME", "--to", "v1.0.0", "--unopened", *WHY], "v1.0.0"),
    "promote": (_nothing, ["promote", "HOME", "v1.3.0", "--unopened", *WHY], "v1.3.0"),
    "hold": (_nothing, ["hold", "HOME", *WHY], "v1.2.0"),
    "unhold": (_held, ["unhold", "HOME", *WHY], "v1.2.0"),
    "quarantine": (_nothing, ["quarantine", "HOME", "v1.0.0", *WHY], "v1.2.0"),
    "lift": (_quarantined, ["quarantine", "HOME", "v1.0.0", "--lift", *WHY], "v1.2.0"),
    "recover": (_lost, ["recover", "HOME", "v1.1.0", "--unopened", *WHY], "v1.1.0"),
}


def _command(stage: Stage, words: list[str]) -> list[str]:
    also = [word for each in (stage.one, stage.two) for word in ("--also", each.uri)]
    return [stage.home.uri if word == "HOME" else word for word in words] + also


@pytest.mark.parametrize("name", [name for name in ACTS if name != "recover"])
@pytest.mark.parametrize("dead", ["one", "two"])
def test_an_act_with_a_dead_follower_is_done_once_and_says_that_it_is_done(stage: Stage, name: str, dead: str) -> None:
    before, words, live = ACTS[name]
    before(stage)
    command = _command(stage, words)
    stage.kill(getattr(stage, dead))
    told = [stage.call(*command, "-q") for _ in range(TIMES)]
    assert {each.exit_code for each in told} == {EXIT_LAGGING}, told[0].stderr
    assert {each.stderr for each in told} == {told[0].stderr}
    assert f"is done at home: {live} is live" in told[0].stderr
    assert "again" not in told[0].stderr
    assert str(live_pointer(stage.home).version) == live
    assert live_pointer(stage.home).change.by == "ada"
    epochs = live_pointer(stage.home).epoch
    stage.kill(None)
    settled = stage.call(*command, "--json", "-q")
    assert settled.exit_code == EXIT_DONE, settled.stderr
    assert json.loads(settled.stdout)["repeated"] is True
    assert {live_pointer(each).epoch for each in (stage.home, stage.one, stage.two)} == {epochs}


@pytest.mark.parametrize("dead", ["one", "two"])
def test_a_recovery_passes_over_no_destination(stage: Stage, dead: str) -> None:
    before, words, _ = ACTS["recover"]
    before(stage)
    command = _command(stage, words)
    stage.kill(getattr(stage, dead))
    assert [stage.call(*command).exit_code for _ in range(TIMES)] == [EXIT_TRY_AGAIN] * TIMES
    assert read_pointer(stage.home) is None
    stage.kill(None)
    assert stage.call(*command).exit_code == EXIT_DONE
    done = live_pointer(stage.home)
    stage.kill(getattr(stage, dead))
    assert [stage.call(*command).exit_code for _ in range(TIMES)] == [EXIT_TRY_AGAIN] * TIMES
    assert live_pointer(stage.home) == done


@pytest.mark.parametrize("name", ACTS)
def test_an_act_with_a_dead_home_is_to_be_tried_again_and_is_done_once_then(stage: Stage, name: str) -> None:
    before, words, live = ACTS[name]
    before(stage)
    at = read_pointer(stage.home)
    stage.kill(stage.home)
    told = [stage.call(*_command(stage, words), "-q") for _ in range(TIMES)]
    assert {each.exit_code for each in told} == {EXIT_TRY_AGAIN}
    assert read_pointer(stage.home) == at
    stage.kill(None)
    assert [stage.call(*_command(stage, words)).exit_code for _ in range(TIMES)] == [EXIT_DONE] * TIMES
    assert str(live_pointer(stage.home).version) == live
    assert live_pointer(stage.home).epoch == (at.pointer.epoch if at else 3) + 1


def test_a_follower_that_is_not_required_lags_behind_and_nothing_is_wrong(stage: Stage) -> None:
    def down(request: Request) -> NoReturn:
        raise StoreUnavailable("the endpoint is down", where=request.key)

    follower = Follower(Interposed(stage.one, down), required=False)
    settled = Destinations(stage.home, [follower]).reconcile(waits=False)
    assert settled.complete is True
    assert len(settled.lagging) == 1


def test_a_person_who_names_what_they_see_goes_back_once_more(stage: Stage) -> None:
    stage.kill(None)
    command = _command(stage, ["rollback", "HOME", "--unopened", *WHY])
    assert stage.call(*command).exit_code == EXIT_DONE
    again = stage.call(*command)
    assert "name the epoch that you see with --epoch" in " ".join(again.stdout.split())
    assert live_pointer(stage.home).version == Version(1, 1, 0)
    assert stage.call(*command, "--epoch", "4").exit_code == EXIT_DONE
    assert live_pointer(stage.home).version == FIRST
    assert stage.call(*command, "--epoch", "4").exit_code == EXIT_DONE, "that act is known as well"
    assert live_pointer(stage.home).version == FIRST
    assert stage.call(*command, "--epoch", "3").exit_code == EXIT_DONE, "and so is the first one"
    assert live_pointer(stage.home).epoch == 5


def test_the_same_words_by_another_person_are_another_act(stage: Stage) -> None:
    stage.kill(None)
    assert stage.call(*_command(stage, ["hold", "HOME", *WHY])).exit_code == EXIT_DONE
    assert stage.call(*_command(stage, ["hold", "HOME", "-m", "recall fell", "--by", "bob"])).exit_code == EXIT_DONE
    assert [each.by for each in live_pointer(stage.home).holds] == ["ada", "bob"]


@pytest.mark.parametrize("dead", ["one", "two"])
def test_housekeeping_with_a_dead_follower_changes_nothing_twice(stage: Stage, dead: str) -> None:
    stage.kill(getattr(stage, dead))
    pointer = live_pointer(stage.home)
    for words in (["reconcile", "HOME"], ["prune", "HOME", "--yes", "--keep", "1", "--days", "1", "--others", "0"]):
        told = [stage.call(*_command(stage, words), "-q").exit_code for _ in range(TIMES)]
        assert told == [EXIT_TRY_AGAIN] * TIMES
    assert live_pointer(stage.home) == pointer


def test_a_rehome_whose_old_home_dies_afterwards_is_done_once(stage: Stage) -> None:
    stage.kill(None)
    command = ["rehome", stage.home.uri, stage.one.uri, *WHY]
    assert stage.call(*command).exit_code == EXIT_DONE
    pointer = live_pointer(stage.one)
    assert [stage.call(*command).exit_code for _ in range(TIMES)] == [EXIT_DONE] * TIMES
    for dead in (stage.home, stage.one):
        stage.kill(dead)
        assert [stage.call(*command).exit_code for _ in range(TIMES)] == [EXIT_TRY_AGAIN] * TIMES
    assert live_pointer(stage.one) == pointer


@pytest.mark.parametrize("dead", ["home", "one", "two"])
def test_a_folder_is_published_once_whatever_is_dead(stage: Stage, dead: str) -> None:
    command = _command(stage, ["publish", str(stage.models), "HOME", "--unopened", "--fact", "data_as_of=2024-05-01"])
    stage.kill(getattr(stage, dead))
    told = [stage.call(*command, "-q") for _ in range(TIMES)]
    assert {each.exit_code for each in told} == {EXIT_TRY_AGAIN}, "a required follower holds it before home decides"
    stage.kill(None)
    assert [stage.call(*command).exit_code for _ in range(TIMES)] == [EXIT_DONE] * TIMES
    assert live_pointer(stage.home).epoch == 4
