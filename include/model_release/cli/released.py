"""What is live in a store that is a folder, checked byte for byte.

For `try` and `make run`, which have just released something. This module reads the files with the standard library
alone and uses none of the code that wrote them, so that a fault there is not a fault here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_release.errors import Corrupt, NotFound

MODEL_CARD = "model_card.html"


@dataclass(frozen=True)
class Live:
    """The live version of a model.

    Attributes:
        root: the model's folder in the store.
        pointer: `latest.json`.
        manifest: the live version's `metadata.json`.
    """

    root: Path
    pointer: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def version(self) -> str:
        """Such as `v1.0.0`."""
        return str(self.pointer["version"])

    @property
    def folder(self) -> Path:
        """The live version's folder."""
        return self.root / self.version

    @property
    def card(self) -> Path | None:
        """The model card, where the version has one."""
        card = self.folder / MODEL_CARD
        return card if card.is_file() else None

    def made_by(self, run_id: str) -> bool:
        """Whether the live version was made by this run."""
        return bool((self.manifest.get("run") or {}).get("run_id") == run_id)


def read_live(root: Path) -> Live:
    """Return what is live, after a look at every byte of it.

    Args:
        root: the model's folder in the store.

    Raises:
        NotFound: nothing is live.
        Corrupt: the manifest or a file is missing, or is not what the pointer or the manifest promises.
    """
    try:
        pointer = json.loads((root / "latest.json").read_bytes())
    except FileNotFoundError:
        raise NotFound("nothing is live here: there is no latest.json", where=str(root)) from None
    folder = root / str(pointer["version"])
    body = _read(folder / "metadata.json")
    _compare("sha256", hashlib.sha256(body).hexdigest(), pointer["metadata_sha256"], folder / "metadata.json")
    manifest = json.loads(body)
    for entry in manifest["files"]:
        path = (folder / entry["path"]).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise Corrupt("the manifest names a file outside of its folder", where=str(path))
        content = _read(path)
        _compare("size", len(content), entry["size"], path)
        _compare("sha256", hashlib.sha256(content).hexdigest(), entry["sha256"], path)
    return Live(root=root, pointer=pointer, manifest=manifest)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Corrupt("the manifest or the pointer promises this file, and it is missing", where=str(path)) from None


def _compare(what: str, found: object, promised: object, path: Path) -> None:
    if found != promised:
        raise Corrupt(f"its {what} is {found}, and {promised} was promised", where=str(path))
