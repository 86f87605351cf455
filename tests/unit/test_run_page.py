"""The result of a run on a terminal: a few lines that say what matters, and in full on request."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from model_release.cli.run_page import result_page
from model_release.documents.verdict import Check
from model_release.workflows.messages import Verdict
from model_release.workflows.task_state import TaskState

PASSED = Check(name="accuracy", passed=True, words="accuracy is 0.83, at least the 0.80 required")
WARNED = Check(name="drift", passed=True, words="age has drifted", warning=True)
FAILED = Check(name="recall", passed=False, words="recall is 0.61, at least the 0.70 required")
TASKS = [TaskState("train", 0, "one", "success", 10.0, 1), TaskState("gate", -1, None, "success", 1.0, 1)]


def printed(*checks: Check, full: bool = False) -> list[str]:
    verdict = Verdict(accepted=False, summary="one: rejected", reasons=[], checks=[*checks])
    console = Console(width=120)
    with console.capture() as captured:
        page = result_page(
            "rejected", tasks=TASKS, live=None, verdict=verdict, store=Path("/store"), good=False, full=full
        )
        for each in page:
            console.print(each)
    return [line.strip("│ ") for line in captured.get().splitlines()]


def test_passed_checks_are_counted_and_the_others_are_shown() -> None:
    lines = printed(PASSED, WARNED, FAILED)
    assert "gate   one: rejected; 2 of 3 checks passed" in lines
    assert "! age has drifted" in lines
    assert "✗ recall is 0.61, at least the 0.70 required" in lines
    assert not any("0.83" in line for line in lines)


def test_a_run_without_a_warning_takes_few_lines() -> None:
    assert len(printed(*[PASSED] * 19)) < 8


@pytest.mark.parametrize("wanted", ["✓ accuracy is 0.83, at least the 0.80 required", "train [one]", "10.0", "cost"])
def test_the_full_page_has_tasks_seconds_costs_and_every_check(wanted: str) -> None:
    assert any(wanted in line for line in printed(PASSED, full=True))
    assert not any(wanted in line for line in printed(PASSED))
