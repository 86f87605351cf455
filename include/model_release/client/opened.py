"""From a URI to a model that answers, in one call."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from model_release.client.fitness import misfits
from model_release.client.folder import checked_copy
from model_release.client.promises import Promised
from model_release.client.pulling import Puller
from model_release.documents import layout
from model_release.errors import Refused
from model_release.local_cache import CACHE_VARIABLE

if TYPE_CHECKING:
    from model_release.model_files.opening import Form, Model


def load(
    uri: str,
    *,
    version: str | None = None,
    sha256: str | None = None,
    allow_pickle: bool = False,
    to: str | Path | None = None,
    trust: str | Path | None = None,
    strict: bool = False,
) -> Model:
    """Pull a release, verify it and open its model: the ONNX form, or the pickled pipeline if that is allowed.

    Args:
        uri: as for `pull`.
        version: as for `pull`.
        sha256: as for `pull`.
        allow_pickle: open the pickled pipeline, which may run any code. Allow it for a release that is
            signed by a person you trust, or for a store that only they can write to.
        to: as for `pull`; by default a folder of this model in the cache of this user.
        trust: as for `pull`.
        strict: as for `pull`.

    Raises:
        ModelReleaseError: as for `pull`.
        Refused: the release does not have that form, or the versions of this process do not fit its pickles.
    """
    pulled = Puller(uri, to or _cache(uri), version=version, sha256=sha256, trust=trust, strict=strict).pull()
    return _open(pulled.folder, pulled.promised, allow_pickle=allow_pickle)


def open_folder(folder: str | Path, *, allow_pickle: bool = False) -> Model:
    """Verify a folder with a release's files and its `metadata.json`, and open its model.

    Raises:
        Corrupt: a file differs from the manifest, such as a preprocessor of another release.
        Refused: as for `load`.
    """
    return _open(Path(folder), checked_copy(Path(folder)), allow_pickle=allow_pickle)


def _open(folder: Path, promised: Promised, *, allow_pickle: bool) -> Model:
    from model_release.documents.manifest import Manifest
    from model_release.model_files.hosting import load_model
    from model_release.model_files.opening import forms

    manifest = Manifest.read(promised.body, where=str(folder / layout.MANIFEST))
    form: Form = "pickle" if allow_pickle else "onnx"
    there = forms(manifest)
    if form not in there:
        hint = "allow_pickle=True opens its pickled pipeline, which may run any code" if "pickle" in there else None
        raise Refused(f"{manifest.version} has no {form} form", where=str(folder), hint=hint)
    wrong = misfits(promised) if form == "pickle" else []
    if wrong:
        raise Refused("; ".join(wrong), where=str(folder), hint="install those versions, or open its ONNX form")
    return load_model(folder, manifest, form)


def _cache(uri: str) -> Path:
    import platformdirs

    named = os.environ.get(CACHE_VARIABLE)
    root = Path(named).expanduser() if named else platformdirs.user_cache_path("model-release")
    return root / "models" / hashlib.sha256(uri.partition("?")[0].encode()).hexdigest()[:16]
