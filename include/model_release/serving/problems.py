"""The error of a request, in words that name the row and the field and never show a value."""

from __future__ import annotations


class Problem(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        what: the error; it holds no value of the request, since values may be a person's data.
        row: the place of the row in the request, from 0.
        field: the name of the column.
    """

    def __init__(self, status: int, what: str, *, row: int | None = None, field: str | None = None) -> None:
        super().__init__(what)
        self.status = status
        self.what = what
        self.row = row
        self.field = field

    def __str__(self) -> str:
        place = ", ".join(
            [*([] if self.row is None else [f"row {self.row}"]), *([] if self.field is None else [self.field])]
        )
        return f"{place}: {self.what}" if place else self.what
