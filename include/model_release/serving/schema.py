"""A release's input schema, compiled: it checks every row, of each protocol.

Rows are checked while they are decoded, by types that are made from the schema. What is wrong is told from the column,
so that no message holds a value that was sent.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NoReturn

import msgspec

from model_release.documents.manifest import InputColumn
from model_release.documents.suggest import did_you_mean
from model_release.serving.problems import Problem

Row = tuple[float | str | None, ...]
"""The values of a row in the order of the columns."""

_LARGEST = 1.7976931348623157e308
_PLACE = re.compile(r"\$(?:\[(\d+)\])?(?:\.(.*))?", re.DOTALL)
_NAMED = re.compile(r"Object (missing required|contains unknown) field `(.*)`", re.DOTALL)


class InputSchema:
    """The rows that a model takes.

    Args:
        columns: of the release's manifest, in the order of the model's inputs.
    """

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self.columns = {column.name: column for column in columns}
        self.has_text = any(isinstance(value, str) for column in columns for value in column.values or ())
        self._lists = [
            (place, {*column.values, *([None] if column.nullable else [])})
            for place, column in enumerate(columns)
            if column.values is not None
        ]
        self._readings = [
            (place, frozenset(column.missing_values)) for place, column in enumerate(columns) if column.missing_values
        ]
        attributes = {f"column_{place}": column for place, column in enumerate(columns)}
        row: Any = msgspec.defstruct(
            "Row",
            [(name, _type(column)) for name, column in attributes.items()],
            rename={name: column.name for name, column in attributes.items()},
            forbid_unknown_fields=True,
            gc=False,
        )
        self._many: Any = list[row]
        self._decoder = msgspec.json.Decoder(row | self._many)

    def read(self, body: bytes) -> list[Row]:
        """Return the rows of a JSON document: an object by column, or an array of them.

        Raises:
            Problem: 400, it is no JSON; 422, a row does not fit.
        """
        try:
            rows = self._decoder.decode(body)
        except msgspec.ValidationError as error:
            self._refuse(error)
        except (msgspec.DecodeError, RecursionError):
            found = decode(body)  # not JSON, or NaN and Infinity, which many clients write although JSON has neither
            found = found if isinstance(found, list) else [found]
            check_names(body, self.columns, len(found))
            return self.take(found)
        rows = rows if isinstance(rows, list) else [rows]
        check_names(body, self.columns, len(rows))
        return self._checked(rows)

    def take(self, rows: list[Any]) -> list[Row]:
        """Return the rows of a decoded document, each an object by column.

        Raises:
            Problem: 422, a row does not fit.
        """
        try:
            return self._checked(msgspec.convert(rows, self._many))
        except msgspec.ValidationError as error:
            self._refuse(error)

    def _checked(self, rows: list[Any]) -> list[Row]:
        if not rows:
            raise Problem(422, "there are no rows")
        found = self._measured([msgspec.structs.astuple(row) for row in rows])
        for place, allowed in self._lists:
            for number, row in enumerate(found):
                if row[place] not in allowed:
                    self._refuse_value(number, [*self.columns][place])
        return found

    def _measured(self, rows: list[Row]) -> list[Row]:
        """Put nothing in the place of each reading that means that nothing was measured."""
        for place, readings in self._readings:
            for number, row in enumerate(rows):
                if row[place] in readings:
                    name = [*self.columns][place]
                    if not self.columns[name].nullable:
                        self._refuse_value(number, name)
                    rows[number] = (*row[:place], None, *row[place + 1 :])
        return rows

    def _refuse(self, error: msgspec.ValidationError) -> NoReturn:
        what, _, path = str(error).removesuffix("`").rpartition(" - at `")
        place = _PLACE.fullmatch(path) if what else None
        row, field = (place[1], place[2]) if place else (None, None)
        number = int(row or 0)
        if field is not None:
            self._refuse_value(number, field)
        named = _NAMED.fullmatch(what if place else str(error))
        if named is None:
            raise Problem(422, "must be an object with a value for each column", row=number)
        if named[1] == "missing required":
            raise Problem(422, f"is missing; {_takes(self.columns[named[2]])}", row=number, field=named[2])
        hint = did_you_mean(named[2], self.columns) or f"; the columns are {', '.join(self.columns)}"
        raise Problem(422, f"is not a column of the model{hint}", row=number, field=named[2])

    def _refuse_value(self, row: int, field: str) -> NoReturn:
        raise Problem(422, _takes(self.columns[field]), row=row, field=field)


def decode(body: bytes, *, nan: float | None = math.nan) -> Any:
    """Return a JSON document; NaN and Infinity become values that the schema refuses by row and field.

    Args:
        body: the document.
        nan: the value that NaN becomes.

    Raises:
        Problem: 400, it is no JSON.
    """
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(body, parse_constant=lambda name: nan if name == "NaN" else float(name))
    except (ValueError, RecursionError) as error:
        at = f": {error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem(400, f"the body is not JSON{at}") from None


def check_names(body: bytes, names: Iterable[str], objects: int) -> None:
    """Refuse a JSON document in which a name stands twice in one object: decoders keep the last value without a word.

    Args:
        body: the document, known to be JSON.
        names: the columns.
        objects: how many objects may have each of them.

    Raises:
        Problem: 422, a name stands twice.
    """
    spelled = (json.dumps(name, ensure_ascii=False).encode() for name in names)
    if b"\\" not in body and all(body.count(name) <= objects for name in spelled):
        return

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(name for place, (name, _) in enumerate(pairs) if name in dict(pairs[:place]))
            raise Problem(422, "stands twice in one object", field=twice)
        return found

    json.loads(body, object_pairs_hook=once)


def json_schema(column: InputColumn) -> dict[str, Any]:
    """Return the values of a column, as JSON Schema."""
    if column.values is not None:
        told: dict[str, Any] = {"enum": [*column.values, *([None] if column.nullable else [])]}
    else:
        told = {"type": ["number", "null"] if column.nullable else "number"}
        told |= {"minimum": column.minimum} if column.minimum is not None else {}
        told |= {"maximum": column.maximum} if column.maximum is not None else {}
    if column.missing_values and not column.nullable:
        told["not"] = {"enum": column.missing_values}
    return {**told, **({"description": column.description} if column.description else {})}


def _type(column: InputColumn) -> Any:
    """Return the type that a value is decoded to. Which values a list allows is looked up afterwards."""
    if column.values is None:
        low = column.minimum if column.minimum is not None else -_LARGEST
        high = column.maximum if column.maximum is not None else _LARGEST
        kind: Any = Annotated[float, msgspec.Meta(ge=low, le=high)]  # refuses NaN and infinity
    else:
        texts = {isinstance(value, str) for value in column.values}
        kind = float if texts == {False} else str if texts == {True} else float | str
    return kind | None if column.nullable else kind


def _takes(column: InputColumn) -> str:
    """Return the values of a column in words: `must be a number from 18 to 110`."""
    if column.values is not None:
        said = "one of " + ", ".join(json.dumps(value) for value in column.values)
    else:
        low, high = column.minimum, column.maximum
        said = (
            "a number" + (f" from {low:g}" if low is not None else "") + (f" to {high:g}" if high is not None else "")
        )
    return f"must be {said}" + (", or null where it is not known" if column.nullable else "")
