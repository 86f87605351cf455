"""A team's own package through a real Airflow: found, allowed, trained, and released with its code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model_release import errors
from support import tickets


@pytest.mark.live(minutes=1)
def test_the_example_s_pipelines_are_released_with_their_package_by_a_real_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets.allowed(monkeypatch)
    spec = tickets.spec_in(tmp_path / "specs")
    command = [sys.executable, "-m", "scripts.run", "--spec", str(spec), "--var", str(tmp_path / "var")]
    result = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, timeout=900, check=False)

    assert result.returncode == errors.EXIT_DONE, result.stdout
    assert "released v1.0.0" in result.stdout
    version = tmp_path / "var/store/tickets-models/v1.0.0"
    files = {each["path"] for each in json.loads((version / "metadata.json").read_text())["files"]}
    assert any(each.startswith("code/ticket_model-0.") for each in files)
