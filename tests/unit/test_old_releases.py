"""Releases of every format that was ever written, kept as files in `tests/golden/`, are read and go on.

Nobody writes those files again: v1.0.0 to v1.3.0 there were made before a manifest had `told`, `machine` and `spec`,
v1.4.0 after. There is a rollback, a quarantine, a hold, a retired version, a number that was given up, a recovery.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from model_release import cli, client
from model_release.documents.base import Document
from model_release.documents.manifest import AbandonedManifest, Claim, Manifest, read_manifest
from model_release.documents.pointer import Kind, Pointer
from model_release.documents.version import FIRST, Version
from model_release.releases import acts
from model_release.releases.acts import Act
from model_release.releases.catalog import history, live_pointer, versions
from model_release.releases.claims import Became
from model_release.releases.decisions import DecisionRecord, nothing_new
from model_release.releases.store import ReleaseStore
from model_release.stores.local import LocalStore
from model_release.workflows.checkup import checkup
from model_release.workflows.destinations import Destinations
from support.release_builder import Chain, assert_settled, make

GOLDEN = Path(__file__).parents[1] / "golden"
DOCUMENTS = sorted(path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*.json"))
HOME = "file:///srv/store/heart-disease-models"
V110, V120, V130, LIVE, NEXT = (Version(1, minor, 0) for minor in range(1, 6))


@pytest.fixture(params=sorted(each.name for each in GOLDEN.iterdir()))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> LocalStore:
    """A copy of what a format left, some days old, at the place that its pointer names as its home."""
    store = LocalStore(tmp_path / "heart-disease-models")
    shutil.copytree(GOLDEN / request.param, store.root)
    then = time.time() - 3 * 24 * 3600
    for path in store.root.rglob("*"):
        os.utime(path, (then, then))
    store.uri = HOME
    return store


def read_as(path: str, body: bytes) -> Document:
    """Read a document as what its name says."""
    match Path(path).parts[1:]:
        case ["latest.json"] | ["log", _]:
            return Pointer.read(body, where=path)
        case [_, "metadata.json"]:
            return read_manifest(body, where=path)
        case [_, "claim.json"]:
            return Claim.read(body, where=path)
        case ["decisions", _, "version.json"]:
            return Became.read(body, where=path)
        case ["decisions", _, _]:
            return DecisionRecord.read(body, where=path)
    raise AssertionError(f"what is {path}?")


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_document_is_read_and_would_be_written_as_it_is(path: str) -> None:
    body = (GOLDEN / path).read_bytes()
    assert read_as(path, body).to_bytes() == body


def test_every_kind_of_document_and_state_is_there() -> None:
    found = [read_as(path, (GOLDEN / path).read_bytes()) for path in DOCUMENTS]
    kinds = {Pointer, Manifest, AbandonedManifest, Claim, Became, DecisionRecord}
    assert {type(each) for each in found} == kinds
    pointers = [each for each in found if isinstance(each, Pointer)]
    assert {each.change.kind for each in pointers} >= {Kind.FIRST, Kind.PROMOTE, Kind.ROLLBACK, Kind.RETIRE, Kind.HOLD}
    last = max(pointers, key=lambda each: each.epoch)
    assert all([last.holds, last.quarantined, last.retired, last.ancestors, last.change.kind is Kind.RECOVER])
    manifests = [each for each in found if isinstance(each, Manifest)]
    lacking = [set(Manifest.model_fields) - each.model_fields_set for each in manifests]
    assert {"told", "machine", "spec", "output", "onnx", "varies"} in lacking
    assert {each.format for each in manifests} == {1, 2}


def test_every_format_that_is_read_is_kept_here_and_the_newest_is_written() -> None:
    """A raised number adds releases of it here; docs/decisions says how."""
    kept = sorted(int(each.name.removeprefix("v")) for each in GOLDEN.iterdir())
    for kind in (Manifest, AbandonedManifest, Claim):
        field = kind.model_fields["format"]
        assert (list(get_args(field.annotation)), field.default) == (kept, kept[-1])
    assert {get_args(kind.model_fields["format"].annotation) for kind in (Pointer, DecisionRecord)} == {(1,)}


def call(store: LocalStore, command: str, *arguments: str) -> Any:
    result = CliRunner().invoke(cli.app, [command, store.root.as_uri(), *arguments, "--json", "-q"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_commands_that_read_work_on_them(old: LocalStore) -> None:
    status = call(old, "status")
    assert (status["version"], status["verified"], status["pointer"]["epoch"]) == (str(LIVE), True, 9)
    states = {each["version"]: each["state"] for each in call(old, "list")["versions"]}
    assert states == {
        "v1.0.0": "retired",
        "v1.1.0": "published",
        "v1.2.0": "quarantined",
        "v1.3.0": "abandoned",
        "v1.4.0": "live",
    }
    assert [each["epoch"] for each in call(old, "history")["history"]] == [*range(1, 10)]
    assert call(old, "verify", "--all")["verified"]
    stored = json.loads((old.root / str(V110) / "metadata.json").read_bytes())
    assert call(old, "show", str(V110))["metadata"].items() >= stored.items()


def test_a_client_pulls_them_and_knows_what_their_pickles_need(old: LocalStore, tmp_path: Path) -> None:
    pulled = client.pull(old.root.as_uri(), to=tmp_path / "models")
    assert (pulled.version, pulled.promised.made_with["scikit-learn"]) == (LIVE, "1.9.1")
    assert pulled.manifest.trained is not None
    assert pulled.manifest.trained.date() == pulled.manifest.trained_date


def test_a_rollback_to_them(old: LocalStore, tmp_path: Path) -> None:
    acts.unhold(ReleaseStore(old), Act(by="bo", reason="to go on", operation="unhold"))
    acts.rollback(ReleaseStore(old), Act(by="bo", reason="worse", operation="roll back"), to=V110)
    Chain(old).spread()
    assert assert_settled(old).version == V110
    assert client.pull(old.root.as_uri(), to=tmp_path / "models").version == V110


def test_doctor_finds_nothing_and_mends_what_breaks(old: LocalStore) -> None:
    assert checkup(Destinations(old), read_data=True).left == []
    (old.root / str(LIVE) / "metadata.json").unlink()
    (old.root / str(LIVE) / "best_model.pkl").write_bytes(b"bit rot")
    done = checkup(Destinations(old), read_data=True, repair=True)
    assert (len(done.mended), done.left, done.failures) == (2, [], [])
    assert assert_settled(old).version == LIVE


def test_releases_go_on_from_them(old: LocalStore, tmp_path: Path) -> None:
    def act(operation: str) -> Act:
        return Act(by="bo", reason="to go on", operation=operation)

    since = live_pointer(old).since
    assert "made v1.4.0, live since epoch 9" in str(
        nothing_new(ReleaseStore(old), live_pointer(old), _fingerprint(old), may_promote=True)
    )
    acts.unhold(ReleaseStore(old), act("unhold"))
    chain = Chain(old)
    assert chain.release(make(tmp_path, "next", since=since), since=since).refusal is None
    assert versions(old) == [FIRST, V110, V120, V130, LIVE, NEXT]
    acts.rollback(ReleaseStore(old), act("roll back"))
    chain.spread()
    pointer = assert_settled(old)
    assert (pointer.version, sorted(pointer.quarantined)) == (LIVE, [str(V120), str(NEXT)])
    assert [each.epoch for each in history(old)] == [*range(1, 13)]


def _fingerprint(store: LocalStore) -> str:
    stored = store.get(f"{LIVE}/metadata.json")
    assert stored is not None
    return Manifest.read(stored.body, where="").fingerprint
