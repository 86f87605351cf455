"""The pages of docs/howto: every command of each is run in its order, on folders, as a reader would."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulators.process import executable
from model_release import cli, errors
from model_release.stores.local import LocalStore
from support.quick_specs import quick_spec
from support.release_builder import Chain
from support.servable_releases import release, trained, version_folder

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(each for each in (ROOT / "docs/howto").glob("*.md") if each.name != "README.md")
BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*) -->\s*)?^ *```console\n(?P<body>.*?)^ *```$", re.DOTALL | re.MULTILINE)
"""A block of commands, with the note above it: what else runs it, or that its last command finds something."""

ELSEWHERE, FINDS = "run by ", "ends with 6"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages begin with: four versions, the third live, a copy; a spec; files made by hand; a public key."""
    for epoch, strength in enumerate((0.1, 0.3, 1.0)):
        release(tmp_path / "store/heart-disease-models", strength, since=epoch or None)
    Chain(LocalStore(tmp_path / "store/heart-disease-models")).publish(trained(2.0))
    shutil.copytree(tmp_path / "store", tmp_path / "second")
    for name, strength in {"v1": 0.2, "v2": 0.4}.items():
        folder, _ = version_folder(tmp_path / "hand-made" / name, strength, without=("golden.json", "model.onnx"))
        (folder / "metadata.json").unlink()
    places = [
        {"name": "local", "uri": "${MODEL_RELEASE_STORE}"},
        {"name": "second", "uri": "${MODEL_RELEASE_STORE}-second", "required": False},
    ]
    quick_spec(tmp_path, "heart_disease", destinations=places, tracking=None).rename(tmp_path / "model.yaml")
    (tmp_path / "release-public.pem").write_text("")
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "store").as_uri())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(page: Path) -> list[tuple[str, list[str]]]:
    """Return the blocks of a page: the note above each, and its commands."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [(each["note"] or "", re.findall(r"^ *\$ (.*)$", each["body"], re.MULTILINE)) for each in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.stem))
def test_each_command_of_a_page_does_what_it_says(page: Path, desk: Path) -> None:
    shown = blocks(page)
    assert shown
    for note, commands in shown:
        if note.startswith(ELSEWHERE):
            other = ROOT / note.removeprefix(ELSEWHERE)
            words = commands[0].split()[:3]
            assert all(each in other.read_text() for each in words), f"{other} does not run: {commands}"
            continue
        for command in commands:
            last = errors.EXIT_DOCTOR if note.startswith(FINDS) and command == commands[-1] else 0
            assert run(command) == last, command


def run(command: str) -> int:
    """Run a command in the working folder; return its exit status."""
    program, *arguments = shlex.split(command)
    if program == "model-release":
        done = CliRunner(env={"LOGNAME": "ann"}).invoke(cli.app, arguments)
        print(done.output)
        return done.exit_code
    shell = executable("bash", install="bash")
    return subprocess.run([shell, "-c", command], check=False, capture_output=True).returncode


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (ROOT / "docs/howto/README.md").read_text()
    assert [each.name for each in PAGES if f"({each.name})" not in contents] == []
