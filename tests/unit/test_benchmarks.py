"""The benchmarks run and print their tables. How fast anything is, no test says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_stores_are_measured(tmp_path: Path) -> None:
    kept = tmp_path / "seconds.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.stores", "--quick", "--store", "folder", "--json", str(kept)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "fastest peer / ours" in ran.stdout
    assert "peak memory of ours" in ran.stdout
    measured = json.loads(kept.read_text())["folder"]
    there = [each for each, program in (("cp -r", "cp"), ("rsync --fsync", "rsync")) if shutil.which(program)]
    assert set(measured) == {
        f"{tool} | {way} | {shape}"
        for tool in ("ours", "ours, SDK loaded", *there)
        for way in ("up", "down")
        for shape in ("one", "many")
    }
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in measured.values())


def test_gates_are_asked_about_what_is_known(tmp_path: Path) -> None:
    kept = tmp_path / "shares.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.gate", "--rows", "300", "--nights", "2", "--jobs", "1", "--json", str(kept)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "300 rows, 2 nights" in ran.stdout
    found = json.loads(kept.read_text())["300"]
    assert found["same recipe"]["brier"] == found["same recipe"]["apart"] == 0
    assert found["much worse"]["brier"] == -found["much better"]["brier"] > 0.04
    assert found["much worse"]["promoted"]["ours"] == 0
