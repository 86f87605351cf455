"""Nothing there is not healthy: what each command says of a folder without a model, and what is near it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from model_release import cli
from model_release.documents import layout
from model_release.errors import EXIT_DOCTOR, EXIT_DONE, EXIT_FAILED, EXIT_REFUSED
from model_release.stores.local import LocalStore
from support.release_builder import Chain, make

WHY = ("-m", "recall fell", "--by", "ada")
VERBS = {
    "status": ["status", "URI"],
    "list": ["list", "URI"],
    "history": ["history", "URI"],
    "verify": ["verify", "URI"],
    "doctor": ["doctor", "URI"],
    "repair": ["doctor", "URI", "--repair"],
    "reconcile": ["reconcile", "URI"],
    "prune": ["prune", "URI"],
    "rollback": ["rollback", "URI", *WHY],
    "hold": ["hold", "URI", *WHY],
    "unhold": ["unhold", "URI", *WHY],
    "quarantine": ["quarantine", "URI", "v1.0.0", *WHY],
    "rehome": ["rehome", "URI", "NEW", *WHY],
}


def call(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "300"}).invoke(cli.app, [*map(str, arguments)])


def command(verb: str, store: LocalStore) -> list[str]:
    words = {"URI": store.uri, "NEW": f"{store.uri}-moved"}
    return [words.get(each, each) for each in VERBS[verb]]


@pytest.fixture
def model(tmp_path: Path) -> LocalStore:
    """A model with one release, in the folder of a team."""
    store = LocalStore(tmp_path / "store" / "heart-disease-models")
    Chain(store).release(make(tmp_path, "first", as_of=date(2024, 4, 1)))
    return store


@pytest.fixture
def mistyped(model: LocalStore) -> LocalStore:
    """The same folder, mistyped by a letter."""
    return LocalStore(model.root.with_name("heart-desease-models"))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_that_nothing_is_here_and_names_what_is_near(
    verb: str, model: LocalStore, mistyped: LocalStore
) -> None:
    told = call(*command(verb, mistyped))
    assert told.exit_code == EXIT_FAILED, told.stdout
    assert "nothing was ever released here" in told.stderr
    assert f"did you mean {model.uri}?" in told.stderr
    assert not mistyped.root.exists()


@pytest.mark.parametrize("verb", [each for each in VERBS if each not in ("doctor", "repair", "list")])
def test_every_verb_calls_a_lost_pointer_damage(verb: str, model: LocalStore) -> None:
    model.delete(layout.POINTER)
    told = call(*command(verb, model))
    assert told.exit_code in (EXIT_FAILED, EXIT_REFUSED)
    assert "damage, not a beginning" in told.stderr
    assert "log/000000000001.json" in told.stderr


def test_doctor_finds_a_lost_pointer(model: LocalStore) -> None:
    model.delete(layout.POINTER)
    assert call("doctor", model.uri).exit_code == EXIT_DOCTOR


def test_a_first_release_under_way_is_no_model_yet(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store" / "heart-disease-models")
    Chain(store).claim(make(tmp_path, "first"))
    for verb in ("status", "doctor", "reconcile", "rollback"):
        told = call(*command(verb, store))
        assert told.exit_code == EXIT_FAILED
        assert "no version is live yet, and 1 numbers are taken" in told.stderr


def test_doctor_says_what_it_looked_at_and_what_it_left_alone(model: LocalStore, tmp_path: Path) -> None:
    Chain(model).claim(make(tmp_path, "second", as_of=date(2024, 4, 2), since=1))
    told = call("doctor", model.uri)
    assert told.exit_code == EXIT_DONE, told.stdout
    assert "2 versions" in told.stdout
    assert "younger than a day and left alone: 6 objects in staging/ and the undecided v1.1.0" in told.stdout
    assert "latest.json moved minutes ago" in told.stdout
    document = json.loads(call("doctor", model.uri, "--json").stdout)
    assert document["healthy"]
    assert len(document["looked"]) == 2


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files that were made elsewhere."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "best_model.pkl").write_bytes(b"model")
    return folder


@pytest.mark.parametrize("inside", ["v1.0.0", "latest", "v1.0.0/code", "archive"])
@pytest.mark.parametrize("verb", ["publish", "adopt"])
def test_nothing_is_released_inside_the_folder_of_a_model(
    verb: str, inside: str, model: LocalStore, files: Path
) -> None:
    before = sorted(entry.key for entry in model.list())
    told = call(verb, files, f"{model.uri}/{inside}", "--unopened", "--new")
    assert told.exit_code == EXIT_REFUSED
    assert "lies inside the folder of a model" in told.stderr
    assert f"did you mean {model.uri}?" in told.stderr
    assert sorted(entry.key for entry in model.list()) == before


@pytest.mark.parametrize("name", ["heart-desease-models", "heart-disease-model", "heart_disease-models"])
def test_a_first_release_beside_a_model_of_a_similar_name_is_said_to_be_new(
    name: str, model: LocalStore, files: Path
) -> None:
    uri = model.root.with_name(name).as_uri()
    refused = call("publish", files, uri, "--unopened")
    assert refused.exit_code == EXIT_REFUSED
    assert f"did you mean {model.uri}? --new begins another model" in refused.stderr
    assert not model.root.with_name(name).exists()
    assert call("publish", files, uri, "--unopened", "--new").exit_code == EXIT_DONE
    assert call("publish", files, uri, "--unopened").exit_code == EXIT_DONE, "it has begun"


def test_a_first_release_beside_another_model_needs_no_word(model: LocalStore, files: Path) -> None:
    assert call("publish", files, model.root.with_name("churn-models").as_uri(), "--unopened").exit_code == EXIT_DONE
