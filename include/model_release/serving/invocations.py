"""`POST /invocations`: the contract of MLflow's scoring server and of SageMaker, in their JSON forms and CSV.

The answers are those of `mlflow models serve` on the same release. More is refused: MLflow takes a category that the
model never saw, and a value that is missing where none may be.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import msgspec

from model_release.documents.readings import number
from model_release.serving.content import media_type
from model_release.serving.endpoint import Encoded, Request
from model_release.serving.inference import datatype
from model_release.serving.problems import Problem
from model_release.serving.schema import InputSchema, check_names, decode
from model_release.serving.served import Served

_TYPES = "application/json and text/csv"
_MISSING = {"", "NA", "NaN", "nan", "null", "None"}
"""The spellings of a missing value that pandas writes; of text and of categories that are text, each may be a value."""


def invocations(served: Served, request: Request) -> Encoded:
    """Answer rows with the columns of the model's output, as MLflow's scoring server does."""
    kind = media_type(request.content_type)
    match kind.name:
        case "application/json" | "":
            rows = _json_rows(request.body, served.schema)
        case "text/csv":
            rows = _csv_rows(request.body, served.schema, headless=kind.headless)
        case _:
            raise Problem(415, f"this content type is not read here; use one of {_TYPES}")
    answers = served.table(served.schema.take(rows))
    predictions = [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]
    return Encoded(msgspec.json.encode({"predictions": predictions}), len(predictions))


def _json_rows(body: bytes, schema: InputSchema) -> list[Any]:
    document = decode(body, nan=None)  # MLflow's own client sends NaN for a missing value
    forms = [name for name in _FORMS if isinstance(document, dict) and name in document]
    if len(forms) != 1:
        raise Problem(422, f"the body must be an object with one of {', '.join(_FORMS)}")
    rows = _FORMS[forms[0]](document[forms[0]])
    by_row = isinstance(document[forms[0]], list)  # else each column is named once
    check_names(body, schema.columns, len(rows) if by_row else 1)
    check_names(body, [*_FORMS, "columns", "data"], 1)
    return rows


def _split(data: Any) -> list[Any]:
    columns, rows = (data.get("columns"), data.get("data")) if isinstance(data, dict) else (None, None)
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise Problem(422, "dataframe_split must be an object with columns and data")
    if not all(isinstance(each, str) for each in columns):
        raise Problem(422, "dataframe_split has a column whose name is not text")
    _check_once(columns)
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            raise Problem(422, f"must be a list of {len(columns)} values, as there are columns", row=place)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _check_once(names: list[str]) -> None:
    """Refuse a table in which a name stands twice: only one of its columns could be answered about."""
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise Problem(422, "stands twice among the columns", field=twice)


def _records(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise Problem(422, "the rows must be a list of objects")
    return data


def _inputs(data: Any) -> list[Any]:
    """One row, rows, or columns."""
    if not isinstance(data, dict) or not any(isinstance(value, list) for value in data.values()):
        return _records([data] if isinstance(data, dict) else data)
    if len({len(value) if isinstance(value, list) else -1 for value in data.values()}) != 1:
        raise Problem(422, "inputs by column must be lists of one length")
    return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]


_FORMS: dict[str, Callable[[Any], list[Any]]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _records,
    "inputs": _inputs,
}


def _csv_rows(body: bytes, schema: InputSchema, *, headless: bool) -> list[Any]:
    try:
        header, *lines = csv.reader(io.StringIO(body.decode("utf-8-sig")), strict=True)
    except (UnicodeDecodeError, csv.Error):
        raise Problem(400, "the body is not CSV in UTF-8") from None
    except ValueError:
        raise Problem(400, "the body is empty; its first line must name the columns") from None
    if headless or schema.columns.keys().isdisjoint(header):
        raise Problem(422, f"the first line must be a header with the names of the columns: {','.join(schema.columns)}")
    _check_once(header)
    rows = []
    for place, line in enumerate(filter(None, lines)):
        if len(line) != len(header):
            raise Problem(422, f"must have {len(header)} values, as there are columns", row=place)
        cells = zip(header, line, strict=True)
        rows.append({name: _cell(value, name, schema) for name, value in cells if name})  # no name: pandas' own index
    return rows


def _cell(text: str, name: str, schema: InputSchema) -> float | str | None:
    """Return a cell of a table as a value; the schema refuses wrong ones."""
    column = schema.columns.get(name)
    if column is None or not text:
        return text or None
    if datatype(column) == "FP64":
        value = number(text)
        return None if text in _MISSING else text if value is None else value
    return None if text in _MISSING and column.kind in ("boolean", "datetime") else text
