"""`model-release lint`: what is wrong with a spec and its data, before a night finds it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model_release import cli, errors
from model_release.spec.allowed_stores import STORES_VARIABLE

SPECS = Path(__file__).parents[2] / "include" / "models"
HEART = (SPECS / "heart_disease.yaml").read_text(encoding="utf-8")
DAY = "dt=1988-07-01/processed.cleveland.csv"


def call(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli.app, ["lint", *arguments])


def read(*paths: Path, data: bool | None = None, status: int = errors.EXIT_DONE) -> list[Any]:
    option = [] if data is None else ["--data" if data else "--no-data"]
    result = call(*map(str, paths), *option, "--json")
    assert result.exit_code == status, result.output
    return list(json.loads(result.stdout)["specs"])


def fault(path: Path, *, data: bool | None = None) -> str:
    return str(read(path, data=data, status=errors.EXIT_USAGE)[0]["fault"])


def copied(folder: Path, *changes: tuple[str, str], cells: tuple[str, str] | None = None) -> Path:
    """The reference spec, with one change or more, and its data."""
    text = HEART
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = folder / "heart_disease.yaml"
    shutil.copytree(SPECS / "data" / "heart-disease", folder / "data" / "heart-disease")
    if cells is not None:
        file = folder / "data" / "heart-disease" / DAY
        file.write_text(file.read_text(encoding="utf-8").replace(*cells), encoding="utf-8")
        text = "\n".join(line for line in text.splitlines() if "sha256:" not in line and DAY not in line)
    path.write_text(text, encoding="utf-8")
    return path


def test_good_and_broken_specs(tmp_path: Path) -> None:
    good = SPECS / "heart_disease.yaml"
    broken, missing = tmp_path / "broken.yaml", tmp_path / "missing.yaml"
    broken.write_text(HEART.replace("\nowner:", "\nownr:"), encoding="utf-8")
    assert read(good) == [{"spec": str(good), "fault": None, "warnings": [], "rows": 303}]
    result = call(str(good), str(broken), str(missing), "--json")
    assert result.exit_code == errors.EXIT_USAGE
    faults = {each["spec"]: each["fault"] for each in json.loads(result.stdout)["specs"]}
    assert faults[str(good)] is None
    assert "did you mean 'owner'?" in faults[str(broken)]
    assert "cannot be read" in faults[str(missing)]
    assert "✗" in call(str(missing)).stdout


def test_the_candidates_are_tried(tmp_path: Path) -> None:
    assert "n_estimatorz" in fault(copied(tmp_path, ("n_estimators:", "n_estimatorz:")))


MISREAD = {
    "a country": ("[3, 6, 7]", "[DE, NO]", "NO is the boolean false to YAML; quote it: 'NO'"),
    "a postcode": ("[3, 6, 7]", "[01067, '01069']", "01067 is the number 567 to YAML; quote it: '01067'"),
    "a time of the day": ("[3, 6, 7]", "[12:30]", "12:30 is the number 750 to YAML; quote it: '12:30'"),
    "a time": ("[3, 6, 7]", "[2026-11-01T12:00:00]", "is the time 2026-11-01 12:00:00 to YAML"),
    "nothing": ("[3, 6, 7]", "[~, a]", "~ is no value to YAML; quote it: '~'"),
}


@pytest.mark.parametrize("case", MISREAD)
def test_values_that_yaml_reads_as_something_else_are_named_once(tmp_path: Path, case: str) -> None:
    before, after, words = MISREAD[case]
    found = fault(copied(tmp_path, (before, after)))
    assert found.count("to YAML") == 1
    assert "dataset.columns.thal.values: " in found
    assert words in found


def test_class_labels_may_be_true_and_false_and_no_other_plain_boolean(tmp_path: Path) -> None:
    target = HEART[HEART.index("    positive_above: 0") : HEART.index("    min: 0\n    max: 4")]
    limits = "    min: 0\n    max: 4\n"
    spec = copied(tmp_path, (target + limits, "    classes: {yes: ill, no: well}\n    positive: yes\n"))
    found = fault(spec, data=False)
    assert found.startswith("3 faults:")
    assert "dataset.target.positive: yes is the boolean true to YAML" in found
    text = spec.read_text(encoding="utf-8").replace("{yes: ill, no: well}", "{true: ill, false: well}")
    spec.write_text(text.replace("positive: yes", "positive: true"), encoding="utf-8")
    assert read(spec, data=False)[0]["fault"] is None


def test_names_that_mlflow_refuses(tmp_path: Path) -> None:
    spec = copied(tmp_path, ("registered_model: heart-disease", "registered_model: team/heart"))
    assert "MLflow refuses the name 'team/heart' of a registered model: it has a '/'" in fault(spec)


def test_two_specs_of_one_name(tmp_path: Path) -> None:
    spec = copied(tmp_path)
    copy = tmp_path / "copy.yaml"
    shutil.copy(spec, copy)
    assert [each["fault"].splitlines()[0] for each in read(spec, copy, status=errors.EXIT_USAGE)] == [
        f"name: heart-disease is the name of {other} too: Airflow has the DAGs of one of them alone, and all of them "
        "release to one folder"
        for other in (copy, spec)
    ]
    (warning,) = read(spec)[0]["warnings"]
    assert warning.startswith(f"name: heart-disease is the name of {copy} too")


def test_a_cause_that_breaks_a_thousand_cells_is_one_finding_with_the_first_line(tmp_path: Path) -> None:
    spec = copied(tmp_path, ("age: {kind: numeric, min: 18", "age: {kind: numeric, min: 60"))
    lines = fault(spec).splitlines()
    assert lines[0] == f"the data at {(tmp_path / 'data/heart-disease').as_uri()} breaks the spec's rules:"
    assert len(lines) == 2
    assert lines[1].startswith(f"  - {DAY} line 5: age: '37.0' lies outside 60 to 110, and ")


def test_a_text_target_is_told_how_to_be_described(tmp_path: Path) -> None:
    found = fault(copied(tmp_path, cells=(",0\n", ",well\n")))
    assert f"{DAY} line 2: num: 'well' is not a number, and 163 more" in found
    assert "→ the target is text: list its labels under dataset.target.classes" in found


def test_more_folds_than_rows_of_a_class(tmp_path: Path) -> None:
    spec = copied(tmp_path, ("positive_above: 0", "positive_above: 3"), ("folds: 5", "folds: 20"))
    said = fault(spec)
    assert "validation.folds: the rarest class, " in said
    assert "rows outside the holdout, too few for 20 folds" in said


def test_a_gate_without_floors_accepts_nothing(tmp_path: Path) -> None:
    gate = HEART[HEART.index("  cross_validation: # floors") : HEART.index("  ceilings:")]
    spec = copied(tmp_path, (gate, ""))
    assert read(spec)[0]["warnings"] == ["gate: there are no floors, and a gate without floors accepts nothing"]
    assert "! gate: there are no floors" in call(str(spec)).stdout


def test_data_that_is_not_there_yet_is_a_fault_only_if_the_data_is_asked_for(tmp_path: Path) -> None:
    spec = copied(tmp_path)
    shutil.rmtree(tmp_path / "data")
    found = read(spec)[0]
    assert (found["fault"], found["rows"]) == (None, None)
    assert "no data had arrived by" in found["warnings"][0]
    assert "no data had arrived by" in fault(spec, data=True)
    assert read(spec, data=False)[0]["warnings"] == []


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://key:secret@bucket/ml", "holds neither a password nor a port"),
        ("ftp://host/models", "no store answers to ftp://"),
        ("s4://bucket", "no store answers to s4://"),
        ("https://host/models", "a web address is only read from"),
        ("var/store", "a relative path depends on the folder that each process was started in"),
        ("file://var/store", "is not an absolute folder"),
    ],
)
def test_an_address_that_cannot_work_is_a_fault_that_names_the_destination(
    tmp_path: Path, uri: str, words: str
) -> None:
    found = fault(copied(tmp_path, ('"${MODEL_RELEASE_STORE}"', f'"{uri}"')), data=False)
    assert found.startswith("destinations: local: ")
    assert words in found
    assert "secret" not in found


@pytest.mark.parametrize(
    "other", ["s3://conn@bucket/ml/", "s3://conn@bucket/ml?region=eu-west-1", "s3://conn@bucket//ml"]
)
def test_two_destinations_with_one_address_are_a_fault(tmp_path: Path, other: str) -> None:
    spec = copied(tmp_path)
    text = spec.read_text(encoding="utf-8")
    begin = text.index("destinations:")
    rest = text[begin:].split("\n\n", 1)[1]
    both = f'destinations:\n  - {{name: one, uri: "s3://conn@bucket/ml"}}\n  - {{name: two, uri: "{other}"}}\n\n'
    spec.write_text(text[:begin] + both + rest, encoding="utf-8")
    assert fault(spec, data=False).startswith("destinations: two: its URI is that of one too")


def test_two_connections_to_one_bucket_name_may_be_two_places(tmp_path: Path) -> None:
    spec = copied(tmp_path)
    text = spec.read_text(encoding="utf-8")
    begin = text.index("destinations:")
    rest = text[begin:].split("\n\n", 1)[1]
    both = 'destinations:\n  - {name: one, uri: "s3://a@bucket/ml"}\n  - {name: two, uri: "s3://b@bucket/ml"}\n\n'
    spec.write_text(text[:begin] + both + rest, encoding="utf-8")
    assert read(spec, data=False)[0]["fault"] is None


def test_a_source_or_a_destination_that_the_deployment_does_not_allow_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = copied(tmp_path, ('"${MODEL_RELEASE_STORE}"', '"s3://conn@bucket/ml"'))
    monkeypatch.setenv(STORES_VARIABLE, f"s3://bucket/ml {tmp_path.as_uri()}")
    assert read(spec, data=False)[0]["fault"] is None
    monkeypatch.setenv(STORES_VARIABLE, "s3://bucket/ml")
    source = f"dataset.source: file://{tmp_path}/data/heart-disease lies in no store that this deployment allows"
    assert fault(spec).startswith(source)
    monkeypatch.setenv(STORES_VARIABLE, tmp_path.as_uri())
    found = fault(spec, data=False)
    assert found.startswith("destinations: local: s3://bucket/ml lies in no store")
    assert f"{STORES_VARIABLE} in the environment of every Airflow component" in found


def test_a_password_in_the_text_of_a_spec_is_a_warning_that_does_not_repeat_it(tmp_path: Path) -> None:
    spec = copied(tmp_path, ('"${MLFLOW_TRACKING_URI}"', '"https://ann:secret@mlflow.example.org"'))
    (warning,) = read(spec, data=False)[0]["warnings"]
    assert warning.startswith("tracking.uri: the URI holds a password")
    assert "secret" not in warning


def test_floors_that_a_model_without_knowledge_passes_are_named(tmp_path: Path) -> None:
    gate = HEART[HEART.index("    accuracy: 0.80") : HEART.index("  holdout: # some")]
    share = copied(tmp_path, (gate, "    accuracy: 0.5\n    brier: 0.25\n"))
    (warning,) = read(share)[0]["warnings"]
    assert warning.startswith("gate.cross_validation: the positive class's share, always, passes every floor")
    share.write_text(HEART.replace(gate, "    recall: 0.9\n"), encoding="utf-8")
    (warning,) = read(share)[0]["warnings"]
    assert warning.startswith("gate.cross_validation: the positive class, always, passes every floor")


def test_a_recipe_without_an_onnx_form_is_named_with_the_reason(tmp_path: Path) -> None:
    nearest = "estimator: KNeighborsClassifier\n    parameters: {weights: distance}"  # converted, and wrong
    spec = copied(tmp_path, ("estimator: LogisticRegression\n    parameters: {C: 0.1, max_iter: 1000}", nearest))
    (found,) = read(spec)[0]["warnings"]
    recipe, _, reason = found.partition(" has no ONNX form")
    assert recipe == "candidates.logistic_regression"
    assert "rows get another class" in reason
