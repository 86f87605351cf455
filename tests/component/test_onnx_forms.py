"""The forms of a release: text categories as ONNX, and what a release must have for its consumers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from model_release import client
from model_release.documents.golden import Golden
from model_release.documents.version import Version
from model_release.errors import UsageError
from support import people
from support.retrain_steps import hurry, judged, through

WORDS: dict[str, Any] = {
    **people.NUMBERS,
    "job": {"kind": "categorical", "values": ["baker", "smith", "poet"], "nullable": True},
}
NEAR = {"near": {"estimator": "KNeighborsClassifier", "parameters": {"weights": "distance"}}}


def with_jobs(seed: int) -> pd.DataFrame:
    frame = people.table(seed)
    jobs = np.array(["baker", "smith", "poet", None], dtype=object)
    return frame.assign(job=jobs[np.random.default_rng(seed).integers(0, len(jobs), len(frame))])


def test_text_categories_have_an_onnx_form_with_an_input_for_each_column(tmp_path: Path) -> None:
    candidates = {"forest": {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 5, "max_depth": 4}}}
    made = people.night(tmp_path, columns=WORDS, frame=with_jobs(1), candidates=candidates)
    done = through(made)
    assert str(done.live) == "v1.0.0", done
    folder = tmp_path / "store" / "people-models" / "v1.0.0"
    manifest = made.releases.manifest(Version.parse("v1.0.0"))

    graph = onnx.load(folder / "model.onnx")
    kinds = {each.name: each.type.tensor_type.elem_type for each in graph.graph.input}
    assert kinds == {"age": onnx.TensorProto.DOUBLE, "visits": onnx.TensorProto.DOUBLE, "job": onnx.TensorProto.STRING}
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")
    assert None in golden.rows["job"]
    asked: dict[str, list[Any]] = {"age": [30, 60, 80], "visits": [1.0, None, 2.0], "job": ["poet", None, "baker"]}
    onnx_answers, pickled = (client.open_folder(folder, allow_pickle=each).predict(asked) for each in (False, True))
    assert onnx_answers.probabilities is not None
    assert pickled.probabilities is not None
    assert [*onnx_answers.probabilities] == pytest.approx([*pickled.probabilities], abs=1e-5)
    framed = client.open_folder(folder).predict(pd.DataFrame(asked).iloc[:, ::-1])
    assert framed.probabilities is not None
    assert [*framed.probabilities] == [*onnx_answers.probabilities]
    with pytest.raises(UsageError, match="row 0, job: must be one of"):
        client.open_folder(folder).predict({**asked, "job": ["nobody"] * 3})
    wanted = [*onnx_answers.probabilities][:2]
    records = [{name: cells[row] for name, cells in asked.items()} for row in range(2)]
    tensors = [
        {"name": name, "shape": [2], "datatype": "BYTES" if name == "job" else "FP64", "data": cells[:2]}
        for name, cells in asked.items()
    ]
    with people.service(folder, manifest) as asking:
        own = asking.post("/predict", json=records).json()["predictions"]
        invoked = asking.post("/invocations", json={"dataframe_records": records}).json()["predictions"]
        outputs = asking.post("/v2/models/people/infer", json={"inputs": tensors}).json()["outputs"]
        unknown = asking.post("/predict", json={**records[0], "job": "nobody"})
    assert [each["probability"] for each in own] == pytest.approx(wanted)
    assert [each["probability"] for each in invoked] == pytest.approx(wanted)
    assert outputs[1]["data"] == pytest.approx(wanted)
    assert unknown.status_code == 422
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its type hints
        import mlflow.pyfunc

        said = mlflow.pyfunc.load_model(str(folder)).predict(
            pd.DataFrame({"age": [30.0], "visits": [1.0], "job": pd.Series(["poet"], dtype=object)})
        )
    assert [*said["probability"]] == pytest.approx(wanted[:1])


def test_a_successor_has_the_onnx_form_that_consumers_of_the_live_version_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    through(people.night(tmp_path))

    verdict, orders = judged(people.night(tmp_path, day=2, candidates=NEAR, gate={"margin": 0.1}))
    assert (verdict.accepted, orders) == (False, [])
    (reason,) = [each for each in verdict.reasons if "ONNX" in each]
    assert reason.startswith("near has no ONNX form, and a release must have one, since the live v1.0.0 has one")

    both = people.night(tmp_path, day=2, candidates={**NEAR, **people.LINEAR})
    verdict, _ = judged(both)
    assert (verdict.accepted, verdict.chosen) == (True, "linear")
    assert any("near was passed over, since it has no ONNX form" in each for each in verdict.reasons)

    free = people.night(tmp_path, day=2, candidates=NEAR, gate={"margin": 0.1}, forms={"require": "any"})
    verdict, _ = judged(free)
    assert not any("a release must have one" in each for each in verdict.reasons)


def test_a_spec_may_require_the_onnx_form_of_the_first_release(tmp_path: Path) -> None:
    verdict, _ = judged(people.night(tmp_path, candidates=NEAR, forms={"require": "onnx"}))

    assert not verdict.accepted
    assert any("since forms.require is onnx" in each for each in verdict.reasons)
