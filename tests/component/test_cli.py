"""The command line: what it prints where, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model_release import __version__, cli, errors
from model_release.cli import reading
from model_release.documents.pointer import Hold, Pointer, Quarantine
from model_release.documents.version import Version
from model_release.errors import ModelReleaseError
from model_release.releases.claims import abandon
from model_release.releases.pointer_cas import move
from model_release.releases.store import ReleaseStore
from model_release.stores.local import LocalStore
from support.release_builder import Chain, make

NOW = datetime(2024, 6, 1, 8, 30, tzinfo=UTC)
COMMANDS = ("status", "show", "list", "history", "verify")


def call(*arguments: str, columns: int = 80, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": str(columns), **environment}).invoke(cli.app, list(arguments))


def read(*arguments: str) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def released(store: LocalStore, tmp_path: Path) -> LocalStore:
    """Two releases, a number in flight, one given up, a hold and a quarantine."""
    chain = Chain(store)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    chain.claim(make(tmp_path, "c", since=2))
    chain.claim(make(tmp_path, "d", since=2))
    abandon(ReleaseStore(store), Version(1, 3, 0), by="housekeeping", reason="stale")

    def decide(current: Pointer | None) -> Pointer:
        assert current is not None
        return current.model_copy(
            update={
                "epoch": current.epoch + 1,
                "holds": [Hold(by="ada", reason="audit [bold]", at=NOW, operation="op")],
                "quarantined": {"v1.0.0": Quarantine(by="bo", reason="bad slice", at=NOW)},
                "write_id": "held",
            }
        )

    move(ReleaseStore(store), decide)
    return store


@pytest.fixture
def damaged(released: LocalStore) -> LocalStore:
    """One bit of the live model has changed; so has a copy, and a file of the version before is gone."""
    (released.root / "v1.1.0" / "best_model.pkl").write_bytes(b"Model of bbbbbbbbbb")
    (released.root / "v1.0.0" / "preprocessor.pkl").unlink()
    (released.root / "latest" / "model_card.html").write_bytes(b"x")
    return released


def test_each_command_is_in_the_module_that_the_frame_names() -> None:
    """Only that module is imported when the command is called."""
    frame = import_module("model_release.cli.app")
    for module in frame._MODULES:
        import_module(f"model_release.cli.{module}")
    found = {
        each.name or each.callback.__name__: each.callback.__module__.rpartition(".")[2]
        for each in frame.app.registered_commands
    }
    found |= {
        group.name: group.typer_instance.registered_commands[0].callback.__module__.rpartition(".")[2]
        for group in frame.app.registered_groups
    }
    assert found == frame._MODULE_OF
    result = call("pul", columns=200)
    assert result.exit_code == errors.EXIT_USAGE
    assert "Did you mean 'pull'" in result.stderr


def test_status_at_one_glance(released: LocalStore) -> None:
    result = call("status", released.uri)
    assert result.exit_code == 0
    for words in (
        "live             v1.1.0",
        "by               retrain_heart_disease",
        "why              better",
        "accuracy         0.8525 (holdout, 61 rows)",
        "before it        v1.0.0",
        "every file has the size and SHA-256",
        "held by ada since 2024-06-01 08:30 UTC: audit [bold]",
        "v1.0.0 by bo on 2024-06-01: bad slice",
        "(epoch 2)",
    ):
        assert words in result.stdout
    assert result.stderr == "reading the files of v1.1.0 …\n"
    document = read("status", released.uri)
    assert (document["version"], document["verified"], document["pointer"]["epoch"]) == ("v1.1.0", True, 3)
    assert datetime.fromisoformat(document["live_since"]).tzinfo is not None
    assert document["pointer"]["holds"][0]["by"] == "ada"


def test_status_ends_otherwise_if_what_is_live_has_grown_old(released: LocalStore) -> None:
    old = call("status", released.uri, "--max-age", "30h")
    assert old.exit_code == errors.EXIT_TOO_OLD
    assert "was trained" in " ".join(old.stdout.split())
    assert call("status", released.uri, "--max-age", "36500d").exit_code == errors.EXIT_DONE
    document = json.loads(call("status", released.uri, "--max-age", "30h", "--json").stdout)
    assert "at most 30.0 hours are asked for" in document["too_old"]
    assert read("status", released.uri)["too_old"] is None
    assert call("status", released.uri, "--max-age", "30").exit_code == errors.EXIT_USAGE


def test_status_without_holds(store: LocalStore, tmp_path: Path) -> None:
    Chain(store).release(make(tmp_path, "a"))
    lines = [line.split() for line in call("status", store.uri).stdout.splitlines()]
    assert ["holds", "none"] in lines
    assert ["quarantined", "none"] in lines
    assert ["before", "it", "nothing"] in lines


def test_show(released: LocalStore) -> None:
    live, older = call("show", released.uri), call("show", released.uri, "v1.0.0")
    assert live.stdout.startswith("heart-disease v1.1.0  live\n")
    assert older.stdout.startswith("heart-disease v1.0.0  quarantined\n")
    for words in ("Metrics", "10x5 cross-validation", "Gate", "accepted", "Files", "best_model.pkl", "scikit-learn"):
        assert words in live.stdout
    document = read("show", released.uri, "v1.0.0")
    assert document["state"] == "quarantined"
    assert document["metadata"] == json.loads((released.root / "v1.0.0" / "metadata.json").read_bytes())


def test_list(released: LocalStore) -> None:
    states = {each["version"]: each["state"] for each in read("list", released.uri)["versions"]}
    assert states == {"v1.0.0": "quarantined", "v1.1.0": "live", "v1.2.0": "in flight", "v1.3.0": "abandoned"}
    lines = call("list", released.uri).stdout.splitlines()
    assert lines[0].split() == ["Version", "State", "Accuracy", "Measured", "on", "Data", "as", "of", "Trained", "Size"]
    assert next(line for line in lines if "v1.1.0" in line).split()[:3] == ["v1.1.0", "live", "0.8525"]


def test_list_before_anything_is_live(store: LocalStore, tmp_path: Path) -> None:
    Chain(store).publish(make(tmp_path, "a"))
    assert [each["state"] for each in read("list", store.uri)["versions"]] == ["published"]


def test_history(released: LocalStore) -> None:
    changes = read("history", released.uri)["history"]
    assert [(each["epoch"], each["version"], each["kind"]) for each in changes[:2]] == [
        (1, "v1.0.0", "first"),
        (2, "v1.1.0", "promote"),
    ]
    assert changes[1]["from"] == "v1.0.0"
    head = call("history", released.uri).stdout.splitlines()[0]
    assert head.split() == ["Epoch", "When", "(UTC)", "Version", "Kind", "By", "Reason"]


def test_verify(released: LocalStore) -> None:
    live, older, every = (read("verify", released.uri, *more) for more in ((), ("v1.0.0",), ("--all",)))
    assert [each["key"] for each in live["checked"]] == [
        "v1.1.0/metadata.json",
        "v1.1.0/best_model.pkl",
        "v1.1.0/preprocessor.pkl",
        "v1.1.0/model_card.html",
        "latest/best_model.pkl",
        "latest/preprocessor.pkl",
        "latest/model_card.html",
        "latest/metadata.json",
    ]
    assert {each["key"].split("/")[0] for each in older["checked"]} == {"v1.0.0"}
    assert {each["key"].split("/")[0] for each in every["checked"]} == {"v1.0.0", "v1.1.0", "latest"}
    assert live["verified"] and older["verified"] and every["verified"]
    result = call("verify", released.uri)
    assert "all verify" in result.stdout
    assert "v1.1.0/best_model.pkl  19 bytes" in result.stderr
    assert call("verify", released.uri, "-q").stderr == ""


def test_verify_finds_damage(damaged: LocalStore) -> None:
    result = call("verify", damaged.uri, "--all")
    assert result.exit_code == errors.EXIT_CORRUPT
    for key in ("v1.1.0/best_model.pkl", "v1.0.0/preprocessor.pkl", "latest/model_card.html"):
        assert key in result.stdout
        assert key in result.stderr
    assert "3 do not verify" in result.stdout
    document = json.loads(call("verify", damaged.uri, "--all", "--json").stdout)
    assert sum(each["fault"] is not None for each in document["checked"]) == 3
    assert document["verified"] is False
    status = call("status", damaged.uri)
    assert status.exit_code == errors.EXIT_CORRUPT
    assert "1 do not verify" in status.stdout


@pytest.mark.parametrize("version", ["v1.0.0", "v1.1.0"])
def test_verify_finds_a_changed_manifest(released: LocalStore, version: str) -> None:
    """The log says what a manifest was, for versions that are not live any more too."""
    path = released.root / version / "metadata.json"
    path.write_bytes(path.read_bytes().replace(b'"accuracy": 0.8525', b'"accuracy": 0.9999'))
    for arguments in (("verify", released.uri, version), ("verify", released.uri, "--all")):
        result = call(*arguments)
        assert result.exit_code == errors.EXIT_CORRUPT
        assert f"{version}/metadata.json" in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [80, 200])
def test_pages_fit_and_have_no_colour_in_a_file(released: LocalStore, command: str, columns: int) -> None:
    page = call(command, released.uri, columns=columns).stdout
    assert "\x1b" not in page
    assert max(len(line) for line in page.splitlines()) <= columns


@pytest.mark.parametrize("command", COMMANDS)
def test_no_color_is_respected(released: LocalStore, command: str) -> None:
    assert "\x1b[" in call(command, released.uri, FORCE_COLOR="1").stdout
    plain = call(command, released.uri, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert not any(f"\x1b[{colour}m" in plain for colour in range(30, 38))


def test_a_store_cannot_steer_the_terminal(store: LocalStore, tmp_path: Path) -> None:
    made = make(tmp_path, "a")
    draft = made.draft.model_copy(update={"training_data": "\x1b[2Jgone\x07", "framework": "[red]x[/red]"})
    Chain(store).publish(type(made)(made.folder, draft, made.run))
    page = call("show", store.uri, "v1.0.0").stdout
    assert "\x1b" not in page
    assert "\x07" not in page
    assert "[red]x[/red]" in page


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("status", "{empty}"), 1, "there is no latest.json here"),
        (("list", "{empty}"), 1, "there is no latest.json here"),
        (("history", "{empty}"), 1, "there is no latest.json here"),
        (("verify", "{empty}"), 1, "there is no latest.json here"),
        (("show", "{store}", "v9.9.9"), 1, "no release v9.9.9"),
        (("show", "{store}", "v1.3.0"), 1, "given up: stale"),
        (("verify", "{store}", "v1.2.0"), 1, "no release v1.2.0"),
        (("show", "{store}", "1.0.0"), 2, "is not a version"),
        (("status", "ftp://host/x"), 2, "ftp"),
        (("status", "file://relative"), 2, "three slashes"),
        (("status",), 2, "Missing argument"),
        (("nonsense",), 2, "No such command"),
        (("status", "{store}", "--nonsense"), 2, "No such option"),
        (("verify", "{store}", "v1.0.0", "--all"), 2, "not both"),
        (("lint",), 2, "Missing argument"),
    ],
)
def test_errors_end_with_their_code(
    released: LocalStore, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    destinations = {"empty": (tmp_path / "empty").as_uri(), "store": released.uri}
    result = call(*(each.format(**destinations) for each in arguments))
    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "kind", [getattr(errors, name) for name in ("StoreUnavailable", "Refused", "CredentialsRefused", "Corrupt")]
)
def test_every_kind_of_error(monkeypatch: pytest.MonkeyPatch, kind: type[ModelReleaseError]) -> None:
    def fails(uri: str) -> None:
        raise kind("what happened", where=uri, hint="do this")

    monkeypatch.setattr(reading, "open_store", fails)
    words = call("status", "somewhere")
    assert words.exit_code == kind.exit_code
    assert words.stderr == "error: somewhere: what happened\n  → do this\n"
    as_json = call("status", "somewhere", "--json")
    assert (as_json.exit_code, as_json.stdout) == (kind.exit_code, "")
    assert json.loads(as_json.stderr) == {
        "error": kind.__name__,
        "what": "what happened",
        "where": "somewhere",
        "hint": "do this",
        "exit_code": kind.exit_code,
    }
    assert isinstance(call("status", "somewhere", MODEL_RELEASE_DEBUG="1").exception, kind)


def test_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(uri: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "open_store", interrupted)
    assert call("status", "somewhere").exit_code == errors.EXIT_INTERRUPTED


def test_version_and_help() -> None:
    assert call("--version").stdout == f"model-release {__version__}\n"
    page = call("--help")
    assert page.exit_code == 0
    for command in (*COMMANDS, "lint"):
        assert command in page.stdout
        assert call(command, "-h").exit_code == 0


HEAVY = ("airflow", "mlflow", "numpy", "onnxruntime", "pandas", "pyarrow", "scipy", "sklearn", "boto3")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def test_as_a_program(released: LocalStore, tmp_path: Path) -> None:
    good = run("-m", "model_release.cli", "status", released.uri, "--json", "-q")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["version"] == "v1.1.0"
    missing = run("-m", "model_release.cli", "status", str(tmp_path / "nothing"))
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("error: ")
    assert run("-m", "model_release.cli", "status").returncode == 2


def test_importing_it_is_light() -> None:
    code = f"import sys, model_release.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert run("-c", code).stdout.strip() == "[]"
