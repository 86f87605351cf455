"""What is said to differ between two manifests, and what is not."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from model_release.documents.manifest import CodeFacts, InputColumn, MachineFacts, Manifest, Measured
from model_release.documents.version import Version
from model_release.releases.compare import Difference, compare
from support.release_builder import make
from support.strategies import manifests

AGE = InputColumn(name="age", kind="numeric", nullable=False, minimum=0, maximum=120)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """One release."""
    changes = {"input_schema": [AGE], "environment": {"numpy": "2.0.0"}, "code": CodeFacts(package="1", digest="a")}
    return make(tmp_path, "a").draft.model_copy(update=changes)


def test_what_differs_between_any_two_releases_is_left_out(manifest: Manifest) -> None:
    run = manifest.run.model_copy(update={"run_id": "another"})
    other = manifest.model_copy(
        update={
            "version": Version(1, 1, 0),
            "trained_date": None,
            "trained_at": None,
            "run": run,
            "fingerprint": "f",
            "mlflow": None,
        }
    )
    assert compare(manifest, other) == {}


@pytest.mark.parametrize(
    ("part", "update", "facts"),
    [
        ("metrics", {"accuracy": 0.9}, [("headline accuracy", 0.8525, 0.9)]),
        ("dataset", {"dataset": None}, [("rows", 303, None), ("as_of", "2024-05-01", None)]),
        ("parameters", {"parameters": {"C": 2.0, "penalty": "l2"}}, [("C", 1.0, 2.0), ("max_iter", 100, None)]),
        ("parameters", {"seed": 7}, [("seed", 42, 7)]),
        ("schema", {"schema_revision": 2}, [("revision", 1, 2)]),
        ("schema", {"input_schema": [AGE.model_copy(update={"maximum": 99})]}, [("age.maximum", 120, 99)]),
        (
            "environment",
            {"environment": {"numpy": "2.1.0", "scipy": "1"}},
            [("numpy", "2.0.0", "2.1.0"), ("scipy", None, "1")],
        ),
        ("environment", {"python_version": "4.0.1"}, [("Python", platform.python_version(), "4.0.1")]),
        ("environment", {"machine": MachineFacts(system="Linux")}, [("system", None, "Linux")]),
        ("code", {"code": CodeFacts(package="1", digest="b")}, [("digest", "a", "b")]),
        ("facts", {"requirements": {"scikit-learn": "2"}}, [("requirements.scikit-learn", "1.9.1", "2")]),
        ("spec", {"spec": {"split": {"seed": 7}}}, [("split.seed", None, 7)]),
        ("gate", {"gate": None}, [("accepted", True, None), ("reasons", ["every floor holds"], None)]),
    ],
)
def test_each_part_by_itself(
    manifest: Manifest, part: str, update: dict[str, Any], facts: list[tuple[str, Any, Any]]
) -> None:
    found = compare(manifest, manifest.model_copy(update=update))
    assert list(found) == [part]
    told = [(each.fact, each.a, each.b) for each in found[part] if each.fact != "fingerprint"]
    assert told == facts


def test_a_file_differs_by_size_and_digest(manifest: Manifest) -> None:
    first, *rest = manifest.files
    other = manifest.model_copy(update={"files": [first.model_copy(update={"size": first.size + 5}), *rest[:-1]]})
    assert [(each.fact, each.change) for each in compare(manifest, other)["files"]] == [
        ("best_model.pkl, bytes", 5),
        ("model_card.html, bytes", None),
        ("model_card.html, SHA-256", None),
    ]


def test_a_figure_is_compared_with_its_interval(manifest: Manifest) -> None:
    wider = Measured(value=0.8493, low=0.7, high=0.9, on="10x5 cross-validation")
    (found,) = compare(manifest, manifest.model_copy(update={"metrics": {"accuracy": wider}}))["metrics"]
    assert (found.fact, found.a["low"], found.b["low"], found.change) == ("accuracy", 0.806, 0.7, 0)


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (1, 3, 2),
        (0.5, 0.25, -0.25),
        (True, 2, None),
        ("1", 2, None),
        (None, 2, None),
        ({"value": 1.0}, {"value": 3}, 2),
    ],
)
def test_how_much_a_number_grew(a: Any, b: Any, change: float | None) -> None:
    assert Difference("x", a, b).change == change


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifests, manifests)
def test_any_two_can_be_compared_and_one_differs_in_nothing_from_itself(a: Manifest, b: Manifest) -> None:
    assert compare(a, a) == {}
    there, back = compare(a, b), compare(b, a)
    assert there.keys() == back.keys()
    assert {part: {(e.fact, repr(e.a)) for e in each} for part, each in there.items()} == {
        part: {(e.fact, repr(e.b)) for e in each} for part, each in back.items()
    }
