"""One module's behaviour in this process: no process is started, nothing is waited for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.tiny_dataset import Farm


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that starts a process; it belongs into tests/component."""

    start = subprocess.Popen

    def refused(command: object, *arguments: Any, **options: Any) -> subprocess.Popen[Any]:
        if isinstance(command, list) and command[:1] == ["lscpu"]:  # joblib counts the cores
            return start(command, *arguments, **options)
        pytest.fail(f"a unit test starts no process, and this one starts {command}: move it to tests/component")

    monkeypatch.setattr(subprocess, "Popen", refused)


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    """A source without files, an empty store, and the spec of the beetles."""
    return Farm(tmp_path)
