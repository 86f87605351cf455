"""The documents of a mirror: `mirror.json` and its indexes, as values, and the rule by which indexes are merged.

An index is written once and never changed. A push adds one with what is new to it, and takes up in it those that came
before and are not much larger, so that a mirror of n files has about log n of them, and ten new runs cost a small one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from mlruns_mirror.local import File
from model_release.documents.base import Document, Sha256, Value, sha256_of
from model_release.errors import Corrupt

FORMAT: Final = 1
_ABSORBED = 2
"""An index takes up the one before it, unless that is more than so many times as large."""


class Index(Value):
    """One index: the SHA-256 of its bytes, and its number of paths."""

    sha256: Sha256
    paths: int = Field(ge=0)


class Packed(Value):
    """An object: SHA-256 and size in bytes."""

    sha256: Sha256
    size: int = Field(ge=0)


class Snapshot(Value):
    """A database as it was at one moment.

    Attributes:
        sha256, size: of the file.
        packed: the same of the object, which is the file compressed.
        taken: when, by the clock of the machine that took it.
        runs: how many runs it knows, deleted ones included.
        revision: of its tables, as MLflow names it.
        mlflow: the version that was installed on that machine; None if none was.
    """

    sha256: Sha256
    size: int = Field(ge=0)
    packed: Packed
    taken: datetime
    runs: int = Field(ge=0)
    revision: str | None
    mlflow: str | None


class Mirror(Document):
    """`mirror.json`.

    Attributes:
        roots: the folders that `mlruns/` was locally, as absolute paths. The database names its artifacts by them.
        database: None if only files are mirrored.
        indexes: in order; a later one overrules those before it.
        files, size: how many files there are, and their bytes.
        write_id: random, so that a writer knows its own write after an answer was lost.
    """

    format: Literal[1] = FORMAT
    roots: list[str]
    database: Snapshot | None
    indexes: list[Index]
    files: int = Field(ge=0)
    size: int = Field(ge=0)
    pushed: datetime
    write_id: str


Changes = Mapping[str, File | None]
"""Files by their paths; None: no longer there."""


def index_bytes(changes: Changes) -> bytes:
    """Return the one byte form of an index."""
    text = json.dumps(dict(sorted(changes.items())), ensure_ascii=True, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=3, mtime=0)


def read_index(body: bytes, index: Index, *, where: str) -> dict[str, File | None]:
    """Read an index.

    Raises:
        Corrupt: the bytes have another digest.
    """
    if sha256_of(body) != index.sha256:
        raise Corrupt("this is not the index that mirror.json names", where=where)
    read: dict[str, Any] = json.loads(gzip.decompress(body))
    return {path: None if each is None else File(*each) for path, each in read.items()}


def absorbed(indexes: Sequence[Index], new: int) -> int:
    """Return how many of the indexes, counted from the end, go into one of `new` paths that is to be written."""
    count = 0
    for each in reversed(indexes):
        if each.paths > _ABSORBED * new:
            break
        count, new = count + 1, new + each.paths
    return count
