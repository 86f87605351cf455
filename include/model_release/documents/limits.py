"""How large a stored document may be, and how far its numbers and dates may go: each bound once, for every reader.

A reader stops one byte after the bound, so that a document of any size costs no more memory than a true one.
Nothing here is imported but the standard library: a pull that changes nothing goes by these bounds too.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import IO, Final

from model_release.documents import layout
from model_release.errors import Corrupt

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB

POINTER: Final = 4 * _MIB
"""Bytes of `latest.json` and of each entry of the log: 50 for a retired version, 300 for a quarantined one."""

MANIFEST: Final = 8 * _MIB
"""Bytes of `metadata.json`: 200 for a file, and the spec, the input schema and the metrics of the version."""

CLAIM: Final = 12 * _MIB
"""Bytes of `claim.json`, which holds a manifest, indented once more."""

SIGNATURE: Final = 1_000_000
"""Bytes of `model.sig`: 200 for a file."""

VERDICT: Final = 32 * _MIB
"""Bytes of a verdict with its evidence: each figure of each fold of each candidate."""

ANSWER: Final = 64 * _KIB
"""Bytes of a person's answer, of the record of a fingerprint's version, and of `latest_number.json`."""

GOLDEN: Final = 16 * _MIB
"""Bytes of `golden.json`."""

SPEC: Final = 256 * _KIB
"""Bytes of a model's spec."""

PEM: Final = 1_000_000
"""Bytes of a file of keys or certificates."""

SMALL: Final = 64 * _MIB
"""Bytes of any other object that is read whole into memory, such as a snapshot's list of partitions."""

EPOCH: Final = 1_000_000
"""The largest epoch: a change of the pointer each hour for a century."""

SIZE: Final = 50 * 10**12
"""Bytes of the largest object that a cloud takes."""

ROWS: Final = 10**12
"""Rows of a data set."""

FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
"""Each date and each time of a document is between these two."""


def largest(key: str) -> int:
    """Return the most bytes that the object under a key of a store may have, if it is read whole."""
    folder, _, name = key.rpartition("/")
    parts = folder.split("/")
    if name == layout.POINTER or layout.LOG in parts:
        return POINTER
    if layout.DECISIONS in parts:
        return ANSWER if name == layout.BECAME or layout.ANSWERS in parts else VERDICT
    return _BY_NAME.get(name, SMALL)


_BY_NAME: Final = {
    layout.MANIFEST: MANIFEST,
    layout.CLAIM: CLAIM,
    layout.SIGNATURE: SIGNATURE,
    layout.NEAR_THE_LAST: ANSWER,
}


def too_large(limit: int, where: str) -> Corrupt:
    """Return the error for an object that goes on after its bound."""
    return Corrupt(
        f"is larger than {limit:,} bytes, the most that it may have",
        where=where,
        hint="it is not what its name says: find out who wrote it",
    )


def check_size(size: int, limit: int | None, where: str) -> None:
    """Check the size of an object, as the store gives it, before it is read.

    Raises:
        Corrupt: it is more than `limit` bytes.
    """
    if limit is not None and size > limit:
        raise too_large(limit, where)


def read_bounded(path: Path, limit: int) -> bytes:
    """Return a file's bytes.

    Raises:
        Corrupt: it has more than `limit` bytes; no more than one of them more is read.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return read_open(file, limit, str(path))


def read_open(file: IO[bytes], limit: int, where: str) -> bytes:
    """Return the bytes of an open file from where it stands.

    Raises:
        Corrupt: there are more than `limit` of them; no more than one of them more is read.
    """
    body = file.read(limit + 1)
    if len(body) > limit:
        raise too_large(limit, where)
    return body
