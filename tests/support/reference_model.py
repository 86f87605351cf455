"""The reference model's spec and rows, as the chain would hand them on. Tests that fit something begin here."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model_release.modelling import dataset
from model_release.modelling.dataset import Rows, Snapshot
from model_release.spec.candidate import Candidate
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.spec.split import Split, Validation
from model_release.stores.local import LocalStore

MODELS = Path(__file__).resolve().parents[2] / "include" / "models"


def spec(**changes: Any) -> Spec:
    """Return the reference's spec with the split that it is known by, and with few folds: tests are in a hurry."""
    plain = load_spec(MODELS / "heart_disease.yaml")
    return plain.model_copy(
        update={"split": Split(method="stratified"), "validation": Validation(repeats=2), **changes}
    )


def candidate(estimator: str, *, seed: int = 42, **parameters: Any) -> Candidate:
    """Return a recipe."""
    return Candidate.model_validate({"estimator": estimator, "parameters": parameters, "seed": seed}, strict=False)


@cache
def rows() -> tuple[Rows, Snapshot]:
    """Return the Cleveland rows, ingested once for all tests; they must not be changed."""
    reference = load_spec(MODELS / "heart_disease.yaml")
    source = LocalStore(Path(reference.source_uri().removeprefix("file://")))
    with TemporaryDirectory() as scratch:
        data = LocalStore(Path(scratch))
        snapshot = dataset.ingest(reference, source=source, data=data, as_of=date(2026, 11, 21))
        return dataset.load(reference, snapshot, data=data), snapshot
