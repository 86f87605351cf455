"""One file of the source after validation: kept as Parquet, so that no later run reads it again. For `snapshot` alone.

`partitions/<digest>/rows.parquet` holds the sound rows as a snapshot holds them, and in its metadata how many rows the
file has and which of them break a rule. The digest is over the file's bytes and path, the spec's rules for cells, and
the code and packages that apply them: what could change a row or a finding changes the digest. One object is one
write, so a run that is killed leaves a file validated or not, and never half.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as parquet

from model_release.documents.base import sha256_of
from model_release.errors import Corrupt, NotFound
from model_release.modelling.dataset.arrivals import Delivery, compression_of, day_of
from model_release.modelling.dataset.encoding import from_table, to_table
from model_release.modelling.dataset.findings import REPORTED, Finding
from model_release.modelling.dataset.reading import read_texts
from model_release.modelling.dataset.validation import check_rows, set_aside, stored, to_values, without_marks
from model_release.spec.dataset import Dataset
from model_release.stores.base import Store

PARQUET_TYPE = "application/vnd.apache.parquet"

_FOLDER = "partitions/"
_FACTS = b"model_release"
_PACKAGE = Path(__file__).parents[2]
_CODE = ("documents", "modelling/dataset", "spec")
"""Where the code lies that decides what a cell means."""

_NO_RULE_FOR_CELLS = {
    "source", "file", "partitions", "window_days", "leave_out", "sha256", "rows",
    "title", "description", "url", "licence", "attribution", "limits",
}  # fmt: skip
"""Fields of a dataset that choose files, or judge rows together, or only describe."""


@dataclass(frozen=True, slots=True)
class Validated:
    """One file.

    Attributes:
        path: below the source.
        values: the sound rows, in the columns of a snapshot.
        rows: how many rows the file has.
        invalid: what is wrong with the others.
        form: what is wrong with the file as a whole.
    """

    path: str
    values: pd.DataFrame
    rows: int
    invalid: list[Finding]
    form: list[Finding]


def rules_digest(dataset: Dataset) -> str:
    """Return the SHA-256 over what decides which rows a file gives: the spec's rules, the code, the packages."""
    code = [path.read_bytes() for room in _CODE for path in sorted((_PACKAGE / room).rglob("*.py"))]
    parts = [dataset.model_dump_json(exclude=_NO_RULE_FOR_CELLS), pd.__version__, arrow.__version__]
    return sha256_of(json.dumps([*parts, *map(sha256_of, code)]).encode())


def kept(data: Store) -> set[str]:
    """Return the keys of all files that are kept validated, by one listing."""
    return {entry.key for entry in data.list(_FOLDER)}


def validated(delivery: Delivery, dataset: Dataset, *, data: Store, rules: str, there: Collection[str]) -> Validated:
    """Return a file's rows: those that are kept, else read, checked and then kept.

    A file that is not of the spec's form, or has more findings than a report lists, is not kept, and is read again.

    Args:
        delivery: the file.
        dataset: says its form and its rules.
        data: the dataset's folder.
        rules: `rules_digest` of the dataset.
        there: the keys that `kept` found.
    """
    digest = sha256_of(json.dumps([delivery.path, delivery.sha256, rules]).encode())
    key, local = f"{_FOLDER}{digest}/rows.parquet", delivery.local.with_suffix(".parquet")
    if key in there and (found := _recall(key, local, delivery.path, dataset, data)) is not None:
        return found
    made = _read(delivery, dataset)
    if not made.form and len(made.invalid) <= REPORTED:
        _write(made, local)
        data.upload(key, local, content_type=PARQUET_TYPE)
    local.unlink(missing_ok=True)
    return made


def _read(delivery: Delivery, dataset: Dataset) -> Validated:
    day = day_of(delivery.path)
    file = read_texts(delivery.local, dataset, file=delivery.path, compression=compression_of(delivery.path, dataset))
    texts = without_marks(file.cells, dataset)
    broken = check_rows(texts, dataset, file=delivery.path, day=day)
    invalid = sorted([*file.ragged, *broken], key=lambda each: each.row or 0)
    form = [*file.form, *file.open_quotes(invalid, delivery.path)]
    values = to_values(set_aside(texts, invalid), dataset, day)
    return Validated(delivery.path, values, len(texts) + len(file.ragged), invalid, form)


def _write(made: Validated, path: Path) -> None:
    facts = json.dumps({"rows": made.rows, "invalid": [asdict(finding) for finding in made.invalid]})
    table = to_table(made.values).replace_schema_metadata({_FACTS: facts.encode()})
    parquet.write_table(table, path, compression="zstd", write_page_checksum=True)


def _recall(key: str, local: Path, path: str, dataset: Dataset, data: Store) -> Validated | None:
    """Return what is kept of a file; None if it is gone or damaged, so that the file is read again."""
    try:
        data.download(key, local)
        table = parquet.read_table(local, partitioning=None, page_checksum_verification=True)
        facts = json.loads((table.schema.metadata or {})[_FACTS])
    except (NotFound, Corrupt, arrow.ArrowException, OSError, KeyError, ValueError):
        local.unlink(missing_ok=True)
        return None
    local.unlink()
    values = from_table(table)
    if list(values.columns) != stored(dataset):
        return None
    return Validated(path, values, facts["rows"], [Finding(**each) for each in facts["invalid"]], [])
