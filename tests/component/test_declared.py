"""Hand-made models of whom a person says what they take and answer: published, checked, and served like any other."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from fastapi.testclient import TestClient
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from typer.testing import CliRunner

from model_release import cli, client
from model_release.documents.manifest import Manifest
from model_release.errors import SpecError
from model_release.model_files import sandbox
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from model_release.workflows.declared import interface_of
from support.houses import COLUMNS, houses

TEXT = {**COLUMNS, "floor": {"kind": "categorical", "values": ["ground", "upper", "roof"]}}
WORDS = {0: "ground", 1: "upper", 2: "roof"}
ROW = {"area": 120.0, "age": 30.0, "floor": "roof"}


def rows() -> pd.DataFrame:
    return houses().fillna({"age": 50.0}).assign(floor=lambda table: table["floor"].map(WORDS))


def pipeline(estimator: Any, target: str) -> Any:
    encode = OneHotEncoder(handle_unknown="ignore")
    prepared = make_column_transformer((StandardScaler(), ["area", "age"]), (encode, ["floor"]))
    table = rows()
    return make_pipeline(prepared, estimator).fit(table[[*TEXT]], table[target])


def published(folder: Path, files: dict[str, Any], schema: dict[str, Any]) -> tuple[Path, Manifest]:
    models = folder / "models"
    models.mkdir()
    for name, value in files.items():
        (models / name).write_bytes(pickle.dumps(value))
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False))
    store = folder / "houses-models"
    arguments = ["publish", str(models), store.as_uri(), "--schema", str(folder / "schema.yaml"), "--by", "ann"]
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 0, done.output
    version = store / "v1.0.0"
    return version, Manifest.read((version / "metadata.json").read_bytes(), where="")


def answer(folder: Path, manifest: Manifest, row: dict[str, Any]) -> Any:
    served = open_release(folder, manifest, None, allow_pickle=True)
    with TestClient(application(Live(served), limit=100_000)) as asking:
        return asking.post("/predict", json=row).json()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open no model in a process of its own; one of these tests does."""
    monkeypatch.setattr(sandbox, "why_not", lambda *_: None)


def test_three_classes_in_one_file_are_answered_in_the_words_of_the_schema(tmp_path: Path) -> None:
    classes = {"palace": "a palace", "hut": "a hut", "house": "a house"}
    schema = {"columns": TEXT, "target": {"column": "kind", "classes": classes}}
    model = pipeline(LogisticRegression(max_iter=300), "kind")
    folder, manifest = published(tmp_path, {"best_model.pkl": model}, schema)

    (said,) = answer(folder, manifest, ROW)["predictions"]
    told = client.open_folder(folder, allow_pickle=True).predict(rows()[[*TEXT]].head(20))

    assert manifest.answers.classes == ["a house", "a hut", "a palace"]
    assert said["label"] == classes[model.predict(pd.DataFrame([ROW]))[0]]
    assert said["probabilities"]["a hut"] == pytest.approx(model.predict_proba(pd.DataFrame([ROW]))[0][1])
    assert told.classes is not None
    assert [*told.classes] == [classes[each] for each in model.predict(rows()[[*TEXT]].head(20))]


@pytest.mark.usefixtures("trusting")
def test_two_classes_by_their_own_labels_are_one_and_zero_and_have_words(tmp_path: Path) -> None:
    classes = {"yes": "is sold", "no": "stays"}
    schema = {"columns": TEXT, "target": {"column": "sold", "classes": classes, "positive": "yes"}}
    *_, model = fitted = pipeline(LogisticRegression(), "sold")
    folder, manifest = published(tmp_path, {"preprocessor.pkl": fitted[:-1], "best_model.pkl": model}, schema)

    (said,) = answer(folder, manifest, ROW)["predictions"]
    told = client.open_folder(folder, allow_pickle=True).predict(rows()[[*TEXT]])

    assert said["class"] == int(fitted.predict(pd.DataFrame([ROW]))[0] == "yes")
    assert said["label"] == classes[fitted.predict(pd.DataFrame([ROW]))[0]]
    assert told.classes is not None and told.probabilities is not None
    assert [*told.classes] == [int(each == "yes") for each in fitted.predict(rows()[[*TEXT]])]
    assert {*told.classes} == {0, 1}


@pytest.mark.usefixtures("trusting")
def test_a_number_is_answered_in_its_unit_and_a_request_is_checked(tmp_path: Path) -> None:
    schema = {"task": "regression", "columns": TEXT, "target": {"column": "price", "unit": "EUR"}}
    model = pipeline(LinearRegression(), "price")
    folder, manifest = published(tmp_path, {"best_model.pkl": model}, schema)

    (said,) = answer(folder, manifest, ROW)["predictions"]

    assert said == {"value": pytest.approx(float(model.predict(pd.DataFrame([ROW]))[0])), "unit": "EUR"}
    assert "floor" in str(answer(folder, manifest, {**ROW, "floor": "cellar"}))


def test_files_that_do_not_take_what_the_schema_says_are_not_published(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "best_model.pkl").write_bytes(pickle.dumps(pipeline(LinearRegression(), "price")))
    schema = {"task": "regression", "columns": {"area": TEXT["area"]}, "target": {"column": "price"}}
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump(schema))

    arguments = ["publish", str(models), (tmp_path / "houses-models").as_uri(), "--schema", f"{tmp_path}/schema.yaml"]
    done = CliRunner().invoke(cli.app, arguments)

    assert done.exit_code == 3, done.output
    assert "no form of these files loads here" in " ".join(done.output.split())
    assert not [*(tmp_path / "houses-models").glob("v*")]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": {"area": {"kind": "numerical"}}}, "line .*kind: 'numerical' is not known; did you mean 'numeric'"),
        ({"columns": {"floor": {"kind": "categorical", "values": "learn"}}}, "this model has learned: list its values"),
        ({"target": {"column": "sold"}}, "a classification has classes"),
        ({"target": {"column": "sold", "classes": {"a": "x", "b": "y"}, "positive": "a"}}, "positive: 'b'"),
        ({"task": "regression", "target": {"column": "price", "transform": "log"}}, "models that are trained here"),
        ({"tasks": "regression"}, "unknown key; did you mean 'task'"),
    ],
    ids=["kind", "learn", "classes", "order", "transform", "key"],
)
def test_what_a_schema_cannot_mean_is_refused_with_line_and_key(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    good = {
        "columns": {"area": {"kind": "numeric"}},
        "target": {"column": "sold", "classes": {"0": "stays", "1": "is sold"}, "positive": "1"},
    }
    path = tmp_path / "schema.yaml"
    path.write_text(yaml.safe_dump({**good, **changes}))

    with pytest.raises(SpecError, match=words):
        interface_of(path)


def test_labels_that_are_numbers_go_by_size(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    target = {"column": "grade", "classes": {10: "ten", 2: "two", 1: "one"}}
    path.write_text(yaml.safe_dump({"columns": {"area": {"kind": "numeric"}}, "target": target}))

    assert interface_of(path).output.classes == ["one", "two", "ten"]
    assert np.unique([10, 2, 1]).tolist() == [1, 2, 10]
