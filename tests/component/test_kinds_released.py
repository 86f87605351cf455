"""Dates and many categories, some of them new later: a real data set from its file to the answers of every door.

The penguins of Palmer Station (Gorman, Williams and Fraser, 2014), as `palmerpenguins` ships them: 344 rows of three
summers, with the day of the first egg, which is taken for missing where the clutch was never seen whole, and with 190
names of birds, which are others in each summer.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import palmerpenguins
import pandas as pd
import pytest
import yaml
from fastapi.testclient import TestClient

from model_release import client
from model_release.documents.golden import GOLDEN_DAY, Golden
from model_release.documents.inputs import UNKNOWN, Inputs
from model_release.documents.manifest import Manifest
from model_release.documents.version import Version
from model_release.model_files.opening import forms, open_model
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from model_release.spec.load import load_spec
from model_release.workflows.reproduce import reproduce
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.retrain_steps import judged, through

COLUMNS: dict[str, Any] = {
    "Species": {"kind": "categorical", "values": "learn"},
    "Island": {"kind": "categorical", "values": ["Biscoe", "Dream"], "unknown": "allow"},
    "Individual ID": {"kind": "categorical", "values": "learn", "limit": 40, "unknown": "allow"},
    "Clutch Completion": {"kind": "boolean"},
    "Date Egg": {"kind": "datetime", "parts": ["age_days", "month", "weekday"], "nullable": True, "min": 0},
    "Culmen Depth (mm)": {"kind": "numeric", "min": 0, "nullable": True},
    "Body Mass (g)": {"kind": "integer", "min": 0, "nullable": True},
}
TARGET = {"column": "Sex", "classes": {"MALE": "male", "FEMALE": "female"}, "positive": "MALE"}


def night(folder: Path, *, summer: int, **keys: Any) -> RetrainRun:
    """Deliver the summers up to one, and return the night after it."""
    rows = palmerpenguins.load_penguins_raw()
    unseen = rows["Comments"].fillna("").str.contains("never observed with full clutch")
    rows["Date Egg"] = rows["Date Egg"].mask(unseen)
    for year in range(2007, summer + 1):
        part = folder / "penguins" / f"dt={year}-12-31"
        part.mkdir(parents=True, exist_ok=True)
        of_year = rows[rows["studyName"] == f"PAL{year % 100:02}{year % 100 + 1:02}"]
        of_year[[*COLUMNS, "Sex"]].to_csv(part / "rows.csv", index=False)
    spec = {
        "name": "penguins",
        "title": "Penguins",
        "owner": "station",
        "dataset": {
            "title": "Penguins",
            "source": "penguins",
            "partitions": "increments",
            "rows": {"invalid": "drop", "max_invalid": 0.2},
            "missing": ["", "NA"],
            "columns": COLUMNS,
            "target": TARGET,
        },
        "validation": {"folds": 2, "repeats": 1},
        "candidates": {"linear": {"estimator": "LogisticRegression", "parameters": {"max_iter": 2000}}},
        "gate": {"cross_validation": {"accuracy": 0.6}, "slices": [{"column": "Date Egg_month", "floors": {}}]},
        "destinations": [{"name": "local", "uri": (folder / "store").as_uri()}],
        **keys,
    }
    path = folder / "penguins.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return RetrainRun(load_spec(path), Run(run_id=f"night-{summer}", as_of=date(summer, 12, 31), by="ann"))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[RetrainRun, Path, Manifest]:
    """The version of the first two summers."""
    folder = tmp_path_factory.mktemp("penguins")
    run = night(folder, summer=2008)
    done = through(run)
    assert str(done.live) == "v1.0.0", done
    version = folder / "store" / "penguins-models" / "v1.0.0"
    return run, version, run.releases.manifest(Version.parse("v1.0.0"))


def test_what_was_learned_stands_in_the_release_and_all_forms_give_the_golden_answers(
    released: tuple[RetrainRun, Path, Manifest],
) -> None:
    _, folder, manifest = released
    schema = {column.name: column for column in manifest.input_schema or ()}
    golden = Golden.read((folder / "golden.json").read_bytes(), where="")

    assert len(schema["Individual ID"].values or ()) == 40
    assert (schema["Individual ID"].learned, schema["Island"].values) == (True, ["Biscoe", "Dream"])
    assert None in golden.rows["Date Egg"]
    assert UNKNOWN in Inputs(manifest.input_schema or ()).encode(golden.rows, GOLDEN_DAY)["Individual ID"]
    assert {*forms(manifest)} == {"onnx", "pickle"}, manifest.onnx
    for form in forms(manifest):
        answers = open_model(folder, manifest, form).predict(golden.rows, day=GOLDEN_DAY)
        assert golden.disagreement(answers.classes, answers.numbers) is None
    card = (folder / "model_card.html").read_text()
    assert "to the model: age_days, month, weekday" in card
    assert "others are unknown" in card


def test_every_door_reads_dates_unknown_categories_and_marks_alike(released: tuple[RetrainRun, Path, Manifest]) -> None:
    _, folder, manifest = released
    rows: list[dict[str, Any]] = [
        {
            "Species": "Adelie Penguin (Pygoscelis adeliae)",
            "Island": island,
            "Individual ID": bird,
            "Clutch Completion": clutch,
            "Date Egg": egg,
            "Culmen Depth (mm)": 18.7,
            "Body Mass (g)": mass,
        }
        for island, bird, clutch, egg, mass in [
            ("Biscoe", "N1A1", True, "2007-11-11", 3750),
            ("Torgersen", "N999A9", False, "2007-11-16T14:00:00Z", None),
            (" Dream ", "N1A2", True, None, 3250),
        ]
    ]
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    today = datetime.now(UTC).date()
    wanted = open_model(folder, manifest, "pickle").predict(pd.DataFrame(columns), day=today).probabilities
    assert wanted is not None
    live = Live(open_release(folder, manifest, None, allow_pickle=False))
    with TestClient(application(live, limit=100_000)) as asking:
        own = asking.post("/predict", json=rows).json()["predictions"]
        invoked = asking.post("/invocations", json={"dataframe_records": rows}).json()["predictions"]
        table = asking.post(
            "/invocations",
            content=pd.DataFrame(rows).to_csv(index=False),
            headers={"content-type": "text/csv"},
        ).json()["predictions"]
        kinds = {each["name"]: each["datatype"] for each in asking.get("/v2/models/penguins").json()["inputs"]}
        tensors = [
            {"name": name, "shape": [3], "datatype": kinds[name], "data": cells} for name, cells in columns.items()
        ]
        outputs = asking.post("/v2/models/penguins/infer", json={"inputs": tensors}).json()["outputs"]
        refused = asking.post("/predict", json={**rows[0], "Species": "Emperor"})
        future = asking.post("/predict", json={**rows[0], "Date Egg": "2999-01-01"})

    close = pytest.approx(list(wanted), abs=1e-5)
    assert [each["probability"] for each in own] == close
    assert [each["probability"] for each in invoked] == close
    assert [each["probability"] for each in table] == close
    assert next(each["data"] for each in outputs if each["name"] == "probability") == close
    assert (kinds["Date Egg"], kinds["Clutch Completion"], kinds["Individual ID"]) == ("BYTES", "BOOL", "BYTES")
    assert (refused.status_code, refused.json()["field"]) == (422, "Species")
    assert "whose age in days is from 0" in future.json()["error"]
    for allow_pickle in (False, True):
        answers = client.open_folder(folder, allow_pickle=allow_pickle).predict(rows, day=today)
        assert list(answers.probabilities if answers.probabilities is not None else ()) == close


def test_a_release_with_dates_is_trained_again_to_the_same_bytes(released: tuple[RetrainRun, Path, Manifest]) -> None:
    run, _, manifest = released

    assert reproduce(manifest, run._data).same


def test_birds_of_a_later_summer_are_learned_or_count_as_unknown_and_a_narrower_column_is_rejected(
    released: tuple[RetrainRun, Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COLUMNS, "Culmen Depth (mm)", {**COLUMNS["Culmen Depth (mm)"], "max": 30})
    folder = released[0].spec.path.parent
    run = night(folder, summer=2009)
    verdict, _ = judged(run)

    (snapshot,) = [
        json.loads(path.read_text())
        for path in (folder / "store").glob("datasets/penguins/processed/*/snapshot.json")
        if "2009-12-31" in path.read_text()
    ]
    assert snapshot["set_aside"] == 11
    assert len(snapshot["learned"]["Individual ID"]) == 40
    assert snapshot["unknown"]["Individual ID"] > 100
    assert snapshot["unknown"]["Island"] > 40
    assert not verdict.accepted
    assert [each.words for each in verdict.checks if each.name == "columns"] == [
        "consumers of the live version could not follow: Culmen Depth (mm) must be 30 or less; raise the spec's "
        "schema_revision, which makes the next version a major one"
    ]
