"""What lies at a source: every object of a due partition is read, passed over on purpose, or reported."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from model_release.documents.layout import check_key
from model_release.errors import DataInvalid, NotFound, SpecError, UnsafeKey
from model_release.spec.load import load_spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import open_store
from support.tiny_dataset import BEETLES, FIRST, HEADER, ROWS, Farm

NAMES = [
    "B.CSV",
    "x y.csv",
    "a (1).csv",
    "[2].csv",
    "2026-11-01T02:00:00.csv",
    "hour=03/b.csv",
    "käfer.csv",
    "-first.csv",
    "at@home.csv",
    "b.csv.gz",
]


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    """A farm whose source is opened as a run opens it: written by others, only read here."""
    farm = Farm(tmp_path)
    farm.source = open_store(farm.source.uri, TransferSettings().for_reading())  # type: ignore[assignment]
    return farm


def with_keys(farm: Farm, text: str = BEETLES, **keys: str) -> None:
    lines = "".join(f"  {key}: {value}\n" for key, value in keys.items())
    farm.with_spec(text.replace("  partitions: increments\n", f"  partitions: increments\n{lines}"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_read_and_kept_whatever_others_called_it(farm: Farm, name: str) -> None:
    content = (HEADER + ROWS).encode()
    farm.deliver(f"dt=2026-10-01/{name}", gzip.compress(content) if name.endswith("gz") else content)

    snapshot = farm.ingest()

    assert [(each.path, each.rows) for each in snapshot.partitions] == [(f"dt=2026-10-01/{name}", 3)]
    (kept,) = farm.keys("raw/")
    assert check_key(kept) == kept
    assert snapshot.left_out == {}


def test_names_that_differ_only_in_what_no_key_has_are_kept_apart(farm: Farm) -> None:
    for name in ("a b.csv", "a@20b.csv", "a-b.csv"):
        farm.deliver(f"dt=2026-10-01/{name}", HEADER + ROWS)

    farm.ingest()

    assert len(farm.keys("raw/")) == 3


def test_what_says_itself_that_it_is_no_data_is_passed_over(farm: Farm) -> None:
    for name in ("_SUCCESS", "_temporary/0/part.csv", ".hidden.csv", ".git/beetles.csv", "_committed_123"):
        farm.deliver(f"dt=2026-10-01/{name}", "x")
    farm.deliver(FIRST, HEADER + ROWS)

    snapshot = farm.ingest()

    assert [each.path for each in snapshot.partitions] == [FIRST]
    assert snapshot.left_out == {}


def test_a_linked_folder_is_read_and_one_that_leads_out_is_refused(farm: Farm, tmp_path: Path) -> None:
    farm.deliver("elsewhere/beetles.csv", HEADER + ROWS)
    (farm.source.root / "dt=2026-10-01").symlink_to(farm.source.root / "elsewhere")
    (farm.source.root / "elsewhere" / "loop").symlink_to(farm.source.root)

    assert [each.path for each in farm.ingest().partitions] == [FIRST]

    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "beetles.csv").write_text(HEADER + ROWS)
    (farm.source.root / "dt=2026-10-02").symlink_to(tmp_path / "secret")
    with pytest.raises(UnsafeKey, match="leads out of the store"):
        farm.ingest()


def test_a_due_partition_without_data_is_news(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    farm.deliver("dt=2026-10-02/_SUCCESS", "")
    farm.deliver("dt=2026-10-03/beetles.txt", HEADER + ROWS)
    farm.deliver("dt=2026-10-04/beetles.csv", HEADER)
    farm.deliver("dt=2026-10-05/beetles.csv", "")

    snapshot = farm.ingest()

    assert snapshot.without_data == ["dt=2026-10-02", "dt=2026-10-03", "dt=2026-10-04", "dt=2026-10-05"]
    assert snapshot.left_out == {"dt=2026-10-03/beetles.txt": "its name does not match dataset.file, *.csv"}


def test_where_nothing_can_be_read_the_reason_is_said(farm: Farm) -> None:
    farm.deliver("dt=2026-10-03/beetles.txt", HEADER + ROWS)

    with pytest.raises(NotFound, match=r"beetles\.txt: its name does not match dataset\.file, \*\.csv"):
        farm.ingest()


def test_an_empty_part_has_no_rows(farm: Farm) -> None:
    farm.deliver("dt=2026-10-01/part-0.csv", HEADER + ROWS)
    farm.deliver("dt=2026-10-01/part-1.csv", "")

    assert [each.rows for each in farm.ingest().partitions] == [3, 0]


def test_partitions_have_the_key_that_the_spec_says(farm: Farm) -> None:
    with_keys(farm, partition="day")
    farm.deliver("day=2026-10-01/hour=03/beetles.csv", HEADER + ROWS)
    farm.deliver(FIRST, "of another key")

    assert [each.path for each in farm.ingest().partitions] == ["day=2026-10-01/hour=03/beetles.csv"]


PACKED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "gzip": (gzip.compress, ".gz"),
    "bz2": (bz2.compress, ".bz2"),
    "xz": (lzma.compress, ".xz"),
}


@pytest.mark.parametrize("how", PACKED)
def test_a_compressed_file_is_read_by_its_name_or_by_the_spec(farm: Farm, how: str) -> None:
    pack, ending = PACKED[how]
    farm.deliver(f"{FIRST}{ending}", pack((HEADER + ROWS).encode()))
    named = farm.ingest()
    (farm.source.root / f"{FIRST}{ending}").rename(farm.source.root / FIRST)
    with_keys(farm, compression=how)

    assert farm.ingest().fingerprint == named.fingerprint


def test_a_file_that_is_not_compressed_as_it_says_is_a_finding(farm: Farm) -> None:
    farm.deliver(f"{FIRST}.gz", HEADER + ROWS)

    with pytest.raises(DataInvalid, match="is not gzip"):
        farm.ingest()


def test_semicolons_decimal_commas_and_another_encoding(farm: Farm) -> None:
    plain = HEADER + "1.5,2,red,1,north,0\n2,3,blue,2,south,1\n"
    farm.deliver(FIRST, plain)
    before = farm.ingest()
    with_keys(farm, delimiter="';'", decimal="','", encoding="utf-16")
    farm.deliver(FIRST, plain.replace(",", ";").replace(".", ",").encode("utf-16"))

    assert farm.ingest().fingerprint == before.fingerprint


def test_a_point_is_no_number_where_the_decimal_mark_is_a_comma(farm: Farm) -> None:
    with_keys(farm, delimiter="';'", decimal="','")
    farm.deliver(FIRST, (HEADER + ROWS).replace(",", ";"))

    with pytest.raises(DataInvalid, match=r"'1\.0' is not a number"):
        farm.ingest()


def test_parquet_gives_the_rows_that_csv_gives(farm: Farm) -> None:
    farm.deliver(FIRST, HEADER + ROWS)
    before = farm.ingest()
    with_keys(farm, format="parquet")
    table = pd.DataFrame(
        {
            "pest": [0, 1, 2],
            "length": [1.0, 2.0, 3.0],
            "weight": [2.0, 3.0, None],
            "colour": ["red", "blue", "red"],
            "spots": pd.array([1, 2, 7], dtype="Int64"),
            "garden": pd.Categorical(["north", "south", "north"]),
        }
    )
    path = farm.source.root / "dt=2026-10-01" / "hour=03" / "beetles.parquet"
    path.parent.mkdir(parents=True)
    table.to_parquet(path)

    snapshot = farm.ingest()

    assert snapshot.fingerprint == before.fingerprint
    why = "its name does not match dataset.file, *.parquet; if the partitions are of CSV files, write format: csv"
    assert snapshot.left_out == {FIRST: why}


def test_parquet_that_is_none_is_a_finding(farm: Farm) -> None:
    with_keys(farm, format="parquet")
    farm.deliver("dt=2026-10-01/beetles.parquet", HEADER + ROWS)

    with pytest.raises(DataInvalid, match="is not Parquet"):
        farm.ingest()


REFUSED = {
    "encoding: utf-99": "no encoding is called 'utf-99'",
    "format: parquet\n  delimiter: ';'": "delimiter, decimal and encoding are of CSV files",
    "decimal: ','": "delimiter and decimal are both ','",
    "partition: a/b": "dataset.partition",
}


@pytest.mark.parametrize("keys", REFUSED)
def test_a_form_that_cannot_be_is_refused(tmp_path: Path, keys: str) -> None:
    path = tmp_path / "beetles.yaml"
    path.write_text(BEETLES.replace("  partitions: increments\n", f"  partitions: increments\n  {keys}\n"))

    with pytest.raises(SpecError) as caught:
        load_spec(path)

    assert REFUSED[keys] in str(caught.value)
