"""requirements.txt of a release: exact pins, enough to unpickle it and answer, and nothing of the deployment."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from model_release.documents.golden import GOLDEN_FILE, Golden
from model_release.documents.manifest import REQUIREMENTS
from model_release.modelling import requirements, training
from model_release.modelling.requirements import packages_in, pins, requirements_file
from model_release.modelling.trained import MODEL_FILE, PREPROCESSOR_FILE, Trained
from model_release.spec.split import Validation
from scripts import consumer
from support import reference_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("release")


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    spec = reference_model.spec(validation=Validation(folds=2, repeats=1))
    rows, _ = reference_model.rows()
    return training.train(spec, "one", reference_model.candidate("LogisticRegression", C=0.1), rows, folder)


def test_the_file_pins_what_the_manifest_will_say(trained: Trained, folder: Path) -> None:
    lines = (folder / REQUIREMENTS).read_text().splitlines()
    asked = [Requirement(line) for line in lines if not line.startswith("#")]
    assert {each.name: str(each.specifier) for each in asked} == {
        name: f"=={version}" for name, version in trained.requirements.items()
    }
    for name, version in trained.requirements.items():
        assert metadata.version(name) == version


def test_nothing_of_the_deployment_is_in_it(trained: Trained) -> None:
    assert {"scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl", "pandas"} <= trained.requirements.keys()
    assert len(trained.requirements) < 15
    assert not trained.requirements.keys() & {"apache-airflow", "mlflow", "onnx", "matplotlib", "model-release"}


def test_those_packages_alone_unpickle_the_release_and_answer(trained: Trained, folder: Path, tmp_path: Path) -> None:
    """An interpreter that sees no other distribution: what `pip install -r` would give, without an index."""
    site = tmp_path / "site-packages"
    site.mkdir()
    installed = Path(sysconfig.get_paths()["purelib"])
    for name in trained.requirements:
        for top in {file.parts[0] for file in metadata.files(name) or [] if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists():
                (site / top).symlink_to(installed / top)
    named = {"preprocessor_file": PREPROCESSOR_FILE, "model_file": MODEL_FILE}
    (folder / "metadata.json").write_text(json.dumps(named))
    program = f"import sys; sys.path.append({str(site)!r}){consumer.OPEN}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    golden = Golden.read((folder / GOLDEN_FILE).read_bytes(), where="golden")
    answers = [each[1] for each in json.loads(done.stdout)]
    assert golden.disagreement([int(each > 0.5) for each in answers], answers) is None


def test_the_standard_library_has_no_distribution() -> None:
    assert packages_in([pickle.dumps(Path("x"))]) <= {"pathlib"}
    assert pins({"pathlib", "copyreg"}) == pins({"pandas"})


def test_a_module_without_a_distribution_is_left_to_the_release_s_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "brought_by", dict)
    assert pins({"churn_model"}) == pins({"pandas"})


def test_an_extra_that_is_required_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Made:
        def __init__(self, name: str) -> None:
            self.name, self.version = name, "1"
            self.requires: list[str] = {"a-b": ["c[fast]"], "c": ['d; extra == "fast"', 'e; extra == "slow"']}.get(
                name, []
            )

    requirements._closure.cache_clear()
    monkeypatch.setattr(metadata, "distribution", Made)
    assert pins({"A_b"}) == {"a-b": "1", "c": "1", "d": "1", "pandas": "1"}
    requirements._closure.cache_clear()


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (None, "churn==1.2"),
        ('{"url": "file:///x", "dir_info": {}}', "# churn 1.2 came from a folder, not from an index"),
        ('{"url": "https://x/churn.whl", "archive_info": {}}', "# churn 1.2 came from a file, not from an index"),
    ],
)
def test_what_no_index_has_is_named_in_a_comment(monkeypatch: pytest.MonkeyPatch, told: str | None, line: str) -> None:
    class Made:
        def read_text(self, name: str) -> Any:
            assert name == "direct_url.json"
            return told

    monkeypatch.setattr(metadata, "distribution", lambda _name: Made())
    assert requirements_file({"churn": "1.2"}).decode().splitlines()[1:] == [line]
