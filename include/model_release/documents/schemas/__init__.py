"""JSON Schemas of the two documents that others read, kept as files beside this module.

`python -m model_release.documents.schemas` writes them from the models; a test holds that they are current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from model_release.documents.base import canonical_json
from model_release.documents.manifest import AbandonedManifest, Manifest
from model_release.documents.pointer import Pointer

FOLDER = Path(__file__).parent

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT: dict[str, tuple[Any, str, str]] = {
    "metadata.schema.json": (
        Manifest | AbandonedManifest,
        "metadata.json",
        "The files and facts of a version and why it was accepted; or that its number was given up.",
    ),
    "latest.schema.json": (
        Pointer,
        "latest.json",
        "Which version is live, and everything that a promotion depends on.",
    ),
}


def current() -> dict[str, bytes]:
    """Return the schemas of the present models: file name to content.

    They describe documents as they are written. An unknown field is allowed: a later version of the package may add it.
    """
    made = {}
    for name, (kind, title, description) in _ABOUT.items():
        schema = TypeAdapter(kind).json_schema(mode="serialization", by_alias=True)
        made[name] = canonical_json({"$schema": _DIALECT, **schema, "title": title, "description": description})
    return made


def write() -> list[Path]:
    """Write the files; return their paths."""
    written = []
    for name, body in current().items():
        path = FOLDER / name
        path.write_bytes(body)
        written.append(path)
    return written
