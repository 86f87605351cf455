"""The specs that are shipped, as quick variants in a folder of a test's own. For tests that run whole chains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MODELS = Path(__file__).resolve().parents[2] / "include" / "models"
QUICK = ("logistic_regression", "support_vectors")


def quick_spec(folder: Path, name: str, /, **changes: Any) -> Path:
    """Write a shipped spec with few folds and the two quick candidates.

    Args:
        folder: where to; must exist.
        name: of the shipped file, without its ending.
        changes: top-level keys that are to differ.
    """
    value = yaml.safe_load((MODELS / f"{name}.yaml").read_text())
    value["dataset"]["source"] = str(MODELS / value["dataset"]["source"])
    value["validation"] = {"folds": 3, "repeats": 1}
    value["candidates"] = {each: value["candidates"][each] for each in QUICK}
    value.update(changes)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(value, sort_keys=False))
    return path
