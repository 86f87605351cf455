"""The benchmarks run and print their tables. How fast anything is, no test says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_mirror_is_measured(tmp_path: Path) -> None:
    kept = tmp_path / "seconds.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.mlruns", "--quick", "--tool", "ours", "--json", str(kept)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    steps = ("first push", "nothing changed", "ten new runs", "pull")
    assert set(json.loads(kept.read_text())) == {f"ours | {step}" for step in steps}


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


def test_a_pull_is_measured_beside_others(tmp_path: Path) -> None:
    kept = tmp_path / "seconds.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.pull", "--runs", "1", "--polls", "--json", str(kept)],
        cwd=CHECKOUT,
        env={**os.environ, "PATH": "", "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert {"model-release pull", "huggingface_hub"} <= {*json.loads(kept.read_text())}
    assert "not measured: s5cmd cp: " in ran.stdout


@pytest.mark.skipif(shutil.which("wrk") is None, reason="apt-get install wrk")
def test_the_service_is_measured_beside_mlflow_and_swapped_under_load(tmp_path: Path) -> None:
    kept = tmp_path / "serving.json"
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving", "--quick", "--json", str(kept)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    measured = json.loads(kept.read_text())
    assert set(measured["memory"]) == {"ours, /predict", "MLflow, ONNX", "MLflow, scikit-learn"}
    assert all(each["requests"] > 0 for each in measured["requests"].values())
    swapped = measured["swap"]
    assert (swapped["failed"], swapped["mixed"], swapped["versions"]) == (0, 0, ["v1.0.0", "v1.1.0"])
