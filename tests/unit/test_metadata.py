"""The release manifest: it comes back as it was written, names the reference's fields, and refuses unsafe paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from model_release.documents.base import canonical_json
from model_release.documents.manifest import AbandonedManifest, Claim, FileEntry, Manifest, model_bytes, read_manifest
from model_release.errors import Corrupt, UnknownFormat, UnsafeKey
from support.release_builder import make
from support.strategies import abandoned, claims, manifests

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
REFERENCE_FIELDS = [
    "model_name",
    "version",
    "trained_date",
    "accuracy",
    "model_file",
    "preprocessor_file",
    "framework",
    "python_version",
    "dependencies",
    "training_data",
]


@LAWS
@given(manifests)
def test_a_manifest_comes_back(manifest: Manifest) -> None:
    body = manifest.to_bytes()
    back = read_manifest(body, where="here")
    assert back == manifest
    assert back.to_bytes() == body


@LAWS
@given(abandoned)
def test_an_abandoned_number_comes_back(note: AbandonedManifest) -> None:
    back = read_manifest(note.to_bytes(), where="here")
    assert back == note
    assert isinstance(back, AbandonedManifest)
    assert back.to_bytes() == note.to_bytes()


@LAWS
@given(claims)
def test_a_claim_comes_back_with_the_very_manifest(claim: Claim) -> None:
    back = Claim.read(claim.to_bytes(), where="here")
    assert back == claim
    assert back.metadata.to_bytes() == claim.metadata.to_bytes()
    assert back.same_release(claim)


def test_the_references_ten_fields_come_first(tmp_path: Path) -> None:
    written = json.loads(make(tmp_path, "a").draft.to_bytes())
    assert list(written)[:10] == REFERENCE_FIELDS
    assert written["version"] == "1.0.0"
    assert written["trained_date"] == "2024-05-02"
    assert written["accuracy"] == 0.8525


def as_format_1(document: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of format 2 as format 1 has its facts; the fields keep their order."""
    told = {
        "version": f"v{document['version']}",
        "trained_date": document["trained_at"],
        "dependencies": document["requirements"],
        "format": 1,
    }
    return {
        name: told.get(name, value) for name, value in document.items() if name not in ("trained_at", "requirements")
    }


@LAWS
@given(manifests)
def test_format_1_is_read_as_format_2_and_comes_back_byte_for_byte(manifest: Manifest) -> None:
    body = canonical_json(as_format_1(manifest.to_json()))
    back = Manifest.read(body, where="here")
    assert back.to_bytes() == body
    assert back.trained_date == (manifest.trained_at.date() if manifest.trained_at else None)
    same = {"format": 2, "trained_date": manifest.trained_date, "dependencies": manifest.dependencies}
    assert back.model_copy(update=same) == manifest


@LAWS
@given(claims)
def test_a_claim_of_format_1_comes_back_byte_for_byte(claim: Claim) -> None:
    document = claim.to_json()
    body = canonical_json({**document, "format": 1, "metadata": as_format_1(document["metadata"])})
    assert Claim.read(body, where="here").to_bytes() == body


@pytest.mark.parametrize("told", [{"format": 1, "version": "1.0.0"}, {"format": 2, "version": "v1.0.0"}])
def test_each_format_has_one_spelling_of_a_version(tmp_path: Path, told: dict[str, Any]) -> None:
    document = make(tmp_path, "a").draft.to_json()
    document = {**(as_format_1(document) if told["format"] == 1 else document), **told}
    with pytest.raises(Corrupt, match="version: Value error"):
        read_manifest(canonical_json(document), where="here")


def test_an_unknown_field_called_metadata_is_kept_as_it_is(tmp_path: Path) -> None:
    body = canonical_json({**make(tmp_path, "a").draft.to_json(), "metadata": {"version": "v1.0.0"}})
    assert read_manifest(body, where="here").to_bytes() == body


def test_the_word_abandoned_may_stand_in_a_manifest(tmp_path: Path) -> None:
    draft = make(tmp_path, "a").draft.model_copy(update={"parameters": {"abandoned": True}})
    assert read_manifest(draft.to_bytes(), where="here") == draft


@pytest.mark.parametrize("body", [b"{}", b'{"abandoned": 1}', b"", b"null"])
def test_neither_of_the_two(body: bytes) -> None:
    with pytest.raises(Corrupt, match="not a readable"):
        read_manifest(body, where="here")


def test_another_format_is_not_guessed_at(tmp_path: Path) -> None:
    body = make(tmp_path, "a").draft.to_bytes().replace(b'"format": 2', b'"format": 3')
    for newer in (body, b'{"format": 3}'):
        with pytest.raises(UnknownFormat, match="has a format that this version of model-release does not know"):
            read_manifest(newer, where="here")


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", "a\\b", "a\0", ".x", ""])
def test_unsafe_paths(path: str) -> None:
    with pytest.raises(UnsafeKey):
        FileEntry(path=path, size=1, sha256="0" * 64)
    body = json.dumps({"path": path, "size": 1, "sha256": "0" * 64})
    with pytest.raises(UnsafeKey):
        FileEntry.model_validate_json(body)


def test_files_by_path(tmp_path: Path) -> None:
    draft = make(tmp_path, "a").draft
    assert draft.file("best_model.pkl").size == 19
    with pytest.raises(Corrupt, match="lists no model.onnx"):
        draft.file("model.onnx")
    assert list(model_bytes(draft)) == ["best_model.pkl", "preprocessor.pkl"]
    assert model_bytes(draft.model_copy(update={"model_file": None, "preprocessor_file": None})) == {}
    assert draft.model_copy(update={"dataset": None}).data_as_of is None
