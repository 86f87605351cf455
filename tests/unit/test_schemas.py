"""The JSON Schemas are those of the models, and what is written satisfies them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from model_release.documents import schemas
from model_release.documents.manifest import AbandonedManifest, Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import Version
from model_release.releases.claims import abandon
from model_release.releases.store import ReleaseStore
from model_release.stores.local import LocalStore
from support.release_builder import Chain, make
from support.strategies import abandoned, manifests, pointers

GOLDEN = Path(__file__).parents[1] / "golden"
REFERENCE_FIELDS = list(Manifest.model_fields)[:10]
LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((schemas.FOLDER / name).read_bytes())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


METADATA, LATEST = validator("metadata.schema.json"), validator("latest.schema.json")


def test_the_files_are_current() -> None:
    kept = {path.name: path.read_bytes() for path in schemas.FOLDER.glob("*.json")}
    old = {"metadata.format1.schema.json"}
    assert kept.keys() - old == schemas.current().keys()
    assert kept.items() >= schemas.current().items(), "run: python -m model_release.documents.schemas"


@pytest.mark.parametrize(("format_number", "name"), [(1, "metadata.format1.schema.json"), (2, "metadata.schema.json")])
def test_each_format_has_a_schema_that_its_releases_satisfy(format_number: int, name: str) -> None:
    stored = [each.read_bytes() for each in (GOLDEN / f"v{format_number}").glob("v*/metadata.json")]
    assert len(stored) == 5
    for body in stored:
        validator(name).validate(json.loads(body))


def test_written_documents_satisfy_them(store: LocalStore, tmp_path: Path) -> None:
    chain = Chain(store)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    chain.claim(make(tmp_path, "c", since=2))
    abandon(ReleaseStore(store), Version(1, 2, 0), by="housekeeping", reason="stale")
    kinds = {"latest.json": LATEST, "log": LATEST, "metadata.json": METADATA}
    checked = []
    for entry in store.list():
        kind = kinds.get(entry.key.split("/")[0]) or kinds.get(entry.key.rsplit("/", 1)[-1])
        if kind is not None:
            kind.validate(json.loads((store.root / entry.key).read_bytes()))
            checked.append(entry.key)
    assert checked == [
        "latest.json",
        "latest/metadata.json",
        "log/000000000001.json",
        "log/000000000002.json",
        "v1.0.0/metadata.json",
        "v1.1.0/metadata.json",
        "v1.2.0/metadata.json",
    ]


@LAWS
@given(manifests | abandoned)
def test_every_manifest_satisfies_its_schema(manifest: Manifest | AbandonedManifest) -> None:
    METADATA.validate(json.loads(manifest.to_bytes()))


@LAWS
@given(pointers)
def test_every_pointer_satisfies_its_schema(pointer: Pointer) -> None:
    LATEST.validate(json.loads(pointer.to_bytes()))


@pytest.mark.parametrize(
    ("schema", "update"),
    [
        (METADATA, {"version": "v1.0.0"}),
        (METADATA, {"version": None}),
        (METADATA, {"trained_date": "2024-05-02T02:00:00Z"}),
        (METADATA, {"dependencies": {"numpy": "2"}}),
        (METADATA, {"format": 3}),
        (METADATA, {"accuracy": "0.9"}),
        (METADATA, {"schema_revision": 0}),
        (METADATA, {"files": [{"path": "a", "size": -1, "sha256": "0" * 64}]}),
        (METADATA, {"files": [{"path": "a", "size": 1, "sha256": "short"}]}),
        (LATEST, {"epoch": 0}),
        (LATEST, {"metadata_sha256": "short"}),
        (LATEST, {"data_as_of": "yesterday"}),
        (LATEST, {"change": None}),
    ],
)
def test_what_is_wrong_does_not(
    store: LocalStore, tmp_path: Path, schema: Draft202012Validator, update: dict[str, Any]
) -> None:
    Chain(store).release(make(tmp_path, "a"))
    key = "latest.json" if schema is LATEST else "v1.0.0/metadata.json"
    document = json.loads((store.root / key).read_bytes())
    schema.validate(document)
    schema.validate({**document, "of a later day": 1})
    with pytest.raises(ValidationError):
        schema.validate({**document, **update})
    needed = ["epoch", "version", "metadata_sha256", "change", "write_id"] if schema is LATEST else REFERENCE_FIELDS
    for field in needed:
        with pytest.raises(ValidationError):
            schema.validate({name: value for name, value in document.items() if name != field})
