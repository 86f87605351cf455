"""MLflow's SQLite file: a consistent snapshot, its facts, and its paths rewritten for another folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from mlruns_mirror.local import settled, stamp
from model_release.errors import StoreUnavailable, UsageError
from model_release.spec.tracking_uri import folder_of

PLACES = (
    ("experiments", "artifact_location", ""),
    ("runs", "artifact_uri", ""),
    ("logged_models", "artifact_location", ""),
    ("model_versions", "source", ""),
    ("model_versions", "storage_location", ""),
    ("trace_tags", "value", "key = 'mlflow.artifactLocation'"),
    ("workspaces", "default_artifact_root", ""),
)
"""Table, column and condition of every value in MLflow's database that is the path of artifacts."""

_PATIENCE = 30.0
"""Seconds that a writer may keep the database locked."""


def signature(database: Path) -> tuple[int, ...] | None:
    """Return a signature that changes with each write to the database; None if the last write is too recent to tell.

    These are sizes, times and inodes of the file, its write-ahead log and its journal. A file system's clock has steps,
    so a file may be written twice in one second without a visible difference.
    """
    facts: list[int] = []
    for suffix in ("", "-wal", "-journal"):
        with suppress(FileNotFoundError):
            found = stamp(Path(f"{database}{suffix}").stat())
            if not settled(found):
                return None
            facts += [len(suffix), *found]
    return tuple(facts)


def snapshot(database: Path, target: Path) -> None:
    """Copy the database to a new file as it is at one moment, while others write to it.

    Raises:
        UsageError: it is missing, or no database.
        StoreUnavailable: a writer keeps it locked.
    """
    with (
        _errors(database),
        closing(_open(database, "rw")) as source,
        closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)


def facts(database: Path) -> tuple[int, str | None]:
    """Return how many runs a database knows, and the revision of its tables.

    Raises:
        UsageError: it is no database of MLflow.
    """
    with _errors(database), closing(_open(database, "ro")) as opened:
        (runs,) = opened.execute("SELECT count(*) FROM runs").fetchone()
        found = opened.execute("SELECT version_num FROM alembic_version").fetchone()
    return int(runs), found[0] if found else None


def run_ids(database: Path) -> set[str]:
    """Return the ids of all runs, deleted ones included."""
    with _errors(database), closing(_open(database, "ro")) as opened:
        return {each for (each,) in opened.execute("SELECT run_uuid FROM runs")}


def outside(database: Path, roots: Sequence[str]) -> list[Path]:
    """Return the folders of this machine with artifacts that are not below `roots`, outermost ones only."""
    found: set[Path] = set()
    inside = tuple(f"{each}/" for root in roots for each in (root, Path(root).as_uri()))
    with _errors(database), closing(_open(database, "ro")) as opened:
        for table, column, condition in _present(opened):
            for (value,) in opened.execute(f"SELECT DISTINCT {column} FROM {table} WHERE {condition}"):  # noqa: S608
                path = None if value and value.startswith(inside) else folder_of(value)
                if path is not None and not any(path.is_relative_to(root) for root in roots):
                    found.add(path)
    outermost: list[Path] = []
    for each in sorted(found):
        if not (outermost and each.is_relative_to(outermost[-1])) and any(_files(each)):
            outermost.append(each)
    return outermost


def relocate(database: Path, roots: Sequence[str], target: Path) -> None:
    """Rewrite the paths of artifacts in a restored database.

    Args:
        database: is changed.
        roots: the folders that `mlruns/` was, as absolute paths.
        target: the folder that it is now.
    """
    with _errors(database), closing(_open(database, "rw")) as opened, opened:
        opened.execute("PRAGMA journal_mode = DELETE")
        for table, column, condition in _present(opened):
            for root in roots:
                for old, new in ((root, str(target)), (f"file://{quote(root)}", target.as_uri())):
                    opened.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - names from PLACES
                        f"WHERE ({condition}) AND ({column} = ? OR substr({column}, 1, ?) = ?)",
                        (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                    )
        # an experiment outside the roots gets a folder for artifacts from now on
        places = opened.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
        for experiment, location in places:
            place = folder_of(location)
            if place is not None and not place.is_relative_to(target):
                opened.execute(
                    "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
                    ((target / str(experiment)).as_uri(), experiment),
                )


def _present(opened: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """The columns of paths that this database has: older ones lack some."""
    for table, column, condition in PLACES:
        if column in {each[1] for each in opened.execute(f"PRAGMA table_info({table})")}:
            yield table, column, condition or "1"


def _files(folder: Path) -> Iterator[Path]:
    return (each for each in folder.rglob("*") if each.is_file())


def _open(database: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(database))}?mode={mode}", uri=True, timeout=_PATIENCE)


@contextmanager
def _errors(database: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise StoreUnavailable(f"a writer keeps it locked ({error})", where=str(database)) from error
        raise UsageError(f"not a database of MLflow's: {error}", where=str(database)) from error
    except sqlite3.DatabaseError as error:
        raise UsageError(f"not a database of MLflow's: {error}", where=str(database)) from error
