"""The code of its makers that a release brings as wheels, unpacked for a process that opens its pickles."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from model_release.documents.layout import CODE
from model_release.documents.manifest import FileEntry, Manifest
from model_release.errors import Corrupt
from model_release.model_files.opening import verified

UNPACKED = 256 * 1024 * 1024
"""Bytes of all wheels of a release, unpacked."""


def wheels(files: Iterable[FileEntry]) -> list[FileEntry]:
    """Return the wheels among the files of a release."""
    return [each for each in files if each.path.startswith(f"{CODE}/") and each.path.endswith(".whl")]


def unpack(bodies: Iterable[bytes], folder: Path, *, where: str) -> Path:
    """Unpack wheels into a folder, which a process then puts on its path; return the folder.

    Args:
        bodies: of the wheels, verified.
        folder: is made.
        where: the release, for errors.

    Raises:
        Corrupt: a wheel is no archive, is too large, or has a file outside its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    left = UNPACKED
    for body in bodies:
        try:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                left -= sum(each.file_size for each in archive.infolist())
                if left < 0:
                    raise Corrupt(f"its code has more than {UNPACKED:,} bytes", where=where)
                for each in archive.infolist():
                    if not (folder / each.filename).resolve().is_relative_to(folder.resolve()):
                        raise Corrupt(f"its code has a file outside its folder, {each.filename!r}", where=where)
                archive.extractall(folder)
        except zipfile.BadZipFile as error:
            raise Corrupt("its code is no wheel", where=where) from error
    return folder


def on_path(release: Path, manifest: Manifest, folder: Path) -> None:
    """Have this process import the code of a release before any other of the same name.

    Args:
        release: the folder with the release's files.
        manifest: of the release, verified.
        folder: to unpack into; is made.

    Raises:
        Corrupt: a wheel differs from its digest in the manifest, or cannot be unpacked.
    """
    entries = wheels(manifest.files)
    if entries:
        bodies = [verified(release, manifest, each.path) for each in entries]
        sys.path.insert(0, str(unpack(bodies, folder, where=str(release))))
