"""Rows that belong together and come one after another, and specs that say so."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from model_release.modelling.dataset import Rows
from model_release.spec.load import parse_spec
from model_release.spec.model import Spec

COLUMNS = {
    "x": {"kind": "numeric"},
    "who": {"kind": "text", "input": False},
    "day": {"kind": "text", "input": False},
    "year": {"kind": "numeric", "input": False},
    "weight": {"kind": "numeric", "input": False},
}
CLASSES = {"column": "y", "classes": {"0": "no", "1": "yes"}, "positive": "1"}


def spec_of(*, target: dict[str, Any] | None = None, **changes: Any) -> Spec:
    """A spec with these columns; `group`, `time` and `weight` go to its dataset, the rest to its own keys."""
    roles = {key: changes.pop(key) for key in ("group", "time", "weight") if key in changes}
    columns = changes.pop("columns", COLUMNS)
    document: dict[str, Any] = {
        "name": "panel",
        "title": "Panel",
        "owner": "town",
        "task": "classification" if (target or CLASSES).get("classes") else "regression",
        "dataset": {
            "title": "Panel",
            "source": "panel",
            "partitions": "increments",
            "columns": columns,
            "target": target or CLASSES,
            **roles,
        },
        "candidates": {"linear": {"estimator": "LogisticRegression"}},
        "gate": {},
        "destinations": [{"name": "local", "uri": "file:///tmp/panel"}],
        **changes,
    }
    return parse_spec(yaml.safe_dump(document, sort_keys=False).encode(), Path("panel.yaml"))


def panel(people: int = 30, days: int = 10, *, seed: int = 0) -> Rows:
    """Every person on every day; each fifth person on two of them alone."""
    chance = np.random.default_rng(seed)
    rows = [
        (f"p{person}", day) for day in range(days) for person in range(people) if person % 5 or day in (1, days - 1)
    ]
    frame = pd.DataFrame(
        {
            "x": chance.normal(size=len(rows)),
            "who": [who for who, _ in rows],
            "day": [(date(2026, 1, 1) + timedelta(day)).isoformat() for _, day in rows],
            "year": [float(2000 + day) for _, day in rows],
            "weight": chance.integers(0, 3, len(rows)).astype(float),
        }
    )
    return Rows(frame, (chance.random(len(rows)) < 0.5).astype(np.int64))
