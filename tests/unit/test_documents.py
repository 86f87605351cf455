"""Documents: one byte form, and faults that are told by field."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from model_release.documents.base import Document, Strict, Value, VersionText, canonical_json, sha256_of
from model_release.documents.manifest import AbandonedManifest
from model_release.documents.version import Version
from model_release.errors import Corrupt, UnknownFormat

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Note(Document):
    """A document of this test."""

    version: VersionText
    share: float
    size: int = Field(default=1, ge=0)
    more: dict[str, float] = {}


@given(json_values)
def test_one_byte_form(value: object) -> None:
    body = canonical_json(value)
    assert json.loads(body) == value
    assert canonical_json(json.loads(body)) == body
    assert body.endswith(b"\n")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {"deep": [math.nan]}])
def test_what_json_does_not_have(value: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_bytes_are_pinned() -> None:
    note = Note(version=Version(1, 2, 0), share=0.1, more={"ä": 1.0})
    body = '{\n  "version": "v1.2.0",\n  "share": 0.1,\n  "size": 1,\n  "more": {\n    "ä": 1.0\n  }\n}\n'.encode()
    assert note.to_bytes() == body
    assert note.sha256() == sha256_of(body)
    assert Note.read(body, where="here") == note


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the document: Invalid JSON"),
        (b'{"version": "v1.2.0", "sha', "the document: Invalid JSON"),
        (b"[]", "the document"),
        (b"\xff\xfe", "the document"),
        (b'{"version": "v1.2", "share": 1}', "version: Value error, 'v1.2' is not a version"),
        (b'{"version": 3, "share": 1}', "version"),
        (b'{"version": "v1.2.0"}', "share: Field required"),
        (b'{"version": "v1.2.0", "share": NaN}', "share"),
        (b'{"version": "v1.2.0", "share": 1, "size": -1}', "size: Input should be greater"),
        (b'{"version": "v1.2.0", "share": 1, "more": {"a": Infinity}}', "more.a"),
    ],
)
def test_faults_are_told_by_field(body: bytes, said: str) -> None:
    with pytest.raises(Corrupt) as caught:
        Note.read(body, where="store/key")
    assert caught.value.where == "store/key"
    assert said in caught.value.what
    assert "not a readable note" in caught.value.what


def test_values_are_frozen_and_patient_with_newer_fields() -> None:
    note = Note.read(b'{"version": "v1.2.0", "share": 1, "of a later day": 7}', where="here")
    assert note.share == 1.0
    with pytest.raises(ValidationError, match="frozen"):
        note.share = 2.0  # type: ignore[misc]


def test_what_people_write_is_strict() -> None:
    class Written(Strict):
        size: int

    assert issubclass(Note, Value)
    for value in ({"size": "3"}, {"size": 3, "sise": 4}, {"size": 3.5}, {}):
        with pytest.raises(ValidationError):
            Written.model_validate(value)


def test_a_document_of_another_version_of_its_format_keeps_its_bytes() -> None:
    """Digests are of bytes: an upgrade must neither add what an old document lacks nor drop what a new one has."""
    body = canonical_json(
        {
            "format": 2,
            "version": "1.2.0",
            "abandoned": {"by": "a", "reason": "b", "at": "2026-01-01T00:00:00Z", "later_in_a_part": [1]},
            "later": {"x": 1},
        }
    )
    assert AbandonedManifest.read(body, where="here").to_bytes() == body
    older = canonical_json({"version": "v1.2.0", "share": 0.5})
    assert Note.read(older, where="here").to_bytes() == older


def test_a_newer_format_is_no_damage() -> None:
    """Whoever reads it is told to update; nobody replaces it, as they would what cannot be read."""
    newer = b'{"format": 3, "version": "1.2.0", "given_up": true}'
    with pytest.raises(UnknownFormat, match="use a newer version"):
        AbandonedManifest.read(newer, where="here")
