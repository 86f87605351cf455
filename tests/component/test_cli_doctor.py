"""The command `doctor`, on folders: what it prints, how it ends, and that what it offers can be typed."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model_release import cli
from model_release.cli import destinations
from model_release.documents.manifest import DatasetFacts
from model_release.errors import EXIT_DOCTOR, CredentialsRefused
from model_release.stores import open_store
from model_release.stores.local import LocalStore
from support.damaged_stores import LIVE, MODEL, POINTER, V110, V160, build
from support.interposed_store import Interposed, Request
from support.quick_specs import quick_spec
from support.release_builder import Chain, Made, assert_settled, make

NAME = "heart-disease-models"


@pytest.fixture
def stores(tmp_path: Path) -> tuple[LocalStore, LocalStore]:
    """Two folders with a history of some days ago, but for one number that is on its way."""
    home, follower = (LocalStore(tmp_path / name / NAME) for name in ("home", "follower"))
    build(Chain(home, [follower]), tmp_path / "made")
    for store in (home, follower):
        for entry in [*store.list()]:
            if not entry.key.startswith((f"{V160}/", "staging/")):
                aged(store.root / entry.key)
    return home, follower


def aged(path: Path) -> None:
    then = time.time() - 3 * 24 * 3600
    os.utime(path, (then, then))


def call(*arguments: str, columns: int = 80) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(cli.app, list(arguments))


def doctor(stores: tuple[LocalStore, LocalStore], *options: str, columns: int = 80) -> Result:
    home, follower = stores
    return call("doctor", home.uri, "--also", follower.uri, *options, columns=columns)


def read(result: Result) -> Any:
    return json.loads(result.stdout)


def test_a_healthy_model(stores: tuple[LocalStore, LocalStore]) -> None:
    result = doctor(stores)
    assert result.exit_code == 0
    assert result.stdout.endswith("nothing is wrong (files were compared by size; --read-data reads them)\n")
    looked = " ".join(result.stdout.split())
    assert "49 objects, 7 versions; younger than a day and left alone" in looked
    assert "35 objects, 5 versions" in looked
    assert result.stderr.startswith("looking at file:///")
    document = read(doctor(stores, "--read-data", "--json", "-q"))
    assert len(document.pop("looked")) == len(stores)
    assert document == {
        "uri": stores[0].uri,
        "destinations": [store.uri for store in stores],
        "healthy": True,
        "found": [],
        "mended": [],
        "failures": [],
    }


def test_damage_is_told_then_mended(stores: tuple[LocalStore, LocalStore]) -> None:
    home, follower = stores
    (home.root / str(LIVE) / MODEL).write_bytes(b"bit rot")
    (follower.root / POINTER).unlink()
    result = doctor(stores)
    assert result.exit_code == EXIT_DOCTOR
    for words in ("v1.3.0/best_model.pkl", "file wrong", "follower behind", "2 found, 2 of them can be mended"):
        assert words in " ".join(result.stdout.split())
    assert result.stdout.count("Found at") == 2
    found = read(doctor(stores, "--json", "-q"))["found"]
    assert [(each["kind"], each["repairable"]) for each in found] == [("file wrong", True), ("follower behind", True)]
    mended = doctor(stores, "--repair", "--read-data")
    assert mended.exit_code == 0
    assert "everything is right now (every byte was read)" in mended.stdout
    assert f"{home.uri}/{LIVE}/{MODEL}" in mended.stderr
    for store in stores:
        assert_settled(store)
    assert doctor(stores, "--read-data").exit_code == 0


@pytest.mark.parametrize("columns", [80, 200])
def test_choices_are_laid_out_and_can_be_typed(stores: tuple[LocalStore, LocalStore], columns: int) -> None:
    home, follower = stores
    (home.root / POINTER).write_bytes(b"{")
    before = home.get(POINTER)
    result = doctor(stores, "--repair", columns=columns)
    assert result.exit_code == EXIT_DOCTOR
    assert home.get(POINTER) == before
    assert "pointer unreadable" in result.stdout
    assert "1 need a person" in result.stdout
    choices = read(doctor(stores, "--json", "-q"))["found"][0]["choices"]
    lines = result.stdout.splitlines()
    assert [line.rstrip() for line in lines if line.startswith("•")] == [f"• {each}" for each in choices]
    assert max(len(line) for line in lines if not line.startswith("•")) <= columns
    assert [f" {LIVE} " in choices[0], f" {V110} " in choices[1]] == [True, True]
    command = re.fullmatch(r"`model-release (.+) --reason …`: live at epoch 8; its files are there.+", choices[0])
    assert command is not None
    done = call(*command[1].split(), "--reason", "the pointer was cut short", "--unopened")
    assert done.exit_code == 0, done.stderr
    assert doctor(stores, "--repair").exit_code == 0
    assert assert_settled(follower).version == LIVE


def test_what_cannot_be_mended_is_said(stores: tuple[LocalStore, LocalStore]) -> None:
    follower = stores[1]
    (follower.root / "latest" / MODEL).unlink()
    (follower.root / "latest" / MODEL).mkdir()  # nothing can be written under that name
    (follower.root / "latest" / MODEL / "left").write_bytes(b"x")
    result = doctor(stores, "--repair")
    assert result.exit_code == EXIT_DOCTOR
    assert "could not be mended" in " ".join(result.stdout.split())


def folder(path: Path, _elsewhere: Path) -> None:
    path.mkdir()


def full_folder(path: Path, _elsewhere: Path) -> None:
    path.mkdir()
    (path / "left").write_bytes(b"x")


def link_out_of_the_store(path: Path, elsewhere: Path) -> None:
    path.symlink_to(elsewhere)


def link_to_a_folder_of_the_store(path: Path, _elsewhere: Path) -> None:
    path.symlink_to(path.parent.parent / "log")


def test_a_file_elsewhere_that_a_link_leads_to_is_no_object_although_it_has_the_right_bytes(
    stores: tuple[LocalStore, LocalStore], tmp_path: Path
) -> None:
    for lost in (f"{LIVE}/{MODEL}", f"latest/{MODEL}"):
        path = stores[1].root / lost
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
        done = doctor(stores, "--json", "-q")
        assert done.exit_code == EXIT_DOCTOR
        (found,) = read(done)["found"]
        assert found["where"].endswith(lost)
        assert str(path) in found["remedy"]
        path.unlink()
        path.write_bytes((tmp_path / "elsewhere").read_bytes())
    assert doctor(stores).exit_code == 0


@pytest.mark.parametrize("obstruct", [folder, full_folder, link_out_of_the_store, link_to_a_folder_of_the_store])
@pytest.mark.parametrize("lost", [f"{LIVE}/{MODEL}", f"{V110}/metadata.json", "log/000000000003.json", POINTER])
def test_what_stands_in_the_place_of_an_object_is_told_with_its_path_until_a_person_has_moved_it_away(
    stores: tuple[LocalStore, LocalStore], tmp_path: Path, obstruct: Callable[[Path, Path], None], lost: str
) -> None:
    path = stores[1].root / lost
    path.unlink()
    (tmp_path / "elsewhere").mkdir()
    obstruct(path, tmp_path / "elsewhere")
    for options in ((), ("--repair",), ("--repair",)):
        done = doctor(stores, *options, "--json", "-q")
        assert done.exit_code == EXIT_DOCTOR
        document = read(done)
        assert document["healthy"] is False
        found = [each for each in document["found"] if each["where"].endswith(lost)]
        assert found
        for each in found:
            assert each["repairable"] is False
            assert "a person at this machine" in each["remedy"]
            assert str(path) in each["remedy"]
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path)
    assert doctor(stores, "--repair", "--read-data").exit_code == 0


@pytest.mark.parametrize("lost", [f"{LIVE}/{MODEL}", f"{V110}/metadata.json", "log/000000000003.json", POINTER])
def test_a_pipe_in_the_place_of_an_object_keeps_nobody_waiting(
    stores: tuple[LocalStore, LocalStore], lost: str
) -> None:
    path = stores[1].root / lost
    path.unlink()
    os.mkfifo(path)
    (found,) = read(doctor(stores, "--json", "-q"))["found"]
    assert (found["where"], found["repairable"]) == (f"{stores[1].uri}/{lost}", False)
    assert f"a person at this machine moves {path} away" in found["remedy"]
    done = doctor(stores, "--repair")
    assert done.exit_code == (0 if lost == POINTER else EXIT_DOCTOR), done.stdout
    path.unlink()
    assert doctor(stores, "--repair", "--read-data").exit_code == 0


def test_a_file_in_the_place_of_a_version_s_folder_is_told_with_its_path(stores: tuple[LocalStore, LocalStore]) -> None:
    path = stores[1].root / str(V110)
    shutil.rmtree(path)
    path.write_bytes(b"")
    for options in ((), ("--repair",)):
        document = read(doctor(stores, *options, "--json", "-q"))
        found = [each for each in document["found"] if not each["note"]]
        assert found
        assert all(f"a person at this machine moves {path} away" in each["remedy"] for each in found)
    path.unlink()
    assert doctor(stores, "--repair", "--read-data").exit_code == 0


def test_a_note_leaves_a_model_healthy(stores: tuple[LocalStore, LocalStore]) -> None:
    (stores[0].root / "README.md").write_bytes(b"by hand")
    done = doctor(stores)
    assert done.exit_code == 0
    for words in ("Noted at", "README.md", "foreign name", "it does not matter", "nothing is wrong"):
        assert words in " ".join(done.stdout.split())
    document = read(doctor(stores, "--json", "-q"))
    assert document["healthy"] is True
    assert [(each["kind"], each["note"]) for each in document["found"]] == [("foreign name", True)]


def test_a_snapshot_beside_the_model_s_folder_is_looked_for(tmp_path: Path) -> None:
    home = LocalStore(tmp_path / "home" / NAME)
    made = make(tmp_path / "made", "a")
    uri = f"{home.root.parent.as_uri()}/datasets/heart-disease/processed/abc/data.parquet"
    draft = made.draft.model_copy(update={"dataset": DatasetFacts(uri=uri, fingerprint="abc")})
    Chain(home).release(Made(made.folder, draft, made.run))
    done = call("doctor", home.uri, "--json", "-q")
    assert done.exit_code == 0
    assert [(each["kind"], each["where"]) for each in read(done)["found"]] == [("snapshot missing", uri)]


def test_a_spec_names_every_destination(stores: tuple[LocalStore, LocalStore], tmp_path: Path) -> None:
    home, follower = stores
    destinations = [{"name": store.root.parent.name, "uri": store.root.parent.as_uri()} for store in stores]
    spec = quick_spec(tmp_path, "heart_disease", destinations=destinations, tracking=None)
    (follower.root / str(LIVE) / MODEL).unlink()
    document = read(call("doctor", str(spec), "--json", "-q"))
    assert document["destinations"] == [home.uri, follower.uri]
    assert [each["where"] for each in document["found"]] == [f"{follower.uri}/{LIVE}/{MODEL}"]


class Readonly:
    """Answers every question, and refuses to write."""

    def __call__(self, request: Request) -> object:
        if request.verb in ("create", "replace", "upload", "copy", "delete"):
            raise CredentialsRefused("this identity may not write here", where=request.key)
        return request.perform()


@pytest.mark.parametrize("quiet", [[], ["-q"], ["--json", "-q"]])
@pytest.mark.parametrize("lost", ["latest/best_model.pkl", "latest.json"])
def test_a_repair_that_could_not_write_never_says_that_nothing_is_wrong(
    stores: tuple[LocalStore, LocalStore], monkeypatch: pytest.MonkeyPatch, quiet: list[str], lost: str
) -> None:
    home, follower = stores
    follower.delete(lost)

    def opened(uri: str, *settings: Any) -> Any:
        store = open_store(uri, *settings)
        return Interposed(store, Readonly()) if store.uri == follower.uri else store

    monkeypatch.setattr(destinations, "open_store", opened)
    told = doctor(stores, "--repair", *quiet)
    assert told.exit_code == EXIT_DOCTOR
    assert "this identity may not write here" in " ".join(told.stdout.split())
    assert "nothing is wrong" not in told.stdout
    assert "everything is right" not in told.stdout
    if "--json" in quiet:
        assert read(told)["healthy"] is False
        for each in read(told)["found"]:
            assert each["repairable"] is False
            assert "`--repair` could not mend it: " in each["remedy"]
            assert "this identity may not write here" in each["remedy"]


def test_an_empty_place_has_no_model_and_a_wrong_one_is_an_error(tmp_path: Path) -> None:
    empty = call("doctor", (tmp_path / "empty").as_uri())
    assert empty.exit_code == 1
    assert "nothing was ever released here" in empty.stderr
    assert call("doctor", "ftp://host/x").exit_code == 2
    assert "doctor" in call("--help").stdout
