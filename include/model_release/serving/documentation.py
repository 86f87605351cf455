"""The OpenAPI document: FastAPI's of its own routes, and the plain routes by the schema of the served release."""

from __future__ import annotations

import csv
import io
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from model_release import __version__
from model_release.documents.output import LOWER, UPPER, Output
from model_release.model_files.opening import made_up_row
from model_release.serving.inference import datatype
from model_release.serving.schema import json_schema
from model_release.serving.served import Served

DESCRIPTION = """Predictions by a verified release. Every response, errors included, has the header `X-Model-Version`.

An error's body is `{"error": …}`; it names the row (from 0) and the field that it is about, and never shows a value.
"""

OWN, MLFLOW, OPEN_INFERENCE, OPERATION = (
    "Predict",
    "MLflow and SageMaker",
    "Open Inference Protocol",
    "Operation",
)

_JSON_TYPES: dict[str, dict[str, Any]] = {
    "integer": {},
    "number": {"type": ["number", "null"]},
    "text": {"type": "string"},
}
_VERSION = {"X-Model-Version": {"description": "The version that answered.", "schema": {"type": "string"}}}
_FAULT = {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}}
_REFUSALS = {
    "400": "The body cannot be read.",
    "404": "Another model or version is served.",
    "413": "The body is too long.",
    "415": "The content type or the content encoding is not read here.",
    "422": "A row does not fit the model's schema; the error names the row and the field.",
}


def document(app: FastAPI, served: Served) -> dict[str, Any]:
    """Return the document of the served release, with its golden rows as examples."""
    told = get_openapi(
        title=f"{served.name} {served.version}", version=__version__, description=DESCRIPTION, routes=app.routes
    )
    rows = _examples(served)
    told["components"] = {"schemas": {**told.get("components", {}).get("schemas", {}), **_schemas(served)}}
    own = _operation("Predict one row, or many", OWN, _json("Rows", _own(rows)), "Predictions", without=("404",))
    invoked = {
        **_json("Invocation", _invocations(rows)),
        "text/csv": {"schema": {"type": "string"}, "example": _csv(rows)},
    }
    told["paths"] |= {
        "/predict": own,
        "/invocations": _operation("Predict, as MLflow's server does", MLFLOW, invoked, "Invoked", without=("404",)),
    }
    tensors = _json("InferenceRequest", {"inputs by column": {"inputs": _tensors(served, rows)}})
    for path, names in (("", ["name"]), ("/versions/{version}", ["name", "version"])):
        infer = _operation("Infer", OPEN_INFERENCE, tensors, "InferenceResponse")
        infer["post"]["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
        told["paths"][f"/v2/models/{{name}}{path}/infer"] = infer
    return told


def _operation(summary: str, tag: str, content: dict[str, Any], answer: str, *, without: tuple[str, ...] = ()) -> Any:
    answered = {"application/json": {"schema": {"$ref": f"#/components/schemas/{answer}"}}}
    refusals = {status: words for status, words in _REFUSALS.items() if status not in without}
    return {
        "post": {
            "summary": summary,
            "tags": [tag],
            "requestBody": {"required": True, "content": content},
            "responses": {
                "200": {"description": "Answered.", "headers": _VERSION, "content": answered},
                **{
                    status: {"description": words, "headers": _VERSION, "content": _FAULT}
                    for status, words in refusals.items()
                },
            },
        }
    }


def _json(schema: str, examples: dict[str, Any]) -> dict[str, Any]:
    content = {
        "schema": {"$ref": f"#/components/schemas/{schema}"},
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    return {"application/json": content}


def _examples(served: Served) -> list[dict[str, Any]]:
    by_column = served.golden.rows if served.golden else made_up_row([*served.schema.columns.values()])
    return [dict(zip(by_column, row, strict=True)) for row in [*zip(*by_column.values(), strict=True)][:2]]


def _own(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"one row": rows[0], "many rows": rows}


def _invocations(rows: list[dict[str, Any]]) -> dict[str, Any]:
    columns = [*rows[0]]
    return {
        "dataframe_split": {"dataframe_split": {"columns": columns, "data": [[*row.values()] for row in rows]}},
        "dataframe_records": {"dataframe_records": rows},
        "instances": {"instances": rows},
        "inputs": {"inputs": {name: [row[name] for row in rows] for name in columns}},
    }


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, [*rows[0]], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _tensors(served: Served, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": datatype(column),
            "data": [row[name] for row in rows],
        }
        for name, column in served.schema.columns.items()
    ]


def _schemas(served: Served) -> dict[str, Any]:
    output = served.manifest.answers
    row = {
        "type": "object",
        "properties": {name: json_schema(column) for name, column in served.schema.columns.items()},
        "required": [*served.schema.columns],
        "additionalProperties": False,
    }
    rows = {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/Row"}}
    return {
        "Row": row,
        "Rows": {"oneOf": [{"$ref": "#/components/schemas/Row"}, rows]},
        "Predictions": _object(
            model={"type": "string"},
            version={"type": "string"},
            predictions=_list(_object(**_own_answer(output))),
        ),
        "Invocation": {
            "type": "object",
            "properties": {
                "dataframe_split": _object(columns=_list({"type": "string"}), data=_list({"type": "array"})),
                "dataframe_records": rows,
                "instances": rows,
                "inputs": {
                    "oneOf": [
                        {"type": "object", "description": "Lists by column."},
                        {"$ref": "#/components/schemas/Row"},
                        rows,
                    ]
                },
            },
            "description": "One of its properties.",
        },
        "Invoked": _object(
            predictions=_list(_object(**{column.name: _JSON_TYPES[column.kind] for column in output.columns}))
        ),
        "InferenceRequest": {**_object(inputs=_list(_TENSOR)), "description": "Of the Open Inference Protocol."},
        "InferenceResponse": _object(
            model_name={"type": "string"}, model_version={"type": "string"}, outputs=_list(_TENSOR)
        ),
        "Fault": {
            "type": "object",
            "properties": {"error": {"type": "string"}, "row": {"type": "integer"}, "field": {"type": "string"}},
            "required": ["error"],
        },
    }


def _own_answer(output: Output) -> dict[str, Any]:
    """Return the properties of a prediction of the service's own protocol."""
    match output.form:
        case "probability":
            return {
                "probability": {"type": ["number", "null"], "description": "Of the positive class."},
                "class": {"description": "1 for the positive class, else 0."},
                "label": {"type": ["string", "null"], "description": "The class in words."},
            }
        case "classes":
            of_each = {"type": ["object", "null"], "additionalProperties": {"type": "number"}}
            return {
                "label": {"enum": output.classes, "description": "The class in words."},
                "probabilities": {**of_each, "description": "By class."},
            }
        case "value":
            return {
                "value": {"type": "number", "description": "The predicted number."},
                "unit": {"type": ["string", "null"], "description": "Its unit in words."},
                **(_bounds(output.interval.level) if output.interval else {}),
            }


def _bounds(level: float) -> dict[str, Any]:
    words = f"bound of the interval that shall hold {level:.0%} of new rows."
    return {name: {"type": "number", "description": f"The {name} {words}"} for name in (LOWER, UPPER)}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TENSOR = _object(
    name={"type": "string"},
    shape=_list({"type": "integer", "minimum": 0}),
    datatype={"type": "string"},
    data={"type": "array"},
)
