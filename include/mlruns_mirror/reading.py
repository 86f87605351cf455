"""Reading a mirror, with every check. For pushes and pulls alike."""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

from mlruns_mirror import keys
from mlruns_mirror.local import File, content
from mlruns_mirror.manifest import Index, Mirror, Snapshot, read_index
from mlruns_mirror.unchanged import Gets
from model_release.errors import Corrupt, NotFound
from model_release.stores.base import Stored


def read_mirror(store: Gets, found: Stored) -> Mirror:
    """Read `mirror.json`.

    Raises:
        UnknownFormat, Corrupt: it cannot be read.
    """
    return Mirror.read(found.body, where=f"{store.uri}/{keys.TOP}")


def read_indexes(store: Gets, indexes: list[Index]) -> dict[str, File | None]:
    """Return the merged content of indexes, a later one overruling those before it; None is a file that is gone.

    Raises:
        NotFound: one of them is gone.
        Corrupt: one of them was changed.
    """
    changes: dict[str, File | None] = {}
    for each in indexes:
        key = keys.index(each.sha256)
        found = store.get(key)
        if found is None:
            raise NotFound(f"{keys.TOP} names this index, and it is gone", where=f"{store.uri}/{key}")
        changes |= read_index(found.body, each, where=f"{store.uri}/{key}")
    return changes


def read_files(store: Gets, mirror: Mirror) -> dict[str, File]:
    """Return every file of a mirror by its path.

    Raises:
        NotFound, Corrupt: see `read_indexes`.
    """
    return {path: file for path, file in read_indexes(store, mirror.indexes).items() if file is not None}


def fetch_database(uri: str, download: Callable[[str, Path], None], snapshot: Snapshot, target: Path) -> None:
    """Read a snapshot of the database into a new file.

    Args:
        uri: of the mirror, for messages.
        download: brings an object, by its key.
        snapshot: as `mirror.json` names it.
        target: the new file.

    Raises:
        NotFound: it is gone.
        Corrupt: its bytes differ from those that were pushed.
    """
    key = keys.database(snapshot.packed.sha256)
    packed = target.with_name(f"{target.name}.gz")
    download(key, packed)
    try:
        with gzip.open(packed) as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, 1024 * 1024)
    except (OSError, EOFError, zlib.error) as error:
        raise Corrupt(f"this snapshot cannot be unpacked ({error})", where=f"{uri}/{key}") from error
    if content(target) != File(snapshot.size, snapshot.sha256):
        raise Corrupt("this snapshot differs from the one that was pushed", where=f"{uri}/{key}")
    packed.unlink()
