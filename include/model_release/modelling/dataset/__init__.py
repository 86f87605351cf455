"""Data: what has arrived, validated and frozen as an exact snapshot, and the rows that training takes from it."""

from model_release.modelling.dataset.holdout import one_side, rows_apart
from model_release.modelling.dataset.record import Partition, Snapshot
from model_release.modelling.dataset.roles import groups_of, times_of, weights_of
from model_release.modelling.dataset.rows import Positions, Rows
from model_release.modelling.dataset.schema import input_schema
from model_release.modelling.dataset.snapshot import ingest, load, read_snapshot

__all__ = [
    "Partition",
    "Positions",
    "Rows",
    "Snapshot",
    "groups_of",
    "ingest",
    "input_schema",
    "load",
    "one_side",
    "read_snapshot",
    "rows_apart",
    "times_of",
    "weights_of",
]
