"""`snapshot.json`: which rows a model is trained on, where they came from, and what became of the others."""

from __future__ import annotations

from datetime import date
from typing import Final, Literal

from pydantic import Field

from model_release.documents.base import Document, Sha256, Value
from model_release.documents.evaluation import SplitMethod

FORMAT: Final = 1


class Partition(Value):
    """One file that rows were taken from: path below the source, digest, rows with duplicates."""

    path: str
    sha256: Sha256
    rows: int = Field(ge=0)


class Apart(Value):
    """How the spec's split divides the rows.

    Attributes:
        method: of the split.
        training, holdout: rows on either side; `left_out`, on neither, so that a gap or a group is kept.
        groups: how many there are; None without a group.
    """

    method: SplitMethod
    training: int
    holdout: int
    left_out: int = 0
    groups: int | None = None


class Snapshot(Document):
    """`processed/<fingerprint>/snapshot.json`: what the rows are, and where they lie.

    Attributes:
        fingerprint: SHA-256 over the columns' names and the rows' values in order, whatever file holds them.
        key: where the Parquet file lies below the dataset's folder.
        content_sha256: of that file; `size` is in bytes.
        as_of: the day up to which partitions were taken; in the store, that of the first run that met them.
        positives: rows of the positive class of two; None with more classes, or a number.
        duplicates_dropped: rows left out because an earlier one has the same values in every column.
        missing: by column, cells without a value.
        classes: rows by class, in words, in the order of the class codes; empty if the target is a number.
        rows_read: rows of the files that were read, those that were left out again included.
        superseded: rows left out because a later one has the same key.
        left_out: due files that were not read, by path below the source, with the reason.
        set_aside: rows left out because they break a rule; `set_aside_report` is the key of the report that lists them.
        without_data: the due partitions that gave no row.
        apart: how the rows are split; in the store, by the spec of the first run that met them.
        learned: by column, the categories that the training rows have, if the spec lists none.
        unknown: by column, rows whose category is not among the listed or learned ones: the model takes it for unknown.
    """

    format: Literal[1] = FORMAT
    fingerprint: str
    key: str
    content_sha256: Sha256
    size: int = Field(ge=0)
    rows: int = Field(ge=0)
    as_of: date
    positives: int | None = Field(ge=0)
    duplicates_dropped: int = Field(ge=0)
    missing: dict[str, int]
    partitions: list[Partition]
    classes: dict[str, int] | None = None
    rows_read: int | None = None
    superseded: int = 0
    left_out: dict[str, str] = {}
    set_aside: int = 0
    set_aside_report: str | None = None
    without_data: list[str] = []
    apart: Apart | None = None
    learned: dict[str, list[str]] = {}
    unknown: dict[str, int] = {}

    @property
    def news(self) -> list[str]:
        """What the run did to the rows that arrived beside keeping them, and what it did not read: a sentence each."""
        said = []
        if self.set_aside:
            where = self.set_aside_report
            said.append(f"{self.set_aside} of {self.rows_read} rows break a rule and are set aside: {where}")
        if self.duplicates_dropped:
            said.append(f"{self.duplicates_dropped} of {self.rows_read} rows are equal to an earlier one and dropped")
        if self.superseded:
            said.append(f"{self.superseded} of {self.rows_read} rows are superseded by a later one with their key")
        for reason in dict.fromkeys(self.left_out.values()):
            paths = [path for path, why in self.left_out.items() if why == reason]
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            said.append(f"{paths[0]}{more} left out: {reason}")
        for name, count in self.unknown.items():
            known = "learned" if name in self.learned else "listed"
            said.append(f"{count} of {self.rows} rows have a value of {name} that is not {known}, and count as unknown")
        if self.apart is not None and self.apart.left_out:
            said.append(f"{self.apart.left_out} of {self.rows} rows are on neither side of the split by time")
        if self.without_data:
            more = f" and {len(self.without_data) - 1} more" if len(self.without_data) > 1 else ""
            said.append(f"{self.without_data[0]}{more} gave no rows")
        return said
