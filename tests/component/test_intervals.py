"""Numbers with an interval, and numbers that are fitted by their logarithm: from the spec to every door."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from model_release import client
from model_release.documents.manifest import Manifest
from model_release.documents.version import Version
from model_release.errors import DataInvalid, SpecError
from model_release.modelling.tasks import task_of
from model_release.modelling.tasks.regression import Regression
from model_release.spec.tasks import REGRESSION
from model_release.stores.local import LocalStore
from model_release.workflows.reproduce import data_uri, reproduce
from support import people
from support.retrain_steps import hurry, judged, through

LINEAR: dict[str, Any] = {"linear": {"estimator": "Ridge"}}


def target(**more: Any) -> dict[str, Any]:
    return {"column": "income", "unit": "EUR", "min": 0, **more}


def regression(level: float = 0.9, **more: Any) -> Regression:
    return Regression(kind=REGRESSION, loss="rmse", level=level, **more)


def released(folder: Path, **changes: Any) -> tuple[Path, Manifest]:
    gate = changes.pop("gate", {"cross_validation": {"r2": 0.1}})
    made = people.night(folder, task="regression", candidates=LINEAR, gate=gate, **changes)
    done = through(made)
    assert str(done.live) == "v1.0.0", done
    return folder / "store" / "people-models" / "v1.0.0", made.releases.manifest(Version.parse("v1.0.0"))


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("transform", [None, "log", "log1p"])
def test_an_interval_holds_its_share_of_new_rows(level: float, transform: Any) -> None:
    held = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        value = np.exp(chance.normal(3, 1, 600))
        noisy = value * np.exp(0.3 * chance.standard_t(4, 600))
        seen, fresh = slice(0, 100), slice(100, None)
        task = regression(level, transform=transform).tuned(noisy[seen], value[seen, None])
        held.append(task.figures(noisy[fresh], value[fresh])["coverage"] or 0.0)

    assert np.mean(held) == pytest.approx(level, abs=0.02)


def test_rows_that_count_more_count_more_for_the_interval() -> None:
    chance = np.random.default_rng(0)
    wide = chance.uniform(size=2000) < 0.5
    value, truth = np.zeros(2000), chance.normal(size=2000) * np.where(wide, 10, 1)
    weight = np.where(wide, 0.01, 1.0)

    weighted = regression().tuned(truth, value[:, None], weight).interval
    plain = regression().tuned(truth, value[:, None]).interval

    assert weighted is not None and plain is not None
    assert weighted.reach == pytest.approx(1.65, abs=0.2)
    assert plain.reach > 8


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"target": {**people.TARGET, "transform": "log"}}, "transform is for a target that is a number"),
        ({"target": {**people.TARGET, "interval": 0.9}}, "interval is for a target that is a number"),
        (
            {"task": "regression", "target": target(), "gate": {"holdout": {"coverage": 0.8}}},
            "no figure of a regression",
        ),
        (
            {"task": "regression", "target": target(interval=0.9), "gate": {"cross_validation": {"coverage": 0.8}}},
            "is not measured on folds: write its floor below holdout",
        ),
    ],
    ids=["classes-transform", "classes-interval", "coverage-of-nothing", "coverage-of-folds"],
)
def test_what_makes_no_sense_is_refused_at_the_door(tmp_path: Path, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        people.night(tmp_path, **spec)


def test_a_target_without_a_logarithm_is_found_with_its_row(tmp_path: Path) -> None:
    frame = people.table()
    frame.loc[[3, 7], "income"] = 0.0
    made = people.night(tmp_path, task="regression", candidates=LINEAR, target=target(transform="log"), frame=frame)

    with pytest.raises(DataInvalid, match=r"(?s)income.*is not above 0, and the target is fitted by its log"):
        made.ingest()


@pytest.mark.parametrize("transform", [None, "log", "log1p"])
def test_every_door_answers_in_the_target_s_unit_with_the_same_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transform: str | None
) -> None:
    if transform != "log":
        hurry(monkeypatch)
    more = {} if transform is None else {"transform": transform}
    gate = {"holdout": {"coverage": 0.6}}
    folder, manifest = released(tmp_path, target=target(interval=0.9, **more), gate=gate)
    table = people.table(seed=5).drop(columns=["ill"])
    income = table.pop("income")
    table.loc[[1, 4], "visits"] = np.nan
    cells = {str(name): [None if np.isnan(cell) else cell for cell in table[name]] for name in table}

    onnx, pickled = (client.open_folder(folder, allow_pickle=each).predict(cells) for each in (False, True))
    records = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    with people.service(folder, manifest) as asking:
        own = asking.post("/predict", json=records).json()["predictions"]
        invoked = asking.post("/invocations", json={"dataframe_records": records}).json()["predictions"]
        tensors = [{"name": name, "shape": [200], "datatype": "FP64", "data": cells[name]} for name in cells]
        outputs = asking.post("/v2/models/people/infer", json={"inputs": tensors}).json()["outputs"]
        described = asking.get("/openapi.json").json()["components"]["schemas"]["Predictions"]
    preprocessor, model = (
        pickle.loads((folder / name).read_bytes())  # noqa: S301 - this test's own
        for name in ("preprocessor.pkl", "best_model.pkl")
    )

    assert onnx.values is not None and onnx.bounds is not None and pickled.bounds is not None
    wanted = np.transpose(np.array([onnx.values, *onnx.bounds], dtype=np.float64))
    same: dict[str, Any] = {"rtol": 1e-5, "atol": 0.01}
    assert np.allclose(model.predict(preprocessor.transform(table)), wanted[:, 0], **same)
    assert np.allclose(np.transpose(np.array([pickled.values, *pickled.bounds], dtype=np.float64)), wanted, **same)
    for said in (own, invoked):
        assert np.allclose([[each[name] for name in ("value", "lower", "upper")] for each in said], wanted, **same)
    assert [each["name"] for each in outputs] == ["value", "lower", "upper"]
    assert np.allclose(np.transpose([each["data"] for each in outputs]), wanted, **same)
    assert {"value", "unit", "lower", "upper"} == set(described["properties"]["predictions"]["items"]["properties"])
    inside = (wanted[:, 1] <= income) & (income <= wanted[:, 2])
    assert 0.8 <= inside.mean() <= 0.98
    assert transform is None or wanted[:, 1].min() > 0
    assert 0.6 <= manifest.metrics["holdout_coverage"].value <= 1
    assert manifest.gate is not None
    assert any("the interval for 90% of new rows reaches" in each for each in manifest.gate.reasons)
    card = (folder / "model_card.html").read_text()
    assert "coverage of the interval" in card
    assert ("nearer the median" in card) == (transform is not None)
    assert "lower" in yaml.safe_load((folder / "MLmodel").read_text())["signature"]["outputs"]


def test_a_release_with_an_interval_is_reproduced_and_its_successor_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    asked = target(interval=0.9, transform="log")
    _, manifest = released(tmp_path, target=asked)

    again = reproduce(manifest, LocalStore(Path(data_uri(manifest).removeprefix("file://"))))
    other = {"other": {"estimator": "Ridge", "parameters": {"alpha": 2}}}
    verdict, _ = judged(
        people.night(
            tmp_path, day=2, task="regression", candidates=other, target=asked, gate={"cross_validation": {"r2": 0.1}}
        )
    )

    assert again.same
    assert verdict.accepted, verdict.reasons
    assert not any("not a finite" in each or "undefined" in each for each in verdict.reasons)


def test_an_interval_is_decided_by_the_folds_of_the_spec(tmp_path: Path) -> None:
    spec = people.night(tmp_path, task="regression", candidates=LINEAR, target=target(interval=0.8)).spec

    task = task_of(spec)

    assert task.decides and not task.is_tuned
    assert task.output().interval is None
