"""The local side: the files, their changes, and the files that earlier pushes have sent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from model_release.errors import UsageError

HIDDEN = ".model-release"
"""Folder beside the database for the knowledge about mirrors, and for unfinished files."""

_SETTLED_NS = 2_000_000_000
_JOURNAL_SECONDS = 12 * 3600
"""For so long a push relies on sent files that no mirror.json names: half of the age that `delete` spares."""

_LEFT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Source:
    """The folders of the local MLflow data.

    Attributes:
        database: the SQLite file; None if only files are mirrored.
        artifacts: the folder `mlruns`, as an absolute path.
        roots: further absolute paths by which the database may name that folder.
    """

    database: Path | None
    artifacts: Path
    roots: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the knowledge about mirrors."""
        return self.artifacts.parent

    @property
    def all_roots(self) -> list[str]:
        """Every path by which the database may name the folder of the artifacts."""
        return list(dict.fromkeys([str(self.artifacts), str(self.artifacts.resolve()), *self.roots]))


class File(NamedTuple):
    """The content of one file: size in bytes and SHA-256."""

    size: int
    sha256: str


class Stamp(NamedTuple):
    """The facts of a file that change when it is written: size, times in nanoseconds, inode."""

    size: int
    mtime: int
    ctime: int
    inode: int


def stamp(found: os.stat_result) -> Stamp:
    """Return a file's stamp."""
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def settled(seen: Stamp) -> bool:
    """Whether a later write will show in the stamp: within one step of the file system's clock it may not."""
    return time.time_ns() - seen.ctime > _SETTLED_NS


def scan(root: Path) -> dict[str, Stamp]:
    """Return every file below a folder by its path there, with its stamp; empty if there is no such folder.

    Raises:
        UsageError: a folder that may not be read, or a link to one.
    """
    found: dict[str, Stamp] = {}
    folders, base = [""], f"{root}/"
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(base + folder) as entries:
                for entry in entries:
                    path = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{path}/")
                    elif entry.is_file():
                        found[path] = stamp(entry.stat())
                    elif entry.is_dir():
                        raise UsageError(
                            "this is a link to a folder, which the mirror does not follow",
                            where=entry.path,
                            hint="move the folder here, or mount it",
                        )
        except (FileNotFoundError, NotADirectoryError):
            continue  # removed since its parent was read
        except PermissionError as error:
            raise UsageError("this process may not read it", where=base + folder) from error
    return found


def content(path: Path) -> File:
    """Read a file to its end; return its size and SHA-256."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return File(file.tell(), digest.hexdigest())


class Known:
    """The knowledge of this machine about one mirror: its content at the last push, and the files sent since.

    It only saves time: without it, every file is hashed and compared with the mirror's own indexes.

    Args:
        folder: beside the database.
        uri: of the mirror.

    Attributes:
        mirror: SHA-256 of the mirror.json that this describes; None if nothing is known.
        holds: number of files, bytes and runs of that mirror.
        database: signature of the local database, and the SHA-256 of the snapshot that it gave.
        files: by path: SHA-256 and size as that mirror.json names it, then mtime, ctime and inode of the local file
            that has this content, where it is known to.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        name = hashlib.sha256(uri.encode()).hexdigest()[:16]
        self._folder = folder / HIDDEN
        self._path = self._folder / f"mirror-{name}.json"
        self._journal = self._folder / f"mirror-{name}.sent"
        self.mirror: str | None = None
        self.holds: tuple[int, int, int | None] = (0, 0, None)
        self.database: list[Any] | None = None
        self.files: dict[str, list[Any]] = {}
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            read = json.loads(self._path.read_bytes())
            self.database, self.files, (files, size, runs) = read["database"], read["files"], read["holds"]
            self.mirror, self.holds = read["mirror"], (files, size, runs)

    def is_about(self, body: bytes) -> bool:
        """Whether this describes the mirror.json with these bytes."""
        return self.mirror == hashlib.sha256(body).hexdigest()

    def sha256(self, path: str, seen: Stamp) -> str | None:
        """Return the SHA-256 of a local file without reading it; None if it is not known."""
        known = self.files.get(path)
        return known[0] if known is not None and tuple(known[1:]) == seen else None

    def named(self) -> dict[str, File]:
        """Return the files that the mirror.json names."""
        return {path: File(size, sha256) for path, (sha256, size, *_) in self.files.items()}

    def save(self) -> None:
        """Keep it for the next push, with the files sent until now."""
        names = ("mirror", "holds", "database", "files")
        text = json.dumps({name: getattr(self, name) for name in names}, separators=(",", ":"))
        with scratch_in(self._folder.parent) as folder:
            new = folder / self._path.name
            new.write_text(text)
            new.replace(self._path)
        self._journal.unlink(missing_ok=True)

    def sent(self) -> dict[str, File]:
        """Return the files that unfinished pushes have sent, and know them from now on."""
        found: dict[str, File] = {}
        with contextlib.suppress(FileNotFoundError), self._journal.open() as lines:
            for line in lines:
                with contextlib.suppress(ValueError, TypeError):  # half a line: the end of one that was killed
                    at, path, sha256, size, *seen = json.loads(line)
                    if time.time() - at < _JOURNAL_SECONDS:
                        found[path] = File(size, sha256)
                        self.files[path] = [sha256, size, *seen]
        return found

    @contextlib.contextmanager
    def journal(self) -> Iterator[TextIO]:
        """Open the record of sent files, for `note_sent`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._journal.open("a", buffering=1) as lines:
            yield lines


@contextlib.contextmanager
def scratch_in(folder: Path) -> Iterator[Path]:
    """Make a folder for unfinished files, on the same disk; it is removed when the block ends.

    The folders of killed processes are removed after a day.
    """
    hidden = folder / HIDDEN
    hidden.mkdir(parents=True, exist_ok=True)
    for left in hidden.glob("new-*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=hidden, prefix="new-") as name:
        yield Path(name)


def note_sent(journal: TextIO, path: str, entry: list[Any]) -> None:
    """Record that a file was sent: its path, and its entry as in `Known.files`."""
    journal.write(json.dumps([int(time.time()), path, *entry], separators=(",", ":")) + "\n")
