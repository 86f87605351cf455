"""`metadata.json` of format 1, read as format 2 and written back to the same bytes.

The formats differ in three of the reference's ten fields. In format 1 `version` has a leading v, `trained_date` is an
instant, and `dependencies` are the packages themselves; format 2 keeps the instant in `trained_at` and the packages in
`requirements`.
"""

from __future__ import annotations

import json
from typing import Any

from model_release.documents.strict_json import RepeatedKey, read_json
from model_release.documents.version import Version

FORMAT = 1


def as_current(body: bytes, *, inside: str | None = None) -> bytes:
    """Return a document of format 1 with the names and types of format 2; any other bytes as they are.

    Args:
        body: the document.
        inside: the field that holds the manifest, which has a format of its own; None if the document is a manifest.

    Raises:
        RepeatedKey: an object in it has a key twice, so that its format is not known.
    """
    try:
        document = read_json(body)
    except RepeatedKey:
        raise
    except ValueError:
        return body  # its reader says what is wrong with it
    if inside is None:
        rewritten = _current(document)
    elif isinstance(document, dict) and inside in document:
        rewritten = {**document, inside: _current(document[inside])}
    else:
        return body
    if rewritten is document:
        return body
    return json.dumps(rewritten, ensure_ascii=False, separators=(",", ":")).encode()


def as_written(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document that `as_current` rewrote, or a part of it, as it was; the order of its fields stays."""
    back = dict(document)
    if "version" in back:
        back["version"] = f"v{back['version']}"
    for there, here in (("trained_at", "trained_date"), ("requirements", "dependencies")):
        if there in back:
            back[here] = back.pop(there)
    return back


def _current(document: Any) -> Any:
    if not isinstance(document, dict) or document.get("format", FORMAT) != FORMAT:
        return document
    current = {"format": FORMAT, **document}
    version = current.get("version")
    if isinstance(version, str):
        current["version"] = version[1:] if Version.is_version(version) else f"v{version}"  # which no reader takes
    if "trained_date" in current:
        instant = current["trained_at"] = current["trained_date"]
        current["trained_date"] = instant[:10] if isinstance(instant, str) else None
    if "dependencies" in current:
        current["requirements"], current["dependencies"] = current["dependencies"], None
    return current
