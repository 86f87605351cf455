"""From a mirror to a working MLflow in an empty folder.

Files get their names when their content was checked, and the database comes last: a pull that was killed goes on where
it was, and until it has ended there is no database to be opened.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from model_release.errors import Contended, Corrupt, NotFound, Refused
from model_release.mirror import database, keys
from model_release.mirror.local import HIDDEN, content
from model_release.mirror.manifest import File, Mirror, Snapshot
from model_release.mirror.progress import Progress, Silent
from model_release.mirror.reading import fetch_database, read_files, read_mirror
from model_release.mirror.sending import WORKERS
from model_release.stores.base import Store
from model_release.stores.bulk import as_done

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


def pull(store: Store, folder: Path, *, overwrite: bool = False, progress: Progress | None = None) -> Pulled:
    """Restore a mirror as `mlflow.db` and `mlruns/` in a folder. Killed at any moment and called again, it goes on.

    Args:
        store: the folder `mlruns` in the bucket.
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


def _restore(store: Store, mirror: Mirror, folder: Path, target: Path, progress: Progress) -> Pulled:
    root = folder / "mlruns"
    root.mkdir(parents=True, exist_ok=True)
    (folder / HIDDEN).mkdir(exist_ok=True)
    files = read_files(store, mirror)
    with TemporaryDirectory(dir=folder / HIDDEN, prefix="new-") as name:
        scratch = Path(name)
        fetched = _fetch(store, files, root, scratch, progress)
        if mirror.database is not None:
            copy = scratch / "mlflow.db"
            fetch_database(store, mirror.database, copy)
            database.relocate(copy, mirror.roots, root)
            copy.replace(target)
    there = target if mirror.database else None
    return Pulled(folder, there, mirror.database, mirror.files, mirror.size, fetched)


def _fetch(store: Store, files: dict[str, File], root: Path, scratch: Path, progress: Progress) -> int:
    """Bring every file; return how many were not there."""
    for path in files:
        _check_path(path, store.uri)
    for each in {(root / path).parent for path in files}:
        each.mkdir(parents=True, exist_ok=True)
    progress.begin("pulling", len(files), sum(each.size for each in files.values()))

    def one(item: tuple[int, tuple[str, File]]) -> tuple[int, bool]:
        number, (path, file) = item
        local = root / path
        if _has(local, file):
            return file.size, False
        new = scratch / str(number)
        for key in (keys.file(path), keys.replaced(file.sha256)):
            with suppress(NotFound):
                store.download(key, new)
                if content(new) == file:
                    new.replace(local)
                    return file.size, True
        raise Corrupt("what lies here is not what was pushed", where=f"{store.uri}/{keys.file(path)}")

    fetched = 0
    for size, came in as_done(one, enumerate(files.items()), workers=WORKERS):
        fetched += came
        progress.advance(size)
    return fetched


def _has(local: Path, file: File) -> bool:
    with suppress(FileNotFoundError):
        return local.stat().st_size == file.size and content(local) == file
    return False


def _check_path(path: str, where: str) -> None:
    """Refuse what would lie elsewhere. The names come from a bucket."""
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or path.startswith("/") or ".." in parts or "\0" in path:
        raise Corrupt(f"{path!r} is not the path of a file below mlruns/", where=where)
