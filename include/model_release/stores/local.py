"""The folder store: `file:///…`, with the same promises as a cloud's, kept by the kernel.

Create-only is a hard link, which fails where the name exists. Compare-and-swap is a lock that the kernel releases when
its owner dies, and a rename. Everything is written to a hidden folder first and flushed before it gets its name, so a
killed writer leaves no half object under a key.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from model_release.documents import limits
from model_release.documents.layout import check_key, check_name
from model_release.errors import CredentialsRefused, NotFound, Refused, StoreUnavailable, UnsafeKey
from model_release.stores.base import OCTETS, Entry, Lost, Outcome, Stored, Won

HIDDEN = ".model-release"
"""Folder inside the store for locks and files in the making; no key can name it, no listing shows it."""

_CHUNK = 1024 * 1024

_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "afs",
    "9p",
    "ceph",
    "gluster",
    "lustre",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.rclone",
)


class LocalStore:
    """A folder as an object store. Content types and cache control have no place on a disk and are dropped.

    Args:
        root: the folder; made with the first write.
        names_of_others: others write it and it is only read: every file is listed, also in a folder that is a link,
            whatever its name.
        allow_network: use it even on NFS or SMB, where the kernel's locks and links may not hold.

    Raises:
        Refused: the folder is on a network file system.
    """

    def __init__(self, root: Path, *, allow_network: bool = False, names_of_others: bool = False) -> None:
        self._names_of_others = names_of_others
        self.root = root.absolute()
        self.uri = "file://" + quote(str(self.root))
        filesystem = filesystem_of(self.root)
        if not allow_network and filesystem.startswith(_NETWORK):
            raise Refused(
                f"this folder is on {filesystem}, where locks and links may not hold between machines",
                where=self.uri,
                hint="use an object store, or add ?allow_network=true if only one machine ever writes",
            )

    def get(self, key: str) -> Stored | None:
        """Return a small object whole, or None if it does not exist."""
        path = self._path(key)
        with self._errors(key):
            try:
                with open(path, "rb", opener=_at_once) as file:  # noqa: PTH123 - a path has no opener
                    body = limits.read_open(file, limits.largest(key), f"{self.uri}/{key}")
                    written = os.fstat(file.fileno()).st_mtime
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None
        return Stored(body, _token(body), datetime.fromtimestamp(written, UTC))

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        """Write an object that must not exist yet."""
        path = self._path(key)
        with self._errors(key), self._new_file(BytesIO(body)) as new:
            _make_folder(path.parent)
            try:
                os.link(new, path)
            except FileExistsError:
                return Lost()
            except OSError as error:
                if error.errno in (errno.EPERM, errno.ENOTSUP):
                    raise Refused(
                        "this file system has no hard links, which create-only needs",
                        where=self.uri,
                        hint="use a folder on another disk, or an object store",
                    ) from error
                raise
            _flush_folder(path.parent)
        return Won(_token(body))

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        """Write an object that must still be in the state that `token` names: the SHA-256 of its bytes."""
        path = self._path(key)
        with self._errors(key), self._locked(), self._new_file(BytesIO(body)) as new:
            try:
                with open(path, "rb", opener=_at_once) as file:  # noqa: PTH123 - a path has no opener
                    current = _token(limits.read_open(file, limits.largest(key), f"{self.uri}/{key}"))
            except FileNotFoundError:
                return Lost()
            if current != token:
                return Lost()
            new.replace(path)
            _flush_folder(path.parent)
        return Won(_token(body))

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        """Write a file of any size. Whole or not at all."""
        with path.open("rb") as file:
            self._put(key, file, new=new)

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Read an object into a new file.

        Raises:
            NotFound: there is no such object.
            Corrupt: it has more than `limit` bytes.
        """
        source = self._path(key)
        with self._errors(key):
            limits.check_size(source.stat().st_size, limit, f"{self.uri}/{key}")
            shutil.copyfile(source, path)

    def read(self, key: str, start: int) -> Iterator[bytes]:
        """Yield the bytes of an object from `start` on.

        Raises:
            NotFound: there is no such object.
        """
        with self._errors(key), self._path(key).open("rb") as file:
            file.seek(start)
            while chunk := file.read(_CHUNK):
                yield chunk

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        """Copy inside the store.

        Raises:
            NotFound: there is no such source.
        """
        with self._errors(source), self._path(source).open("rb") as file:
            self._put(target, file, new=new)

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects whose key begins with `prefix`, in the order of their keys."""
        folder = prefix.rpartition("/")[0]
        with self._errors(prefix):
            keys = sorted(self._keys(self._path(folder) if folder else self.root, prefix))
        for key in keys:
            with (
                self._errors(key),
                contextlib.suppress(FileNotFoundError),
            ):  # deleted since the folder was read
                found = (self.root / key).lstat()
                if stat.S_ISLNK(found.st_mode):
                    if not self._names_of_others and self._leads_out(self.root / key):
                        continue  # no call reads through it, so it is no object
                    found = (self.root / key).stat()
                if stat.S_ISREG(found.st_mode):  # a pipe or a device is no object
                    yield Entry(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def _keys(self, start: Path, prefix: str) -> Iterator[str]:
        """Yield the keys below a folder in any order. A file whose name is no valid key is not the store's."""

        def unreadable(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                raise error  # a folder that cannot be read is not an empty one

        others = self._names_of_others
        for name, folders, files in os.walk(start, onerror=unreadable, followlinks=others):
            if others:  # a link to a folder that it lies in has no end
                folders[:] = [each for each in folders if not _leads_back(name, each)]
            here = Path(name).relative_to(self.root)
            below = [f"{(here / each).as_posix()}/" for each in folders]
            folders[:] = [
                each
                for each, key in zip(folders, below, strict=True)
                if key.startswith(prefix) or prefix.startswith(key)
            ]
            keys = [(here / each).as_posix() for each in files]
            yield from (key for key in keys if key.startswith(prefix) and (others or _is_key(key)))

    def delete(self, key: str) -> None:
        """Remove an object, if it exists."""
        path = self._path(key)
        with self._errors(key), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            _flush_folder(path.parent)

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Yield the unfinished files whose writer died."""
        for path in sorted((self.root / HIDDEN).glob("new-*")):
            with self._errors(HIDDEN), contextlib.suppress(FileNotFoundError):  # its writer lives and has ended
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    if remove:
                        path.unlink()
                    yield f"{HIDDEN}/{path.name}"

    def now(self) -> datetime:
        """Return this machine's clock, which stamps the files too."""
        return datetime.now(UTC)

    def _path(self, key: str) -> Path:
        path = self.root / (check_name(key) if self._names_of_others else check_key(key))
        if self._has_link(key) and self._leads_out(path):
            raise UnsafeKey(
                f"{key!r} leads out of the store through a link",
                where=self.uri,
                hint=f"a person at this machine removes the link, which is {path} or a folder above it",
            )
        return path

    def _leads_out(self, path: Path) -> bool:
        return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root))

    def _in_the_way(self, key: str) -> Path:
        """Return what has an object's name and is no file, or the name of a folder above it and is no folder."""
        path = self.root / key
        above = (each for each in reversed(path.parents) if each.is_relative_to(self.root))
        return next((each for each in above if os.path.lexists(each) and not each.is_dir()), path)

    def _has_link(self, key: str) -> bool:
        """Whether a part of the path from the root to a key is a link. Without one, the path stays below the root."""
        at = str(self.root)
        for name in key.split("/"):
            at = f"{at}/{name}"
            if os.path.islink(at):  # noqa: PTH114 - a path that may not be read counts as no link, as for realpath
                return True
        return False

    def _put(self, key: str, content: BinaryIO, *, new: bool) -> None:
        path = self._path(key)
        with self._errors(key), self._new_file(content) as made:
            _make_folder(path.parent)
            if new:
                with contextlib.suppress(FileExistsError):
                    os.link(made, path)
            else:
                made.replace(path)
            _flush_folder(path.parent)

    @contextlib.contextmanager
    def _new_file(self, content: BinaryIO) -> Iterator[Path]:
        """A flushed file with the content and no key yet; removed if it gets none."""
        hidden = self.root / HIDDEN
        _make_folder(hidden)
        handle, name = tempfile.mkstemp(dir=hidden, prefix="new-")
        new = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                shutil.copyfileobj(content, file, _CHUNK)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
                os.fsync(file.fileno())
            yield new
        finally:
            new.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        hidden = self.root / HIDDEN
        _make_folder(hidden)
        with (hidden / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # dying releases it
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)  # closing alone would not, were the file inherited by a fork

    @contextlib.contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Map the disk's errors into the error tree, by code."""
        where = f"{self.uri}/{key}"
        try:
            yield
        except FileNotFoundError as error:
            if error.filename != str(self.root / key):
                raise StoreUnavailable(f"a file vanished: {error.filename}", where=where) from error
            raise NotFound("there is no such object", where=where) from error
        except PermissionError as error:
            raise CredentialsRefused(
                f"this process may not use {error.filename}",
                where=where,
                hint="check the folder's owner and mode",
            ) from error
        except (IsADirectoryError, NotADirectoryError, FileExistsError, shutil.SpecialFileError) as error:
            raise Refused(
                "something that is no object stands in the object's place",
                where=where,
                hint=f"a person at this machine moves {self._in_the_way(key)} away",
            ) from error
        except OSError as error:
            hint = "free some space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
            raise StoreUnavailable(f"the disk says: {error.strerror}", where=where, hint=hint) from error


def filesystem_of(path: Path) -> str:
    """Return the type of the file system that holds `path` (or its nearest parent), or `unknown`."""
    mounts = Path("/proc/self/mountinfo")
    if not mounts.exists():
        return "unknown"
    target = os.path.realpath(path)
    best, kind = "", "unknown"
    for line in mounts.read_text().splitlines():
        left, _, right = line.partition(" - ")
        point = left.split()[4].replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split()[0]
    return kind


def _token(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting for a writer, should it be a pipe: then it is read as an empty one."""
    return os.open(path, flags | os.O_NONBLOCK)


def _leads_back(folder: str, name: str) -> bool:
    path = f"{folder}/{name}"
    return os.path.islink(path) and os.path.realpath(folder).startswith(os.path.realpath(path))  # noqa: PTH114


def _is_key(name: str) -> bool:
    with contextlib.suppress(UnsafeKey):
        return check_key(name) == name
    return False


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, and flush each new name."""
    missing = [folder, *folder.parents]
    missing = missing[: next(i for i, each in enumerate(missing) if each.exists())]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        _flush_folder(each.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
