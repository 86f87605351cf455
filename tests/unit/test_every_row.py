"""Odd but valid files: each row of each part is kept as it was written, dropped as the spec says, or set aside."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from model_release.modelling import dataset
from model_release.spec.load import parse_spec
from model_release.stores.local import LocalStore

PARTS = ("dt=2026-10-01/a.csv", "dt=2026-10-01/hour=03/b (1).CSV", "dt=2026-10-02/ü.csv", "dt=2026-10-02/d:1.csv")
MARKS = ["", "?", "-9", "n/a"]

letters = st.characters(exclude_categories=["Cs", "Cc"])
names = st.lists(
    st.text(letters, min_size=1, max_size=8).map(str.strip).filter(bool), min_size=3, max_size=3, unique=True
)
numbers = st.one_of(
    st.integers(-(2**53), 2**53).map(str),
    st.floats(-1e30, 1e30).map(repr),
    st.sampled_from(["+1.50", ".5", "1e3", "-0", "007"]),
)
wrong = st.sampled_from(["x", "1_000", "nan", "inf", "1,5", "٣", "1e999", "--", "1 2"])
words = st.one_of(st.text(letters, max_size=12), st.sampled_from([*MARKS, "NA", ' a "b" ', "a\nb", ";,|\t"]))


@dataclass(frozen=True)
class Row:
    """Cells as they are written, and what is wrong with them; None if nothing is."""

    cells: list[str]
    rule: str | None = None


def whole(number: str, word: str, target: str) -> Row:
    return Row([number, word, target])


def is_mark(text: str) -> bool:
    return text.strip() in MARKS or (text.strip() != "" and text.strip().lstrip("+") in ("-9", "-9.0"))


rows = st.one_of(
    st.builds(whole, numbers.filter(lambda text: not is_mark(text)), words, st.integers(0, 9).map(str)),
    st.builds(lambda cell: Row([cell, "w", "1"], "is not a number"), wrong),
    st.builds(lambda mark: Row([mark, "w", "1"], "is missing"), st.sampled_from(MARKS)),
    st.builds(lambda cells: Row(cells, "the row has"), st.lists(words.filter(bool), min_size=1, max_size=5)).filter(
        lambda row: len(row.cells) != 3 and any(cell for cell in row.cells)
    ),
)
forms = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|"]),
        "encoding": st.sampled_from(["utf-8", "utf-16"]),
        "skip_lines": st.integers(0, 2),
        "header": st.booleans(),
        "packed": st.booleans(),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "blank": st.booleans(),
    }
)
parts = st.lists(st.one_of(st.none(), st.lists(rows, max_size=6)), min_size=len(PARTS), max_size=len(PARTS))


def written(columns: list[str], part: list[Row] | None, form: dict[str, object]) -> bytes:
    """Return a file of a form; one that is None has not a single byte."""
    if part is None:
        return b""
    text = io.StringIO()
    text.write("a title; with, signs\n" * int(form["skip_lines"]))  # type: ignore[call-overload]
    writer = csv.writer(text, delimiter=str(form["delimiter"]), quoting=form["quoting"])  # type: ignore[arg-type]
    if not form["header"]:
        writer.writerow(columns)
    for row in part:
        writer.writerow(row.cells)
        text.write("\r\n" if form["blank"] else "")
    content = text.getvalue().encode(str(form["encoding"]))
    return gzip.compress(content) if form["packed"] else content


def spec_of(columns: list[str], form: dict[str, object], duplicates: str, folder: Path) -> bytes:
    number, word, target = columns
    keys = {
        "title": "Odd",
        "source": str(folder),
        "partitions": "increments",
        "delimiter": form["delimiter"],
        "encoding": form["encoding"],
        "skip_lines": form["skip_lines"],
        "compression": "gzip" if form["packed"] else "none",
        "rows": {"invalid": "drop", "max_invalid": 1000, "duplicates": duplicates, "overlap": "allow"},
        "missing": MARKS,
        "columns": {number: {"kind": "numeric"}, word: {"kind": "text", "input": False, "nullable": True}},
        "target": {"column": target},
    } | ({"header": columns} if form["header"] else {})
    spec = {
        "name": "odd",
        "title": "Odd",
        "owner": "x",
        "task": "regression",
        "dataset": keys,
        "split": {"holdout": 0.5},
        "candidates": {"ridge": {"estimator": "Ridge"}},
        "gate": {"cross_validation": {"r2": 0.1}},
        "destinations": [{"name": "home", "uri": "/nowhere"}],
    }
    return yaml.safe_dump(spec, allow_unicode=True).encode()


def read(row: Row) -> tuple[float, str | None, float]:
    """Return the values that a whole row means."""
    number, word, target = (cell.strip() for cell in row.cells)
    return float(number) + 0.0, None if is_mark(word) else word, float(target)


@settings(max_examples=30, deadline=None)
@given(names, parts, forms, st.sampled_from(["keep", "drop"]))
def test_rows_in_are_rows_kept_and_dropped_and_set_aside_each_with_its_reason(
    columns: list[str],
    content: list[list[Row] | None],
    form: dict[str, object],
    duplicates: str,
) -> None:
    good = [whole(str(place), "w", str(place % 7)) for place in range(30)]  # so that there is something to split
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "source"
        delivered = dict(zip(PARTS, [good + (content[0] or []), *content[1:]], strict=True))
        for path, part in delivered.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(written(columns, part, form))
        spec = parse_spec(spec_of(columns, form, duplicates, folder), Path("odd.yaml"))
        kept = LocalStore(Path(scratch) / "data")
        source = LocalStore(folder, names_of_others=True)
        snapshot = dataset.ingest(spec, source=source, data=kept, as_of=date(2026, 12, 1))
        found = dataset.load(spec, snapshot, data=kept)
        report = kept.get(snapshot.set_aside_report) if snapshot.set_aside_report else None

    every = [(path, row) for path in sorted(delivered) for row in delivered[path] or []]
    right = [read(row) for _, row in every if row.rule is None]
    wrong_ones = [(path, row.rule) for path, row in every if row.rule is not None]
    if duplicates == "drop":
        right = list(dict.fromkeys(right))
    assert snapshot.rows_read == len(every)
    assert snapshot.set_aside == len(wrong_ones)
    assert snapshot.rows + snapshot.duplicates_dropped + snapshot.set_aside == snapshot.rows_read
    number, word, _ = columns
    texts = [None if cell != cell else cell for cell in found.frame[word]]
    assert list(zip(found.frame[number], texts, found.target, strict=True)) == right
    listed = json.loads(report.body)["listed"] if report else []
    assert [each["file"] for each in listed] == [path for path, _ in wrong_ones]
    assert all(each["rule"].startswith(rule) for each, (_, rule) in zip(listed, wrong_ones, strict=True))
