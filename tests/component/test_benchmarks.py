"""The benchmarks run and print their tables. How fast anything is, no test says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


def run(name: str, *options: str, kept: Path, seconds: int, env: Mapping[str, str] | None = None) -> tuple[str, Any]:
    """Run a benchmark to its good end; return what it printed, and the JSON that it kept."""
    ran = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *options, "--json", str(kept)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}", **(env or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "…" not in ran.stdout and max(map(len, ran.stdout.splitlines())) <= 80, "a table is whole in 80 columns"
    return ran.stdout, json.loads(kept.read_text())


def test_the_stores_are_measured(tmp_path: Path) -> None:
    said, kept = run("stores", "--quick", "--store", "folder", kept=tmp_path / "kept.json", seconds=120)
    assert "fastest peer / ours" in said
    assert "peak memory of ours" in said
    measured = kept["folder"]
    kinds = [f"{way} | {shape}" for way in ("up", "down") for shape in ("one", "many")]
    seconds = [measured.pop(f"{tool} | {kind}") for tool in ("ours", "ours, SDK loaded", "cp -r") for kind in kinds]
    assert all(len(each) == 1 and each[0] > 0 for each in seconds)
    missing = "rsync is not on the PATH"  # of a run of tests, which has what tests/programs.txt lists
    assert measured == {f"rsync --fsync | {kind}": missing for kind in kinds}
    assert f"not measured: rsync --fsync: {missing}" in said


def test_the_mirror_is_measured(tmp_path: Path) -> None:
    _, kept = run("mlruns", "--quick", "--tool", "ours", kept=tmp_path / "kept.json", seconds=120)
    steps = ("first push", "nothing changed", "ten new runs", "pull")
    assert set(kept) == {f"ours | {step}" for step in steps}


def test_gates_are_asked_about_what_is_known(tmp_path: Path) -> None:
    options = ["--rows", "300", "--nights", "2", "--jobs", "1", "--worlds", "a number", "groups"]
    said, kept = run("gate", *options, kept=tmp_path / "kept.json", seconds=300)
    assert "300 rows, 2 nights" in said
    assert kept["groups"]["remembers"]["worse"] > 0.05
    assert kept["groups"]["remembers"]["promoted"]["ours"] == kept["a number"]["much worse"]["promoted"]["ours"] == 0
    assert kept["a number"]["much better"]["promoted"]["ours"] == 1
    found = kept["300"]
    assert found["same recipe"]["brier"] == found["same recipe"]["apart"] == 0
    assert found["much worse"]["brier"] == -found["much better"]["brier"] > 0.04
    assert found["much worse"]["promoted"]["ours"] == 0


def test_a_pull_is_measured_beside_others(tmp_path: Path) -> None:
    said, kept = run("pull", "--runs", "1", "--polls", kept=tmp_path / "kept.json", seconds=120, env={"PATH": ""})
    assert {"model-release pull", "huggingface_hub"} <= {*kept}
    assert "not measured: s5cmd cp: " in said


def test_the_service_is_measured_beside_mlflow_and_swapped_under_load(tmp_path: Path) -> None:
    _, measured = run("serving", "--quick", kept=tmp_path / "kept.json", seconds=300)
    assert set(measured["memory"]) == {"ours, /predict", "MLflow, ONNX", "MLflow, scikit-learn"}
    assert all(each["requests"] > 0 for each in measured["requests"].values())
    swapped = measured["swap"]
    assert (swapped["failed"], swapped["mixed"], swapped["versions"]) == (0, 0, ["v1.0.0", "v1.1.0"])


def test_losing_less_than_the_margin_night_after_night_adds_up_only_without_the_anchor(tmp_path: Path) -> None:
    options = ["--rows", "8000", "--nights", "8", "--repeats", "1"]
    _, kept = run("creep", *options, kept=tmp_path / "creep.json", seconds=300)

    assert kept["the live version alone"]["worse"] > 0.005
    assert 0 < kept["the anchor as well"]["worse"] <= 0.005
