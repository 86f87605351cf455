"""Fixtures that every test may use."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from memory_store import MemoryStore
from model_release.release.once import RESEND
from model_release.stores.local import LocalStore


def pytest_configure() -> None:
    """End like Ctrl-C when told to by SIGTERM, so that emulators and Airflows are stopped and not left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first."""
    items.sort(key=lambda item: item.get_closest_marker("live") is None)


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
