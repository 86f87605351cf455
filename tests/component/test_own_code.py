"""A team's own package: part of the fingerprint, brought by the release, and each release answers by its own."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_release import client
from model_release.documents.golden import GOLDEN_FILE, Golden
from model_release.documents.manifest import Manifest
from model_release.errors import Corrupt, SpecError, UsageError
from model_release.model_files.hosting import HostedModel
from model_release.model_files.opening import check_answers
from model_release.model_files.own_code import unpack, wheels
from model_release.modelling import dataset
from model_release.modelling.packages import packages_named
from model_release.modelling.provenance import fingerprint
from model_release.modelling.training import cross_validate
from model_release.modelling.wheels import wheels_of
from model_release.releases.decisions import DecisionRecord
from model_release.serving.served import open_release
from model_release.spec.load import load_spec
from model_release.stores import open_store
from model_release.workflows import reproduce
from support import houses, own_package
from support.retrain_steps import judged

NAME = "town_model_of_tests"
OURS = {"ours": {"pipeline": f"{NAME}.recipes:build", "parameters": {"C": 0.5}}}


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    own_package.write_package(tmp_path / "code", NAME)
    with own_package.importable(tmp_path / "code", NAME, monkeypatch):
        yield tmp_path / "code"


def released(path: Path, number: int = 1) -> tuple[Manifest, Path]:
    run = houses.night(path, number)
    verdict, orders = judged(run)
    run.update_latest([run.upload(each) for each in orders])
    version = path.parent / "store" / "houses-models" / str(verdict.version)
    return Manifest.read((version / "metadata.json").read_bytes(), where=str(version)), version


def rewrite(code: Path, plus: float) -> None:
    """Change the team's code; this process imports it anew."""
    shutil.rmtree(code / NAME)
    own_package.write_package(code, NAME, plus=plus)
    own_package.forget(NAME)


def test_the_fingerprint_counts_the_files_of_the_team_s_code_and_not_their_age(code: Path, tmp_path: Path) -> None:
    spec = load_spec(houses.spec_file(tmp_path, "binary", OURS))
    before = fingerprint(snapshot="a" * 64, spec=spec, candidates=["ours"])
    rewrite(code, plus=1.0)
    assert fingerprint(snapshot="a" * 64, spec=spec, candidates=["ours"]) == before
    (code / NAME / "postcodes.txt").write_text("8001\n")
    assert fingerprint(snapshot="a" * 64, spec=spec, candidates=["ours"]) != before
    assert NAME not in sys.modules


def test_what_the_team_s_code_imports_is_found_in_its_text(code: Path) -> None:
    (code / "helpers_of_tests.py").write_text("import lightgbm\n")
    (code / NAME / "more.py").write_text("import helpers_of_tests, json\nfrom .ratios import Ratios\n")

    found = packages_named([NAME])

    assert found.own == {"helpers_of_tests": code / "helpers_of_tests.py", NAME: code / NAME}
    assert {"lightgbm", "pandas"} <= found.versions.keys()


def test_the_same_files_give_the_same_wheel(code: Path, tmp_path: Path) -> None:
    [(name, body)] = wheels_of(packages_named([NAME])).items()
    shutil.move(code, tmp_path / "elsewhere")
    own_package.write_package(code, NAME)
    (code / NAME / "__pycache__").mkdir()
    (code / NAME / "__pycache__" / "old.pyc").write_bytes(b"x")

    assert wheels_of(packages_named([NAME])) == {name: body}
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert {each for each in archive.namelist() if "dist-info" not in each} == {
            f"{NAME}/{each}.py" for each in ("__init__", "recipes", "ratios")
        }


def test_a_package_that_is_no_code_but_data_is_refused(code: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model_release.modelling.packages.LARGEST", 100)

    with pytest.raises(SpecError, match="its code travels with every release"):
        packages_named([NAME]).digests()


def test_a_wheel_that_is_none_or_leads_out_of_its_folder_is_not_unpacked(tmp_path: Path) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("../outside.py", "x = 1")

    for bad in (body.getvalue(), b"no archive"):
        with pytest.raises(Corrupt):
            unpack([bad], tmp_path / "in", where="v1.0.0")
    assert not (tmp_path / "outside.py").exists()


def test_each_release_is_scored_opened_and_reproduced_by_its_own_code(
    code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = houses.spec_file(tmp_path, "binary", OURS, gate={"cross_validation": {"roc_auc": 0.5}, "margin": 0.1})
    first, first_folder = released(path)
    [entry] = wheels(first.files)
    assert entry.path.startswith(f"code/{NAME}-0.")
    assert NAME not in first.requirements

    houses.add_rows(tmp_path, "binary", day=2)
    run = houses.night(path, 2)
    _, [order] = run.ingest()
    rows = dataset.load(run.spec, dataset.read_snapshot(run._data, order.snapshot), data=run._data)
    by_first = cross_validate(run.spec.candidates["ours"], run.spec, rows, dataset.rows_apart(run.spec, rows)[0]).scores
    rewrite(code, plus=500.0)
    _, work = run.ingest()
    evaluated = run.evaluate([run.train(each) for each in work])
    verdict, gated = run.gate(evaluated)
    orders: list[Any] = [*gated]
    assert orders, verdict.reasons
    run.update_latest([run.upload(each) for each in orders])
    second_folder = first_folder.parent / "v1.1.0"
    second = Manifest.read((second_folder / "metadata.json").read_bytes(), where="v1.1.0")
    assert wheels(second.files) != wheels(first.files)
    assert verdict.baseline == first.version

    # The champion has the figures that its own code gives, though its recipe is the challenger's word for word.
    [record] = [each for each in (first_folder.parent / "decisions").rglob("0*.json") if "answers" not in each.parts]
    judged_on = DecisionRecord.read(record.read_bytes(), where="decision").evaluation
    assert judged_on.champion is not None
    assert judged_on.champion.candidate is None
    assert judged_on.champion.scores.folds == by_first.folds
    assert judged_on.champion.scores.folds != judged_on.candidates["ours"].folds

    # A consumer has neither version's code, and opens both beside each other.
    own_package.forget(NAME)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(code)])
    shutil.rmtree(code)
    models = [client.open_folder(each, allow_pickle=True) for each in (first_folder, second_folder)]
    for model, folder, manifest in zip(models, (first_folder, second_folder), (first, second), strict=True):
        check_answers(model, folder, manifest)
    golden = Golden.read((first_folder / GOLDEN_FILE).read_bytes(), where=GOLDEN_FILE)
    answers = [np.asarray(model.predict(golden.rows).probabilities) for model in models]
    assert np.abs(answers[0] - answers[1]).max() > 1e-3
    assert NAME not in sys.modules

    served = open_release(first_folder, first, None, allow_pickle=True)
    assert isinstance(served.model, HostedModel)
    asked: list[Any] = [*zip(*golden.rows.values(), strict=True)]
    told: Any = served.predict(asked)
    assert [each.of_class for each in told] == golden.classes

    # And it comes out again byte for byte, where nobody has its code.
    home = open_store((tmp_path / "store" / "houses-models").as_uri())
    assert reproduce.reproduce(first, open_store(reproduce.data_uri(first)), release=home).same

    # What a person asks wrongly is said, and a process that has ended is started again.
    with pytest.raises(UsageError, match="missing: age"):
        models[0].predict({"area": [1.0], "floor": [0.0]})
    hosted = models[0]
    assert isinstance(hosted, HostedModel)
    hosted._process.kill()
    hosted._process.wait()
    assert np.array_equal(np.asarray(hosted.predict(golden.rows).probabilities), answers[0])
