"""From a mirror to a working MLflow in an empty folder.

Files get their names when their content was checked, and the database comes last: a pull that was killed goes on where
it was, and until it has ended there is no database to be opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_release.errors import Contended, Corrupt, NotFound, Refused
from model_release.mirror import database, keys
from model_release.mirror.local import File, content, scratch_in
from model_release.mirror.manifest import Mirror, Snapshot
from model_release.mirror.progress import Progress, Silent
from model_release.mirror.reading import fetch_database, read_files, read_mirror
from model_release.mirror.sending import WORKERS
from model_release.stores.bulk import as_done
from model_release.stores.reading import Reader

ATTEMPTS = 5
"""How often one pull begins anew because a push with `delete` has overtaken it."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull has done.

    Attributes:
        folder: where.
        database: the restored database; None where the mirror has files alone.
        snapshot: what is known of it.
        files, size: how many files the mirror has, and their bytes.
        fetched: how many of them came now.
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
        progress: is told of every file.

    Raises:
        NotFound: no mirror is there, or it lacks what it names.
        Refused: the folder has a database already.
        Corrupt: the mirror's bytes are not those that were pushed.
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
        """Bring every file that is not there; return how many came."""
        for path in files:
            _check_path(path, self.store.uri)
        for each in sorted({(self.root / path).parent for path in files}):
            each.mkdir(parents=True, exist_ok=True)
        progress.begin("pulling", len(files), sum(each.size for each in files.values()))
        fetched = 0
        for size, came in as_done(self._one, enumerate(files.items()), workers=WORKERS):
            fetched += came
            progress.advance(size)
        return fetched

    def bring(self, key: str, size: int, target: Path) -> File:
        """Write an object to a new file; return what it is.

        Raises:
            NotFound: there is no such object.
        """
        digest, got = hashlib.sha256(), 0
        with target.open("wb") as out:
            for chunk in self.store.read(key, 0, size, self.scratch):
                digest.update(chunk)
                got += out.write(chunk)
        return File(got, digest.hexdigest())

    def _one(self, item: tuple[int, tuple[str, File]]) -> tuple[int, bool]:
        number, (path, file) = item
        local, new = self.root / path, self.scratch / str(number)
        if _has(local, file):
            return file.size, False
        for key in (keys.file(path), keys.replaced(file.sha256)):
            with suppress(NotFound):
                if self.bring(key, file.size, new) == file:
                    new.replace(local)
                    return file.size, True
        raise Corrupt("what lies here is not what was pushed", where=f"{self.store.uri}/{keys.file(path)}")


def _has(local: Path, file: File) -> bool:
    with suppress(FileNotFoundError):
        return local.stat().st_size == file.size and content(local) == file
    return False


def _check_path(path: str, where: str) -> None:
    """Refuse what would lie elsewhere: the names come from a bucket."""
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or path.startswith("/") or ".." in parts or "\0" in path:
        raise Corrupt(f"{path!r} is not the path of a file below mlruns/", where=where)
