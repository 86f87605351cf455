"""`/v2`: the Open Inference Protocol, as KServe, Triton, Seldon and their clients speak it over HTTP.

A model has an input per column, and takes one matrix as well: a single tensor of rows by columns, in the model's order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from model_release import __version__
from model_release.documents.manifest import InputColumn
from model_release.serving.endpoint import Encoded, Request
from model_release.serving.problems import Problem
from model_release.serving.schema import InputSchema, check_names, decode
from model_release.serving.served import Served

_TYPES = {"integer": "INT64", "number": "FP64", "text": "BYTES"}
_DATATYPES = {
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES",
}  # fmt: skip


class Tensor(msgspec.Struct):
    """An input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]


class Wanted(msgspec.Struct):
    """A requested output."""

    name: str


class InferenceRequest(msgspec.Struct):
    """The body of a request; parameters are accepted and have no effect."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Wanted] | None = None


def server() -> dict[str, Any]:
    """Return the server's metadata."""
    return {"name": "model-release", "version": __version__, "extensions": []}


def metadata(served: Served, path: Mapping[str, str]) -> dict[str, Any]:
    """Return the model's metadata.

    Raises:
        Problem: 404, another model or version is served.
    """
    check_path(served, path)
    return {
        "name": served.name,
        "versions": [served.version],
        "platform": {"onnx": "onnx_onnxruntime", "pickle": "sklearn_pickle"}[served.model.form],
        "inputs": [
            {"name": column.name, "datatype": datatype(column), "shape": [-1]}
            for column in served.schema.columns.values()
        ],
        "outputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in _outputs(served).items()],
    }


def check_path(served: Served, path: Mapping[str, str]) -> None:
    """Check that a path names the served model and version.

    Raises:
        Problem: 404, it is not.
    """
    if path["name"] != served.name:
        raise Problem(404, f"no such model is served here; {served.name} is")
    if path.get("version", served.version) != served.version:
        raise Problem(404, f"no such version is served; {served.version} is")


def infer(served: Served, request: Request) -> Encoded:
    """Answer tensors with tensors."""
    check_path(served, request.path)
    try:
        asked = msgspec.convert(decode(request.body), InferenceRequest)
    except msgspec.ValidationError as error:
        raise Problem(422, f"not an inference request: {error}") from None
    check_names(request.body, [*InferenceRequest.__struct_fields__], 1)
    check_names(request.body, [*Tensor.__struct_fields__], len(asked.inputs) + len(asked.outputs or ()))
    kinds = _outputs(served)
    names = [*kinds] if asked.outputs is None else [output.name for output in asked.outputs]
    if unknown := [name for name in names if name not in kinds]:
        raise Problem(422, f"no such output; the outputs are {' and '.join(kinds)}", field=unknown[0])
    rows = served.schema.take(_rows(asked.inputs, served.schema))
    told = served.table(rows)
    outputs = [
        {"name": name, "shape": [len(rows)], "datatype": kinds[name], "data": told[name]}
        for name in names
        if name in told
    ]
    named = {} if asked.id is None else {"id": asked.id}
    said = {"model_name": served.name, "model_version": served.version, **named, "outputs": outputs}
    return Encoded(msgspec.json.encode(said), len(rows))


def _outputs(served: Served) -> dict[str, str]:
    """Return the datatype of each output, by name."""
    return {column.name: _TYPES[column.kind] for column in served.manifest.answers.columns}


def _rows(tensors: list[Tensor], schema: InputSchema) -> list[Any]:
    """Return the tensors as rows by column."""
    values: dict[str, list[Any]] = {}
    for tensor in tensors:
        if tensor.name in values:
            raise Problem(422, "stands twice among the inputs", field=tensor.name)
        values[tensor.name] = _values(tensor)
    width = len(schema.columns)
    if len(tensors) == 1 and len(tensors[0].shape) == 2 and tensors[0].shape[1] == width:
        (cells,) = values.values()
        return [dict(zip(schema.columns, cells[at : at + width], strict=True)) for at in range(0, len(cells), width)]
    for tensor in tensors:
        if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
            raise Problem(422, "must have the shape [rows] or [rows, 1]", field=tensor.name)
    if len({len(each) for each in values.values()}) > 1:
        raise Problem(422, "the inputs have different numbers of rows")
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]


def _values(tensor: Tensor) -> list[Any]:
    if tensor.datatype not in _DATATYPES:
        known = ", ".join(sorted(_DATATYPES))
        raise Problem(422, f"has a datatype that the protocol does not know; it knows {known}", field=tensor.name)
    values = [*_flat(tensor.data)]
    if len(values) != math.prod(tensor.shape):
        raise Problem(422, "has another number of values than its shape says", field=tensor.name)
    return values


def _flat(data: list[Any]) -> Iterator[Any]:
    for each in data:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def datatype(column: InputColumn) -> str:
    """Return the datatype of a column's tensor."""
    match column.kind:
        case "boolean":
            return "BOOL"
        case "text" | "datetime":
            return "BYTES"
        case _:
            texts = column.unknown == "allow" or any(isinstance(value, str) for value in column.values or ())
            return "BYTES" if texts else "FP64"
