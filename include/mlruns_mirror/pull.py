"""From a mirror to a working MLflow in an empty folder.

Files get their names when their content was checked, and the database comes last: a pull that was killed goes on where
it was, and until it has ended there is no database to be opened.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlruns_mirror import database, keys
from mlruns_mirror.local import File, content, scratch_in
from mlruns_mirror.manifest import Mirror, Snapshot
from mlruns_mirror.progress import Progress, Silent
from mlruns_mirror.reading import fetch_database, read_files, read_mirror
from mlruns_mirror.sending import WORKERS
from model_release.errors import Contended, Corrupt, NotFound, Refused
from model_release.stores.bulk import as_done
from model_release.stores.reader.reader import Reader

ATTEMPTS = 5
"""How often one pull begins anew because a push with `delete` has overtaken it."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """The result of a pull.

    Attributes:
        folder: the one that was filled.
        database: the restored database; None if the mirror has files alone.
        snapshot: its facts.
        files, size: how many files the mirror has, and their bytes.
        fetched: how many of them were fetched now.
    """

    folder: Path
    database: Path | None
    snapshot: Snapshot | None
    files: int
    size: int
    fetched: int


def pull(store: Reader, folder: Path, *, overwrite: bool = False, progress: Progress | None = None) -> Pulled:
    """Restore a mirror as `mlflow.db` and `mlruns/` in a folder. Killed at any moment and called again, it goes on.

    Args:
        store: reads the folder `mlruns` in the bucket.
        folder: made if it is not there.
        overwrite: replace a database that is there already.
        progress: called for every file.

    Raises:
        NotFound: no mirror is there, or it lacks an object that it names.
        Refused: the folder has a database already.
        Corrupt: bytes of the mirror differ from those that were pushed.
    """
    folder = folder.absolute()
    target = folder / "mlflow.db"
    if target.exists() and not overwrite:
        raise Refused(
            "there is a database already", where=str(target), hint="pull to an empty folder, or replace it: --overwrite"
        )
    last: Mirror | None = None
    for _ in range(ATTEMPTS):
        found = store.get(keys.TOP)
        if found is None:
            where, hint = f"{store.uri}/{keys.TOP}", "give the folder `mlruns` itself, as in s3://bucket/mlruns"
            raise NotFound("no mirror is there", where=where, hint=hint)
        mirror = read_mirror(store, found)
        try:
            return _restore(store, mirror, folder, target, progress or Silent())
        except (NotFound, Corrupt):
            if mirror == last:
                raise  # it is not a push that has passed by
            last = mirror
    raise Contended(f"pushes have passed by {ATTEMPTS} times", where=store.uri, hint="pull again when they are done")


def _restore(store: Reader, mirror: Mirror, folder: Path, target: Path, progress: Progress) -> Pulled:
    root = folder / "mlruns"
    root.mkdir(parents=True, exist_ok=True)
    files = read_files(store, mirror)
    with scratch_in(folder) as scratch:
        fetcher = _Fetcher(store, root, scratch)
        fetched = fetcher.fetch(files, progress)
        snapshot = mirror.database
        if snapshot is not None:
            copy = scratch / "mlflow.db"

            def download(key: str, path: Path) -> None:
                fetcher.bring(key, snapshot.packed.size, path)

            fetch_database(store.uri, download, snapshot, copy)
            database.relocate(copy, mirror.roots, root)
            copy.replace(target)
    return Pulled(folder, target if snapshot else None, snapshot, mirror.files, mirror.size, fetched)


@dataclass(frozen=True, slots=True)
class _Fetcher:
    """Brings objects.

    Attributes:
        store: the mirror.
        root: the local `mlruns`.
        scratch: a folder on the same disk.
    """

    store: Reader
    root: Path
    scratch: Path

    def fetch(self, files: Mapping[str, File], progress: Progress) -> int:
        """Fetch every missing file; return how many were fetched.

        Equal content of several files, such as the environments of models, is fetched once.
        """
        alike: dict[File, list[str]] = defaultdict(list)
        for path, file in files.items():
            _check_path(path, self.store.uri)
            alike[file].append(path)
        for folder in _folders(files):
            (self.root / folder).mkdir(exist_ok=True)
        progress.begin("pulling", len(files), sum(each.size for each in files.values()))
        fetched = 0
        for size, came, of in as_done(self._one, enumerate(alike.items()), workers=WORKERS):
            fetched += came
            for _ in range(of):
                progress.advance(size)
        return fetched

    def bring(self, key: str, size: int, target: Path) -> File:
        """Write an object to a new file; return its content.

        Raises:
            NotFound: there is no such object.
        """
        digest, got = hashlib.sha256(), 0
        with target.open("wb") as out:
            for chunk in self.store.read(key, 0, size, self.scratch):
                digest.update(chunk)
                got += out.write(chunk)
        return File(got, digest.hexdigest())

    def _one(self, item: tuple[int, tuple[File, list[str]]]) -> tuple[int, int, int]:
        """Bring one content to all files that have it; return its size, how many were written, how many there are."""
        number, (file, paths) = item
        new = self.scratch / str(number)
        lacking = [path for path in paths if not _has(self.root / path, file)]
        if lacking:
            self._bring_checked(file, lacking, new)
            for path in lacking[1:]:
                shutil.copyfile(new, copy := self.scratch / f"{number}-copy")
                copy.replace(self.root / path)
            new.replace(self.root / lacking[0])
        return file.size, len(lacking), len(paths)

    def _bring_checked(self, file: File, paths: list[str], target: Path) -> None:
        """Fetch a content from one of the keys that may still have it."""
        for key in (*map(keys.file, paths), keys.replaced(file.sha256)):
            with suppress(NotFound, Corrupt):  # a larger object there is another content
                if self.bring(key, file.size, target) == file:
                    return
        raise Corrupt("these bytes differ from the pushed ones", where=f"{self.store.uri}/{keys.file(paths[0])}")


def _folders(paths: Iterable[str]) -> list[str]:
    """All folders that lie above some paths, outer ones first."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found)


def _has(local: Path, file: File) -> bool:
    with suppress(FileNotFoundError):
        return local.stat().st_size == file.size and content(local) == file
    return False


def _check_path(path: str, where: str) -> None:
    """Refuse paths outside the folder: the names come from a bucket."""
    if "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise Corrupt(f"{path!r} is not the path of a file below mlruns/", where=where)
