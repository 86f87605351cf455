"""The pointer as a value: it comes back as written, and its transitions keep the rules."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_release.documents import limits
from model_release.documents.pointer import (
    Change,
    Hold,
    Kind,
    Pointer,
    PromotionTarget,
    Quarantine,
    first,
    promoted,
    release_order,
    why_not,
)
from model_release.documents.version import Version
from support.strategies import pointers, version

LAWS = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = datetime(2024, 5, 1, 2, 0, tzinfo=UTC)
CHANGE = Change(
    kind=Kind.PROMOTE,
    from_version=Version(1, 0, 0),
    to_version=Version(1, 1, 0),
    by="ada",
    reason="better",
    at=NOW,
    operation="op",
)
candidates = st.builds(
    PromotionTarget,
    version=version,
    metadata_sha256=st.just("0" * 64),
    schema_revision=st.integers(1, 5),
    data_as_of=st.none() | st.dates(limits.FIRST_DAY, limits.LAST_DAY),
)


def candidate(name: str = "v1.1.0", revision: int = 1, as_of: date | None = date(2024, 5, 1)) -> PromotionTarget:
    return PromotionTarget(
        version=Version.parse(name), metadata_sha256="0" * 64, schema_revision=revision, data_as_of=as_of
    )


def begin(**more: object) -> Pointer:
    start = first(candidate("v1.0.0"), lineage="l", home="file:///store", change=CHANGE, write_id="w")
    return start.model_copy(update=more)


@LAWS
@given(pointers)
def test_a_pointer_comes_back(pointer: Pointer) -> None:
    body = pointer.to_bytes()
    back = Pointer.read(body, where="here")
    assert back == pointer
    assert back.to_bytes() == body


def test_the_change_is_written_with_from_and_to() -> None:
    assert b'"from": "v1.0.0",\n    "to": "v1.1.0"' in begin().to_bytes()


@LAWS
@given(candidates, candidates)
def test_a_promotion_moves_forward_or_is_refused(live: PromotionTarget, newer: PromotionTarget) -> None:
    pointer = first(live, lineage="l", home="h", change=CHANGE, write_id="w")
    assert (pointer.epoch, pointer.since, pointer.previous) == (1, 1, None)
    if why_not(pointer, newer) is not None:
        assert newer.order <= pointer.order
        return
    moved = promoted(pointer, newer, change=CHANGE, write_id="w2")
    assert moved.order == newer.order > pointer.order
    assert (moved.epoch, moved.since, moved.previous) == (2, 2, live.version)
    assert (moved.lineage, moved.home, moved.write_id) == ("l", "h", "w2")
    assert Pointer.read(moved.to_bytes(), where="here") == moved


def test_a_promotion_keeps_what_it_does_not_concern() -> None:
    marks = {"v0.9.0": Quarantine(by="ada", reason="bad", at=NOW)}
    pointer = begin(quarantined=marks, retired=[Version(0, 8, 0)])
    moved = promoted(pointer, candidate(), change=CHANGE, write_id="w2")
    assert (moved.quarantined, moved.retired) == (marks, [Version(0, 8, 0)])


ORDER = [
    release_order(1, None, Version(9, 0, 0)),
    release_order(1, date(2024, 1, 1), Version(1, 9, 0)),
    release_order(1, date(2024, 1, 1), Version(1, 10, 0)),
    release_order(1, date(2024, 1, 2), Version(1, 0, 1)),
    release_order(2, None, Version(1, 0, 0)),
    release_order(2, date(2020, 1, 1), Version(1, 0, 0)),
]


def test_the_order_of_releases() -> None:
    assert sorted(ORDER) == ORDER
    assert len(set(ORDER)) == len(ORDER)


HOLD = Hold(by="ada", reason="audit", at=NOW, operation="op")


@pytest.mark.parametrize(
    ("more", "newer", "said"),
    [
        ({}, candidate(), None),
        ({}, candidate("v1.0.0"), "latest only moves forward"),
        ({}, candidate("v1.0.1", as_of=None), "latest only moves forward"),
        ({}, candidate("v1.1.0", as_of=date(2024, 4, 30)), "data as of 2024-04-30"),
        ({}, candidate("v1.1.0", revision=2, as_of=date(2024, 4, 30)), None),
        ({"holds": [HOLD]}, candidate(), "latest is held at v1.0.0 by ada since 2024-05-01 02:00 UTC: audit"),
        (
            {"quarantined": {"v1.1.0": Quarantine(by="bo", reason="bad", at=NOW)}},
            candidate(),
            "quarantined by bo: bad",
        ),
        ({"quarantined": {"v1.2.0": Quarantine(by="bo", reason="bad", at=NOW)}}, candidate(), None),
        ({"retired": [Version(1, 1, 0)]}, candidate(), "v1.1.0 is retired"),
        ({"retired": [Version(1, 1, 0)], "holds": [HOLD]}, candidate(), "v1.1.0 is retired"),
    ],
)
def test_why_not(more: dict[str, object], newer: PromotionTarget, said: str | None) -> None:
    found = why_not(begin(**more), newer)
    assert (found is None) == (said is None)
    assert said is None or said in str(found)
