"""Finds the local MLflow data to be mirrored: of a model's spec, or in a folder. For housekeeping and the CLI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mlruns_mirror.local import Source
from model_release.errors import Corrupt, NotFound, UsageError
from model_release.spec.tracking_uri import database_file, is_file

if TYPE_CHECKING:
    from model_release.spec.tracking import Tracking

DATABASE, ARTIFACTS = "mlflow.db", "mlruns"

_OLD = "an old file store"


def tracked_here(tracking: Tracking | None) -> Source:
    """Return the data of a spec's embedded MLflow: the SQLite file, and `mlruns` beside it.

    Raises:
        NotFound: there is nothing here to be mirrored; says why.
    """
    if tracking is None:
        raise NotFound("the spec tracks nothing", where="tracking")
    uri = tracking.access().uri
    if not is_file(uri):
        raise NotFound("MLflow keeps its history on a server, whose own backups keep it", where="tracking.uri")
    database = database_file(uri)
    if not database.exists():
        raise NotFound("this machine does not see the database, or nothing was tracked yet", where=str(database))
    return Source(database, database.parent / ARTIFACTS)


@contextmanager
def found_in(place: Path) -> Iterator[tuple[Source, str | None]]:
    """Find the data in a folder with `mlflow.db` and `mlruns`, or beside a database; yield it with a note for the user.

    Raises:
        UsageError: there is none.
    """
    place = place.absolute()
    if place.is_file():
        yield Source(place, place.parent / ARTIFACTS), None
        return
    folder = place.parent if place.name == ARTIFACTS else place
    if (folder / DATABASE).is_file():
        yield Source(folder / DATABASE, folder / ARTIFACTS), None
    elif not any((folder / ARTIFACTS).glob("*/meta.yaml")):
        hint = f"give the folder that holds {DATABASE} and {ARTIFACTS}, or the database itself"
        raise UsageError("there is no MLflow data here", where=str(place), hint=hint)
    elif find_spec("mlflow") is None:
        yield Source(None, folder / ARTIFACTS), f"{_OLD}, mirrored as files, since MLflow is not here to import it"
    else:
        from model_release.tracking import import_file_store

        with TemporaryDirectory(prefix="model-release-") as scratch:
            database = Path(scratch) / DATABASE
            try:
                roots = import_file_store(folder / ARTIFACTS, database)
            except Corrupt as error:
                source = Source(None, folder / ARTIFACTS)
                note = f"{_OLD}, mirrored as files, since {error.what}"
            else:
                source = Source(database, folder / ARTIFACTS, tuple(roots))
                note = f"{_OLD}, imported by MLflow's own migration: what is pulled is a SQLite history"
            yield source, note
