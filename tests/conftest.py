"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from model_release.stores.create_once import RESEND
from model_release.stores.local import LocalStore
from support.memory_store import MemoryStore
from support.proof_tally import refused, table

pytest_plugins = ["support.run_plugin"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first, so that what is short fills the end."""
    items.sort(key=_minutes, reverse=True)


def _minutes(item: pytest.Item) -> float:
    """How long the file of a test takes, about; nothing is said of files that start no Airflow."""
    marker = item.get_closest_marker("live")
    return float(marker.kwargs["minutes"]) if marker else 0.0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the proofs have counted."""
    reports = [each for of in terminalreporter.stats.values() for each in of if isinstance(each, pytest.TestReport)]
    rows = table(pair for each in reports if each.when == "call" for pair in each.user_properties)
    if rows:
        terminalreporter.section("proofs")
        terminalreporter.write_line("\n".join(rows))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count the tests that are marked `refuses`."""
    report = yield
    if report.when == "call":
        report.user_properties += refused(item.iter_markers("refuses"), passed=report.passed)
    return report


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """A folder store for one model, empty."""
    return LocalStore(tmp_path / "store" / "heart-disease-models")


@pytest.fixture
def memory() -> MemoryStore:
    """A store in memory, empty."""
    return MemoryStore()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send lost requests again without waiting."""
    monkeypatch.setattr(RESEND, "sleep", lambda _seconds: None)
