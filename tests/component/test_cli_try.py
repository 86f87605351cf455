"""`model-release try`: a spec's whole chain on this machine, without Airflow."""

from __future__ import annotations

import json
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model_release import cli, errors
from model_release.spec.load import load_spec
from model_release.workflows.local_run import at_folder
from support.quick_specs import quick_spec

FEW = {"folds": 3, "repeats": 1}


def call(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "240"}).invoke(cli.app, ["try", *arguments])


def read(*arguments: str, status: int = errors.EXIT_DONE) -> Any:
    result = call(*arguments, "--json")
    assert result.exit_code == status, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quick_spec(tmp_path_factory.mktemp("spec"), "heart_disease", validation=FEW)


@pytest.fixture(scope="module")
def first(spec: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A folder, and the first try on it."""
    folder = tmp_path_factory.mktemp("try")
    return folder, call(str(spec), "--to", str(folder))


def test_a_try_releases_to_a_folder_that_every_command_reads(first: tuple[Path, Result]) -> None:
    folder, result = first
    assert result.exit_code == errors.EXIT_DONE, result.stderr
    assert "released v1.0.0" in result.stdout
    assert str(folder / "heart-disease-models" / "v1.0.0" / "model_card.html") in result.stdout
    status = CliRunner().invoke(cli.app, ["status", (folder / "heart-disease-models").as_uri(), "--json", "-q"])
    assert json.loads(status.stdout)["version"] == "v1.0.0"


def test_progress_is_on_stderr_task_by_task_and_no_process_stays(first: tuple[Path, Result]) -> None:
    lines = first[1].stderr.splitlines()
    assert lines[0] == "not part of a try: destination local (${MODEL_RELEASE_STORE}), tracking"
    ended = [f"  {task}: success" for task in ("reconcile", "ingest")]
    assert lines[1:3] == ended
    assert {"  train [logistic_regression]: success", "  train [support_vectors]: success"} == {*lines[3:5]}
    assert lines[5:] == [f"  {each}: success" for each in ("evaluate", "gate", "upload [folder]", "update_latest")]
    assert active_children() == []


def test_a_second_try_finds_nothing_new_and_a_forced_one_makes_the_same_bytes(
    spec: Path, first: tuple[Path, Result]
) -> None:
    folder = first[0]
    again = read(str(spec), "--to", str(folder))
    assert again["summary"].startswith("nothing is new: the same data, code, packages and parameters made v1.0.0")
    assert [each["task"] for each in again["tasks"] if each["state"] == "skipped"] == [
        "train",
        "evaluate",
        "gate",
        "upload",
        "update_latest",
    ]
    forced = read(str(spec), "--to", str(folder), "--force")
    assert forced["summary"] == "reproduced v1.0.0 byte for byte"
    assert forced["live"] == "v1.0.0"


def test_what_the_gate_rejects_ends_with_status_3_and_the_reasons(tmp_path: Path) -> None:
    simple = {"simple": {"estimator": "LogisticRegression", "parameters": {"max_iter": 1000}}}
    gate = {"cross_validation": {"accuracy": 0.99}}
    spec = quick_spec(tmp_path, "heart_disease", validation=FEW, candidates=simple, gate=gate)
    found = read(str(spec), "--to", str(tmp_path / "try"), status=errors.EXIT_REFUSED)
    assert (found["summary"], found["live"]) == ("rejected, and nothing is live", None)
    assert "below the 0.9900 required" in found["report"]["summary"]


def test_data_that_breaks_a_rule_ends_with_the_report(tmp_path: Path) -> None:
    spec = quick_spec(tmp_path, "heart_disease", validation=FEW)
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("max: 110", "max: 60"), encoding="utf-8")
    assert spec.read_text(encoding="utf-8") != text
    result = call(str(spec), "--to", str(tmp_path / "try"))
    assert result.exit_code == errors.EXIT_CORRUPT
    assert "  ingest: failed" in result.stderr
    assert "age: '63.0' lies outside 18 to 60" in result.stderr


def test_nothing_but_the_folder_is_written_to(tmp_path: Path) -> None:
    signing = {"connection": "key"}
    spec = load_spec(quick_spec(tmp_path, "heart_disease", approval="required", signing=signing))
    here, left_out = at_folder(spec, tmp_path / "try")
    assert [each.uri for each in here.destinations] == [(tmp_path / "try").as_uri()]
    assert (here.tracking, here.signing, here.approval) == (None, None, "never")
    assert left_out == ["destination local (${MODEL_RELEASE_STORE})", "tracking", "signing", "approval"]
    assert here.path == spec.path
