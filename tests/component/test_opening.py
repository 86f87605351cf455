"""The one opener of a release's model: both forms answer alike, and only promised bytes are opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_release.documents.golden import Golden
from model_release.documents.manifest import Manifest
from model_release.errors import Corrupt, Refused, UsageError
from model_release.model_files import opening
from model_release.model_files.opening import Form

FORMS: tuple[Form, ...] = ("onnx", "pickle")


@pytest.mark.parametrize("form", FORMS)
def test_a_form_answers_by_column_in_any_order_and_by_matrix(trained: tuple[Path, Manifest], form: Form) -> None:
    folder, manifest = trained
    model = opening.open_model(folder, manifest, form)
    opening.check_answers(model, folder, manifest)
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")
    assert (model.form, model.columns) == (form, tuple(golden.rows))
    backwards = model.predict(dict(reversed(golden.rows.items())))
    matrix = np.array([*golden.rows.values()], dtype=np.float64).T
    for answers in (backwards, model.predict_matrix(matrix)):
        assert answers.probabilities is not None
        assert golden.disagreement(answers.classes, answers.probabilities) is None


def test_columns_that_are_not_the_models_are_named(trained: tuple[Path, Manifest]) -> None:
    folder, manifest = trained
    model = opening.open_model(folder, manifest, "onnx")
    with pytest.raises(UsageError, match="missing: age; unknown: Age"):
        model.predict({"Age" if name == "age" else name: [1.0] for name in model.columns})


def test_a_form_that_is_not_there_is_refused_and_never_replaced_by_another(trained: tuple[Path, Manifest]) -> None:
    folder, manifest = trained
    files = [entry for entry in manifest.files if entry.path != opening.ONNX_FILE]
    with pytest.raises(Refused, match="has no onnx form\n  → its forms: pickle"):
        opening.open_model(folder, manifest.model_copy(update={"files": files}), "onnx")


@pytest.mark.parametrize(("form", "name"), [("onnx", "model.onnx"), ("pickle", "preprocessor.pkl")])
def test_bytes_that_the_manifest_does_not_promise_are_not_opened(
    trained: tuple[Path, Manifest], tmp_path: Path, form: Form, name: str
) -> None:
    folder, manifest = trained
    for entry in manifest.files:
        (tmp_path / entry.path).write_bytes((folder / entry.path).read_bytes())
    body = bytearray((tmp_path / name).read_bytes())
    body[-1] ^= 1
    (tmp_path / name).write_bytes(body)
    with pytest.raises(Corrupt, match=f"{name}: not the bytes that the manifest of v1.0.0 promises"):
        opening.open_model(tmp_path, manifest, form)
