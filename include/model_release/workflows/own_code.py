"""The wheels with the code of a release's makers, read from a store."""

from __future__ import annotations

import tempfile
from pathlib import Path

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.model_files.own_code import wheels
from model_release.releases.catalog import fetch
from model_release.stores import Store


def own_code(store: Store, manifest: Manifest) -> list[bytes]:
    """Return the wheels of a release, verified; none if its pickles need no code of their own.

    Args:
        store: the model's folder.
        manifest: of the release.

    Raises:
        NotFound: a wheel is missing.
        Corrupt: a wheel differs from its digest.
    """
    bodies: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        for number, entry in enumerate(wheels(manifest.files)):
            path = Path(scratch, str(number))
            fetch(store, layout.artifact(manifest.version, entry.path), entry, path)
            bodies.append(path.read_bytes())
    return bodies
