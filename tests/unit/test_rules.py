"""The rules: `docs/rules.md` has every rule that code, messages and documents cite."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "docs/rules.md"
CITING = ("README.md", "CHANGELOG.md", "docs", "include", "dags", "plugins", "tests", "benchmarks")
TEXTS = {".py", ".md", ".yaml", ".html"}

CITED = re.compile(r"\brules?\s+(\d+(?:(?:,\s*|\s+and\s+|\s+to\s+|,\s+and\s+)\d+)*)", re.IGNORECASE)


def numbers(cited: str) -> set[int]:
    """Return the rules that a citation names: `rules 3 to 5, 11`."""
    found = {int(number) for number in re.findall(r"\d+", cited)}
    for first, last in re.findall(r"(\d+)\s+to\s+(\d+)", cited):
        found |= {*range(int(first), int(last) + 1)}
    return found


def written() -> list[int]:
    return [int(number) for number in re.findall(r"^## (\d+)\. ", RULES.read_text(encoding="utf-8"), re.MULTILINE)]


def citations() -> dict[str, set[int]]:
    files = chain.from_iterable([ROOT / name] if "." in name else (ROOT / name).rglob("*") for name in CITING)
    found = {}
    for path in files:
        if path.suffix in TEXTS and path.is_file():
            cited = CITED.findall(path.read_text(encoding="utf-8"))
            if cited:
                found[str(path.relative_to(ROOT))] = set().union(*map(numbers, cited))
    return found


@pytest.mark.parametrize(
    ("cited", "expected"),
    [("5", {5}), ("1, 2, 9", {1, 2, 9}), ("3 to 7, 11, 13", {3, 4, 5, 6, 7, 11, 13}), ("3 and 8", {3, 8})],
)
def test_a_citation_names_one_rule_or_several(cited: str, expected: set[int]) -> None:
    match = CITED.fullmatch(f"rules {cited}")
    assert match is not None
    assert numbers(match[1]) == expected


def test_the_rules_are_numbered_without_a_gap() -> None:
    assert written() == [*range(1, 15)]


def test_every_rule_that_is_cited_is_written() -> None:
    assert {path: cited - {*written()} for path, cited in citations().items() if cited - {*written()}} == {}


def test_the_code_cites_the_rules() -> None:
    cited = set().union(*(rules for path, rules in citations().items() if path.startswith("include/")))
    assert {1, 4, 8, 12, 14} <= cited


def test_every_clause_names_the_schedule_that_it_removes() -> None:
    clauses = re.split(r"^- ", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [clause for clause in clauses if not re.search(r"—\s+\*", clause)] == []
