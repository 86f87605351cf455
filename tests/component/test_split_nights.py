"""Nights on rows that belong together or come one after another: what the release says of how it was measured."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from model_release.documents.version import Version
from model_release.releases.decisions import DecisionRecord
from model_release.spec.load import load_spec
from model_release.stores.local import LocalStore
from model_release.workflows.reproduce import reproduce
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.retrain_steps import hurry, judged, through

COLUMNS = {
    "x": {"kind": "numeric"},
    "z": {"kind": "numeric"},
    "worker": {"kind": "integer", "input": False},
    "day": {"kind": "text", "input": False},
}


def panel(workers: int = 40, days: int = 6, *, seed: int = 0) -> pd.DataFrame:
    chance = np.random.default_rng(seed)
    who, when = np.meshgrid(np.arange(workers), np.arange(days))
    frame = pd.DataFrame({"worker": who.ravel(), "x": chance.normal(size=who.size), "z": chance.normal(size=who.size)})
    frame["day"] = [(date(2026, 9, 1) + timedelta(int(each))).isoformat() for each in when.ravel()]
    frame["y"] = (frame["x"] + 0.5 * chance.normal(size=who.size) > 0).astype(int)
    return frame


def night(folder: Path, day: int, *, method: str | None = None, **roles: str) -> RetrainRun:
    part = folder / "panel" / f"dt=2026-10-0{day}"
    part.mkdir(parents=True, exist_ok=True)
    panel(seed=day).to_csv(part / "rows.csv", index=False)
    spec: dict[str, Any] = {
        "name": "panel",
        "title": "Panel",
        "owner": "town",
        "task": "classification",
        "dataset": {
            "title": "Panel",
            "source": "panel",
            "partitions": "snapshots",
            "columns": COLUMNS,
            "target": {"column": "y", "classes": {"0": "no", "1": "yes"}, "positive": "1"},
            **roles,
        },
        "validation": {"folds": 3, "repeats": 2, "method": method},
        "candidates": {"linear": {"estimator": "LogisticRegression"}},
        "gate": {"cross_validation": {"roc_auc": 0.6}},
        "destinations": [{"name": "local", "uri": (folder / "store").as_uri()}],
    }
    path = folder / "panel.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return RetrainRun(load_spec(path), Run(run_id=f"night-{day}", as_of=date(2026, 10, day), by="ann"))


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def test_a_release_says_by_which_split_and_folds_it_was_measured_and_its_successor_where_it_differs(
    tmp_path: Path,
) -> None:
    first = night(tmp_path, 1, group="worker")
    assert str(through(first).live) == "v1.0.0"
    version = first.releases.manifest(Version(1, 0, 0))

    assert version.metrics["roc_auc"].on.startswith("mean over 2 times 3-fold cross-validation of ")
    assert version.metrics["roc_auc"].on.endswith(" rows by worker")
    assert version.metrics["holdout_roc_auc"].on.endswith(" rows, split by worker")
    card = (tmp_path / "store" / "panel-models" / "v1.0.0" / "model_card.html").read_text()
    assert "3-fold cross-validation" in card
    assert "split by worker" in card
    assert reproduce(version, LocalStore(tmp_path / "store" / "datasets" / "panel")).same

    second = night(tmp_path, 2, group="worker", time="day")
    verdict, _ = judged(second)

    (compared,) = [each for each in verdict.checks if "non-inferior" in each.name]
    assert "it was released by split.method: group, validation.method: group, dataset.time: none" in compared.words
    stored = second.releases.home.get(verdict.decision or "")
    assert stored is not None
    decided = DecisionRecord.read(stored.body, where="the decision").evaluation.design
    assert decided is not None
    assert (decided.split, decided.validation, decided.group, decided.time) == ("time", "forward", "worker", "day")
    assert decided.left_out > 0


def test_one_fold_is_judged_by_the_intervals_of_its_rows(tmp_path: Path) -> None:
    only = night(tmp_path, 1, method="single")
    assert str(through(only).live) == "v1.0.0"
    measured = only.releases.manifest(Version(1, 0, 0)).metrics["roc_auc"]
    assert measured.on.endswith("predicted from the others")
    assert (measured.low or 1) < measured.value < (measured.high or 0)
