"""Real releases that can be served: small models of the reference data that answer differently."""

from __future__ import annotations

import atexit
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from model_release.documents.golden import Golden
from model_release.documents.manifest import Manifest
from model_release.modelling import dataset, training
from model_release.spec.split import Validation
from model_release.stores import open_store
from support.reference_model import candidate, rows, spec
from support.release_builder import Chain, Made, make

ROW = {
    "age": 63, "sex": 1, "cp": 1, "trestbps": 145, "chol": 233, "fbs": 1, "restecg": 2, "thalach": 150, "exang": 0,
    "oldpeak": 2.3, "slope": 3, "ca": 0, "thal": 6,
}  # fmt: skip
"""The first patient of the reference data."""


@cache
def trained(which: float | str) -> Made:
    """Train a logistic regression of some strength of regularisation, or a candidate of the reference by its name."""
    reference = spec(validation=Validation(folds=2, repeats=1))
    patients, _ = rows()
    name = which if isinstance(which, str) else "logistic_regression"
    strong = candidate("LogisticRegression", C=which, max_iter=1000)
    recipe = reference.candidates[name] if isinstance(which, str) else strong
    folder = mkdtemp(prefix="servable-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = make(Path(folder), f"model-{which}", card=False)
    for file in made.folder.iterdir():
        file.unlink()
    result = training.train(reference, name, recipe, patients, made.folder)
    told = {
        "files": result.files,
        "input_schema": dataset.input_schema(reference.dataset),
        "spec": reference.model_dump(mode="json"),
    }
    return Made(made.folder, made.draft.model_copy(update=told), made.run)


def version_folder(folder: Path, which: float | str, *, without: tuple[str, ...] = ()) -> tuple[Path, Manifest]:
    """Return a folder with a release's files and its manifest."""
    made = trained(which)
    files = [entry for entry in made.draft.files if entry.path not in without]
    manifest = made.draft.model_copy(update={"files": files})
    folder.mkdir(parents=True, exist_ok=True)
    for entry in files:
        (folder / entry.path).write_bytes((made.folder / entry.path).read_bytes())
    (folder / "metadata.json").write_bytes(manifest.to_bytes())
    return folder, manifest


def release(store: Path, which: float | str, *, since: int | None = None) -> str:
    """Release a model into a folder that is a store, and make it live; return its version."""
    promotion = Chain(open_store(store.as_uri())).release(trained(which), since=since)
    assert promotion.pointer is not None
    return str(promotion.pointer.version)


def golden(which: float | str) -> Golden:
    """Return the rows that a model must know, with its answers."""
    return Golden.read((trained(which).folder / "golden.json").read_bytes(), where="")
