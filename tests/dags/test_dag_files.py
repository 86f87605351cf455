"""What holds for every DAG file: what parsing it costs, a DAG for each spec, words for each field, errors apart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import people
from support.dag_runs import DAGS, load

KINDS = {
    "retrain": {"as_of", "candidates", "accuracy_floor", "promote", "bump", "force"},
    "operate": {"action", "version", "reason", "epoch", "overrule"},
    "housekeeping": {"dry_run", "repair", "read_data"},
}
"""The DAGs of a model, with the fields of their forms."""

MUST_BE_SAID = {"action", "reason"}

HEAVY = [
    "pandas",
    "sklearn",
    "mlflow",
    "numpy",
    "scipy",
    "pyarrow",
    "matplotlib",
    "onnxruntime",
    "boto3",
    "google.cloud.storage",
    "azure.storage.blob",
]

OF_SPECS = ["model_release.spec.model", "model_release.spec.load", "model_release.documents.base"]
"""What reads specs and checks them."""


def test_these_are_the_dag_files() -> None:
    assert {path.stem for path in DAGS.glob("*.py")} == {*KINDS, "unreadable_specs"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_shipped_spec_gets_a_dag(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.delenv("MODEL_RELEASE_SPECS", raising=False)
    bag = DagBag(str(DAGS / f"{kind}.py"))
    assert not bag.import_errors
    assert set(bag.dags) == {f"{kind}_heart_disease", f"{kind}_heart_disease_four_sites"}
    assert all(dag.doc_md and dag.tags and dag.description for dag in bag.dags.values())


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_has_help_for_every_field_and_is_sound(kind: str, specs: Callable[..., Path]) -> None:
    specs()
    params = load(f"{kind}_heart_disease").params
    assert set(params) == KINDS[kind]
    for name in params:
        param = params.get_param(name)
        assert param.schema["title"] and param.description, name
        assert set(param.schema.get("values_display", ())) <= set(param.schema.get("enum", ()))
        if name not in MUST_BE_SAID:
            param.resolve()  # what it says by itself is sound


def test_parsing_imports_nothing_heavy_nor_what_reads_a_spec_that_was_read_before(specs: Callable[..., Path]) -> None:
    specs()
    load("operate_heart_disease")
    program = (
        "import sys; from airflow.dag_processing.dagbag import DagBag; "
        f"bag = DagBag({str(DAGS)!r}); assert len(bag.dags) == {len(KINDS)}, bag.import_errors; "
        f"print([name for name in {[*HEAVY, *OF_SPECS]!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_broken_spec_is_an_import_error_apart_and_breaks_no_other_model(specs: Callable[..., Path]) -> None:
    from airflow.dag_processing.dagbag import DagBag

    specs()
    broken = specs("heart_disease_four_sites")
    broken.write_text(broken.read_text().replace("cross_validation:", "cross_validaton:"))
    bag = DagBag(str(DAGS))
    assert set(bag.dags) == {f"{kind}_heart_disease" for kind in KINDS}
    (file,) = bag.import_errors
    assert Path(file).name == "unreadable_specs.py"
    assert str(broken) in bag.import_errors[file]
    assert "did you mean 'cross_validation'?" in bag.import_errors[file]


def test_an_accuracy_floor_is_refused_at_the_form_of_a_model_that_has_no_accuracy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    from model_release.airflow_glue.forms import retrain_params
    from model_release.spec.summary import Summary, summaries

    made = people.night(
        tmp_path, task="regression", target={"column": "income"}, candidates={"a": {"estimator": "Ridge"}}
    )
    monkeypatch.setenv("MODEL_RELEASE_SPECS", str(made.spec.path))
    (summary,) = summaries(tmp_path)
    assert isinstance(summary, Summary)
    floor = retrain_params(summary)["accuracy_floor"]

    assert floor.resolve() is None
    with pytest.raises(ParamValidationError):
        floor.resolve(0.8)
