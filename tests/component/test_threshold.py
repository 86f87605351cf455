"""The decision threshold: how it is tuned, and that every form of a release answers by it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from model_release import client
from model_release.documents.golden import Golden
from model_release.documents.version import Version
from model_release.errors import SpecError
from model_release.modelling.tasks import task_of
from model_release.modelling.tasks.threshold import tuned_threshold
from model_release.modelling.training.recipes import check_recipe
from model_release.spec.gate import MistakeCosts
from model_release.stores.local import LocalStore
from model_release.workflows.reproduce import data_uri, reproduce
from support import people
from support.retrain_steps import through

COSTS = {"false_positive": 1.0, "false_negative": 6.0}


def rows(seed: int = 0, count: int = 500) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    truth = chance.uniform(size=count)
    return (chance.uniform(size=count) < truth).astype(np.int64), truth


def test_a_tuned_threshold_is_the_best_of_all() -> None:
    target, probability = rows()

    threshold = tuned_threshold(target, probability, "f1")

    every = [f1_score(target, probability > each) for each in np.linspace(0.01, 0.99, 99)]
    assert f1_score(target, probability > threshold) >= max(every)


def test_calibrated_probabilities_lead_to_the_threshold_that_theory_gives_for_the_costs() -> None:
    target, probability = rows(1, 20_000)

    threshold = tuned_threshold(target, probability, MistakeCosts(**COSTS))

    assert threshold == pytest.approx(1 / 7, abs=0.04)


def test_no_threshold_lies_beyond_all_probabilities_or_splits_equal_ones() -> None:
    alike = np.full(4, 0.25)

    assert 0.25 < tuned_threshold(np.array([0, 0, 0, 1]), alike, "accuracy") < 1
    assert 0 < tuned_threshold(np.array([1, 1, 1, 0]), alike, "accuracy") < 0.25
    assert tuned_threshold(np.array([1, 1]), np.array([1.0, 0.0]), "balanced_accuracy") == 0.5


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threshold": "tuned"}, "say what for"),
        ({"threshold": 0.2, "tuned_for": "f1"}, "is for threshold: tuned"),
        ({"threshold": "tuned", "tuned_for": "recall"}, "no figure that a threshold is tuned for"),
        ({"threshold": 1.5}, "threshold"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused_at_the_door(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        people.night(tmp_path, gate=changes)


def test_a_number_has_no_threshold(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="a regression model has no threshold"):
        people.night(tmp_path, task="regression", target={"column": "income"}, gate={"threshold": 0.3})


def test_an_estimator_with_a_border_of_its_own_is_refused(tmp_path: Path) -> None:
    spec = people.night(tmp_path).spec
    nested = {"estimator": "LogisticRegression", "parameters": {}}
    candidate = spec.candidates["linear"].model_copy(
        update={
            "estimator": "sklearn.model_selection.TunedThresholdClassifierCV",
            "parameters": {"estimator": nested, "scoring": "recall"},
        }
    )

    with pytest.raises(SpecError, match="border of its own"):
        check_recipe(task_of(spec), candidate, name="one")


def test_a_tuned_threshold_is_part_of_the_release_and_every_form_answers_by_it(tmp_path: Path) -> None:
    candidates = {
        "forest": {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 10, "min_samples_leaf": 5}}
    }
    gate = {"threshold": "tuned", "tuned_for": COSTS}
    made = people.night(tmp_path, gate=gate, candidates=candidates)
    done = through(made)
    assert str(done.live) == "v1.0.0", done
    folder = tmp_path / "store" / "people-models" / "v1.0.0"
    manifest = made.releases.manifest(Version.parse("v1.0.0"))

    threshold = manifest.answers.threshold
    assert 0 < threshold < 0.4
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")
    assert golden.threshold == threshold
    assert manifest.gate is not None
    assert any("tuned on rows left out of training for costs of 1" in each for each in manifest.gate.reasons)
    assert "for a false negative" in (folder / "model_card.html").read_text()
    table = people.table(seed=5).drop(columns=["ill", "income"])
    asked = {str(name): table[name].tolist() for name in table}
    onnx, pickled = (client.open_folder(folder, allow_pickle=each).predict(asked) for each in (False, True))
    assert onnx.classes is not None and pickled.classes is not None
    assert list(onnx.classes) == list(pickled.classes)
    assert list(onnx.classes) == (np.asarray(onnx.probabilities) > threshold).astype(int).tolist()
    assert (np.asarray(onnx.probabilities) > 0.5).astype(int).tolist() != list(onnx.classes)
    preprocessor, model = (
        pickle.loads((folder / name).read_bytes())  # noqa: S301 - this test's own
        for name in ("preprocessor.pkl", "best_model.pkl")
    )
    assert list(model.predict(preprocessor.transform(table))) == list(onnx.classes)
    again = reproduce(manifest, LocalStore(Path(data_uri(manifest).removeprefix("file://"))))
    assert again.same
    records = table.to_dict("records")
    tensors = [{"name": name, "shape": [len(table)], "datatype": "FP64", "data": asked[name]} for name in asked]
    with people.service(folder, manifest) as asking:
        own = asking.post("/predict", json=records).json()["predictions"]
        invoked = asking.post("/invocations", json={"dataframe_records": records}).json()["predictions"]
        outputs = asking.post("/v2/models/people/infer", json={"inputs": tensors}).json()["outputs"]
    assert [each["class"] for each in own] == list(onnx.classes)
    assert [each["label"] for each in invoked] == list(onnx.classes)
    assert outputs[0]["data"] == list(onnx.classes)
