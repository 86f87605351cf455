"""A release's input schema, compiled: it checks every row, of each protocol.

Rows of plain numbers are checked while they are decoded, by types that are made from the schema. What these types do
not take is read again cell by cell, and refused by row and field. No message holds a value that was sent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from model_release.documents.inputs import Input, Inputs, Unfit, takes
from model_release.documents.manifest import InputColumn
from model_release.documents.readings import LARGEST, label, number
from model_release.documents.suggest import did_you_mean
from model_release.serving.problems import Problem

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a body that it cannot read; text that is not UTF-8 is no `DecodeError` to it."""

Row = tuple[Input, ...]
"""The model's inputs for a row, in their order."""


class InputSchema:
    """The rows that a model takes.

    Args:
        columns: of the release's manifest, in the order of the model's inputs.

    Attributes:
        columns: by name.
        features: the names of a row's inputs.
        has_text: whether an input is text.
    """

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self._inputs = Inputs(columns)
        self.columns = self._inputs.columns
        self.features = self._inputs.features
        self.has_text = self._inputs.has_text
        self._plain = [_is_plain(column) for column in columns]
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
        except _UNREADABLE:  # NaN and Infinity too, which many clients write
            found = decode(body)
            found = found if isinstance(found, list) else [found]
            check_names(body, self.columns, len(found))
            return self._read_again(found)
        rows = rows if isinstance(rows, list) else [rows]
        check_names(body, self.columns, len(rows))
        return self._rows([msgspec.structs.astuple(row) for row in rows])

    def take(self, rows: list[Any]) -> list[Row]:
        """Return the rows of a decoded document, each an object by column.

        Raises:
            Problem: 422, a row does not fit.
        """
        try:
            typed = msgspec.convert(rows, self._many)
        except msgspec.ValidationError:
            return self._read_again(rows)
        return self._rows([msgspec.structs.astuple(row) for row in typed])

    def _read_again(self, rows: list[Any]) -> list[Row]:
        """Read rows of any values, and find what is wrong."""
        for number_, row in enumerate(rows):
            if not isinstance(row, dict):
                raise Problem(422, "must be an object with a value for each column", row=number_)
            for name, column in self.columns.items():
                if name not in row:
                    raise Problem(422, f"is missing; {takes(column)}", row=number_, field=name)
            for name in row:
                if name not in self.columns:
                    hint = did_you_mean(name, self.columns) or f"; the columns are {', '.join(self.columns)}"
                    raise Problem(422, f"is not a column of the model{hint}", row=number_, field=name)
        return self._rows([tuple(row[name] for name in self.columns) for row in rows], plain=False)

    def _rows(self, rows: list[tuple[Any, ...]], *, plain: bool = True) -> list[Row]:
        """Return the inputs for values in the order of the columns; `plain`: the types have checked plain numbers."""
        if not rows:
            raise Problem(422, "there are no rows")
        if plain and all(self._plain):
            return rows
        now = datetime.now(UTC)
        return [self._row(row, number_, now, plain=plain) for number_, row in enumerate(rows)]

    def _row(self, values: tuple[Any, ...], number_: int, now: datetime, *, plain: bool) -> Row:
        inputs: list[Input] = []
        for value, read, is_plain, name in zip(values, self._inputs.readers, self._plain, self.columns, strict=True):
            if plain and is_plain:
                inputs.append(value)
                continue
            try:
                inputs += read(value, now)
            except Unfit:
                raise Problem(422, takes(self.columns[name]), row=number_, field=name) from None
        return tuple(inputs)


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
    except _UNREADABLE:
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
    """Return the values of a column, as JSON Schema. Readings that mean "not measured" are taken beside them."""
    found = _any_of(column)
    if column.missing_values:
        marks = {"enum": column.missing_values}
        found = {"anyOf": [found, marks]} if column.nullable else {**found, "not": marks}
    return {**found, **({"description": column.description} if column.description else {})}


def _any_of(column: InputColumn) -> dict[str, Any]:
    nothing = ["null"] if column.nullable else []
    match column.kind:
        case "boolean":
            return {"enum": [True, False, 0, 1, *([None] if column.nullable else [])]}
        case "text":
            return {"type": ["string", *nothing]}
        case "datetime":
            return {"type": ["string", *nothing], "title": takes(column).removeprefix("must be ")}
        case "categorical" if column.unknown == "allow":
            return {"type": ["string", "number", "boolean", *nothing]}
        case "categorical" if column.values is not None:
            texts = [each for each in column.values if isinstance(each, str)]
            numbers = [found for each in texts if (found := number(each)) is not None and label(found) == each]
            return {"enum": [*column.values, *numbers, *([None] if column.nullable else [])]}
        case _:
            low = -LARGEST if column.minimum is None else column.minimum
            high = LARGEST if column.maximum is None else column.maximum
            kind = "integer" if column.kind == "integer" else "number"
            return {"type": [kind, *nothing] if nothing else kind, "minimum": low, "maximum": high}


def _is_plain(column: InputColumn) -> bool:
    """Whether a type says all of a column: a number within bounds, of which none means "not measured"."""
    return column.kind == "numeric" and all(isinstance(mark, str) for mark in column.missing_values)


def _type(column: InputColumn) -> Any:
    """Return the type that a value is decoded to."""
    if not _is_plain(column):
        return Any
    low = -LARGEST if column.minimum is None else max(column.minimum, -LARGEST)
    high = LARGEST if column.maximum is None else min(column.maximum, LARGEST)
    kind: Any = Annotated[float, msgspec.Meta(ge=low, le=high)]  # refuses NaN and infinity
    return kind | None if column.nullable else kind
