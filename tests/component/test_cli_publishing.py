"""`publish` and `adopt` as commands: what they print where, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress
from typer.testing import CliRunner, Result

from model_release import cli, errors
from model_release.cli import output
from model_release.documents.base import sha256_of
from model_release.documents.version import Version
from model_release.stores.local import LocalStore
from model_release.workflows.destinations import Destinations
from model_release.workflows.messages import ReconcileOutcome
from support.quick_specs import quick_spec
from support.servable_releases import version_folder


def call(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "80", "LOGNAME": "ann", **environment}).invoke(cli.app, [*map(str, arguments)])


def read(*arguments: str | Path) -> Any:
    return json.loads(call(*arguments, "--json", "-q").stdout)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The folder of a team."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "best_model.pkl").write_bytes(b"model")
    (folder / "preprocessor.pkl").write_bytes(b"preprocessor")
    (folder / "metadata.json").write_text('{"accuracy": 0.8852, "version": "9"}')
    return folder


def test_a_folder_is_published_in_one_command(models: Path, store: LocalStore, tmp_path: Path) -> None:
    (models / ".gitkeep").touch()
    other = LocalStore(tmp_path / "other")
    result = call("publish", models, store.uri, "--unopened", "--also", other.uri)
    assert result.exit_code == 0
    for words in ("v1.0.0 is published", "2 files, 17 bytes, all verified", "v1.0.0, epoch 1", ".gitkeep"):
        assert words in result.stdout
    assert result.stderr.splitlines()[:2] == [f"reading {models} …", f"best_model.pkl  5 bytes  {store.uri}"]
    assert f"best_model.pkl  5 bytes  {other.uri}" in result.stderr
    assert {place.uri: read("status", place.uri)["version"] for place in (store, other)} == {
        store.uri: "v1.0.0",
        other.uri: "v1.0.0",
    }
    status = read("status", store.uri)
    assert (status["by"], status["reason"]) == ("ann", "published from models")
    assert read("show", store.uri)["metadata"]["model_name"] == "heart-disease"
    again = call("publish", models, store.uri, "--unopened", "-q")
    assert (again.exit_code, again.stderr) == (0, "")
    assert "v1.0.0 was published before from the same files and facts" in again.stdout


def test_what_a_program_reads(models: Path, store: LocalStore) -> None:
    told = ("--by", "bo", "--reason", "hotfix", "--fact", "data_as_of=2024-05-01")
    assert read("publish", models, store.uri, "--unopened", *told) == {
        "uri": store.uri,
        "version": "v1.0.0",
        "published_before": False,
        "refusal": None,
        "live": "v1.0.0",
        "epoch": 1,
        "mended": [f"{store.uri}: latest/ renewed: best_model.pkl, preprocessor.pkl, metadata.json"],
        "lagging": [],
        "complete": True,
        "files": ["best_model.pkl", "preprocessor.pkl"],
        "size": 17,
        "left_out": [],
    }
    status = read("status", store.uri)
    assert (status["by"], status["reason"]) == ("bo", "hotfix")


def test_latest_that_stays_is_explained(models: Path, store: LocalStore) -> None:
    call("publish", models, store.uri, "--unopened", "--fact", "data_as_of=2024-05-01")
    undated = call("publish", models, store.uri, "--unopened")
    assert undated.exit_code == errors.EXIT_REFUSED
    words = " ".join(undated.stdout.split())
    assert "v1.1.0 is published" in words
    assert "stays at v1.0.0: latest only moves forward" in words
    assert "of when is its data? tell it with --fact data_as_of=2026-11-21" in words
    asked = call(
        "publish",
        models,
        store.uri,
        "--unopened",
        "--no-promote",
        "--bump",
        "patch",
        "--fact",
        "framework=scikit-learn",
    )
    assert asked.exit_code == 0
    assert "v1.0.1 is published" in asked.stdout
    assert "stays at v1.0.0, as asked" in asked.stdout


def test_nothing_is_live_if_nobody_asks(models: Path, store: LocalStore) -> None:
    assert "names nothing yet, as asked" in call("publish", models, store.uri, "--unopened", "--no-promote").stdout


def test_a_spec_names_every_destination(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "home").as_uri())
    destinations = [
        {"name": "home", "uri": "${MODEL_RELEASE_STORE}"},
        {"name": "far", "uri": (tmp_path / "far").as_uri(), "required": False},
    ]
    spec = quick_spec(tmp_path, "heart_disease", destinations=destinations, tracking=None)
    assert read("publish", models, spec, "--unopened")["live"] == "v1.0.0"
    assert read("status", tmp_path / "far" / "heart-disease-models")["version"] == "v1.0.0"


def test_a_version_that_was_overtaken_at_once(models: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    reconcile = Destinations.reconcile

    def overtaken(self: Destinations, *, waits: bool) -> ReconcileOutcome:
        return reconcile(self, waits=waits).model_copy(update={"live": Version(1, 1, 0)})

    monkeypatch.setattr(Destinations, "reconcile", overtaken)
    result = call("publish", models, store.uri, "--unopened")
    assert result.exit_code == 0
    assert "was moved to v1.0.0, and by another act since; stays at v1.1.0" in " ".join(result.stdout.split())


def test_a_hand_made_layout_is_adopted(models: Path, store: LocalStore) -> None:
    (store.root / "latest").mkdir(parents=True)
    models.rename(store.root / "v1")
    (store.root / "latest" / "best_model.pkl").write_bytes(b"old")
    result = call("adopt", f"{store.uri}/v1", store.uri, "--unopened")
    assert result.exit_code == 0, result.stderr
    assert "v1.0.0, epoch 1" in result.stdout
    assert result.stderr.startswith(f"reading {store.uri}/v1 …\n")
    assert read("status", store.uri)["reason"] == f"adopted from {store.uri}/v1"
    assert read("verify", store.uri)["verified"]
    assert read("adopt", f"{store.uri}/v1", store.uri, "--unopened")["published_before"]
    (store.root / "v1" / "more.pkl").write_bytes(b"x")
    refused = call("adopt", f"{store.uri}/v1", store.uri, "--unopened")
    assert refused.exit_code == errors.EXIT_REFUSED
    assert "something was released here before" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("publish", "{nothing}", "{store}"), 1, "there is no such folder"),
        (("publish", "{models}", "{store}", "--fact", "accuracy"), 2, "write it as --fact accuracy=0.8852"),
        (("publish", "{models}", "{store}", "--fact", "acc=1"), 2, "no fact is called 'acc'"),
        (("publish", "{models}", "{store}", "--fact", "accuracy=88"), 2, "accuracy: '88' is not a fraction"),
        (("publish", "{models}", "{store}", "--also", "{store}"), 2, "is named twice"),
        (("publish", "{models}", "{store}", "--bump", "huge"), 2, "huge"),
        (("publish", "{models}", "ftp://x"), 2, "no store answers to ftp://"),
        (("publish", "{models}"), 2, "Missing argument"),
        (("adopt", "{nothing}", "{store}"), 1, "there is no such folder"),
    ],
)
def test_errors_end_with_their_code(
    models: Path, store: LocalStore, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    destinations = {"nothing": str(tmp_path / "nothing"), "models": str(models), "store": store.uri}
    result = call(*(each.format(**destinations) for each in arguments))
    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert not store.root.exists()


def test_nobody_by_name_must_say_who(models: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr("getpass.getuser", nobody)
    result = call("publish", models, store.uri, "--unopened")
    assert result.exit_code == errors.EXIT_USAGE
    assert "say who it is with --by" in result.stderr
    assert call("publish", models, store.uri, "--unopened", "--by", "ann").exit_code == 0


def test_a_bar_moves_on_a_terminal(models: Path, store: LocalStore) -> None:
    result = call("publish", models, store.uri, "--unopened", FORCE_COLOR="1", TERM="xterm")
    assert result.exit_code == 0
    assert "34/34 bytes" in result.stderr
    assert "\x1b[" in result.stderr


def test_a_bar_counts_what_has_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown: list[float] = []
    monkeypatch.setattr(Progress, "update", lambda self, task, *, advance, description="": shown.append(advance))
    with output.Output(as_json=False, quiet=False).travel(30) as set_out:
        for length in (10, 20):
            set_out("file", length, "memory://home")
    assert shown == [0, 10, 20]


def test_help_explains_and_gives_an_example() -> None:
    for command, example in {"publish": "publish models/ s3://", "adopt": "adopt s3://"}.items():
        page = " ".join(call(command, "--help").stdout.split())
        assert f"For example: model-release {example}" in page


def test_publishing_needs_none_of_the_heavy_packages(models: Path, store: LocalStore) -> None:
    code = (
        "import sys, contextlib; from model_release import cli\n"
        "with contextlib.suppress(SystemExit): cli.app(sys.argv[1:])\n"
        "print([name for name in ('airflow', 'mlflow', 'numpy', 'pandas', 'sklearn') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code, "publish", str(models), store.uri, "--unopened", "-q"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert "v1.0.0 is published" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


BROKEN = {
    "an empty file": {"best_model.pkl": b""},
    "a hundred bytes without a meaning": {
        "best_model.pkl": b"".join(sha256_of(bytes([each])).encode()[:25] for each in range(4))
    },
    "a model of text": {"best_model.pkl": b"weights: [0.1, 0.2]"},
    "a damaged preprocessor": {"preprocessor.pkl": b"\x80\x04"},
    "an ONNX file of another kind": {"best_model.pkl": b"", "model.onnx": b"<html>404</html>"},
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("verb", ["publish", "adopt"])
def test_files_that_do_not_load_become_live_only_by_a_word(
    verb: str, name: str, tmp_path: Path, store: LocalStore
) -> None:
    models, _ = version_folder(tmp_path, 0.1)
    for path, body in BROKEN[name].items():
        (models / path).write_bytes(body)
    if name != "an ONNX file of another kind":
        (models / "model.onnx").unlink()
    refused = call(verb, models, store.uri)
    assert refused.exit_code == errors.EXIT_REFUSED, refused.stderr
    assert "no form of these files loads here" in refused.stderr
    assert "--unopened" in refused.stderr
    assert [*store.list()] == [], "nothing was sent"
    overruled = call(verb, models, store.uri, "--unopened")
    assert overruled.exit_code == 0, overruled.stderr
    assert "v1.0.0, epoch 1" in overruled.stdout


def test_files_that_load_become_live(tmp_path: Path, store: LocalStore) -> None:
    models, _ = version_folder(tmp_path, 0.1)
    done = call("publish", models, store.uri)
    assert done.exit_code == 0, done.stderr
    assert "v1.0.0, epoch 1" in done.stdout


def test_files_that_shall_not_become_live_are_published_unopened(models: Path, store: LocalStore) -> None:
    assert call("publish", models, store.uri, "--no-promote").exit_code == 0
    later = call("promote", store.uri, "v1.0.0", "-m", "now", "--overrule")
    assert later.exit_code == errors.EXIT_REFUSED
    assert "no form of v1.0.0 loads here" in later.stderr
