"""Ingest, snapshot and split: on the shipped data, on growing data, and on every kind of broken data."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import train_test_split

import model_release
from model_release.documents.base import sha256_of
from model_release.errors import Corrupt, DataInvalid, NotFound, SpecError
from model_release.modelling import dataset
from model_release.modelling.dataset import Positions, Rows, Snapshot
from model_release.modelling.dataset.form import CONVERT
from model_release.spec.load import load_spec
from model_release.spec.split import Split
from model_release.stores.local import LocalStore
from support.tiny_dataset import BEETLES, FIRST, HEADER, LATE, ROWS, SECOND, Farm

MODELS = Path(model_release.__file__).parent.parent / "models"


class Shipped:
    """A shipped spec with its data, and an empty folder to keep snapshots in."""

    def __init__(self, name: str, folder: Path) -> None:
        self.spec = load_spec(MODELS / name)
        self.source = LocalStore(Path(self.spec.source_uri().removeprefix("file://")))
        self.data = LocalStore(folder)

    def rows(self, as_of: date) -> tuple[Snapshot, Rows]:
        snapshot = dataset.ingest(self.spec, source=self.source, data=self.data, as_of=as_of)
        return snapshot, dataset.load(self.spec, snapshot, data=self.data)


# ── the shipped data ────────────────────────────────────────────────────────────────────────────────────────


def test_cleveland(tmp_path: Path) -> None:
    shipped = Shipped("heart_disease.yaml", tmp_path)
    snapshot, rows = shipped.rows(LATE)
    assert (snapshot.rows, snapshot.positives, snapshot.duplicates_dropped) == (303, 139, 0)
    assert snapshot.classes == dict(zip(shipped.spec.dataset.target.words, (164, 139), strict=True))
    assert {name: count for name, count in snapshot.missing.items() if count} == {"ca": 4, "thal": 2}
    assert [partition.rows for partition in snapshot.partitions] == [303]
    assert list(rows.frame.columns) == list(shipped.spec.dataset.inputs)
    assert rows.frame.dtypes.unique().tolist() == [np.dtype(np.float64)]
    assert np.bincount(rows.target).tolist() == [164, 139]
    original = pd.read_csv(next(shipped.source.root.rglob("*.csv")), na_values="?")
    pd.testing.assert_frame_equal(rows.frame, original.drop(columns="num"), check_dtype=False)


def test_as_published_reads_the_same_rows(tmp_path: Path) -> None:
    first, _ = Shipped("heart_disease.yaml", tmp_path / "a").rows(LATE)
    second, _ = Shipped("examples/heart_disease_as_published.yaml", tmp_path / "b").rows(LATE)
    assert first.apart != second.apart
    assert first.model_copy(update={"apart": second.apart}) == second


@pytest.mark.parametrize(
    ("as_of", "rows", "positives", "duplicates"),
    [
        (date(2026, 10, 1), 303, 139, 0),
        (date(2026, 10, 7), 303, 139, 0),
        (date(2026, 10, 8), 596, 245, 1),
        (date(2026, 10, 15), 719, 360, 1),
        (date(2026, 10, 22), 918, 508, 2),
        (LATE, 918, 508, 2),
    ],
)
def test_four_sites_grow_by_day(tmp_path: Path, as_of: date, rows: int, positives: int, duplicates: int) -> None:
    snapshot, found = Shipped("heart_disease_four_sites.yaml", tmp_path).rows(as_of)
    assert (snapshot.rows, snapshot.positives, snapshot.duplicates_dropped) == (rows, positives, duplicates)
    assert snapshot.as_of == as_of
    assert len(found) == rows
    assert sum(partition.rows for partition in snapshot.partitions) == rows + duplicates


def test_four_sites_missing_readings(tmp_path: Path) -> None:
    snapshot, rows = Shipped("heart_disease_four_sites.yaml", tmp_path).rows(LATE)
    frame = rows.frame
    swiss = frame[frame["site"] == "switzerland"]
    assert swiss["chol"].isna().all()
    assert snapshot.missing["chol"] == 30 + 123 + 49 - 1  # one of them stood in a duplicate
    assert frame["trestbps"].min() > 0
    assert (frame["oldpeak"] < 0).sum() == 12
    assert frame["site"].dtype == object


def test_four_sites_before_the_first_day(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"by 2026-09-30; the earliest is of 2026-10-01"):
        Shipped("heart_disease_four_sites.yaml", tmp_path).rows(date(2026, 9, 30))


# ── what a snapshot is ──────────────────────────────────────────────────────────────────────────────────────


def test_rows_keep_the_order_received(farm: Farm) -> None:
    farm.deliver(SECOND, HEADER + "9,9,blue,7,south,0\n")
    farm.deliver(FIRST, HEADER + ROWS)
    farm.deliver("dt=2026-10-01/a.csv", HEADER + "5,5,red,1,south,1\n")
    rows = farm.load(farm.ingest())
    assert rows.frame["length"].tolist() == [5, 1, 2, 3, 9]
    assert rows.target.tolist() == [1, 0, 1, 1, 0]


def test_missing_marks_are_resolved(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + "1,0.0,,1,north,0\n2, 0 ,?,2,south,1\n")
    snapshot = farm.ingest()
    frame = farm.load(snapshot).frame
    assert snapshot.missing == {"length": 0, "weight": 2, "colour": 2, "spots": 0, "garden": 0, "pest": 0}
    assert frame["weight"].isna().all()
    assert frame["colour"].isna().all()
    assert frame["garden"].tolist() == ["north", "south"]


def test_what_arrived_is_kept_as_received(farm: Farm) -> None:
    content = HEADER + ROWS
    farm.deliver(FIRST, content)
    snapshot = farm.ingest()
    digest = sha256_of(content.encode())
    assert snapshot.partitions[0].sha256 == digest
    assert farm.keys("raw/") == [f"raw/dt=2026-10-01/{digest[:12]}-beetles.csv"]
    stored = farm.data.get(farm.keys("raw/")[0])
    assert stored is not None
    assert stored.body == content.encode()


def test_fingerprint_is_of_the_rows_not_of_the_file(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    first = farm.ingest()
    rows = ["pest,garden,spots,colour,weight,length", "0,north,1.0,red,2.00,1", "1,south,2,blue,3,2"]
    farm.deliver(FIRST, "\ufeff" + "\r\n".join([*rows, "2,north,7,red,,3e0", ""]))
    second = farm.ingest()
    assert second.fingerprint == first.fingerprint
    assert second.content_sha256 == first.content_sha256
    assert second.partitions != first.partitions
    assert len(farm.keys("raw/")) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0,2,red", "1.5,2,red"),
        ("3,?,red", "3,4,red"),
        ("red,7,north,2", "red,7,south,2"),
        (",2\n", ",3\n"),
    ],
)
def test_fingerprint_changes_with_a_value(farm: Farm, old: str, new: str) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    before = farm.ingest()
    farm.deliver(FIRST, HEADER + ROWS.replace(old, new))
    assert farm.ingest().fingerprint != before.fingerprint


def test_fingerprint_is_this_one_for_ever(farm: Farm) -> None:
    """Another value here means that every snapshot in every store gets a new name."""
    farm.deliver(FIRST, HEADER + ROWS)
    assert farm.ingest().fingerprint == "b6c47a286ced0749833cbaaf2e41800ee0a9df13485519c1dc0a37a9731205c1"


def test_the_same_rows_are_written_once(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    first = farm.ingest(date(2026, 10, 1))
    before = {entry.key: entry.modified for entry in farm.data.list()}
    second = farm.ingest(date(2026, 10, 5))
    assert {entry.key: entry.modified for entry in farm.data.list()} == before
    assert second.as_of == date(2026, 10, 5)
    assert dataset.read_snapshot(farm.data, first.fingerprint) == first
    assert first.to_bytes() == Snapshot.read(first.to_bytes(), where="here").to_bytes()


def test_half_written_snapshot_is_written_again(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    snapshot = farm.ingest()
    farm.data.delete(f"processed/{snapshot.fingerprint}/snapshot.json")
    (farm.data.root / snapshot.key).write_bytes(b"half")
    with pytest.raises(NotFound, match="no such snapshot"):
        dataset.read_snapshot(farm.data, snapshot.fingerprint)
    assert farm.ingest() == snapshot
    assert len(farm.load(snapshot)) == 3


def test_parquet_is_the_same_bytes_everywhere(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        farm = Farm(tmp_path / name)
        farm.deliver(FIRST, HEADER + ROWS)
        digests.add(farm.ingest().content_sha256)
    assert len(digests) == 1


def test_changed_parquet_is_refused(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    snapshot = farm.ingest()
    path = farm.data.root / snapshot.key
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(Corrupt, match="recorded is"):
        farm.load(snapshot)
    farm.data.delete(snapshot.key)
    with pytest.raises(NotFound):
        farm.load(snapshot)


def test_snapshot_of_other_columns_is_refused(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    snapshot = farm.ingest()
    farm.with_spec(BEETLES.replace("    weight:", "    mass:"))
    with pytest.raises(Corrupt, match=r"the spec has length, mass"):
        farm.load(snapshot)


def test_redelivered_partition_keeps_both(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    first = farm.ingest()
    farm.deliver(FIRST, HEADER + ROWS + "4,4,blue,1,south,0\n")
    second = farm.ingest()
    assert (first.rows, second.rows) == (3, 4)
    assert len(farm.keys("raw/dt=2026-10-01/")) == 2
    assert len(farm.load(first)) == 3


# ── what has arrived ────────────────────────────────────────────────────────────────────────────────────────


def test_only_files_of_the_pattern_count(farm: Farm) -> None:
    farm.deliver("README.md", "about beetles")
    farm.deliver("dt=2026-10-01/README.md", "about this partition")
    farm.deliver(FIRST, HEADER + ROWS)
    snapshot = farm.ingest()
    assert [partition.path for partition in snapshot.partitions] == [FIRST]
    assert snapshot.left_out == {"dt=2026-10-01/README.md": "its name does not match dataset.file, *.csv"}


def test_empty_source(farm: Farm) -> None:
    with pytest.raises(NotFound, match=r"there is no dt=YYYY-MM-DD/\*\.csv"):
        farm.ingest()


def test_folder_that_is_no_day(farm: Farm) -> None:
    farm.deliver("dt=2026-13-01/beetles.csv", HEADER + ROWS)
    with pytest.raises(DataInvalid, match="dt=2026-13-01"):
        farm.ingest()


def listing(path: str, digest: str) -> str:
    return BEETLES.replace("  source: beetles\n", f"  source: beetles\n  sha256: {{{path}: '{digest}'}}\n")


def test_digest_that_the_spec_lists(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    farm.with_spec(listing(FIRST, sha256_of((HEADER + ROWS).encode())))
    assert farm.ingest().rows == 3
    farm.deliver(FIRST, HEADER + ROWS + "4,4,blue,1,south,0\n")
    with pytest.raises(Corrupt, match="the spec lists") as caught:
        farm.ingest()
    assert FIRST in str(caught.value)
    assert len(farm.keys("raw/")) == 1


def test_listed_file_that_is_gone(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    farm.with_spec(listing(SECOND, "0" * 64))
    assert farm.ingest(date(2026, 10, 7)).rows == 3
    with pytest.raises(NotFound, match=SECOND):
        farm.ingest(date(2026, 10, 8))


def test_listed_file_that_can_never_be_met(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    farm.with_spec(listing("beetles.csv", "0" * 64))
    with pytest.raises(SpecError, match=r"'beetles\.csv' is not a path"):
        farm.ingest()


# ── broken data ─────────────────────────────────────────────────────────────────────────────────────────────

GOOD = "1,2,red,1,north,0\n"

BROKEN_ROWS = {
    "not a number": ("x,2,red,1,north,0", "length", "is not a number", "x"),
    "nan is no number": ("nan,2,red,1,north,0", "length", "is not a number", "nan"),
    "inf is no number": ("1,inf,red,1,north,0", "weight", "is not a number", "inf"),
    "too large to be one": ("1,1e999,red,1,north,0", "weight", "is not a number", "1e999"),
    "underscore": ("1,1_0,red,1,north,0", "weight", "is not a number", "1_0"),
    "above the range": ("9.5,2,red,1,north,0", "length", "lies outside 0 to 9", "9.5"),
    "below the range": ("-2,2,red,1,north,0", "length", "lies outside 0 to 9", "-2"),
    "unknown word": ("1,2,Red,1,north,0", "colour", "is none of red, blue", "Red"),
    "unknown code": ("1,2,red,3,north,0", "spots", "is none of 1, 2, 7", "3"),
    "word for a code": ("1,2,red,many,north,0", "spots", "is none of 1, 2, 7", "many"),
    "missing": ("?,2,red,1,north,0", "length", "is missing", None),
    "missing by the column's own mark": ("-1.0,2,red,1,north,0", "length", "is missing", None),
    "missing where the model does not look": ("1,2,red,1,,0", "garden", "is missing", None),
    "missing target": ("1,2,red,1,north,?", "pest", "is missing", None),
    "target outside its range": ("1,2,red,1,north,5", "pest", "lies outside 0 to 4", "5"),
    "ragged, short": ("1,2,red", None, "the row has 3 cells and the header 6", None),
    "ragged, long": ("1,2,red,1,north,0,7", None, "the row has 7 cells and the header 6", None),
}


def reported(farm: Farm) -> Iterator[tuple[object, ...]]:
    with pytest.raises(DataInvalid) as caught:
        farm.ingest()
    for each in caught.value.report:
        yield each["file"], each["row"], each["column"], each["rule"], each["value"]


@pytest.mark.parametrize("case", BROKEN_ROWS)
def test_broken_row_is_reported(farm: Farm, case: str) -> None:
    row, column, rule, value = BROKEN_ROWS[case]
    farm.deliver(FIRST, HEADER + GOOD)
    farm.deliver(SECOND, f"{HEADER}{GOOD}\n{row}\n2,3,blue,2,south,1\n")  # the blank line counts as a line
    assert list(reported(farm)) == [(SECOND, 4, column, rule, value)]


NO_HEADER = f"is no header line; expected {HEADER.strip()}"
MEANT = "if the file is meant so, write under dataset"


def _workbook() -> bytes:
    with io.BytesIO() as opened:
        with zipfile.ZipFile(opened, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
                archive.writestr(zipfile.ZipInfo(name), "\xe9".encode("latin-1") * 9)
        return opened.getvalue()


BROKEN_FILES: dict[str, tuple[str | bytes, list[tuple[object, ...]]]] = {
    "no header": (
        ROWS,
        [(1, None, f"{NO_HEADER}; {MEANT} header: [the names of the 6 columns, in the file's order]", None)],
    ),
    "semicolons": (
        HEADER.replace(",", ";"),
        [(1, None, f"{NO_HEADER}; if the file is meant so, write under dataset delimiter: ';'", None)],
    ),
    "misspelt column": (
        HEADER.replace("weight", "wieght") + GOOD,
        [
            (1, "wieght", "unknown column; did you mean 'weight'?", None),
            (1, "weight", "the column is missing", None),
        ],
    ),
    "one column too many": (
        "id," + HEADER + "7," + GOOD,
        [(1, "id", "unknown column", None)],
    ),
    "column twice": (
        HEADER.replace("weight", "length") + GOOD,
        [
            (1, "weight", "the column is missing", None),
            (1, "length", "the column stands twice in the header", None),
        ],
    ),
    "not UTF-8": (
        (HEADER + GOOD).encode() + b"1,2,r\xe9d,1,north,0\n",
        [(3, None, "is not UTF-8 text; if the file is meant so, write under dataset encoding: cp1252", None)],
    ),
    "UTF-16 with tabs": (
        (HEADER + GOOD).replace(",", "\t").encode("utf-16"),
        [(1, None, f"is not UTF-8 text; {MEANT} encoding: utf-16 and delimiter: '\\t'", None)],
    ),
    "packed, and its name does not say so": (
        gzip.compress((HEADER + GOOD).encode(), mtime=0),
        [(1, None, f"is not UTF-8 text; {MEANT} compression: gzip", None)],
    ),
    "a title": (
        "Beetles of October\n" + HEADER + GOOD * 3,
        [(1, None, f"{NO_HEADER}; {MEANT} skip_lines: 1", None)],
    ),
    "JSON lines": (
        '{"length": 1, "weight": 2}\n{"length": 3, "weight": 4}\n',
        [(1, None, f"{NO_HEADER}; {CONVERT['json']}", None)],
    ),
    "an Excel workbook": (_workbook(), [(1, None, f"is not UTF-8 text; {CONVERT['excel']}", None)]),
    "open quote": (
        HEADER + GOOD + '1,2,"red,1,north,0\n' + GOOD * 5,
        [(3, None, "a quote is opened here and not closed: close or remove it", None)],
    ),
    "a quote of line 11 that another one closes far below": (
        HEADER + GOOD * 9 + '1,2,"red,1,north,0\n' + GOOD * 5 + '1,2,red",1,north,0\n',
        [(11, None, "a quote is opened here and not closed: close or remove it", None)],
    ),
}


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_file_is_reported(farm: Farm, case: str) -> None:
    content, expected = BROKEN_FILES[case]
    farm.deliver(FIRST, HEADER + ROWS)
    farm.deliver(SECOND, content)
    assert list(reported(farm)) == [(SECOND, *each) for each in expected]


def test_every_fault_is_reported_at_once_and_kept(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + "x,2,red,1,north,9\n" + GOOD + "10,2,green,1,north,0\n")
    farm.deliver(SECOND, HEADER + GOOD + "1,2\n")
    with pytest.raises(DataInvalid) as caught:
        farm.ingest()
    error = caught.value
    assert [(each["file"], each["row"], each["column"]) for each in error.report] == [
        (FIRST, 2, "length"),
        (FIRST, 2, "pest"),
        (FIRST, 4, "colour"),
        (FIRST, 4, "length"),
        (SECOND, 3, None),
    ]
    assert "5 findings" in str(error)
    assert f"{FIRST} line 2: length: 'x' is not a number" in str(error)
    (key,) = farm.keys("processed/")
    assert key.startswith("processed/rejected-")
    assert f"{farm.data.uri}/{key}" in str(error)
    stored = farm.data.get(key)
    assert stored is not None
    report = json.loads(stored.body)
    assert report["findings"] == 5
    assert report["listed"] == error.report
    assert [each["path"] for each in report["files"]] == [FIRST, SECOND]
    assert len(farm.keys("raw/")) == 2, "what was rejected is kept as received"
    with pytest.raises(DataInvalid):
        farm.ingest()
    assert farm.keys("processed/") == [key], "the same findings are one report"


def test_one_cause_is_one_line_of_the_message_and_the_report_has_every_cell(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + "x,2,red,1,north,0\n" * 200 + "1,y,green,3,east,7\n")
    with pytest.raises(DataInvalid) as caught:
        farm.ingest()
    assert len(caught.value.report) == 205
    assert caught.value.what.splitlines() == [
        "the data breaks the spec's rules, 205 findings:",
        f"  - {FIRST} line 2: length: 'x' is not a number, and 199 more",
        f"  - {FIRST} line 202: colour: 'green' is none of red, blue",
        f"  - {FIRST} line 202: garden: 'east' is none of north, south",
        f"  - {FIRST} line 202: pest: '7' lies outside 0 to 4",
        f"  - {FIRST} line 202: spots: '3' is none of 1, 2, 7",
        "  - and 1 more causes",
    ]


@pytest.mark.parametrize("rows", ["", GOOD, GOOD * 3])
def test_rows_of_one_class_are_refused(farm: Farm, rows: str) -> None:
    farm.deliver(FIRST, HEADER + rows)
    with pytest.raises(DataInvalid, match="a model needs rows of every class"):
        farm.ingest()


def test_partition_without_rows_is_sound(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    farm.deliver(SECOND, HEADER)
    snapshot = farm.ingest()
    assert [partition.rows for partition in snapshot.partitions] == [3, 0]


def test_many_rows(farm: Farm) -> None:
    """More than one chunk of the reader; lines and order survive."""
    rows = [f"{n % 10},{n + 1},red,1,north,{n % 2}" for n in range(60_000)]
    farm.deliver(FIRST, HEADER + "\n".join(rows) + "\n")
    frame = farm.load(farm.ingest()).frame
    assert frame["weight"].tolist() == list(range(1, 60_001))
    rows[55_000] = "99,1,red,1,north,0"
    farm.deliver(FIRST, HEADER + "\n".join(rows) + "\n")
    assert [(row, column) for _, row, column, _, _ in reported(farm)] == [(55_002, "length")]


# ── the split ───────────────────────────────────────────────────────────────────────────────────────────────


def contents(rows: Rows, positions: Positions, inputs: list[str]) -> set[str]:
    taken = rows.take(positions)
    return set(taken.frame[inputs].assign(target=taken.target).to_json(orient="records", lines=True).splitlines())


def test_holdout_stays_one_as_the_data_grows(tmp_path: Path) -> None:
    shipped = Shipped("heart_disease_four_sites.yaml", tmp_path)
    inputs = list(shipped.spec.dataset.inputs)
    before_training: set[str] = set()
    before_holdout: set[str] = set()
    for day in (1, 8, 15, 22):
        _, rows = shipped.rows(date(2026, 10, day))
        training_rows, holdout_rows = dataset.rows_apart(shipped.spec, rows)
        assert sorted([*training_rows, *holdout_rows]) == list(range(len(rows)))
        assert 0.15 < len(holdout_rows) / len(rows) < 0.25
        training, holdout = contents(rows, training_rows, inputs), contents(rows, holdout_rows, inputs)
        assert not training & holdout
        assert before_training <= training
        assert before_holdout <= holdout
        before_training, before_holdout = training, holdout


def test_split_goes_by_content_not_by_place(tmp_path: Path) -> None:
    shipped = Shipped("heart_disease.yaml", tmp_path)
    _, rows = shipped.rows(LATE)
    inputs = list(rows.frame.columns)
    _, holdout = dataset.rows_apart(shipped.spec, rows)
    turned = rows.take(np.arange(len(rows))[::-1])
    _, turned_holdout = dataset.rows_apart(shipped.spec, turned)
    assert contents(rows, holdout, inputs) == contents(turned, turned_holdout, inputs)
    _, other = dataset.rows_apart(shipped.spec.model_copy(update={"split": Split(seed=7)}), rows)
    assert set(other) != set(holdout)


def test_the_label_has_no_part_in_the_split_and_equal_rows_may_part(farm: Farm) -> None:
    coarse = "".join(f"1,2,red,{n % 2 + 1},north,{int(n % 7 == 0)}\n" for n in range(1000))
    farm.deliver(FIRST, HEADER + coarse)
    rows = farm.load(farm.ingest())

    training, holdout = dataset.rows_apart(farm.spec, rows)
    turned = replace(rows, target=1 - rows.target)

    assert dataset.rows_apart(farm.spec, turned)[1].tolist() == holdout.tolist()
    assert 150 < len(holdout) < 250
    assert rows.target[holdout].mean() == pytest.approx(rows.target[training].mean(), abs=0.05)


def test_rows_of_one_key_are_on_one_side_whatever_else_they_say(farm: Farm) -> None:
    farm.with_spec(
        BEETLES.replace("partitions: increments", "partitions: increments\n  rows: {key: weight}").replace(
            "weight: {kind: numeric, nullable: true, missing_values: [0]}", "weight: {kind: numeric}"
        )
    )
    people = [f"{{length}},{n},red,1,north,{n % 2}\n" for n in range(1, 200)]
    farm.deliver(FIRST, HEADER + "".join(people).format_map({"length": 1}))
    first = farm.load(farm.ingest())
    farm.deliver(SECOND, HEADER + "".join(people).format_map({"length": 2}))
    second = farm.load(farm.ingest())

    held = [set(rows.frame["weight"].iloc[dataset.rows_apart(farm.spec, rows)[1]]) for rows in (first, second)]

    assert held[0] == held[1]
    assert set(second.frame["length"]) == {2}


def test_stratified_split_is_the_published_one(tmp_path: Path) -> None:
    shipped = Shipped("examples/heart_disease_as_published.yaml", tmp_path)
    _, rows = shipped.rows(LATE)
    training, holdout = dataset.rows_apart(shipped.spec, rows)
    inputs, target = rows.frame, rows.target
    x_train, x_test, _, y_test = train_test_split(inputs, target, test_size=0.2, stratify=target, random_state=42)
    assert len(holdout) == 61
    pd.testing.assert_frame_equal(inputs.iloc[training], x_train)
    pd.testing.assert_frame_equal(inputs.iloc[holdout], x_test)
    assert target[holdout].tolist() == y_test.tolist()


def test_input_schema(farm: Farm) -> None:
    schema = {column.name: column for column in dataset.input_schema(farm.spec.dataset)}
    assert list(schema) == ["length", "weight", "spots"]
    assert (schema["length"].minimum, schema["length"].maximum) == (0, 9)
    assert schema["weight"].nullable
    cleveland = dataset.input_schema(load_spec(MODELS / "heart_disease.yaml").dataset)
    assert cleveland[3].description == "blood pressure at rest on admission (mm Hg)"
