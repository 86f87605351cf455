"""What changes the fingerprint of a run, and what does not."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import model_release
from model_release.errors import UsageError
from model_release.modelling import provenance
from model_release.spec.load import load_spec
from model_release.spec.model import Spec

SPEC = load_spec(Path(model_release.__file__).parent.parent / "models" / "heart_disease.yaml")
ALL = list(SPEC.candidates)

Change = Callable[[dict[str, Any]], object]


def fingerprint(spec: Spec = SPEC, *, snapshot: str = "a" * 64, candidates: list[str] | None = None) -> str:
    return provenance.fingerprint(snapshot=snapshot, spec=spec, candidates=candidates or ALL)


def changed(change: Change) -> Spec:
    described = SPEC.model_dump(mode="python")
    change(described)
    spec = Spec.model_validate(described)
    assert json.dumps(spec.model_dump(mode="json")) != json.dumps(SPEC.model_dump(mode="json"))
    return spec


COUNTS: dict[str, Change] = {
    "range of a column": lambda spec: spec["dataset"]["columns"]["age"].update(min=21),
    "missing mark of a column": lambda spec: spec["dataset"]["columns"]["chol"].update(missing_values=[0]),
    "what the model sees": lambda spec: spec["dataset"]["columns"]["age"].update(input=False),
    "order of the columns": lambda spec: spec["dataset"].update(
        columns=dict(reversed(spec["dataset"]["columns"].items()))
    ),
    "key of the rows": lambda spec: spec["dataset"]["rows"].update(key="age"),
    "positive class": lambda spec: spec["dataset"]["target"].update(positive_above=1),
    "split": lambda spec: spec["split"].update(seed=7),
    "folds": lambda spec: spec["validation"].update(repeats=5),
    "parameter": lambda spec: spec["candidates"]["random_forest"]["parameters"].update(n_estimators=200),
    "seed of a candidate": lambda spec: spec["candidates"]["random_forest"].update(seed=7),
    "order of the candidates": lambda spec: spec.update(candidates=dict(reversed(spec["candidates"].items()))),
    "choice": lambda spec: spec.update(choose=type(SPEC.choose)("best_holdout_accuracy")),
    "floor": lambda spec: spec["gate"]["cross_validation"].update(accuracy=0.81),
    "floor of a slice": lambda spec: spec["gate"]["slices"][0]["floors"].update(accuracy=0.75),
    "bins of a slice": lambda spec: spec["gate"]["slices"][1].update(bins=[55.0]),
    "ceiling": lambda spec: spec["gate"]["ceilings"].update(latency_p95_ms=1.0),
    "drift": lambda spec: spec["gate"]["drift"].update(policy="stop"),
    "margin": lambda spec: spec["gate"].update(margin=0.01),
    "schema revision": lambda spec: spec.update(schema_revision=2),
}

DOES_NOT_COUNT: dict[str, Change] = {
    "title": lambda spec: spec.update(title="Hearts"),
    "description": lambda spec: spec.update(description="…"),
    "owner": lambda spec: spec.update(owner="cardiology"),
    "schedule": lambda spec: spec.update(schedule=None),
    "destinations": lambda spec: spec["destinations"].append({"name": "far", "uri": "s3://bucket"}),
    "tracking": lambda spec: spec.update(tracking=None),
    "words about a column": lambda spec: spec["dataset"]["columns"]["age"].update(unit="a", description="years lived"),
    "words about the target": lambda spec: spec["dataset"]["target"].update(positive="ill"),
    "words about the data": lambda spec: spec["dataset"].update(title="Data", limits=[], licence="?"),
    "where the data comes from": lambda spec: spec["dataset"].update(source="elsewhere", sha256={}),
    "which rows are taken, beside the snapshot": lambda spec: spec["dataset"].update(
        window_days=10_000, partitions="snapshots"
    ),
    "order of parameters": lambda spec: spec["candidates"]["logistic_regression"].update(
        parameters=dict(reversed(spec["candidates"]["logistic_regression"]["parameters"].items()))
    ),
}


@pytest.mark.parametrize("case", COUNTS)
def test_what_can_change_model_or_verdict_counts(case: str) -> None:
    assert fingerprint(changed(COUNTS[case])) != fingerprint()


@pytest.mark.parametrize("case", DOES_NOT_COUNT)
def test_what_cannot_does_not_count(case: str) -> None:
    assert fingerprint(changed(DOES_NOT_COUNT[case])) == fingerprint()


def test_data_and_candidates_count() -> None:
    assert fingerprint(snapshot="b" * 64) != fingerprint()
    assert fingerprint(candidates=ALL[:1]) != fingerprint()
    assert fingerprint(candidates=list(reversed(ALL))) == fingerprint()


def test_candidate_that_is_not_chosen_does_not_count() -> None:
    spec = changed(COUNTS["parameter"])
    assert fingerprint(spec, candidates=ALL[:1]) == fingerprint(candidates=ALL[:1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("code_digest", "0" * 64), ("python_version", "3.11.0"), ("package_versions", {"numpy": "1.0"})],
)
def test_code_python_and_packages_count(monkeypatch: pytest.MonkeyPatch, name: str, value: object) -> None:
    before = fingerprint()
    monkeypatch.setattr(provenance, name, lambda: value)
    assert fingerprint() != before


def test_unknown_candidate_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'random_forest'"):
        fingerprint(candidates=["random_forst"])
    with pytest.raises(UsageError, match="no candidate"):
        provenance.fingerprint(snapshot="a" * 64, spec=SPEC, candidates=[])


def test_versions_are_those_installed() -> None:
    versions = provenance.package_versions()
    assert versions["scikit-learn"] == metadata.version("scikit-learn")
    assert set(provenance.MODELLING_PACKAGES) == set(versions)
    assert provenance.python_version() == platform.python_version()


def test_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "MODELLING_PACKAGES", ("numpy", "no-such-package-here"))
    assert list(provenance.package_versions()) == ["numpy"]


@pytest.mark.parametrize(
    ("module", "old", "new", "moves"),
    [
        ("cli/publishing.py", 'help="', 'help="New words: ', False),
        ("cli/acts.py", '"""', '"""New words. ', False),
        ("modelling/training/slices.py", "return", "pass; return", True),
        ("modelling/gate/checks.py", "passed=", "passed=not ", True),
    ],
)
def test_only_what_can_change_a_model_or_a_verdict_moves_the_code_digest(
    module: str, old: str, new: str, moves: bool, tmp_path: Path
) -> None:
    package = tmp_path / "model_release"
    shutil.copytree(provenance.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    before, file = provenance.code_digest(package), package / module
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    assert (provenance.code_digest(package) != before) == moves


def test_code_digest_is_of_paths_and_contents(tmp_path: Path) -> None:
    def digest(files: dict[str, str]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        return provenance.code_digest(folder)

    first = digest({"spec/a.py": "1", "modelling/b/c.py": "2"})
    apart = {"modelling/notes.md": "3", "spec/__pycache__/a.pyc": "4", "cli/acts.py": "5", "errors.py": "6"}
    assert digest({"modelling/b/c.py": "2", "spec/a.py": "1", **apart}) == first
    others = [
        {"spec/a.py": "2", "modelling/b/c.py": "2"},
        {"spec/a.py": "2", "modelling/b/c.py": "1"},
        {"spec/a.py": "1", "modelling/b/d.py": "2"},
        {"spec/a.py": "1"},
    ]
    assert len({first, *map(digest, others)}) == 5
    assert provenance.code_digest() == provenance.code_digest(provenance.PACKAGE)


REVISION = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def checkout(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    package = folder / "include" / "model_release"
    package.mkdir(parents=True)
    return package


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({".git/HEAD": f"{REVISION}\n"}, REVISION),
        ({".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": f"{REVISION}\n"}, REVISION),
        (
            {
                ".git/HEAD": "ref: refs/heads/main\n",
                ".git/packed-refs": f"# packed\n{'0' * 40} refs/heads/a/main\n{REVISION} refs/heads/main\n",
            },
            REVISION,
        ),
        (
            {
                ".git": "gitdir: main/.git/worktrees/w\n",
                "main/.git/worktrees/w/HEAD": "ref: refs/heads/w\n",
                "main/.git/worktrees/w/commondir": "../..\n",
                "main/.git/refs/heads/w": f"{REVISION}\n",
            },
            REVISION,
        ),
        ({".git/HEAD": "ref: refs/heads/main\n"}, None),
        ({".git/config": ""}, None),
    ],
    ids=["detached", "loose", "packed", "worktree", "no commit yet", "damaged"],
)
def test_revision_is_read_without_git(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    assert provenance.git_revision(checkout(tmp_path, files)) == expected


def test_installed_package_is_not_the_checkout_around_it(tmp_path: Path) -> None:
    checkout(tmp_path, {".git/HEAD": f"{REVISION}\n"})
    installed = tmp_path / ".venv" / "lib" / "site-packages" / "model_release"
    installed.mkdir(parents=True)
    assert provenance.git_revision(installed) is None


def test_code_facts() -> None:
    facts = provenance.code_facts(bundle_version="b7")
    assert facts.package == model_release.__version__
    assert facts.digest == provenance.code_digest()
    assert facts.bundle_version == "b7"
