"""Data: what has arrived, validated and frozen as an exact snapshot. `snapshot` is the door; the rest serves it."""

from model_release.modelling.dataset.snapshot import (
    TARGET,
    Partition,
    Positions,
    Snapshot,
    ingest,
    input_schema,
    load,
    read_snapshot,
    rows_apart,
    split,
)

__all__ = [
    "TARGET",
    "Partition",
    "Positions",
    "Snapshot",
    "ingest",
    "input_schema",
    "load",
    "read_snapshot",
    "rows_apart",
    "split",
]
