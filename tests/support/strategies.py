"""Hypothesis strategies for the project's documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from model_release.documents import limits
from model_release.documents.layout import check_paths
from model_release.documents.manifest import (
    Abandoned,
    AbandonedManifest,
    Claim,
    CodeFacts,
    DatasetFacts,
    FileEntry,
    GateVerdict,
    InputColumn,
    MachineFacts,
    Manifest,
    Measured,
    RunFacts,
    TrackedRun,
)
from model_release.documents.pointer import Change, Hold, Kind, Pointer, Quarantine
from model_release.documents.version import Version
from model_release.errors import UnsafeKey

text = st.text(max_size=20)
number = st.integers(0, 999_999_999)
small = st.integers(1, limits.EPOCH - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
moment = st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - it adds the zone
day = st.dates(limits.FIRST_DAY, limits.LAST_DAY)
digest = st.text("0123456789abcdef", min_size=64, max_size=64)
segment = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._=+@-]{0,10}[A-Za-z0-9]", fullmatch=True)
path = st.lists(segment, min_size=1, max_size=3).map("/".join)
version = st.builds(Version, number, number, number)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.none() | strategy


files = st.builds(FileEntry, path=path, size=st.integers(0, 2**40), sha256=digest)


def _fit(entries: list[FileEntry]) -> bool:
    try:
        check_paths(entry.path for entry in entries)
    except UnsafeKey:
        return False
    return True


figures = st.builds(Measured, value=finite, low=maybe(finite), high=maybe(finite), on=text)
columns = st.builds(
    InputColumn,
    name=text,
    kind=st.sampled_from(["numeric", "categorical"]),
    nullable=st.booleans(),
    minimum=maybe(finite),
    maximum=maybe(finite),
    values=maybe(st.lists(st.integers(-9, 9) | finite | text, max_size=3)),
    description=text,
)
manifests = st.builds(
    Manifest,
    model_name=text,
    version=version,
    trained_date=maybe(day),
    accuracy=maybe(finite),
    model_file=maybe(path),
    preprocessor_file=maybe(path),
    framework=maybe(text),
    python_version=maybe(text),
    dependencies=maybe(path),
    training_data=maybe(text),
    trained_at=maybe(moment),
    requirements=st.dictionaries(text, text, max_size=3),
    fingerprint=digest,
    accuracy_measured_on=maybe(text),
    files=st.lists(files, max_size=3).filter(_fit),
    metrics=st.dictionaries(text, figures, max_size=2),
    gate=maybe(
        st.builds(
            GateVerdict,
            accepted=st.booleans(),
            reasons=st.lists(text, max_size=2),
            decision=maybe(text),
            baseline=maybe(version),
            since=maybe(small),
            overruled=maybe(text),
        )
    ),
    dataset=maybe(
        st.builds(
            DatasetFacts,
            uri=maybe(text),
            fingerprint=maybe(digest),
            rows=maybe(small),
            as_of=maybe(day),
        )
    ),
    schema_revision=small,
    input_schema=maybe(st.lists(columns, max_size=2)),
    parameters=maybe(st.dictionaries(text, json_value, max_size=3)),
    seed=maybe(st.integers(0, 2**32)),
    environment=st.dictionaries(text, text, max_size=2),
    code=maybe(
        st.builds(CodeFacts, package=text, digest=maybe(digest), revision=maybe(text), bundle_version=maybe(text))
    ),
    run=st.builds(RunFacts, dag_id=maybe(text), run_id=text, run_type=maybe(text)),
    mlflow=maybe(st.builds(TrackedRun, run_id=text, model_uri=maybe(text), registered_model=maybe(text))),
    told=maybe(st.dictionaries(text, json_value, max_size=2)),
    machine=maybe(st.builds(MachineFacts, system=text, processor=maybe(text), blas=maybe(text))),
    spec=maybe(st.dictionaries(text, json_value, max_size=2)),
)
abandoned = st.builds(
    AbandonedManifest, version=version, abandoned=st.builds(Abandoned, by=text, reason=text, at=moment)
)
claims = st.builds(Claim, run=segment, metadata=manifests)
changes = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(Kind),
        "from_version": maybe(version),
        "to_version": version,
        "by": text,
        "reason": text,
        "at": moment,
        "operation": text,
    }
).map(Change.model_validate)


def _pointer(epoch: int, since: int, **facts: Any) -> Pointer:
    return Pointer(epoch=max(epoch, since), since=min(epoch, since), **facts)


pointers = st.builds(
    _pointer,
    lineage=text,
    home=text,
    epoch=small,
    version=version,
    metadata_sha256=digest,
    schema_revision=small,
    data_as_of=maybe(day),
    since=small,
    previous=maybe(version),
    holds=st.lists(st.builds(Hold, by=text, reason=text, at=moment, operation=text), max_size=2),
    quarantined=st.dictionaries(version.map(str), st.builds(Quarantine, by=text, reason=text, at=moment), max_size=2),
    retired=st.lists(version, max_size=2),
    change=changes,
    write_id=text,
)
