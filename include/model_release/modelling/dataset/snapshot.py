"""The exact rows that a model is trained on: taken as of a date, checked, kept under their fingerprint.

For tasks, which hand each other a fingerprint; rows go through the store.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from model_release.documents.base import JSON_TYPE
from model_release.errors import Corrupt, NotFound
from model_release.modelling.dataset.arrivals import (
    Source,
    arrived,
    keep_raw,
    partition_of,
    receive,
    sha256_of_file,
)
from model_release.modelling.dataset.encoding import fingerprint_of, read_parquet, write_parquet
from model_release.modelling.dataset.findings import Finding, keep_report, rejected
from model_release.modelling.dataset.holdout import far_from_asked, rows_apart
from model_release.modelling.dataset.learning import learn, too_many, unknown_rows
from model_release.modelling.dataset.query import QuerySource
from model_release.modelling.dataset.record import Apart, Partition, Snapshot
from model_release.modelling.dataset.roles import faults_of, groups_of
from model_release.modelling.dataset.rows import Rows, target_values
from model_release.modelling.dataset.selection import overlaps, select
from model_release.modelling.dataset.validated import PARQUET_TYPE, Validated, kept, rules_digest, validated
from model_release.modelling.dataset.validation import fields, stored
from model_release.spec.dataset import Target
from model_release.spec.model import Spec
from model_release.spec.rows import RowRules
from model_release.stores.base import Lost, Store

_OVERLAP = (
    "if each partition is the whole table, write dataset.partitions: snapshots; if a new row replaces an older one, "
    "name its columns in dataset.rows.key; if both are to count, write dataset.rows.overlap: allow"
)
_HOLDOUT = "choose another split.seed or split.method"


def ingest(spec: Spec, *, source: Source, data: Store, as_of: date) -> Snapshot:
    """Take every partition that arrived on or before `as_of`, check it, and keep the rows as a snapshot.

    Rows keep the order received: by day, file name, line. A partition that repeats an older one stops the run. What
    arrives is kept as it came below `raw/` first, also where it is then rejected. A file that an earlier run validated
    by the same rules is not read again. Nothing is written where the same rows are there already.

    Args:
        spec: the model.
        source: what `spec.dataset.source` names; only read.
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
        deliveries = [receive(path, spec, source, Path(scratch) / str(number)) for number, path in enumerate(found.due)]
        if not isinstance(source, QuerySource):  # which has kept its own
            keep_raw(deliveries, data)
        reject = partial(rejected, deliveries=deliveries, data=data, source=source.uri)
        rules, there = rules_digest(spec.dataset), kept(data)
        read = [validated(each, spec.dataset, data=data, rules=rules, there=there) for each in deliveries]
        invalid = [finding for each in read for finding in each.invalid]
        if stopping := [finding for each in read for finding in each.form] or _too_many(read, spec.dataset.rows):
            raise reject(stopping)
        if repeats := _repeats(read, spec):
            raise reject(repeats, hint=_OVERLAP)
        received = pd.concat([each.values for each in read], ignore_index=True)
        selected = select(received, spec.dataset.rows, columns=list(fields(spec.dataset)))
        rows = selected.rows
        classes = _classes(rows, spec.dataset.target)
        if absent := [words for words, count in classes.items() if not count]:
            rule = f"of {len(rows)} rows, none is of class {', '.join(absent)}: a model needs rows of every class"
            raise reject([Finding("all files", spec.dataset.target.column, rule)])
        together = _as_rows(rows, spec.dataset.target)
        if faults := faults_of(together, spec.dataset):
            raise reject([Finding("all files", column, words) for column, words in faults])
        training, holdout = rows_apart(spec, together)
        if far := far_from_asked(spec, together, training, holdout):
            raise reject([Finding("all files", None, far)], hint=_HOLDOUT)
        learned = learn(spec.dataset, together, training)
        if unlearnable := [*too_many(spec.dataset, learned)]:
            raise reject(unlearnable)
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
                Partition(path=each.path, sha256=arrival.sha256, rows=each.rows)
                for arrival, each in zip(deliveries, read, strict=True)
            ],
            classes=classes,
            rows_read=sum(each.rows for each in read),
            set_aside=sum(each.rows - len(each.values) for each in read),
            set_aside_report=keep_report(invalid, deliveries, data, what="set-aside") if invalid else None,
            superseded=selected.superseded,
            left_out=found.left_out,
            without_data=[*found.without_data, *_empty(read)],
            apart=Apart(
                method=spec.split_method,
                training=len(training),
                holdout=len(holdout),
                left_out=len(together) - len(training) - len(holdout),
                groups=spec.dataset.group and len(np.unique(groups_of(together, spec.dataset))),
            ),
            learned=learned,
            unknown=unknown_rows(spec.dataset, together, learned),
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
    wanted = stored(spec.dataset)
    if list(frame.columns) != wanted:
        raise Corrupt(
            f"has the columns {', '.join(frame.columns)}; the spec has {', '.join(wanted)}",
            where=where,
            hint="the spec has changed since: run the ingest task again",
        )
    rows = _as_rows(frame, spec.dataset.target)
    if not any(column.is_learned for column in spec.dataset.inputs.values()):
        return rows
    training, _ = rows_apart(spec, rows)  # the record may be of a run with another split
    return replace(rows, learned=learn(spec.dataset, rows, training))


def _too_many(read: Sequence[Validated], rules: RowRules) -> list[Finding]:
    """Return the findings of the partitions that have more invalid rows than the spec lets a run set aside."""
    partitions: dict[str, list[Validated]] = {}
    for each in read:
        partitions.setdefault(partition_of(each.path), []).append(each)
    return [
        finding
        for parts in partitions.values()
        if (bad := sum(each.rows - len(each.values) for each in parts))
        and (rules.invalid == "stop" or bad > _limit(rules.max_invalid, sum(each.rows for each in parts)))
        for each in parts
        for finding in each.invalid
    ]


def _limit(most: float, rows: int) -> float:
    return most * rows if most < 1 else most


def _empty(read: Sequence[Validated]) -> list[str]:
    """Return the partitions whose files have no row among them."""
    partitions = dict.fromkeys(partition_of(each.path) for each in read)
    return [name for name in partitions if not any(each.rows for each in read if partition_of(each.path) == name)]


def _repeats(read: Sequence[Validated], spec: Spec) -> list[Finding]:
    """Return the partitions that largely repeat an older one, if the spec does not say what is then to be done."""
    rules = spec.dataset.rows
    if rules.key_columns or rules.overlap == "allow":
        return []
    columns = list(fields(spec.dataset))
    partitions: dict[str, list[pd.DataFrame]] = {}
    for each in read:
        partitions.setdefault(partition_of(each.path), []).append(each.values[columns])
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
        data.upload(snapshot.key, made, content_type=PARQUET_TYPE)
        if not isinstance(data.create(record, snapshot.to_bytes(), content_type=JSON_TYPE), Lost):
            return snapshot
    first = read_snapshot(data, snapshot.fingerprint)
    return snapshot.model_copy(update={"content_sha256": first.content_sha256, "size": first.size})
