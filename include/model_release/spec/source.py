"""A source that is a database: the query whose rows of one day are a partition."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from model_release.documents.base import Strict

_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_READING = re.compile(r"\s*\(*\s*(select|with|values|table)\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")


class Refetch(Strict):
    """A day whose rows are asked for once more, such as one whose rows came late.

    Attributes:
        day: of the partition.
        reason: for the record; another reason asks again.
    """

    day: date
    reason: str = Field(min_length=1)


class Query(Strict):
    """A query, asked once for each day that is over; its result is kept as received.

    Attributes:
        sql: id of the Airflow connection to the database.
        query: one SELECT; its parameter `:day` is the partition's day.
        since: the first day that has rows; None: as far back as `window_days` goes.
        max_rows: the largest result of a day; a larger one stops the run.
        refetch: days that are asked for once more, each for a reason; another reason asks again.
    """

    sql: str = Field(pattern=r"^[\w.-]+$")
    query: str
    since: date | None = None
    max_rows: int = Field(10_000_000, ge=1)
    refetch: list[Refetch] = []

    @field_validator("query")
    @classmethod
    def _reads_one_day(cls, query: str) -> str:
        bare = _LITERAL.sub("''", _COMMENT.sub(" ", query))
        if _READING.match(bare) is None:
            raise ValueError("is no SELECT: a source is only read")
        if ";" in bare.rstrip().rstrip(";"):
            raise ValueError("holds more than one statement; write one SELECT")
        names = set(_PARAMETER.findall(query))
        if others := sorted(names - {"day"}):
            raise ValueError(f"has the parameter :{others[0]}, and :day is the only one; write \\: for a plain colon")
        if not names:
            raise ValueError(
                "has no :day, and each partition is the rows of one day: write WHERE day = :day, or, with partitions: "
                "snapshots, WHERE day <= :day"
            )
        return query

    @model_validator(mode="after")
    def _one_reason_a_day(self) -> Query:
        days = [each.day for each in self.refetch]
        if twice := sorted({day for day in days if days.count(day) > 1}):
            raise ValueError(f"refetch names {twice[0]} twice; keep the newest reason")
        return self

    def reason_to_refetch(self, day: date) -> str | None:
        """Return why a day is asked for once more; None if it is not."""
        return next((each.reason for each in self.refetch if each.day == day), None)


def _query(value: Any) -> Any:
    """Return the query that a mapping describes; faults then stand at its own keys."""
    return Query.model_validate_json(json.dumps(value)) if isinstance(value, dict) else value


Source = Annotated[str | Query, BeforeValidator(_query)]
"""A URI or a folder beside the spec, or a query."""
