"""Other people's models: a regression and three classes, from their files to the answers of every door."""

from __future__ import annotations

import warnings
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from fastapi.testclient import TestClient

from model_release import client
from model_release.documents.golden import Golden
from model_release.documents.manifest import Manifest
from model_release.documents.version import Version
from model_release.model_files import sandbox
from model_release.model_files.opening import open_model
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from model_release.spec.load import load_spec
from model_release.spec.tasks import TASKS
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.retrain_steps import hurry, judged, through
from support.toy_task import COUNTS

ROWS = 240
COLUMNS = {
    "area": {"kind": "numeric", "min": 0, "max": 400},
    "age": {"kind": "numeric", "min": 0, "max": 200, "nullable": True},
    "floor": {"kind": "categorical", "values": [0, 1, 2]},
}


def houses(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "area": chance.uniform(20, 300, rows).round(1),
            "age": chance.uniform(0, 120, rows).round(0),
            "floor": chance.integers(0, 3, rows),
        }
    )
    frame["price"] = (30 + 2.5 * frame["area"] - 0.6 * frame["age"] + 10 * chance.normal(size=rows)).round(2)
    kind = frame["area"] - 0.5 * frame["age"] + 20 * chance.normal(size=rows)
    frame["kind"] = np.select([kind < 60, kind < 160], ["hut", "house"], "palace")
    frame.loc[frame.index % 17 == 0, "age"] = np.nan
    return frame


REGRESSION: dict[str, Any] = {
    "task": "regression",
    "target": {"column": "price", "unit": "EUR", "min": -1000},
    "candidates": {
        "linear": {"estimator": "Ridge"},
        "forest": {"estimator": "RandomForestRegressor", "parameters": {"n_estimators": 20}},
        "boosted": {"estimator": "HistGradientBoostingRegressor", "parameters": {"max_iter": 20}},
    },
    "gate": {
        "cross_validation": {"rmse": 20, "r2": 0.9},
        "slices": [{"column": "floor", "floors": {"mae": 20, "r2": 0.8}}],
    },
}
MULTICLASS: dict[str, Any] = {
    "task": "classification",
    "target": {"column": "kind", "classes": {"hut": "a hut", "house": "a house", "palace": "a palace"}},
    "candidates": {
        "linear": {"estimator": "LogisticRegression", "parameters": {"class_weight": {"a hut": 2, "a palace": 1}}},
        "forest": {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 20}},
    },
    "gate": {"cross_validation": {"macro_f1": 0.5, "recall/a hut": 0.4}, "holdout": {"accuracy": 0.4}},
}


def night(folder: Path, kind: dict[str, Any], *, day: int = 1, frame: pd.DataFrame | None = None) -> RetrainRun:
    target = kind["target"]
    part = folder / kind["task"] / f"dt=2026-10-0{day}"
    part.mkdir(parents=True, exist_ok=True)
    rows = houses(day) if frame is None else frame
    rows[[*COLUMNS, target["column"]]].to_csv(part / "rows.csv", index=False)
    spec = {
        "name": "houses",
        "title": "Houses",
        "owner": "town",
        "task": kind["task"],
        "dataset": {
            "title": "Houses",
            "source": kind["task"],
            "partitions": "increments",
            "columns": COLUMNS,
            "target": target,
        },
        "validation": {"folds": 3, "repeats": 1},
        "candidates": kind["candidates"],
        "gate": kind["gate"],
        "destinations": [{"name": "local", "uri": (folder / "store").as_uri()}],
    }
    path = folder / "houses.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return RetrainRun(load_spec(path), Run(run_id=f"night-{kind['task']}-{day}", as_of=date(2026, 10, day), by="ann"))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Manifest]]:
    """A released version of each task, in its folder."""
    found = {}
    for kind in (REGRESSION, MULTICLASS):
        folder = tmp_path_factory.mktemp(kind["task"])
        done = through(made := night(folder, kind))
        assert str(done.live) == "v1.0.0", done
        version = folder / "store" / "houses-models" / "v1.0.0"
        found[kind["task"]] = (version, made.releases.manifest(Version.parse("v1.0.0")))
    return found


def rows_of(golden: Golden) -> list[dict[str, Any]]:
    return [dict(zip(golden.rows, row, strict=True)) for row in zip(*golden.rows.values(), strict=True)]


def service(folder: Path, manifest: Manifest, *, allow_pickle: bool = False) -> TestClient:
    return TestClient(application(Live(open_release(folder, manifest, None, allow_pickle=allow_pickle)), limit=100_000))


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_each_form_of_a_release_gives_the_golden_answers_in_a_clean_process(
    released: dict[str, tuple[Path, Manifest]], task: str
) -> None:
    folder, manifest = released[task]

    sandbox.check(folder, manifest)

    assert {"model.onnx", "best_model.pkl", "golden.json", "MLmodel"} <= {each.path for each in manifest.files}


def test_a_regression_answers_numbers_in_the_target_s_unit_at_every_door(
    released: dict[str, tuple[Path, Manifest]],
) -> None:
    folder, manifest = released["regression"]
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")
    assert golden.values is not None
    wanted = pytest.approx(golden.values, abs=golden.tolerance)
    with service(folder, manifest) as asking:
        own = asking.post("/predict", json=rows_of(golden)).json()["predictions"]
        invoked = asking.post("/invocations", json={"dataframe_records": rows_of(golden)}).json()["predictions"]
        tensors = [
            {"name": name, "shape": [len(cells)], "datatype": "FP64", "data": cells}
            for name, cells in golden.rows.items()
        ]
        (output,) = asking.post("/v2/models/houses/infer", json={"inputs": tensors}).json()["outputs"]
        described = asking.get("/openapi.json").json()["components"]["schemas"]["Predictions"]

    assert [each["value"] for each in own] == wanted
    assert {each["unit"] for each in own} == {"EUR"}
    assert [each["value"] for each in invoked] == wanted
    assert (output["name"], output["datatype"], output["data"]) == ("value", "FP64", wanted)
    assert set(described["properties"]["predictions"]["items"]["properties"]) == {"value", "unit"}
    for allow_pickle in (False, True):
        answers = client.open_folder(folder, allow_pickle=allow_pickle).predict(golden.rows)
        assert answers.values is not None
        assert [*answers.values] == wanted
        assert (answers.classes, answers.probabilities) == (None, None)
    assert manifest.accuracy is None
    assert {"rmse", "mae", "median_absolute_error", "r2", "holdout_rmse"} <= set(manifest.metrics)
    assert manifest.metrics["rmse"].value < 20


def test_three_classes_are_answered_in_words_with_a_probability_for_each_at_every_door(
    released: dict[str, tuple[Path, Manifest]],
) -> None:
    folder, manifest = released["classification"]
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")
    names = ["a hut", "a house", "a palace"]
    assert manifest.answers.classes == names
    with service(folder, manifest) as asking:
        own = asking.post("/predict", json=rows_of(golden)).json()["predictions"]
        invoked = asking.post("/invocations", json={"dataframe_records": rows_of(golden)}).json()["predictions"]
        tensors = [
            {"name": name, "shape": [len(cells)], "datatype": "FP64", "data": cells}
            for name, cells in golden.rows.items()
        ]
        outputs = asking.post("/v2/models/houses/infer", json={"inputs": tensors}).json()["outputs"]

    told = [[*each["probabilities"].values()] for each in own]
    assert golden.disagreement([each["label"] for each in own], told) is None
    assert [*own[0]["probabilities"]] == names
    columns = [f"probability_{name}" for name in names]
    assert [*invoked[0]] == ["label", *columns]
    told = [[each[name] for name in columns] for each in invoked]
    assert golden.disagreement([each["label"] for each in invoked], told) is None
    assert [(each["name"], each["datatype"]) for each in outputs] == [
        ("label", "BYTES"),
        *((name, "FP64") for name in columns),
    ]
    for form in ("onnx", "pickle"):
        answers = open_model(folder, manifest, form).predict(golden.rows)
        assert golden.disagreement(answers.classes, answers.numbers) is None
        assert answers.classes is not None
        assert {*answers.classes} <= {*names}
    assert {"macro_f1", "weighted_f1", "recall/a hut", "precision/a palace", "log_loss", "roc_auc"} <= set(
        manifest.metrics
    )


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_mlflow_s_own_loader_gives_the_same_columns(released: dict[str, tuple[Path, Manifest]], task: str) -> None:
    folder, manifest = released[task]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its type hints
        import mlflow.pyfunc
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")

    said = mlflow.pyfunc.load_model(str(folder)).predict(pd.DataFrame(golden.rows, dtype=np.float64))

    assert list(said.columns) == [column.name for column in manifest.answers.columns]


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_the_card_speaks_of_the_task_s_own_figures(released: dict[str, tuple[Path, Manifest]], task: str) -> None:
    card = (released[task][0] / "model_card.html").read_text()

    wanted = {
        "regression": ["RMSE", "R²", "Predicted over observed", "<b>price</b> in EUR", "mean squared error"],
        "classification": ["macro F1", "recall of a hut", "one of a hut, a house, a palace", "called a palace"],
    }
    assert [words for words in wanted[task] if words not in card] == []
    assert "Brier" not in card or task == "classification"


def test_a_version_of_another_task_is_no_baseline_and_the_reason_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    assert str(through(night(tmp_path, REGRESSION)).live) == "v1.0.0"

    verdict, orders = judged(night(tmp_path, MULTICLASS, day=2, frame=houses(2)))

    assert (verdict.accepted, orders) == (False, [])
    assert any("v1.0.0 is a regression model, no baseline of a multiclass one" in each for each in verdict.reasons)


def test_a_successor_is_compared_by_the_task_s_loss_with_a_share_of_the_champion_s_as_margin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    through(night(tmp_path, REGRESSION))

    other = {"other": {"estimator": "Ridge", "parameters": {"alpha": 0.9}}}
    verdict, _ = judged(night(tmp_path, {**REGRESSION, "candidates": other}, day=2))

    (compared,) = [each for each in verdict.checks if "non-inferior" in each.name]
    assert "rmse improves by" in compared.words
    assert verdict.accepted
    assert -0.45 < (compared.threshold or 0) < -0.25  # three per cent of some twelve


def test_a_fourth_task_is_one_file_and_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    monkeypatch.setitem(TASKS, COUNTS.name, COUNTS)
    frame = houses(1).assign(price=lambda rows: (rows["area"] // 30).astype(float))
    counts = {
        **REGRESSION,
        "task": "counts",
        "target": {"column": "price", "min": 0},
        "candidates": {"poisson": {"estimator": "PoissonRegressor"}},
        "gate": {"cross_validation": {"poisson_deviance": 2}},
    }

    assert str(through(night(tmp_path, counts, frame=frame)).live) == "v1.0.0"
    folder = tmp_path / "store" / "houses-models" / "v1.0.0"
    manifest = Manifest.read((folder / "metadata.json").read_bytes(), where="")

    assert manifest.answers.task == "counts"
    assert {"poisson_deviance", "mae"} <= set(manifest.metrics)
    assert min(open_model(folder, manifest, "onnx").predict({"area": [20], "age": [1], "floor": [0]}).values or [0]) > 0
