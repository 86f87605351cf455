"""Small JSON values, kept on this machine under their keys, in a folder that this user alone may write to.

    <cache>/<name>/<key>    SHA-256 of key and value; a line break; the value

Nothing depends on it. A folder that cannot be used, or that others could write to, keeps nothing. A file that is torn
or altered counts as missing. Several processes may write at once, since files appear whole. A value without a look-up
for a week is removed when the next value is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CACHE_VARIABLE = "MODEL_RELEASE_CACHE"
"""Environment variable: the folder for data that this machine can get again, instead of the user's cache folder."""

_DAY = 24 * 60 * 60
_UNUSED = 7 * _DAY


class LocalCache:
    """One folder of such values. A context manager, which holds the folder open.

    Every access is relative to the open folder, whose owner was checked, so that no other folder can take its place.

    Args:
        name: of the folder, below `MODEL_RELEASE_CACHE` or the user's own cache.
    """

    def __init__(self, name: str) -> None:
        self._folder = _open_own(_root() / name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._folder is not None:
            os.close(self._folder)

    def find(self, key: str) -> Any:
        """Return the value that was kept under the key; None if it is not here, or damaged."""
        if self._folder is None:
            return None
        try:
            file = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder)
        except OSError:
            return None
        try:
            known = os.fstat(file)
            seal, _, body = os.read(file, known.st_size).partition(b"\n")
            if time.time() - known.st_mtime > _DAY:
                os.utime(file)
        except OSError:
            return None
        finally:
            os.close(file)
        return json.loads(body) if seal == _seal(key, body) else None

    def keep(self, values: Mapping[str, Any]) -> None:
        """Keep each value under its key, a file name; do nothing if that fails."""
        if self._folder is None:
            return
        with suppress(OSError):
            for key, value in values.items():
                _write(self._folder, key, json.dumps(value).encode())
            _sweep(self._folder)


def _write(folder: int, key: str, body: bytes) -> None:
    unfinished = f".{os.urandom(8).hex()}"
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode=0o600, dir_fd=folder)
    try:
        with open(file, "wb") as opened:  # noqa: PTH123 - a descriptor has no path
            opened.write(_seal(key, body) + b"\n" + body)
        os.replace(unfinished, key, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(unfinished, dir_fd=folder)
        raise


def _sweep(folder: int) -> None:
    """Remove unused values, and unfinished files of writers that were killed."""
    for name in os.listdir(folder):
        with suppress(OSError):  # another process was faster
            if time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime > _UNUSED:
                os.unlink(name, dir_fd=folder)


def _root() -> Path:
    """Return the folder that platformdirs gives on Linux. Importing it would cost more than all look-ups together."""
    named = os.environ.get(CACHE_VARIABLE)
    root = named or (os.environ.get("XDG_CACHE_HOME") or "~/.cache") + "/model-release"
    return Path(os.path.expanduser(root))  # noqa: PTH111 - pathlib raises if a user has no home


def _open_own(path: Path) -> int | None:
    """Open a folder, made if it is not there; None if it cannot be used, or others than this user could write to it."""
    if not path.is_absolute():  # a user without a home
        return None
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    known = os.fstat(folder)
    if known.st_uid == os.geteuid() and not known.st_mode & 0o077:
        return folder
    os.close(folder)
    return None


def _seal(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\n" + body).hexdigest().encode()
