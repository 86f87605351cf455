"""README and docs: each link leads somewhere, each command has the options it is shown with, the wheel is whole."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import zipfile
from email import message_from_bytes
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulators.process import executable
from model_release.cli.app import app
from scripts import consumer, site

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / each for each in ("README.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^(?:\$ |.*&& |)model-release ((?:.*\\\n)*.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
GROUPS = ("mlruns",)
INLINE = re.compile(r"`model-release ([^`]+)`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def shown(page: Path) -> list[list[str]]:
    """Return the words of each `model-release` command of a page, in blocks and in running text."""
    text = page.read_text(encoding="utf-8")
    in_blocks = chain.from_iterable(COMMAND.findall(block) for block in BLOCK.findall(text))
    outside = INLINE.findall(BLOCK.sub("", text))
    commands = [each.replace("\\\n", " ") for each in [*in_blocks, *outside]]
    return [shlex.split(re.split(r"\s[|]\s|\s#\s", each)[0], comments=True) for each in commands]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_link_of_a_page_leads_somewhere(page: Path) -> None:
    lost = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    assert lost == []


@cache
def options(*command: str) -> set[str] | None:
    """Return the options that a command's help names; None if there is no such command."""
    told = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*command, "--help"])
    return {*re.findall(r"(?<![\w-])--?[a-z][\w-]*", told.output)} if told.exit_code == 0 else None


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_command_of_a_page_exists_with_its_options(page: Path) -> None:
    unknown = []
    for words in shown(page):
        depth = 2 if words[0] in GROUPS and len(words) > 1 else 1
        command = [each for each in words[:depth] if not each.startswith("-")]
        known = options(*command)
        if known is None:
            unknown.append(" ".join(command))
            continue
        unknown += [f"{words[0]} {each}" for each in words if re.match(r"--?[a-z]", each) and each not in known]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_each_target_of_make_that_a_page_names_exists_with_its_variables(page: Path) -> None:
    text, makefile = page.read_text(encoding="utf-8"), (ROOT / "Makefile").read_text()
    targets = {*re.findall(r"^([a-z0-9]+):", makefile, re.MULTILINE)}
    asked = re.findall(r"(?:^ *\$ |`)make ([a-z0-9]+)((?: [A-Z]+=\S*)*)", text, re.MULTILINE)
    unknown = [target for target, _ in asked if target not in targets]
    variables = {each for _, all_of_it in asked for each in re.findall(r" ([A-Z]+)=", all_of_it)}
    assert unknown == []
    assert [each for each in sorted(variables) if not re.search(rf"\b{each}\b", makefile)] == []


SHELL = re.compile(r"^ *```(console|bash)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def lines(page: Path) -> list[str]:
    """Return each command of a page's blocks, with the lines that continue it; what a command prints is left out."""
    found: list[str] = []
    for kind, body in SHELL.findall(page.read_text(encoding="utf-8")):
        begun = False
        for line in body.splitlines():
            if begun:
                found[-1] += "\n" + line
            elif kind == "bash" or line.lstrip().startswith("$ "):
                found.append(line.lstrip().removeprefix("$ "))
            else:
                continue
            begun = found[-1].endswith("\\") or found[-1].count("'") % 2 == 1 and " #" not in found[-1]
    return [each for each in found if each.strip()]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_shell_can_read_each_command_of_a_page(page: Path) -> None:
    command = [executable("bash", install="bash"), "-n"]
    done = subprocess.run(command, input="\n".join(lines(page)), capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_page_on_development_says_of_each_program_what_runs_it_or_why_nothing_does() -> None:
    _, _, table = (ROOT / "docs/development.md").read_text().partition("## The commands of the pages")
    said = {each for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for each in re.findall(r"`([^`]+)`", row)}
    words = [each.split() for page in PAGES for each in lines(page)]
    assert {each[0].rpartition("/")[2] for each in words if re.match(r"[a-z]", each[0])} == said


def test_a_command_that_does_not_exist_is_found() -> None:
    assert options("republish") is None
    assert "--to" in (options("pull") or ())
    assert "--nothing" not in (options("pull") or ())


def test_the_readme_shows_commands() -> None:
    assert len(shown(ROOT / "README.md")) > 5


def test_the_site_has_every_page_in_its_order_and_no_link_that_leads_nowhere(tmp_path: Path) -> None:
    assert site.build(tmp_path) is None
    nav = re.findall(r'"([\w/.-]+\.md)"', site.SETTINGS.read_text())
    staged = {str(each.relative_to(tmp_path / "pages")) for each in (tmp_path / "pages/docs").rglob("*.md")}
    assert staged - {*nav} == set(), "a page is in no part of the site's contents"
    assert [each for each in nav if not (tmp_path / "pages" / each).is_file()] == []
    lost = []
    for page in (tmp_path / "site").rglob("*.html"):
        for target in re.findall(r'(?:href|src)="([^"#?:]+)(?:#[^"]*)?"', page.read_text(encoding="utf-8")):
            there = (tmp_path / "site" / target.lstrip("/")) if target.startswith("/") else (page.parent / target)
            if not there.exists():
                lost.append(f"{page.relative_to(tmp_path / 'site')}: {target}")
    assert lost == []
    (tmp_path / "pages/docs/page.md").write_text("[a heading](rules.md#no-such-heading)")
    assert "anchor does not exist" in (site.rebuild(tmp_path) or "")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as the README says, with the build backend that is installed here."""
    folder = tmp_path_factory.mktemp("dist")
    return consumer.build(folder)


def test_an_index_would_take_the_wheel(wheel: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", str(wheel)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    held = zipfile.ZipFile(wheel)
    (metadata,) = [message_from_bytes(held.read(name)) for name in held.namelist() if name.endswith("/METADATA")]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert any(name.endswith("/licenses/LICENSE") for name in held.namelist())


def test_the_wheel_brings_time_zones_along_for_an_image_that_has_none(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel)
    (metadata,) = [message_from_bytes(held.read(name)) for name in held.namelist() if name.endswith("/METADATA")]
    assert any(each.startswith("tzdata") for each in metadata.get_all("Requires-Dist", []))
    code = "from zoneinfo import ZoneInfo, TZPATH; assert TZPATH == (); ZoneInfo('Europe/Berlin')"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONTZPATH": ""})


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout, as in a source archive")
def test_a_git_url_of_this_repository_installs_the_package_as_the_readme_says(tmp_path: Path) -> None:
    assert 'pip install "model-release[s3,serve] @ git+file://$PWD"' in (ROOT / "README.md").read_text()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    asked = ["--no-deps", "--no-build-isolation", "--target", str(tmp_path), f"model-release @ git+{ROOT.as_uri()}"]
    subprocess.run([*pip, *asked], check=True, capture_output=True)
    code = "import model_release; print(model_release.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)}
    )
    assert found.stdout.startswith(str(tmp_path))


def test_the_same_files_give_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    assert consumer.build(tmp_path).read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_every_file_of_both_packages(wheel: Path) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = [ROOT / "include/model_release", ROOT / "include/mlruns_mirror"]
    files = [path for path in chain.from_iterable(each.rglob("*") for each in packages) if path.is_file()]
    assert held == {str(each.relative_to(ROOT / "include")) for each in files if each.suffix != ".pyc"}


def test_the_wheel_installed_alone_has_the_command_and_the_extras_that_the_pages_name(
    wheel: Path, tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    uv = Path(sys.executable).with_name("uv")
    install: list[str | Path] = [uv, "pip", "install", "--offline", "--no-deps", "--python", venv / "bin/python", wheel]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    subprocess.run(install, check=True, capture_output=True)
    assert (venv / "bin/model-release").is_file()
    code = "import model_release, mlruns_mirror; print(model_release.__file__)"
    found = subprocess.run([venv / "bin/python", "-c", code], check=True, capture_output=True, text=True, env={})
    assert found.stdout.startswith(str(venv))
    held = zipfile.ZipFile(wheel)
    (metadata,) = [held.read(name) for name in held.namelist() if name.endswith("/METADATA")]
    asked = re.findall(r"(?:\.whl|'\.|model-release)\[([a-z0-9,]+)\]", "\n".join(page.read_text() for page in PAGES))
    extras = {extra for each in asked for extra in each.split(",")}
    assert extras
    assert extras <= {*message_from_bytes(metadata).get_all("Provides-Extra", [])}
