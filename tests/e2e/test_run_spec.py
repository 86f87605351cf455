"""`make run SPEC=…`: a spec that `init` has just written, through a real Airflow; and specs that it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn import datasets
from typer.testing import CliRunner

from model_release import cli, errors
from support.quick_specs import quick_spec

INCLUDE = Path(cli.__file__).resolve().parents[2]


def run(spec: Path, var: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(INCLUDE)}
    command = [sys.executable, "-m", "scripts.run", "--spec", str(spec), "--var", str(var)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)


@pytest.mark.live(minutes=1)
def test_a_first_spec_is_released_by_a_real_airflow(tmp_path: Path) -> None:
    found = datasets.load_breast_cancer(as_frame=True).frame
    found.to_csv(tmp_path / "tumours.csv", index=False)
    made = ["init", str(tmp_path / "tumours.csv"), "--target", "target", "--to", str(tmp_path / "specs")]
    assert CliRunner().invoke(cli.app, made).exit_code == errors.EXIT_DONE
    spec = tmp_path / "specs" / "tumours.yaml"
    few = spec.read_text(encoding="utf-8").replace("folds: 5\n  repeats: 10", "folds: 3\n  repeats: 1")
    spec.write_text(few, encoding="utf-8")
    result = run(spec, tmp_path / "var")
    assert result.returncode == errors.EXIT_DONE, result.stdout
    assert "released v1.0.0" in result.stdout
    assert (tmp_path / "var/store/tumours-models/v1.0.0/model_card.html").is_file()


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "another home": (
        {"destinations": [{"name": "cloud", "uri": "s3://bucket"}]},
        "the first destination is s3://bucket",
    ),
    "a person": ({"approval": "required"}, "the spec asks a person for approval"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_spec_that_this_airflow_cannot_run_to_its_end_is_refused_at_once(tmp_path: Path, case: str) -> None:
    changes, words = UNFIT[case]
    result = run(quick_spec(tmp_path, "heart_disease", **changes), tmp_path / "var")
    assert result.returncode == errors.EXIT_USAGE
    assert words in " ".join(result.stdout.split())
    assert not (tmp_path / "var").exists()
