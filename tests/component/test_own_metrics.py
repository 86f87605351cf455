"""Metrics that a spec brings: scorers of scikit-learn, and functions that see every column."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from model_release.errors import SpecError
from model_release.modelling.tasks import task_of
from model_release.modelling.tasks.own import constant, own_metrics
from support import people
from support.retrain_steps import judged

COLUMNS: dict[str, Any] = {**people.NUMBERS, "income": {"kind": "numeric", "input": False}}
MODULE = """
def profit(frame, prediction):
    return float((frame["income"] * (prediction > 0.5) * (2 * frame["ill"] - 1)).sum())

def cost(frame, prediction):
    return float((frame["income"] * (frame["ill"] - prediction) ** 2).mean())

def broken(frame, prediction):
    return frame["no such column"].sum()
"""


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of a team, which the deployment allows."""
    package = tmp_path / "lib" / "clinic_metrics"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("MODEL_RELEASE_ALLOWED_PACKAGES", "clinic_metrics")
    monkeypatch.delitem(sys.modules, "clinic_metrics", raising=False)


def figures(folder: Path, wanted: dict[str, Any], **changes: Any) -> tuple[dict[str, float | None], dict[str, Any]]:
    spec = people.night(folder, gate={"metrics": wanted}, **changes).spec
    frame = people.table(rows=60)
    target = frame[spec.dataset.target.column].to_numpy()
    answers = np.random.default_rng(0).uniform(0.01, 0.99, len(frame)) + (0 if task_of(spec).classes else target)
    found = own_metrics(spec).figures(task_of(spec), frame, target, answers)
    return found, {"frame": frame, "target": target, "answers": answers}


def test_scorers_and_functions_are_measured_with_the_sign_that_people_read(tmp_path: Path) -> None:
    wanted = {
        "agreement": {"scorer": "matthews_corrcoef"},
        "surprise": {"scorer": "neg_log_loss"},
        "profit": {"function": "clinic_metrics:profit", "better": "higher"},
    }
    found, given = figures(tmp_path, wanted)

    assert found == {
        "agreement": pytest.approx(metrics.matthews_corrcoef(given["target"], given["answers"] > 0.5)),
        "surprise": pytest.approx(metrics.log_loss(given["target"], given["answers"])),
        "profit": pytest.approx(
            (given["frame"]["income"] * (given["answers"] > 0.5) * (2 * given["target"] - 1)).sum()
        ),
    }


def test_scorers_of_numbers_are_measured_too(tmp_path: Path) -> None:
    changes = {"task": "regression", "target": {"column": "income"}, "candidates": {"a": {"estimator": "Ridge"}}}
    found, given = figures(tmp_path, {"share": {"scorer": "neg_mean_absolute_percentage_error"}}, **changes)

    wanted = metrics.mean_absolute_percentage_error(given["target"], given["answers"])
    assert found == {"share": pytest.approx(wanted)}


def test_a_constant_answer_has_the_share_of_each_class(tmp_path: Path) -> None:
    task = task_of(people.night(tmp_path).spec)

    assert constant(task, np.array([0, 1, 1, 1])).tolist() == [0.75] * 4


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"metrics": {"a": {"scorer": "no_such_scorer"}}}, "no scorer called 'no_such_scorer'"),
        ({"metrics": {"a": {"function": "os:getcwd", "better": "lower"}}}, "of the package os"),
        ({"metrics": {"a": {"function": "clinic_metrics:nothing", "better": "lower"}}}, "has no nothing"),
        ({"metrics": {"a": {"function": "clinic_metrics:broken", "better": "lower"}}}, "broken failed: KeyError"),
        ({"metrics": {"a": {"scorer": "r2", "better": "lower"}}}, "is for a function"),
        ({"metrics": {"a": {"function": "clinic_metrics:cost"}}}, "better: higher or lower"),
        ({"metrics": {"accuracy": {"scorer": "accuracy"}}}, "is no name for a metric"),
        ({"metrics": {"a": {"scorer": "accuracy"}}, "loss": "a"}, "not a loss that a binary model is compared by"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_metric_that_cannot_be_measured_is_refused_in_words(tmp_path: Path, gate: dict[str, Any], words: str) -> None:
    frame = people.table(rows=50)
    with pytest.raises(SpecError, match=words):
        spec = people.night(tmp_path, columns=COLUMNS, gate=gate).spec
        own_metrics(spec).figures(task_of(spec), frame, frame["ill"].to_numpy(), np.full(50, 0.5))


def test_floors_and_the_compared_loss_may_be_the_team_s_own(tmp_path: Path) -> None:
    gate = {
        "loss": "clinic_metrics:cost",
        "beat_dummy": True,
        "metrics": {
            "profit": {"function": "clinic_metrics:profit", "better": "higher"},
            "agreement": {"scorer": "matthews_corrcoef"},
        },
        "cross_validation": {"agreement": 0.1, "profit": 1e9},
        "slices": [{"column": "age", "bins": [60], "floors": {"clinic_metrics:cost": 1000}, "min_rows": 50}],
    }
    verdict, _ = judged(people.night(tmp_path, columns=COLUMNS, gate=gate))

    checks = {each.name: each for each in verdict.checks}
    assert not verdict.accepted
    assert [name for name, each in checks.items() if not each.passed] == ["profit on cross-validation"]
    assert (checks["agreement on cross-validation"].value or 0) > 0.1
    dummy = checks["better than a dummy"]
    assert dummy.value is not None
    assert dummy.threshold is not None
    assert 100 < dummy.value < dummy.threshold < 1000
    assert sum("clinic_metrics:cost on" in name for name in checks) == 2
