"""The reference is what the code says now, and it has every environment variable that the code reads."""

from __future__ import annotations

import re

from scripts import reference


def test_the_page_is_current() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run: make reference"


def test_every_key_field_and_command_has_a_meaning() -> None:
    rows = [line for line in reference.page().splitlines() if line.startswith("| `")]
    assert [line for line in rows if line.endswith("|  |")] == []
    assert len(rows) > 250


def test_every_variable_of_the_package_is_told() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (reference.ROOT / "include").rglob("*.py"))
    read = {*re.findall(r'"(MODEL_RELEASE_[A-Z_]+)"', code)}
    given = {"MODEL_RELEASE_STORE", "MODEL_RELEASE_FOLDER", "MODEL_RELEASE_VERSION"}  # to specs, and by watch --run
    told = {*re.findall(r"`(MODEL_RELEASE_[A-Z_]+)`", reference.page())}
    assert read - given <= told
