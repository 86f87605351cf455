"""A made-up table of people for whole nights of small models: who is ill, and what everybody earns."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from fastapi.testclient import TestClient

from model_release.documents.manifest import Manifest
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from model_release.spec.load import load_spec
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run

ROWS = 200
NUMBERS: dict[str, Any] = {
    "age": {"kind": "numeric", "min": 0, "max": 120},
    "visits": {"kind": "numeric", "min": 0, "nullable": True},
}
TARGET: dict[str, Any] = {"column": "ill", "classes": {"1": "ill", "0": "well"}, "positive": "1"}
LINEAR: dict[str, Any] = {"linear": {"estimator": "LogisticRegression"}}
FLOORS: dict[str, Any] = {"cross_validation": {"brier": 0.3}, "beat_dummy": False}


def table(seed: int = 0, rows: int = ROWS) -> pd.DataFrame:
    """Return people by row: inputs, a class and an amount."""
    chance = np.random.default_rng(seed)
    frame = pd.DataFrame({"age": chance.integers(18, 90, rows), "visits": chance.poisson(3, rows).astype(float)})
    risk = 1 / (1 + np.exp(-(frame["age"] - 70) / 12 - 0.3 * (frame["visits"] - 3)))
    frame["ill"] = (chance.uniform(size=rows) < risk).astype(int)
    frame["income"] = np.exp(7 + frame["age"] / 60 + 0.2 * chance.normal(size=rows)).round(2)
    return frame


def night(folder: Path, *, day: int = 1, frame: pd.DataFrame | None = None, **changes: Any) -> RetrainRun:
    """Return a night of a spec in a folder, on a partition that is written for its day.

    Args:
        folder: takes the spec, the data and the store `store/`.
        day: of October.
        frame: the rows; by default, people of that day's own.
        **changes: of the spec: `columns`, `target`, and keys of its first level; `gate` beside floors that all reach.
    """
    rows = table(day) if frame is None else frame
    columns, target = changes.pop("columns", NUMBERS), changes.pop("target", TARGET)
    part = folder / "data" / f"dt=2026-10-0{day}"
    part.mkdir(parents=True, exist_ok=True)
    rows[[*columns, target["column"]]].to_csv(part / "rows.csv", index=False)
    floors = FLOORS if changes.get("task") is None else {"beat_dummy": False}
    content = {
        "name": "people",
        "title": "People",
        "owner": "town",
        "dataset": {"title": "People", "source": "data", "partitions": "increments", "columns": columns}
        | {"target": target},
        "validation": {"folds": 3, "repeats": 1},
        "candidates": LINEAR,
        "destinations": [{"name": "local", "uri": (folder / "store").as_uri()}],
        **changes,
        "gate": {**floors, **changes.get("gate", {})},
    }
    path = folder / "people.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return RetrainRun(load_spec(path), Run(run_id=f"night-{day}", as_of=date(2026, 10, day), by="ann"))


def service(folder: Path, manifest: Manifest, *, allow_pickle: bool = False) -> TestClient:
    """Return the service of a released version's folder."""
    return TestClient(application(Live(open_release(folder, manifest, None, allow_pickle=allow_pickle)), limit=100_000))
