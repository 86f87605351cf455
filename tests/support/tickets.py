"""The worked example of a team's own package: its spec, as the page on one's own model makes it from `init`'s."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from model_release import cli, errors
from model_release.modelling.imports import PACKAGES_VARIABLE

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "your-model.md"
_WALK = "## From a file to a prediction: a pipeline of your own"


def walk() -> str:
    """Return the part of the page that goes from the file to the prediction."""
    return PAGE.read_text(encoding="utf-8").partition(_WALK)[2].partition("\n## ")[0]


def commands() -> list[str]:
    """Return the commands of that part, in their order."""
    return re.findall(r"^\$ (.*)$", walk(), re.MULTILINE)


def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the environment that the page asks for, in this process and those that it starts."""
    found = dict(each.split("=") for each in commands()[0].removeprefix("export ").split())
    path = [str(CHECKOUT / each) for each in found["PYTHONPATH"].split(":")]
    monkeypatch.setenv("PYTHONPATH", ":".join(path))
    monkeypatch.setenv(PACKAGES_VARIABLE, found[PACKAGES_VARIABLE])
    for each in path:
        monkeypatch.syspath_prepend(each)


def spec_in(folder: Path) -> Path:
    """Write the example's spec into a folder, by `init` and the edits of the page; with few folds."""
    made = ["init", str(CHECKOUT / "include/examples/tickets.csv"), "--target", "urgent", "--to", str(folder)]
    result = CliRunner().invoke(cli.app, made)
    assert result.exit_code == errors.EXIT_DONE, result.output
    path = folder / "tickets.yaml"
    spec: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    [edits] = re.findall(r"```yaml\n(.*?)```", walk(), re.DOTALL)
    edited = yaml.safe_load(edits)
    del spec["dataset"]["group"], spec["split"]
    spec["dataset"]["columns"] |= edited["dataset"]["columns"]
    spec["gate"] |= edited["gate"]
    path.write_text(
        yaml.safe_dump(
            spec | {"candidates": edited["candidates"], "validation": {"folds": 2, "repeats": 1}}, sort_keys=False
        ),
        encoding="utf-8",
    )
    return path
