"""Files that somebody made, taken whole: a private copy that no longer changes, with the size and SHA-256 of each.

A team's own script may write into its folder at any moment; what is released is the copy, so that its digests hold.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath

from model_release.documents import layout
from model_release.documents.manifest import FileEntry
from model_release.documents.version import FIRST
from model_release.errors import Corrupt, NotFound, Refused, Retry, UnsafeKey, UsageError
from model_release.stores.base import Entry, Store
from model_release.stores.local import LocalStore

_Told = dict[str, tuple[int, int]]
"""By path, what a look at a file tells of its content: size and time of the last write."""

_OURS = (layout.CLAIM, layout.SIGNATURE)

_UNKNOWN = -1
"""Size in a listing of the web, which tells digests instead and has checked them."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What was taken.

    Attributes:
        source: where from, for people.
        folder: the private copy.
        files: what a release of it consists of; a hand-made `metadata.json` is in the folder and not among them.
        left_out: hidden files and folders, which no release has.
    """

    source: str
    folder: Path
    files: list[FileEntry]
    left_out: list[str]


def from_folder(folder: Path, scratch: Path) -> Collected:
    """Copy the files below `folder` into `scratch`. Links to files inside of it are followed.

    Raises:
        NotFound: there is no such folder.
        UnsafeKey: a name that cannot be an object key.
        UsageError: nothing to release, something that is no file, or a file that cannot be read.
        Refused: a link leads out of the folder, or the name is one that a release needs for itself.
        Retry: files changed meanwhile.
    """
    if not folder.is_dir():
        raise NotFound("there is no such folder", where=str(folder))
    try:
        before, left_out = _look(folder)
        names = _checked(before, where=str(folder))
        for name in names:
            _copy(folder / name, scratch / name)
        after, _ = _look(folder)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(error.filename or folder)) from error
    return _collected(str(folder), scratch, names, left_out, same=before == after)


def from_store(source: Store, scratch: Path, *, about: Callable[[Entry], object] = lambda _entry: None) -> Collected:
    """Download the files that `source` holds into `scratch`.

    A folder store is read as a folder: a disk may hold names and links that no store lists.

    Args:
        source: the folder of hand-made files.
        scratch: an empty folder.
        about: told of each file before it is fetched.

    Raises:
        NotFound: it holds nothing.
        UnsafeKey, UsageError, Refused, Retry: as for a folder.
        Corrupt: a file did not come whole.
    """
    if isinstance(source, LocalStore):
        return from_folder(source.root, scratch)
    before = _listed(source)
    if not before:
        raise NotFound("there are no files here", where=source.uri, hint="name the folder that holds best_model.pkl")
    left_out = [key for key in before if _hidden(key)]
    names = _checked([key for key in before if not _hidden(key)], where=source.uri)
    for name in names:
        about(before[name])
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source.download(name, target)
        size, promised = target.stat().st_size, before[name].size
        if promised not in (size, _UNKNOWN):
            raise Corrupt(f"came with {size:,} bytes and is listed with {promised:,}", where=f"{source.uri}/{name}")
    return _collected(source.uri, scratch, names, left_out, same=_listed(source) == before)


def _collected(source: str, folder: Path, names: list[str], left_out: list[str], *, same: bool) -> Collected:
    if not same:
        raise Retry("its files changed while they were read", where=source, hint="run again when nothing writes there")
    files = [_entry(folder, name) for name in names if name != layout.MANIFEST]
    if not files:
        raise UsageError("holds no files to release", where=source, hint="put best_model.pkl into it")
    return Collected(source, folder, files, left_out)


def _look(folder: Path) -> tuple[_Told, list[str]]:
    """Return every file below a folder, and what is hidden."""

    def unreadable(error: OSError) -> None:
        raise error  # a folder that cannot be read is not an empty one

    found: _Told = {}
    left_out: list[str] = []
    root = folder.resolve()
    for name, folders, files in os.walk(folder, onerror=unreadable):
        below = {*folders}
        for each in [*folders, *files]:
            path = Path(name) / each
            key = path.relative_to(folder).as_posix()
            if each.startswith("."):
                left_out.append(key)
            elif not path.resolve().is_relative_to(root):
                raise Refused("is a link that leads out of the folder", where=str(path), hint="copy the file itself")
            elif each in below:
                if path.is_symlink():
                    raise Refused("is a link to a folder", where=str(path), hint="copy the folder itself")
            else:
                facts = path.stat()
                if not stat.S_ISREG(facts.st_mode):
                    raise UsageError("is not a file", where=str(path), hint="remove it from the folder")
                found[key] = (facts.st_size, facts.st_mtime_ns)
        folders[:] = [each for each in folders if not each.startswith(".")]
    return found, sorted(left_out)


def _listed(source: Store) -> dict[str, Entry]:
    """Return what a store holds by key; objects that only stand for folders are no files."""
    return {entry.key: entry for entry in source.list() if entry.key and not entry.key.endswith("/")}


def _hidden(key: str) -> bool:
    return any(part.startswith(".") for part in key.split("/"))


def _checked(names: Collection[str], *, where: str) -> list[str]:
    """Return the names in order.

    Raises:
        UnsafeKey: some cannot be object keys in every store; names them all.
        Refused: one is a release's own.
    """
    unsafe = sorted(name for name in names if not _is_safe(name))
    if unsafe:
        raise UnsafeKey(
            f"{', '.join(map(repr, unsafe))} cannot be released under that name",
            where=where,
            hint="rename: letters, digits and ._=+@- between single slashes, no part that begins with a dash",
        )
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    both = sorted(folders & {*names, layout.MANIFEST, *_OURS})
    if both:
        raise UnsafeKey(f"{both[0]!r} is a folder here and a file in a release", where=where, hint="rename it")
    ours = [name for name in _OURS if name in names]
    if ours:
        raise Refused(
            f"holds {' and '.join(ours)}, so it is a version that model-release has made",
            where=where,
            hint="to release its files once more, copy them without",
        )
    return sorted(names)


def _is_safe(name: str) -> bool:
    try:
        layout.artifact(FIRST, name)
    except UnsafeKey:
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _entry(folder: Path, name: str) -> FileEntry:
    path = folder / name
    with path.open("rb") as file:
        return FileEntry(path=name, size=path.stat().st_size, sha256=file_digest(file, "sha256").hexdigest())
