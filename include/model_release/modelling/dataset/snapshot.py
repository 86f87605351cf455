"""The exact rows that a model is trained on: taken as of a date, checked, kept under their fingerprint.

For tasks, which hand each other a fingerprint; rows go through the store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Final, Literal

import pandas as pd
from pydantic import Field

from model_release.documents.base import JSON_TYPE, Document, Sha256, Value
from model_release.documents.manifest import InputColumn
from model_release.errors import Corrupt, NotFound
from model_release.modelling.dataset.arrivals import arrived, keep_raw, partition_of, receive, sha256_of_file
from model_release.modelling.dataset.encoding import fingerprint_of, read_parquet, write_parquet
from model_release.modelling.dataset.holdout import far_from_asked, rows_apart
from model_release.modelling.dataset.rows import Rows, target_values
from model_release.modelling.dataset.selection import overlaps, select
from model_release.modelling.dataset.validation import Finding, check_rows, fields, read_texts, rejected, to_values
from model_release.spec.dataset import Target
from model_release.spec.model import Spec
from model_release.stores.base import Lost, Store

FORMAT: Final = 1
_OVERLAP = (
    "if each partition is the whole table, write dataset.partitions: snapshots; if a new row replaces an older one, "
    "name its columns in dataset.rows.key; if both are to count, write dataset.rows.overlap: allow"
)
_HOLDOUT = "choose another split.seed or split.method"
_PARQUET_TYPE = "application/vnd.apache.parquet"


class Partition(Value):
    """One file that rows were taken from: path below the source, digest, rows with duplicates."""

    path: str
    sha256: Sha256
    rows: int = Field(ge=0)


class Snapshot(Document):
    """`processed/<fingerprint>/snapshot.json`: what the rows are, and where they lie.

    Attributes:
        fingerprint: SHA-256 over the columns' names and the rows' values in order, whatever file holds them.
        key: where the Parquet file lies below the dataset's folder.
        content_sha256: of that file; `size` is in bytes.
        as_of: the day up to which partitions were taken; in the store, that of the first run that met them.
        positives: rows of the positive class of two; None with more classes, or a number.
        duplicates_dropped: rows left out because an earlier one has the same values in every column.
        missing: by column, cells without a value.
        classes: rows by class, in words, in the order of the class codes; empty if the target is a number.
        rows_read: rows of the files that were read, those that were left out again included.
        superseded: rows left out because a later one has the same key.
        left_out: due files that were not read, by path below the source, with the reason.
    """

    format: Literal[1] = FORMAT
    fingerprint: str
    key: str
    content_sha256: Sha256
    size: int = Field(ge=0)
    rows: int = Field(ge=0)
    as_of: date
    positives: int | None = Field(ge=0)
    duplicates_dropped: int = Field(ge=0)
    missing: dict[str, int]
    partitions: list[Partition]
    classes: dict[str, int] | None = None
    rows_read: int | None = None
    superseded: int = 0
    left_out: dict[str, str] = {}


def ingest(spec: Spec, *, source: Store, data: Store, as_of: date) -> Snapshot:
    """Take every partition that arrived on or before `as_of`, check it, and keep the rows as a snapshot.

    Rows keep the order received: by day, file name, line. A partition that repeats an older one stops the run. What
    arrives is kept as it came below `raw/` first, also where it is then rejected. Nothing is written where the same
    rows are there already.

    Args:
        spec: the model.
        source: the store at `spec.source_uri()`; only read.
        data: the store at `spec.dataset_uri()`.
        as_of: the last day that counts.

    Returns:
        The snapshot; `as_of` and the partitions are this run's.

    Raises:
        NotFound: no partition had arrived by then, or one whose digest the spec lists is gone.
        SpecError: the spec lists the digest of something that is no file of a partition.
        Corrupt: a file's digest is not the one that the spec lists.
        DataInvalid: rows or columns break the spec's rules; carries the report, which the store keeps too.
    """
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        found = arrived(spec, source, as_of)
        deliveries = [
            receive(path, spec, source, Path(scratch) / f"{number}.csv") for number, path in enumerate(found.due)
        ]
        keep_raw(deliveries, data)
        read = [read_texts(each.local, spec.dataset, file=each.path) for each in deliveries]
        findings = [
            finding
            for each, (texts, form) in zip(deliveries, read, strict=True)
            for finding in [*form, *check_rows(texts, spec.dataset, file=each.path)]
        ]
        if findings:
            raise rejected(findings, deliveries, data)
        texts_of = {each.path: texts for each, (texts, _) in zip(deliveries, read, strict=True)}
        if repeats := _repeats(texts_of, spec):
            raise rejected(repeats, deliveries, data, hint=_OVERLAP)
        received = pd.concat([to_values(texts, spec.dataset) for texts in texts_of.values()], ignore_index=True)
        selected = select(received, spec.dataset.rows)
        rows = selected.rows
        classes = _classes(rows, spec.dataset.target)
        if absent := [words for words, count in classes.items() if not count]:
            rule = f"of {len(rows)} rows, none is of class {', '.join(absent)}: a model needs rows of every class"
            raise rejected([Finding("all files", spec.dataset.target.column, rule)], deliveries, data)
        together = _as_rows(rows, spec.dataset.target)
        _, holdout = rows_apart(spec, together)
        if far := far_from_asked(together, holdout, spec.split, spec.dataset.target.words):
            raise rejected([Finding("all files", None, far)], deliveries, data, hint=_HOLDOUT)
        made = Path(scratch) / "data.parquet"
        write_parquet(rows, made)
        fingerprint = fingerprint_of(rows)
        snapshot = Snapshot(
            fingerprint=fingerprint,
            key=f"{_folder(fingerprint)}/data.parquet",
            content_sha256=sha256_of_file(made),
            size=made.stat().st_size,
            rows=len(rows),
            as_of=as_of,
            positives=[*classes.values()][1] if len(classes) == 2 else None,
            duplicates_dropped=selected.duplicates,
            missing={str(name): int(count) for name, count in rows.isna().sum().items()},
            partitions=[
                Partition(path=each.path, sha256=each.sha256, rows=len(texts))
                for each, (texts, _) in zip(deliveries, read, strict=True)
            ],
            classes=classes,
            rows_read=len(received),
            superseded=selected.superseded,
            left_out=found.left_out,
        )
        return _keep(snapshot, made, data)


def read_snapshot(data: Store, fingerprint: str) -> Snapshot:
    """Return the record of a snapshot that is kept.

    Raises:
        NotFound: there is none of that fingerprint.
        Corrupt: the record is not readable.
    """
    key = f"{_folder(fingerprint)}/snapshot.json"
    stored = data.get(key)
    if stored is None:
        raise NotFound("there is no such snapshot", where=f"{data.uri}/{key}", hint="run the ingest task again")
    return Snapshot.read(stored.body, where=f"{data.uri}/{key}")


def load(spec: Spec, snapshot: Snapshot, *, data: Store) -> Rows:
    """Return a snapshot's rows.

    Raises:
        NotFound: the rows are gone.
        Corrupt: they are not the rows that the snapshot's record tells of, or not the spec's columns.
    """
    where = f"{data.uri}/{snapshot.key}"
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        local = Path(scratch) / "data.parquet"
        data.download(snapshot.key, local)
        found = sha256_of_file(local)
        if found != snapshot.content_sha256:
            raise Corrupt(f"has SHA-256 {found}, recorded is {snapshot.content_sha256}", where=where)
        frame = read_parquet(local)
    wanted = list(fields(spec.dataset))
    if list(frame.columns) != wanted:
        raise Corrupt(
            f"has the columns {', '.join(frame.columns)}; the spec has {', '.join(wanted)}",
            where=where,
            hint="the spec has changed since: run the ingest task again",
        )
    return _as_rows(frame, spec.dataset.target)


def input_schema(spec: Spec) -> list[InputColumn]:
    """Return what the manifest says about the columns that the model takes."""
    return [
        InputColumn(
            name=name,
            kind=column.kind,
            nullable=column.nullable,
            minimum=column.min,
            maximum=column.max,
            values=column.values,
            description=f"{column.description} ({column.unit})" if column.unit else column.description,
        )
        for name, column in spec.dataset.inputs.items()
    ]


def _repeats(texts: Mapping[str, pd.DataFrame], spec: Spec) -> list[Finding]:
    """Return the partitions that largely repeat an older one, if the spec does not say what is then to be done."""
    rules = spec.dataset.rows
    if rules.key_columns or rules.overlap == "allow":
        return []
    partitions: dict[str, list[pd.DataFrame]] = {}
    for path, each in texts.items():
        partitions.setdefault(partition_of(path), []).append(each)
    ids = [name for name, column in spec.dataset.columns.items() if not column.input]
    whole = {name: pd.concat(parts) for name, parts in partitions.items()}
    return [Finding(name, None, words) for name, words in overlaps(whole, ids)]


def _as_rows(frame: pd.DataFrame, target: Target) -> Rows:
    return Rows(frame.drop(columns=target.column), target_values(frame[target.column], target))


def _classes(rows: pd.DataFrame, target: Target) -> dict[str, int]:
    codes = target_values(rows[target.column], target)
    return {words: int((codes == code).sum()) for code, words in enumerate(target.words)}


def _folder(fingerprint: str) -> str:
    return f"processed/{fingerprint}"


def _keep(snapshot: Snapshot, made: Path, data: Store) -> Snapshot:
    """Keep the rows, then their record; the record that came first decides which file it is."""
    record = f"{_folder(snapshot.fingerprint)}/snapshot.json"
    if data.get(record) is None:
        data.upload(snapshot.key, made, content_type=_PARQUET_TYPE)
        if not isinstance(data.create(record, snapshot.to_bytes(), content_type=JSON_TYPE), Lost):
            return snapshot
    kept = read_snapshot(data, snapshot.fingerprint)
    return snapshot.model_copy(update={"content_sha256": kept.content_sha256, "size": kept.size})
