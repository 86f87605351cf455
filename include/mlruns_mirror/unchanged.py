"""Whether there is anything to push, by one request and a look at every local file. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mlruns_mirror import database, keys
from mlruns_mirror.local import Known, Source, scan

if TYPE_CHECKING:
    from model_release.stores.base import Stored


class Gets(Protocol):
    """A reader of small objects; every `Store` is one, and every `Reader`."""

    uri: str

    def get(self, key: str) -> Stored | None:
        """Return an object whole; None if it is missing."""


@dataclass(slots=True)
class Pushed:
    """The result of a push, or of one that would be made.

    Attributes:
        uri: of the mirror.
        files, size: of the mirror now: number of files and their bytes.
        runs: how many runs the mirrored database knows, deleted ones included; None without a database.
        sent, sent_size: of this push: number of files and their bytes.
        database: whether a new snapshot of the database went up.
        forgotten: files that the mirror no longer names, because they are no longer here.
        removed: objects that `delete` removed.
        outside: local folders with artifacts outside `mlruns/`, which are not mirrored.
    """

    uri: str
    files: int = 0
    size: int = 0
    runs: int | None = None
    sent: int = 0
    sent_size: int = 0
    database: bool = False
    forgotten: int = 0
    removed: int = 0
    outside: list[Path] = field(default_factory=list)


def unchanged(store: Gets, source: Source) -> Pushed | None:
    """Return the mirror's content if neither it nor the local data has changed since the last push; else None."""
    known = Known(source.folder, store.uri)
    if known.mirror is None:
        return None
    if source.database is not None:
        signature = database.signature(source.database)
        if signature is None or known.database is None or known.database[0] != list(signature):
            return None
    here = scan(source.artifacts)  # after the database was looked at, as a push does it
    if any(known.sha256(path, seen) is None for path, seen in here.items()):
        return None
    found = store.get(keys.TOP)
    return Pushed(store.uri, *known.holds) if found is not None and known.is_about(found.body) else None
