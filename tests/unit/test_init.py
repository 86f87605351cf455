"""`model-release init`: from a file that nobody has described to a spec that reads the file's rows."""

from __future__ import annotations

import gzip
import json
import os
import random
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from model_release import cli, errors
from model_release.modelling import dataset
from model_release.modelling.dataset.form import Form, open_quote, recognise
from model_release.spec.load import load_spec
from model_release.stores import open_store
from model_release.stores.local import LocalStore
from model_release.workflows.drafting.columns import describe
from model_release.workflows.drafting.draft import _column

DAY = date(2026, 11, 1)
ROWS = 60


def init(file: Path, to: Path, *arguments: str, target: str = "gone", status: int = errors.EXIT_DONE) -> Any:
    """Return what `init` prints for a program; of an error, what it says."""
    os.utime(file, (datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp(),) * 2)
    result = CliRunner().invoke(cli.app, ["init", str(file), "--target", target, "--to", str(to), "--json", *arguments])
    assert result.exit_code == status, result.output
    return json.loads(result.stderr if status else result.stdout)


def ingested(spec_file: str, store: Path) -> tuple[dataset.Snapshot, dataset.Rows]:
    """Return the rows that the spec's own ingest takes."""
    spec = load_spec(Path(spec_file))
    data = LocalStore(store / "data")
    snapshot = dataset.ingest(spec, source=open_store(spec.source_uri()), data=data, as_of=DAY)
    return snapshot, dataset.load(spec, snapshot, data=data)


def churn(gone: tuple[str, str] = ("1", "0"), **columns: str) -> list[list[str]]:
    """Rows of a table with a header: tenure, plan, what is asked for, and whether the customer is gone."""
    chance = random.Random(7)  # noqa: S311 - no secret
    table = [["tenure", "plan", *columns, "gone"]]
    for row in range(ROWS):
        others = [value.format(row=row) for value in columns.values()]
        table.append([f"{chance.randint(0, 90)}.5", chance.choice(["basic", "pro"]), *others, gone[row % 3 > 0]])
    return table


def written(path: Path, table: list[list[str]], *, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    path.write_text("".join(delimiter.join(row) + "\n" for row in table), encoding=encoding)
    return path


LABELS = {
    "numbers": (("1", "0"), "gone"),
    "booleans": (("True", "False"), "gone"),
    "words that YAML reads as booleans": (("yes", "NO"), "gone"),
    "words": (("left", "loyal"), "left"),
    "times of the day": (("12:30", "12:45"), "12:30"),
    "octal numbers": (("01067", "01068"), "01067"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_of_any_kind_are_two_classes_with_a_positive_one(tmp_path: Path, case: str) -> None:
    labels, positive = LABELS[case]
    made = init(written(tmp_path / "churn.csv", churn(labels)), tmp_path)
    snapshot, rows = ingested(made["spec"], tmp_path)
    assert (snapshot.rows, int(rows.target.sum())) == (ROWS, ROWS // 3)
    assert load_spec(Path(made["spec"])).dataset.target.words[1] == positive
    assert made["guesses"][0] == f"the positive class is {positive!r}: 20 of 60 rows, 33.3%"


FORMS = {
    "semicolons": ({"delimiter": ";"}, ["the cells are separated by ';'"]),
    "tabs": ({"delimiter": "\t"}, ["the cells are separated by '\\t'"]),
    "UTF-16": ({"encoding": "utf-16"}, ["the file's encoding is utf-16"]),
    "a byte-order mark": ({"encoding": "utf-8-sig"}, []),
}


@pytest.mark.parametrize("case", FORMS)
def test_usual_other_forms_are_recognised_and_said(tmp_path: Path, case: str) -> None:
    form, notes = FORMS[case]
    made = init(written(tmp_path / "churn.csv", churn(town="Köln"), **form), tmp_path)
    assert made["guesses"][: len(notes)] == notes
    _, rows = ingested(made["spec"], tmp_path)
    assert set(rows.frame["town"]) == {"Köln"}
    assert Path(made["partition"]).read_bytes() == (tmp_path / "churn.csv").read_bytes()
    assert len(rows) == ROWS


def test_decimal_commas_compression_titles_and_a_missing_header(tmp_path: Path) -> None:
    table = [[cell.replace(".", ",") for cell in row] for row in churn()[1:]]
    plain = written(tmp_path / "plain.csv", table, delimiter=";")
    packed = tmp_path / "churn.csv.gz"
    packed.write_bytes(gzip.compress(b"Customers, November\n\n" + plain.read_bytes()))
    made = init(packed, tmp_path, target="column_3")
    assert made["guesses"][:5] == [
        "the file is compressed (gzip)",
        "the cells are separated by ';'",
        "the numbers have a decimal comma",
        "the first 2 lines are a title and no data",
        "the file has no header line: the columns are called column_1 to column_3",
    ]
    assert Path(made["partition"]).read_bytes() == packed.read_bytes()
    _, rows = ingested(made["spec"], tmp_path)
    assert rows.frame["column_1"].tolist() == [float(row[0].replace(",", ".")) for row in table]


def test_the_target_of_a_file_without_a_header_is_named_by_its_place(tmp_path: Path) -> None:
    error = init(written(tmp_path / "plain.csv", churn()[1:]), tmp_path, status=errors.EXIT_USAGE)
    assert error["hint"] == "it has no header line, so the columns are called column_1, column_2, column_3"


def test_decimal_commas_in_a_packed_file_are_laid_out_as_they_are(tmp_path: Path) -> None:
    table = [churn()[0], *[[cell.replace(".", ",") for cell in row] for row in churn()[1:]]]
    packed = tmp_path / "churn.csv.gz"
    packed.write_bytes(gzip.compress(written(tmp_path / "plain.csv", table, delimiter=";").read_bytes()))
    made = init(packed, tmp_path)
    assert Path(made["partition"]).name == "churn.csv.gz"
    assert Path(made["partition"]).read_bytes() == packed.read_bytes()
    assert ingested(made["spec"], tmp_path)[1].frame["tenure"].tolist() == [float(row[0]) for row in churn()[1:]]


def test_parquet(tmp_path: Path) -> None:
    header, *table = churn(("true", "false"))
    frame = pd.DataFrame(table, columns=header).assign(gone=lambda rows: rows["gone"] == "true")
    frame.to_parquet(tmp_path / "churn.parquet")
    snapshot, rows = ingested(init(tmp_path / "churn.parquet", tmp_path)["spec"], tmp_path)
    assert (snapshot.rows, int(rows.target.sum())) == (ROWS, ROWS // 3)


def test_a_plain_file_is_laid_out_byte_for_byte_by_the_day_of_its_last_change(tmp_path: Path) -> None:
    file = written(tmp_path / "Churn data.csv", churn())
    made = init(file, tmp_path / "models")
    assert made["partition"] == str(tmp_path / "models/data/churn-data/dt=2026-11-01/churn-data.csv")
    assert Path(made["partition"]).read_bytes() == file.read_bytes()
    assert made["next"] == [f"model-release {verb} {made['spec']}" for verb in ("lint", "try")]


def test_what_no_model_learns_from_is_left_out_and_said(tmp_path: Path) -> None:
    columns: Any = {
        "": "{row}",
        "customer": "C-{row}",
        "signup": "2026-10-30",
        "account_id": "1{row:02}",
        "score": "NA",
    }
    made = init(written(tmp_path / "churn.csv", churn(**columns)), tmp_path)
    assert made["columns"] == ["tenure", "plan", "signup", "account_id", "gone"]
    assert made["guesses"][1:6] == [
        "a column without a name, such as an index: left out",
        "column 'customer' names each row: left out",
        "column 'signup' holds dates: the model gets their age in days; parts names what else it gets",
        "column 'account_id' seems to be an id: kept, and not shown to the model",
        "column 'score' has no value: left out",
    ]
    assert list(load_spec(Path(made["spec"])).dataset.features) == ["tenure", "plan", "signup_age_days"]
    assert len(ingested(made["spec"], tmp_path)[1]) == ROWS


def test_dates_of_usual_forms_and_many_categories_are_suggested_as_such() -> None:
    assert describe("day", ["30.11.2026", "?", "1.2.2026"]).form == "%d.%m.%Y"
    assert describe("day", ["11/30/2026", "1/2/2026"]).form == "%m/%d/%Y"
    assert describe("day", ["2026-11-30T10:00:00Z", "2026-01-02"]).form is None
    assert describe("day", ["11/12/2026", "1/2/2026"]).is_ambiguous
    assert describe("day", ["20261130", "20260102"]).kind == "numeric"
    town = describe("town", [f"town {row % 60}" for row in range(600)])
    assert _column(town) == {"kind": "categorical", "values": "learn", "limit": 120, "unknown": "allow"}
    assert describe("town", [f"town {row % 60}" for row in range(120)]).kind == "text", "each is met only twice"


def test_names_and_categories_keep_their_meaning_through_yaml(tmp_path: Path) -> None:
    columns = {"no: 1 #x": "NO", "[when]": "12:30", "postcode": "01067", "{quote}": "it's", "null": "~"}
    file = tmp_path / "churn.csv"
    header, *table = churn()
    rows = [[*row[:2], *columns.values(), row[2]] for row in table]
    written(file, [[*header[:2], *columns, header[2]], *rows])
    _, found = ingested(init(file, tmp_path)["spec"], tmp_path)
    assert {name: set(found.frame[name]) for name in columns} == {name: {value} for name, value in columns.items()}


REFUSED = {
    "no such column": (churn(), "gonne", "did you mean 'gone'?"),
    "a text": ([["a", "gone"], *[[str(n), f"x{n}"] for n in range(ROWS)]], "gone", "is text with 60 different values"),
    "one class": ([["a", "gone"], *[[str(n), "x"] for n in range(ROWS)]], "gone", "has one value alone: 'x'"),
    "few rows": ([["a", "gone"], *[[str(n), "xy"[n == 1]] for n in range(ROWS)]], "gone", "1 rows are 'y'"),
    "a ragged row": ([["a", "gone"], *[["1", "xy"[n % 2]] for n in range(ROWS)], ["1"]], "gone", "the row has 1 cells"),
    "no target": (
        [["a", "gone"], *[["1", ["x", "", "NA"][n % 3]] for n in range(ROWS)]],
        "gone",
        "is missing in 40 of 60",
    ),
    "twice": ([["a", "a", "gone"], *[["1", "2", "xy"[n % 2]] for n in range(ROWS)]], "gone", "'a' more than once"),
}


def test_three_classes_and_numbers_are_targets_too(tmp_path: Path) -> None:
    table = [["a", "kind", "size"], *[[str(n % 7), "xyz"[n % 3], f"{n}.5"] for n in range(ROWS)]]
    made = init(written(tmp_path / "kinds.csv", table), tmp_path, target="kind")
    assert made["guesses"][0] == "the target has 3 classes: x, y, z"
    snapshot, rows = ingested(made["spec"], tmp_path)
    assert (snapshot.classes, sorted({*rows.target.tolist()})) == ({"x": 20, "y": 20, "z": 20}, [0, 1, 2])
    made = init(tmp_path / "kinds.csv", tmp_path, "--name", "sizes", target="size")
    assert made["guesses"][0] == "the target is a number from 0.5 to 59.5: task: regression"
    assert ingested(made["spec"], tmp_path)[1].target.tolist() == [n + 0.5 for n in range(ROWS)]


def test_rows_without_the_target_are_set_aside_and_that_is_said(tmp_path: Path) -> None:
    table = [["a", "gone"], *[[str(n % 7), ["x", "y", "x", "y", "NA"][n % 5]] for n in range(ROWS)]]
    made = init(written(tmp_path / "churn.csv", table), tmp_path)
    assert made["guesses"][0] == "12 rows lack the target: they are set aside (rows.invalid: drop)"
    assert ingested(made["spec"], tmp_path)[0].rows == ROWS - 12


def test_words_for_truth_are_a_boolean_and_long_ids_stay_exact(tmp_path: Path) -> None:
    table = churn(active="Yes", account="90071992547409{row:02}")
    table[1][2] = "no"
    made = init(written(tmp_path / "churn.csv", table), tmp_path)
    columns = load_spec(Path(made["spec"])).dataset.columns
    assert (columns["active"].kind, columns["account"].kind, columns["account"].input) == ("boolean", "integer", False)
    assert ingested(made["spec"], tmp_path)[0].rows == ROWS


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_described_is_refused_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    table, target, words = REFUSED[case]
    status = errors.EXIT_USAGE if case in ("no such column", "a text", "one class") else errors.EXIT_CORRUPT
    said = init(written(tmp_path / "churn.csv", table), tmp_path / "models", target=target, status=status)
    assert words in said["what"]
    assert not (tmp_path / "models").exists()


def test_a_quote_that_is_left_open_is_named_by_its_line(tmp_path: Path) -> None:
    table = churn()
    table[10][1] = '"basic'
    said = init(written(tmp_path / "churn.csv", table), tmp_path, status=errors.EXIT_CORRUPT)
    assert said["what"] == "a quote is opened on line 11 and not closed"


def test_a_text_of_many_lines_is_no_open_quote(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text('a,note\n1,"one, and\ntwo"\n2,three\n', encoding="utf-8")
    assert open_quote(file, Form()) is None
    assert recognise(file) == Form(width=2)


def test_nothing_is_overwritten_and_an_interrupted_init_can_be_run_again(tmp_path: Path) -> None:
    file = written(tmp_path / "churn.csv", churn())
    made = init(file, tmp_path / "models")
    assert "is not overwritten" in init(file, tmp_path / "models", status=errors.EXIT_USAGE)["what"]
    Path(made["spec"]).unlink()
    assert init(file, tmp_path / "models") == made
    Path(made["spec"]).unlink()
    Path(made["partition"]).write_text("others", encoding="utf-8")
    assert "is not overwritten" in init(file, tmp_path / "models", status=errors.EXIT_USAGE)["what"]
    assert Path(made["partition"]).read_text(encoding="utf-8") == "others"
    assert not Path(made["spec"]).exists()


def test_a_model_needs_a_name_that_can_be_one(tmp_path: Path) -> None:
    file = written(tmp_path / "2026.csv", churn())
    assert "makes no name for a model" in init(file, tmp_path, status=errors.EXIT_USAGE)["what"]
    assert init(file, tmp_path, "--name", "Churn 2026")["spec"] == str(tmp_path / "churn-2026.yaml")


def test_missing_marks_are_told_from_categories() -> None:
    assert describe("dose", ["1.5", "NA", "?", "-", "2"]).marks == ("-", "?", "NA")
    assert describe("country", ["DE", "", "-", "NA"]).values == ("-", "DE")
    assert describe("spend", ["0", "5", "12", "-999"]).suspect == -999
    assert describe("spend", ["-5", "5", "12", "-999"]).suspect is None


def test_ids_are_told_from_measurements() -> None:
    people = [str(each % 30) for each in range(90)]
    assert describe("patient_id", people).groups_rows
    assert not describe("age", people).groups_rows
    assert describe("row", [str(each) for each in range(100)]).names_rows
    assert describe("account", [str(2**53 + each) for each in range(10)]).names_rows
    assert not describe("weight", [str(each * 7 % 101) for each in range(50)]).names_rows
