"""Files of another form: described by the spec's keys, or recognised and named with what makes them readable."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

from model_release.errors import DataInvalid, NotFound, SpecError, UsageError
from model_release.modelling.dataset.form import CONVERT, recognise
from model_release.workflows.drafting.table import read_table
from support.tiny_dataset import BEETLES, FIRST, HEADER, ROWS, Farm

NAMES = HEADER.strip()


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    return Farm(tmp_path)


def with_keys(farm: Farm, **keys: object) -> None:
    lines = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    farm.with_spec(BEETLES.replace("  partitions: increments\n", f"  partitions: increments\n{lines}"))


def test_title_lines_are_skipped_and_lines_are_counted_from_the_file_s_first(farm: Farm) -> None:
    with_keys(farm, skip_lines=2)
    farm.deliver(FIRST, f'Beetles, "counted\n\n{HEADER}{ROWS}')
    assert farm.ingest().rows == 3

    farm.deliver(FIRST, f"Beetles\n\n{HEADER}{ROWS}x,2,red,1,north,0\n1,2\n")
    with pytest.raises(DataInvalid) as caught:
        farm.ingest()
    assert [(each["row"], each["column"]) for each in caught.value.report] == [(7, "length"), (8, None)]


def test_the_spec_names_the_columns_of_a_file_without_a_header(farm: Farm) -> None:
    with_keys(farm, header=f"[{NAMES}]")
    farm.deliver(FIRST, ROWS)
    snapshot = farm.ingest()
    assert snapshot.rows == 3
    farm.deliver(FIRST, HEADER + ROWS)
    with pytest.raises(DataInvalid, match=r"line 1: is a header line, and dataset\.header names the columns"):
        farm.ingest()


def test_a_title_above_rows_without_a_header(farm: Farm) -> None:
    with_keys(farm, skip_lines=1, header=f"[index, {NAMES}]", others="ignore")
    farm.deliver(FIRST, "Beetles\n" + "".join(f"7,{line}\n" for line in ROWS.splitlines()))
    assert farm.load(farm.ingest()).frame["length"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (f"[{NAMES.replace('weight', 'wieght')}]", "header does not name 'weight'; did you mean 'wieght'?"),
        (f"[{NAMES}, length]", "header names 'length' twice"),
        (f"[{NAMES}, NO]", "dataset.header: NO is the boolean false to YAML; quote it: 'NO'"),
        (f"[{NAMES}, index]", "header names 'index', which is no column; describe it, or write others: ignore"),
    ],
)
def test_a_header_that_does_not_name_the_columns_is_refused(farm: Farm, header: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        with_keys(farm, header=header)
    assert words in str(caught.value)


def test_a_text_of_many_lines_with_delimiters_is_read(farm: Farm) -> None:
    farm.with_spec(
        BEETLES.replace("garden: {kind: categorical, values: [north, south], input", "garden: {kind: text, input")
    )
    farm.deliver(FIRST, HEADER + '1,2,red,1,"a\n\nb, c\n",0\n' + ROWS)
    assert farm.load(farm.ingest()).frame["garden"][0] == "a\n\nb, c"


def test_rows_that_an_open_quote_swallows_stop_the_run_also_where_a_bad_row_would_be_set_aside(farm: Farm) -> None:
    with_keys(farm, rows="{invalid: drop, max_invalid: 50}")
    lines = ROWS.splitlines()
    farm.deliver(FIRST, "\n".join([NAMES, *lines, '1,"2,red,1,north,0', *lines, '1,2",red,1,north,0', *lines]) + "\n")
    with pytest.raises(DataInvalid, match="line 5: a quote is opened here and not closed"):
        farm.ingest()


def workbook() -> bytes:
    with io.BytesIO() as opened:
        with zipfile.ZipFile(opened, "w") as archive:
            archive.writestr("xl/workbook.xml", "<x/>")
        return opened.getvalue()


OTHERS = {
    "JSON lines": (b'{"a": 1}\n{"a": 2}\n', "json"),
    "packed JSON lines": (gzip.compress(b'{"a": 1}\n{"a": 2}\n'), "json"),
    "a JSON list": (json.dumps([{"a": 1}, {"a": 2}], indent=2).encode("utf-8-sig"), "json"),
    "a workbook": (workbook(), "excel"),
    "a workbook of 1997": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "excel"),
    "an archive that was cut short": (b"PK\x03\x04" + bytes(99), "zip"),
    "text that begins with a brace": (b"{a},b\n1,2\n", "delimited"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_file_of_a_kind_that_is_not_read_is_recognised_and_init_says_what_to_do(tmp_path: Path, case: str) -> None:
    content, kind = OTHERS[case]
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert recognise(path).kind == kind
    if kind != "delimited":
        with pytest.raises(UsageError) as caught:
            read_table(path)
        assert caught.value.what == CONVERT[kind]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("b.jsonl", r"dataset\.file, \*\.csv; it is JSON: convert it"),
        ("b.XLSX", r"; it is an Excel workbook: save the sheet as CSV"),
        ("b.parquet", r"; if the partitions are of PARQUET files, write format: parquet"),
    ],
)
def test_a_due_file_of_another_kind_is_named_with_what_to_do(farm: Farm, name: str, words: str) -> None:
    farm.deliver(f"dt=2026-10-01/{name}", "{}")
    with pytest.raises(NotFound, match=words):
        farm.ingest()
