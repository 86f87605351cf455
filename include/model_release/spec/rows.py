"""The spec's `dataset.rows`: the treatment of the rows that arrive."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_release.documents.base import Strict


class RowRules(Strict):
    """What is done to the rows that arrive. By default nothing is changed, and what is wrong stops the run.

    Attributes:
        invalid: a row that breaks a rule stops the run, or is set aside with a report.
        max_invalid: the share (below 1) or number (from 1) of a partition's rows up to which they are set aside; more
            stop the run.
        duplicates: rows that are equal to an earlier one in every column.
        key: columns that say which thing a row is about: of the rows with one key, the newest one counts.
        overlap: what a new partition does that largely repeats an older one, row by row or by a column of ids.
    """

    invalid: Literal["stop", "drop"] = "stop"
    max_invalid: float | int = Field(0.05, gt=0)
    duplicates: Literal["keep", "drop"] = "keep"
    key: str | list[str] | None = None
    overlap: Literal["stop", "allow"] = "stop"

    @property
    def key_columns(self) -> list[str]:
        """The columns of the key; empty if there is none."""
        return [self.key] if isinstance(self.key, str) else self.key or []
