"""A small table of houses, with missing ages and classes in words, and nights on it. For tests of candidates."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from model_release.spec.load import load_spec
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run

COLUMNS = {
    "area": {"kind": "numeric", "min": 0, "max": 400},
    "age": {"kind": "numeric", "min": 0, "max": 200, "nullable": True},
    "floor": {"kind": "categorical", "values": [0, 1, 2]},
}
TARGETS: dict[str, dict[str, Any]] = {
    "binary": {"column": "sold", "classes": {"yes": "is sold", "no": "stays"}, "positive": "yes"},
    "multiclass": {"column": "kind", "classes": {"hut": "a hut", "house": "a house", "palace": "a palace"}},
    "regression": {"column": "price", "unit": "EUR", "min": -1000},
}
FLOORS = {"binary": {"roc_auc": 0.55}, "multiclass": {"macro_f1": 0.3}, "regression": {"r2": 0.2}}


def houses(rows: int = 160, seed: int = 0) -> pd.DataFrame:
    """Return rows of houses with a target for each task."""
    chance = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "area": chance.uniform(20, 300, rows).round(1),
            "age": chance.uniform(0, 120, rows).round(0),
            "floor": chance.integers(0, 3, rows),
        }
    )
    worth = frame["area"] - 0.5 * frame["age"] + 20 * chance.normal(size=rows)
    frame["price"] = (30 + 2.5 * worth).round(2)
    frame["kind"] = np.select([worth < 60, worth < 160], ["hut", "house"], "palace")
    frame["sold"] = np.where(worth > 120, "yes", "no")
    frame.loc[frame.index % 17 == 0, "age"] = np.nan
    return frame


def spec_file(folder: Path, task: str, candidates: dict[str, Any], **changes: Any) -> Path:
    """Write a spec of a task with few folds, and its data beside it; return the spec's file.

    Args:
        folder: of the spec, the data and the store.
        task: binary, multiclass or regression.
        candidates: of the spec.
        changes: top-level keys that are to differ.
    """
    target = TARGETS[task]
    add_rows(folder, task, day=1)
    spec = {
        "name": "houses",
        "title": "Houses",
        "owner": "town",
        "task": "regression" if task == "regression" else "classification",
        "dataset": {
            "title": "Houses",
            "source": "houses",
            "partitions": "increments",
            "columns": COLUMNS,
            "target": target,
        },
        "validation": {"folds": 2, "repeats": 1},
        "candidates": candidates,
        "gate": {"cross_validation": FLOORS[task]},
        "destinations": [{"name": "local", "uri": (folder / "store").as_uri()}],
        **changes,
    }
    path = folder / "houses.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    return path


def add_rows(folder: Path, task: str, *, day: int) -> None:
    """Write the partition of a day of October beside a spec; each day has rows of its own."""
    part = folder / "houses" / f"dt=2026-10-0{day}"
    part.mkdir(parents=True, exist_ok=True)
    houses(seed=day)[[*COLUMNS, TARGETS[task]["column"]]].to_csv(part / "rows.csv", index=False)


def night(path: Path, number: int = 1, *, force: bool = False) -> RetrainRun:
    """Return a night's run of a spec; it takes the days up to its number."""
    run = Run(run_id=f"night-{number}", as_of=date(2026, 10, number), by="ann", force=force)
    return RetrainRun(load_spec(path), run)
