"""Whether a version may become live by a person's act: it is not barred, every byte is right, a form loads (rule 8)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer, why_barred
from model_release.documents.version import Version
from model_release.errors import Corrupt, Refused
from model_release.releases.catalog import fetch
from model_release.releases.store import ReleaseStore

CLOCKS_APART = timedelta(days=1)
"""More than a worker's clock and the store's may differ."""

Try = Callable[[Path, Manifest], None]
"""Opens a release from a folder that holds its verified files; raises if none of its forms loads."""


def may_be_live(releases: ReleaseStore, current: Pointer, version: Version, opens: Try | None) -> Manifest:
    """Return the manifest of a version that may be live, and is there whole.

    The pointer was read before: if the version is retired meanwhile, the swap fails.

    Args:
        releases: of the model.
        current: the pointer.
        version: a published one.
        opens: tries that it loads; None overrules that it must.

    Raises:
        Refused: the version is in quarantine, or retired.
        NotFound, Corrupt: it is not there whole.
    """
    refuse_barred(releases, current, version)
    return whole(releases, version, opens, sha256=_digest_when_live(releases, current, releases.manifest(version)))


def refuse_barred(releases: ReleaseStore, current: Pointer, version: Version) -> None:
    """Refuse a version that may not become live by any verb.

    Raises:
        Refused: it is in quarantine, or retired.
    """
    barred = why_barred(current, version)
    if barred is not None:
        raise Refused(barred, where=f"{releases.uri}/{layout.POINTER}")


def whole(releases: ReleaseStore, version: Version, opens: Try | None, *, sha256: str | None = None) -> Manifest:
    """Return a version's manifest, after every byte of its files and its loading were tried.

    Args:
        releases: of the model.
        version: a published one.
        opens: tries that it loads.
        sha256: of the manifest's bytes, where a pointer or the log tells it.

    Raises:
        NotFound, Corrupt: it is not there whole.
    """
    manifest = releases.manifest(version, sha256=sha256)
    claim = releases.claim(version)
    if claim is not None and claim.metadata.sha256() != manifest.sha256():  # the log is not asked beyond its training
        raise Corrupt("the manifest is not the one that its number was claimed for", where=f"{releases.uri}/{version}")
    with tempfile.TemporaryDirectory(prefix="model-release-") as name:
        for entry in manifest.files:
            target = Path(name) / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            fetch(releases.home, layout.artifact(version, entry.path), entry, target)
        if opens is not None:
            opens(Path(name), manifest)
    return manifest


def _digest_when_live(releases: ReleaseStore, current: Pointer, manifest: Manifest) -> str | None:
    """Return what the log says of a manifest's bytes; None where the version was never live.

    No version was live before it was trained, so the log is followed back no further than that.
    """
    trained = manifest.trained
    for term in releases.terms(current):
        if term.version == manifest.version:
            return term.metadata_sha256
        if trained is not None and term.began < trained - CLOCKS_APART:
            break
    return None
