"""A release that is trained again: the same bytes, or the fact that is to blame; and what differs between two."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from model_release import __version__, cli, errors
from model_release.documents import layout
from model_release.documents.base import canonical_json
from model_release.documents.manifest import Manifest
from model_release.documents.version import FIRST
from model_release.errors import Corrupt, NotFound, SpecError
from model_release.modelling import provenance
from model_release.modelling.trained import MODEL_FILE
from model_release.modelling.training import fitting
from model_release.releases.catalog import live_manifest, live_pointer
from model_release.spec.load import load_spec
from model_release.stores import open_store
from model_release.stores.local import LocalStore
from model_release.workflows import reproduce
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.quick_specs import quick_spec
from support.retrain_steps import hurry, judged


def through(path: Path, day: int) -> None:
    """Train and release what had arrived by that day."""
    night = RetrainRun(load_spec(path), Run(run_id=f"night-{day}", as_of=date(2026, 10, day), by="ann"))
    night.reconcile()
    _, orders = judged(night)
    night.update_latest([night.upload(each) for each in orders])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two nights' releases, of a forest first and of another recipe then; not to be changed."""
    folder = tmp_path_factory.mktemp("nights")
    recipes = [
        {"forest": {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 10, "n_jobs": 2}, "seed": 7}},
        {"logistic": {"estimator": "LogisticRegression", "parameters": {"C": 0.1, "max_iter": 1000}}},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL_RELEASE_STORE", (folder / "store").as_uri())
        hurry(patch)
        for day, candidates in zip((1, 8), recipes, strict=True):
            path = quick_spec(
                folder,
                "heart_disease_four_sites",
                candidates=candidates,
                validation={"folds": 3, "repeats": 1},
                gate={"cross_validation": {"accuracy": 0.5}, "margin": 0.1},
                tracking=None,
            )
            through(path, day)
    return folder / "store"


@pytest.fixture
def home(root: Path) -> LocalStore:
    """The folder of the model."""
    (model,) = root.glob("*-models")
    return LocalStore(model)


@pytest.fixture
def manifest(home: LocalStore) -> Manifest:
    """The first release's."""
    stored = home.get(layout.manifest(FIRST))
    assert stored is not None
    return Manifest.read(stored.body, where="v1.0.0")


def again(manifest: Manifest) -> reproduce.Reproduction:
    return reproduce.reproduce(manifest, open_store(reproduce.data_uri(manifest)))


def test_the_manifest_holds_what_a_fit_depends_on(manifest: Manifest) -> None:
    assert manifest.machine is not None
    assert manifest.machine.blas is not None
    spec: Any = manifest.spec
    assert list(spec["candidates"]) == ["forest"]
    assert spec["destinations"][0]["uri"] == "${MODEL_RELEASE_STORE}"
    assert "tracking" not in spec


def test_both_releases_come_out_byte_for_byte(home: LocalStore, manifest: Manifest) -> None:
    words: list[str] = []
    latest = live_manifest(home, live_pointer(home))
    assert str(latest.version) == "v1.1.0"
    for each in (manifest, latest):
        done = reproduce.reproduce(each, open_store(reproduce.data_uri(each)), say=words.append)
        assert (done.same, done.facts) == (True, [])
        assert {file.path for file in done.files} == {"best_model.pkl", "preprocessor.pkl"}
    assert words[0].startswith("reading the snapshot from file://")
    assert words[1].startswith("fitting forest to ")


def test_a_changed_package_is_named_whether_or_not_the_bytes_differ(
    manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**provenance.package_versions(), "scikit-learn": "9.9.9"}
    monkeypatch.setattr(provenance, "package_versions", lambda *_: here)
    monkeypatch.setattr(provenance, "code_digest", lambda: "0" * 64)
    done = again(manifest)
    assert done.same
    assert [each.fact for each in done.facts] == ["scikit-learn", "code digest"]
    assert (done.facts[0].a, done.facts[0].b) == (manifest.environment["scikit-learn"], "9.9.9")
    other = manifest.model_copy(update={"parameters": {**(manifest.parameters or {}), "seed": 8}})
    differs = again(other)
    assert not differs.same
    assert {file.path: file.same for file in differs.files} == {"best_model.pkl": False, "preprocessor.pkl": True}
    assert differs.facts == done.facts


def test_another_machine_is_named_where_one_was_recorded(manifest: Manifest) -> None:
    assert manifest.machine is not None
    elsewhere = manifest.machine.model_copy(update={"processor": "abacus"})
    found = again(manifest.model_copy(update={"machine": elsewhere, "python_version": "3.2.1"})).facts
    assert [(each.fact, each.a) for each in found] == [("Python", "3.2.1"), ("processor", "abacus")]
    assert again(manifest.model_copy(update={"machine": None})).facts == []


def test_a_release_whose_training_is_not_recorded(manifest: Manifest) -> None:
    for update in ({"spec": None}, {"parameters": None}):
        with pytest.raises(NotFound, match="the spec that v1.0.0 was trained by is not recorded") as caught:
            again(manifest.model_copy(update=update))
        assert "published by hand" in str(caught.value)
    with pytest.raises(NotFound, match="the snapshot that v1.0.0 was trained by is not recorded"):
        again(manifest.model_copy(update={"dataset": None}))
    assert manifest.dataset is not None
    moved = manifest.dataset.model_copy(update={"uri": "file:///data.csv"})
    with pytest.raises(Corrupt, match="names file:///data.csv as its snapshot"):
        again(manifest.model_copy(update={"dataset": moved}))


def test_a_spec_of_another_version_of_the_package_names_both(manifest: Manifest) -> None:
    assert manifest.code is not None
    code = manifest.code.model_copy(update={"package": "7.0.0"})
    with pytest.raises(SpecError) as caught:
        again(manifest.model_copy(update={"code": code, "spec": {**(manifest.spec or {}), "oracle": True}}))
    said = (
        f"recorded by model-release 7.0.0, and {__version__}, which is installed here, does not understand it: oracle"
    )
    assert said in str(caught.value)


def test_a_snapshot_that_is_gone(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="the snapshot that v1.0.0 was trained on is not here") as caught:
        reproduce.reproduce(manifest, LocalStore(tmp_path))
    assert "name its folder with --data" in str(caught.value)


def test_addresses_that_may_hold_a_password_are_not_recorded(tmp_path: Path) -> None:
    path = quick_spec(tmp_path, "heart_disease")
    spec = load_spec(path)
    source = "https://${WHO}:secret@data.example.org:8443/heart?token=secret"
    facts = provenance.spec_facts(
        spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"source": source})})
    )
    assert facts["dataset"]["source"] == "https://data.example.org:8443/heart"
    assert "secret" not in json.dumps(facts)
    assert provenance.spec_facts(spec)["dataset"]["source"] == spec.dataset.source


def test_a_fit_is_the_one_that_training_makes(manifest: Manifest, root: Path) -> None:
    """One function fits for both; nothing of the cross-validation before it reaches the bytes."""
    recorded = {entry.path: entry.sha256 for entry in manifest.files}
    assert {each.path: each.made for each in again(manifest).files}.items() <= recorded.items()
    assert MODEL_FILE in recorded


def call(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli.app, list(arguments))


def test_reproduce_as_a_command(home: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    result = call("reproduce", home.uri, "v1.0.0")
    assert result.exit_code == 0, result.stderr
    assert "v1.0.0 is reproduced byte for byte" in result.stdout
    assert "fitting forest to" in result.stderr
    document = json.loads(call("reproduce", home.uri, "v1.1.0", "--json", "-q").stdout)
    assert (document["reproduced"], document["differences"]) == (True, [])
    assert [each["same"] for each in document["files"]] == [True, True]

    monkeypatch.setattr(provenance, "python_version", lambda: "9.9.9")
    monkeypatch.setattr(fitting, "pickled", lambda *_: {"best_model.pkl": b"other"})
    result = call("reproduce", home.uri, "v1.0.0")
    assert result.exit_code == errors.EXIT_CORRUPT
    assert "v1.0.0 is not reproduced: the bytes differ" in result.stdout
    assert "9.9.9" in result.stdout
    monkeypatch.undo()
    monkeypatch.setattr(fitting, "pickled", lambda *_: {"best_model.pkl": b"other"})
    assert "look for a source of chance" in call("reproduce", home.uri, "v1.0.0").stdout


def test_reproduce_with_the_data_elsewhere(home: LocalStore, root: Path, tmp_path: Path) -> None:
    (data,) = (root / "datasets").iterdir()
    moved = tmp_path / "data"
    moved.symlink_to(data)
    assert call("reproduce", home.uri, "v1.0.0", "--data", str(moved)).exit_code == 0
    assert call("reproduce", home.uri, "v1.0.0", "--data", str(tmp_path / "nothing")).exit_code == 1
    assert call("reproduce", home.uri, "v9.0.0").exit_code == 1


def test_diff_as_a_command(home: LocalStore) -> None:
    result = call("diff", home.uri, "v1.0.0")
    assert result.exit_code == 0
    for words in ("from v1.0.0 to v1.1.0", "Metrics", "Dataset", "as_of", "Parameters", "candidate", "best_model.pkl"):
        assert words in result.stdout
    assert "Environment" not in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    document = json.loads(call("diff", home.uri, "v1.0.0", "v1.1.0", "--json").stdout)
    assert (document["a"], document["b"], document["identical"]) == ("v1.0.0", "v1.1.0", False)
    found: dict[str, dict[str, Any]] = {
        part: {each["fact"]: each for each in differences} for part, differences in document["differences"].items()
    }
    assert found["parameters"]["candidate"] == {
        "fact": "candidate",
        "a": "forest",
        "b": "logistic",
        "change": None,
    }
    rows = found["dataset"]["rows"]
    assert rows["change"] == rows["b"] - rows["a"] > 0
    accuracy = found["metrics"]["accuracy"]
    assert accuracy["change"] == pytest.approx(accuracy["b"]["value"] - accuracy["a"]["value"])
    assert accuracy["a"]["low"] < accuracy["a"]["value"] < accuracy["a"]["high"]
    assert found["gate"]["baseline"]["b"] == "v1.0.0"
    same = call("diff", home.uri, "v1.1.0")
    assert same.stdout == "v1.1.0 and v1.1.0 are identical in all that is recorded\n"
    assert json.loads(call("diff", home.uri, "v1.1.0", "--json").stdout)["differences"] == {}
    assert call("diff", home.uri, "v9.9.9").exit_code == 1


def test_a_manifest_of_before_reads_as_it_was(manifest: Manifest) -> None:
    """One that was written without these fields is the same bytes again, and its digest holds."""
    names = {"told", "machine", "spec"}
    older = canonical_json({key: value for key, value in json.loads(manifest.to_bytes()).items() if key not in names})
    read = Manifest.read(older, where="here")
    assert read.to_bytes() == older
    assert (read.spec, read.machine, read.told) == (None, None, None)
