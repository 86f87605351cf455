"""The first hour with one's own file: `init`, `lint` and `try` on data sets that public packages ship."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn import datasets
from typer.testing import CliRunner

from model_release import cli, errors

FEW = "folds: 3\n  repeats: 1"


def breast_cancer() -> pd.DataFrame:
    """Thirty numbers; 357 of 569 tumours are benign. The target is a word, and called `target`."""
    found = datasets.load_breast_cancer(as_frame=True)
    frame: pd.DataFrame = found.frame
    return frame.assign(target=found.target_names[found.frame["target"]])


def wine() -> pd.DataFrame:
    """Thirteen numbers; is it the first cultivar? A boolean."""
    found: pd.DataFrame = datasets.load_wine(as_frame=True).frame
    return found.assign(target=found["target"] == 0)


def iris() -> pd.DataFrame:
    """Three classes; four numbers with blanks and brackets in their names. With gaps and an index."""
    found = datasets.load_iris(as_frame=True)
    table = found.frame.assign(target=found.target_names[found.frame["target"]])
    table.loc[::10, "sepal width (cm)"] = None
    return pd.DataFrame(table.reset_index(names=""))


def diabetes() -> pd.DataFrame:
    """A number, from 25 to 346, for 442 patients."""
    return pd.DataFrame(datasets.load_diabetes(as_frame=True).frame)


def digits() -> pd.DataFrame:
    """Ten classes, and 64 whole numbers, three of which never change; 1,797 rows."""
    return pd.DataFrame(datasets.load_digits(as_frame=True).frame)


SETS: dict[str, Callable[[], pd.DataFrame]] = {
    each.__name__: each for each in (breast_cancer, wine, iris, diabetes, digits)
}


def call(*arguments: str) -> Any:
    result = CliRunner().invoke(cli.app, [*arguments, "--json"])
    assert result.exit_code == errors.EXIT_DONE, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("name", SETS)
def test_a_file_becomes_a_spec_that_passes_and_releases_at_once(tmp_path: Path, name: str) -> None:
    table = SETS[name]()
    table.to_csv(tmp_path / f"{name}.csv", index=False)
    made = call("init", str(tmp_path / f"{name}.csv"), "--target", "target", "--to", str(tmp_path))
    assert call("lint", made["spec"])["valid"]
    spec = Path(made["spec"])
    quick = re.sub(r"folds: 5\n  repeats: \d+", FEW, spec.read_text(encoding="utf-8"))
    assert FEW in quick
    spec.write_text(quick, encoding="utf-8")
    tried = call("try", str(spec), "--to", str(tmp_path / "try"))
    assert (tried["summary"], tried["outcome"]["rows"]) == ("released v1.0.0", len(table))


PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-model.md"


def test_every_command_of_the_page_on_ones_own_model_runs_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = re.findall(r"^\$ model-release (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [each.split()[0] for each in commands] == ["init", "lint", "try", "status"]
    wine().rename(columns={"target": "churned"}).to_csv(tmp_path / "churn.csv", index=False)
    monkeypatch.chdir(tmp_path)
    for each in commands:
        result = CliRunner().invoke(cli.app, shlex.split(each))
        assert result.exit_code == errors.EXIT_DONE, f"{each}: {result.output}"
        spec = tmp_path / "include/models/churn.yaml"
        spec.write_text(spec.read_text(encoding="utf-8").replace("folds: 5\n  repeats: 10", FEW), encoding="utf-8")
    assert "v1.0.0" in result.stdout
