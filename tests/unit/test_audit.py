"""What `make audit` makes of pip-audit's report, and the page of licences: both are whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from scripts import audit, licences

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 12, 1)

SOUND = {"name": "idna", "version": "3.11", "vulns": []}
UNKNOWN = {"name": "odd", "skip_reason": "Dependency not found on PyPI"}


def hurt(*aliases: str) -> dict[str, Any]:
    found = {"id": "PYSEC-2026-1", "aliases": [*aliases], "fix_versions": ["2.0"], "description": ""}
    return {"name": "old", "version": "1.0", "vulns": [found]}


def test_an_advisory_is_named_with_the_version_that_mends_it() -> None:
    report = audit.read({"dependencies": [SOUND, hurt()]}, set())
    assert report.advisories == ["old 1.0: PYSEC-2026-1, fixed in 2.0"]
    assert audit.in_words("requirements.txt", report) == "requirements.txt: 1 advisories about 2 packages"


@pytest.mark.parametrize("name", ["PYSEC-2026-1", "CVE-2026-1"])
def test_an_exception_passes_over_it_by_any_of_its_names_until_its_day(name: str) -> None:
    text = f'[[exception]]\nid = "{name}"\nuntil = 2026-12-31\nreason = "not called here"\n'
    found = {"dependencies": [hurt("CVE-2026-1")]}
    assert audit.read(found, audit.exceptions(text, TODAY)).advisories == []
    assert audit.read(found, audit.exceptions(text, date(2027, 1, 1))).advisories != []


@pytest.mark.parametrize("lacks", ["until = 2026-12-31", 'reason = "x"'])
def test_an_exception_needs_a_reason_and_an_end(lacks: str) -> None:
    with pytest.raises(KeyError):
        audit.exceptions(f'[[exception]]\nid = "X"\n{lacks}\n', TODAY)


def test_the_exceptions_of_this_project_can_be_read() -> None:
    audit.exceptions((ROOT / "audit.toml").read_text(), TODAY)


def test_no_answer_is_no_good_news() -> None:
    some = audit.read({"dependencies": [SOUND, UNKNOWN]}, set())
    assert audit.in_words("x.txt", some) == "x.txt: 0 advisories about 1 packages; no answer about odd"
    none = audit.read({"dependencies": [UNKNOWN]}, set())
    assert (
        audit.in_words("x.txt", none)
        == "x.txt: no advisory service answered here; nothing is known about these packages"
    )


def test_each_distribution_of_the_lock_has_its_line_on_the_page_of_licences() -> None:
    names = licences.locked((ROOT / "requirements.txt").read_text())
    assert len(names) > 300
    listed = {name for line in licences.PAGE.read_text().splitlines() for name in line.partition("**: ")[2].split(", ")}
    assert {*names} == listed - {""}
    assert licences.licence("scikit-learn") == "BSD-3-Clause"
    assert licences.licence("no-such-distribution") == ""
