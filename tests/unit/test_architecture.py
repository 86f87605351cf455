"""The picture in `docs/architecture.md`: it has the rows that import-linter keeps, and the rooms that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "include/model_release"
WITH_MODULES = "workflows|releases|modelling|stores|client|model_files|spec|airflow_glue"


def drawn() -> list[set[str]]:
    """Return the rooms of each row of the picture, from the top, without the row's name and remarks in brackets."""
    picture = re.search(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert picture is not None
    rows = [line.partition("(")[0] for line in picture[1].splitlines() if "│" not in line]
    return [{*row.split()[1:]} for row in rows]


def kept() -> list[set[str]]:
    """Return the rooms of each row that import-linter keeps, from the top."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (rows,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [{room.strip() for room in row.split("|")} for row in rows]


def rooms() -> set[str]:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    return modules | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def test_the_picture_has_the_rows_that_import_linter_keeps() -> None:
    assert drawn() == kept()


def test_the_picture_has_every_room_of_the_package_once() -> None:
    assert sorted(room for row in drawn() for room in row) == sorted(rooms())


def test_the_table_says_what_every_room_is_for() -> None:
    table = PAGE.partition("| room |")[2].partition("\n\n")[0]
    named = {room for line in table.splitlines() for room in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == (rooms() - {"__main__"}) | {"mlruns_mirror"}


def test_every_module_that_the_page_names_is_there() -> None:
    named = re.findall(rf"`((?:{WITH_MODULES})/\w+)\W", PAGE)
    missing = [each for each in named if not (PACKAGE / each).is_dir() and not (PACKAGE / f"{each}.py").is_file()]
    assert missing == []
    assert len(named) > 20
