"""The consumer's folder: immutable copies of versions, a link to the current one, and the remembered pointer.

    DIR/current                        a link to one of the copies, swapped by a rename
    DIR/v1.4.0-3f2a51c09b7e/           a copy: the version, and the beginning of its manifest's SHA-256
    DIR/latest.json                    the memory: the pointer as it was last verified, byte for byte
    DIR/.model-release/lock            held by the one pull that works in the folder
    DIR/.model-release/parts/<sha256>  files on their way, named by their content
    DIR/.model-release/scratch         unfinished files and folders

A copy appears whole or not at all, and nothing in it changes. A process may be killed at any byte: it leaves parts,
which the next pull hashes and continues.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from model_release.client.promises import File, Promised, Resolved
from model_release.documents import layout, limits
from model_release.documents.version import Version
from model_release.errors import Corrupt, ModelReleaseError, Refused, Stop

CURRENT = "current"
_HIDDEN = ".model-release"
_DIGITS = 12


class Folder:
    """A consumer's folder of one model; made when something is written.

    Args:
        root: its path.
        shared: use it even if another user owns it, or every user may write to it.
    """

    def __init__(self, root: Path, *, shared: bool = False) -> None:
        self._shared = shared
        self.root = root.expanduser().absolute()
        self.memory = self.root / layout.POINTER
        self._hidden = self.root / _HIDDEN
        self.parts = self._hidden / "parts"
        self.scratch = self._hidden / "scratch"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for other pulls into this folder to end, and keep them out. The lock of a process that dies is free."""
        with told(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            self._check_own()
            for each in (self._hidden, self.parts, self.scratch):
                each.mkdir(exist_ok=True)
                _check_no_link(each)
            lock = os.fdopen(os.open(self._hidden / "lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o644), "w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _check_own(self) -> None:
        """Check that no other user can have put anything here.

        Raises:
            Refused: another user owns the folder, or every user may write to it.
        """
        found = self.root.stat()
        if self._shared or (found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWOTH):
            return
        what = "every user may write to it" if found.st_uid == os.geteuid() else f"user {found.st_uid} owns it"
        raise Refused(
            f"this folder is not this user's own: {what}, and could put another model here",
            where=str(self.root),
            hint="pull into a new folder below it, which will be this user's own; or say --shared if that is meant",
        )

    def remembered(self) -> Resolved | None:
        """Return the pointer that was last verified; None if nothing was verified yet.

        Raises:
            Corrupt: the file is damaged.
        """
        try:
            body = limits.read_bounded(self.memory, limits.POINTER)
        except FileNotFoundError:
            return None
        return Resolved.read(body, where=str(self.memory))

    def remember(self, pointer: Resolved) -> None:
        """Keep a pointer whose release was verified."""
        self.put(self.memory, pointer.body)

    def put(self, path: Path, body: bytes) -> None:
        """Write a small file, in one step."""
        with told(path), tempfile.TemporaryDirectory(dir=self.scratch) as name:
            new = Path(name) / "new"
            with new.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)

    def current(self) -> Path | None:
        """Return the current copy; None if there is none."""
        link = self.root / CURRENT
        with contextlib.suppress(OSError):
            copy = self.root / link.readlink()
            return copy if copy in self._copies() else None  # a link that another program made may lead anywhere
        return None

    def find(self, version: Version, sha256: str | None) -> tuple[Path, Promised] | None:
        """Return a whole copy of a version, with its manifest, every byte checked; None if there is none.

        Args:
            version: of the copy.
            sha256: of its manifest; None for any copy of the version.
        """
        for path in sorted(self.root.glob(f"{version}-{sha256[:_DIGITS] if sha256 else ''}*")):
            with contextlib.suppress(OSError, ModelReleaseError):
                return path, checked_copy(path, sha256=sha256)
        return None

    def holding(self, file: File) -> Path | None:
        """Return a file of a copy that should have these bytes, and has their size; None if there is none."""
        for path in self._copies():
            with contextlib.suppress(OSError, ModelReleaseError):
                body = limits.read_bounded(path / layout.MANIFEST, limits.MANIFEST)
                for other in Promised.read(body, where=str(path)).files:
                    at = path / other.path
                    if other.sha256 == file.sha256 and at.stat().st_size == file.size:
                        return at
        return None

    @contextlib.contextmanager
    def assembled(self, manifest: Promised) -> Iterator[Path]:
        """A new folder with a release whose files are all among the parts; removed afterwards unless it was kept."""
        with told(self.root), tempfile.TemporaryDirectory(dir=self.scratch) as name:
            new = Path(name) / "copy"
            new.mkdir()
            (new / layout.MANIFEST).write_bytes(manifest.body)
            for file in manifest.files:
                path = new / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                part = self.parts / file.sha256
                try:
                    path.hardlink_to(part)
                except OSError:  # not every file system has links
                    shutil.copyfile(part, path)
            for path in new.rglob("*"):
                if path.is_file():
                    path.chmod(0o444)
            yield new

    def keep(self, new: Path, manifest: Promised) -> Path:
        """Give an assembled folder its name; return its path."""
        name = f"{manifest.version}-{manifest.sha256[:_DIGITS]}"
        taken, place = 1, self.root / name
        while place.exists():  # damaged, and perhaps current
            taken += 1
            place = self.root / f"{name}.{taken}"
        new.rename(place)
        return place

    def swap(self, copy: Path) -> bool:
        """Make a copy current, in one step; return whether another one was. It stays; older ones are removed."""
        before = self.current()
        if before != copy:
            with told(self.root), tempfile.TemporaryDirectory(dir=self.scratch) as name:
                link = Path(name) / CURRENT
                link.symlink_to(copy.name)
                link.replace(self.root / CURRENT)
            for path in self._copies():
                if path not in (copy, before):
                    shutil.rmtree(path, ignore_errors=True)
        for path in (self.parts, self.scratch):
            shutil.rmtree(path, ignore_errors=True)
        return before != copy

    def _copies(self) -> list[Path]:
        named = ((path, path.name.partition("-")[0]) for path in self.root.iterdir())
        return sorted(path for path, name in named if Version.is_version(name) and not path.is_symlink())


def checked_copy(folder: Path, *, sha256: str | None = None) -> Promised:
    """Check every byte of a copy; return its manifest.

    Args:
        folder: holds a release's files beside its `metadata.json`.
        sha256: of the manifest's bytes, if it is known.

    Raises:
        Corrupt: a file is missing, or differs from the manifest, or the manifest differs from `sha256`.
    """
    path = folder / layout.MANIFEST
    try:
        manifest = Promised.read(limits.read_bounded(path, limits.MANIFEST), where=str(path), sha256=sha256)
    except FileNotFoundError:
        raise Corrupt("is missing", where=str(path), hint="pull the release again") from None
    for file in manifest.files:
        file.check(folder / file.path)
    return manifest


def _check_no_link(path: Path) -> None:
    """Check that a folder that is emptied after each pull is one, and no link to another.

    Raises:
        Refused: it is a link.
    """
    if path.is_symlink():
        raise Refused("is a link, and what it leads to would be removed", where=str(path), hint="remove the link")


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an error of the disk into one of the project's."""
    try:
        yield
    except OSError as error:
        raise Stop(
            f"the disk says: {error.strerror or error}",
            where=str(error.filename or path),
            hint="pull into a folder that this process may write to, with enough room",
        ) from error
