"""The benchmarks run and print their tables. How fast anything is, no test says."""

from __future__ import annotations

import json
import os
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
    assert set(measured) == {
        f"{tool} | {way} | {shape}"
        for tool in ("ours", "ours, SDK loaded", "cp -r")
        for way in ("up", "down")
        for shape in ("one", "many")
    }
    assert all(len(seconds) == 1 and seconds[0] > 0 for seconds in measured.values())
