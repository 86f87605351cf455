"""Parts with what they really need: fits, programs, MLflow in a folder, whole nights without Airflow."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from model_release.documents.manifest import Manifest
from model_release.modelling import dataset, training
from model_release.spec.load import load_spec
from model_release.spec.split import Validation
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.quick_specs import quick_spec
from support.reference_model import rows, spec
from support.release_builder import make
from support.retrain_steps import SIMPLE, Nights, hurry


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A real release of the reference model: its files and its manifest."""
    folder = tmp_path_factory.mktemp("trained")
    reference = spec(validation=Validation(folds=2, repeats=1))
    patients, _ = rows()
    name = "logistic_regression"
    made = training.train(reference, name, reference.candidates[name], patients, folder)
    draft = make(folder, "trained").draft
    return folder, draft.model_copy(
        update={"files": made.files, "input_schema": dataset.input_schema(reference.dataset)}
    )


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nights:
    """A night of the four-site model, in a hurry; the day decides how many hospitals' rows have arrived."""
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "store").as_uri())
    hurry(monkeypatch)

    def one(day: int, *, spec: dict[str, Any] | None = None, **facts: Any) -> RetrainRun:
        changes = {"candidates": SIMPLE, "validation": {"folds": 3, "repeats": 1}, "tracking": None, **(spec or {})}
        path = quick_spec(tmp_path, "heart_disease_four_sites", **changes)
        run_id = facts.pop("run_id", f"night-{day}")
        return RetrainRun(load_spec(path), Run(run_id=run_id, as_of=date(2026, 10, day), by="ann", **facts))

    return one
