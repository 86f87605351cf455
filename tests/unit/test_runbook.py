"""The runbook leaves out no ending, no error and no finding, and names none that there is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from model_release import errors
from model_release.releases.doctor.findings import Damage
from model_release.workflows.result import Ending

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")


def part(heading: str) -> str:
    return RUNBOOK.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def first_cells(heading: str) -> Iterator[str]:
    for line in part(heading).splitlines():
        if line.startswith("| ") and not line.startswith(("| word", "| error", "| finding")):
            yield line.split("|")[1].strip()


def raised(kind: type[errors.ModelReleaseError]) -> Iterator[type[errors.ModelReleaseError]]:
    for each in kind.__subclasses__():
        yield each
        yield from raised(each)


def test_every_ending_of_a_night_is_told() -> None:
    told = {each for each in first_cells("How a night ended") if not each.startswith("…")}
    assert told == {*get_args(Ending)}


def test_every_error_is_told_with_its_exit_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", part("Errors"), re.MULTILINE)
    kinds = {each for each in raised(errors.ModelReleaseError) if each.__module__ == errors.__name__}
    leaves = {each for each in kinds if each not in (errors.Retry, errors.Redo, errors.Stop)}
    assert dict(rows) == {each.__name__: str(each.exit_code) for each in leaves}
    for status in (errors.EXIT_DOCTOR, errors.EXIT_LAGGING, errors.EXIT_TOO_OLD, errors.EXIT_INTERRUPTED):
        assert re.search(rf"\b{status}, ", part("Errors"))


def test_every_finding_of_doctor_is_told() -> None:
    told = re.findall(r"`([^`]+)`", " ".join(first_cells("What doctor finds")))
    assert sorted(told) == sorted(Damage)
