"""How a snapshot's rows become bytes and come back: canonical rows, their fingerprint, and Parquet.

For `dataset` alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as arrow
import pyarrow.parquet as parquet

_AT_ONCE = 10_000
"""Rows that are hashed at a time."""


def canonical(rows: pd.DataFrame) -> Iterator[bytes]:
    """Yield each row as JSON, the same for ever: shortest decimal of a float, null for what is missing."""
    for row in zip(*(_spelled(rows[name]) for name in rows.columns), strict=True):
        yield f"[{', '.join(row)}]".encode()


def fingerprint_of(rows: pd.DataFrame) -> str:
    """Return the SHA-256 over the columns' names and the canonical rows, in order, one to a line."""
    digest = hashlib.sha256(json.dumps(list(rows.columns)).encode())
    lines = canonical(rows)
    while some := [*islice(lines, _AT_ONCE)]:
        digest.update(b"\n" + b"\n".join(some))
    return digest.hexdigest()


def _spelled(cells: pd.Series[Any]) -> list[str]:
    """Return each cell as JSON; each distinct value is spelled once."""
    codes, distinct = pd.factorize(cells)  # what is missing has the code -1
    spelled = np.array([*(json.dumps(value) for value in distinct.tolist()), "null"], dtype=object)
    found: list[str] = spelled[codes].tolist()
    return found


def write_parquet(rows: pd.DataFrame, path: Path) -> None:
    """Write the same bytes for the same rows."""
    parquet.write_table(to_table(rows), path, compression="zstd")


def read_parquet(path: Path) -> pd.DataFrame:
    """Read what `write_parquet` wrote: float64 with NaN, or str objects with NaN."""
    return from_table(parquet.read_table(path, partitioning=None))


def to_table(rows: pd.DataFrame) -> arrow.Table:
    """Return rows as a table without pandas metadata, which names versions and an index."""
    types = {name: arrow.float64() if rows[name].dtype == np.float64 else arrow.string() for name in rows.columns}
    return arrow.table({name: arrow.array(rows[name], type=types[name], from_pandas=True) for name in rows.columns})


def from_table(table: arrow.Table) -> pd.DataFrame:
    """Return the rows of a table of `to_table`: float64 with NaN, or str objects with NaN."""
    return pd.DataFrame({name: _series(table[name]) for name in table.column_names})


def _series(column: arrow.ChunkedArray) -> pd.Series[Any]:
    if column.type == arrow.float64():
        return pd.Series(column.to_numpy())
    return pd.Series([np.nan if text is None else text for text in column.to_pylist()], dtype=object)
