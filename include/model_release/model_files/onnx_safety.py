"""Whether an ONNX file holds all of its data itself, decided by its bytes alone.

A file may keep weights in other files, by a path, in any tensor of any graph inside it. Given bytes, onnxruntime
refuses those of the outer graph, and reads those of a subgraph from the working directory. So the file is walked before
it is opened: it is a message of Protocol Buffers, of which only the fields that lead to tensors are followed.
"""

from __future__ import annotations

from collections.abc import Iterator

from model_release.errors import Corrupt, Refused

TENSOR = "TensorProto"

LEADING = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: TENSOR, 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        **{5: TENSOR, 6: "GraphProto", 10: TENSOR, 11: "GraphProto"},
        **{22: "SparseTensorProto", 23: "SparseTensorProto"},
    },
    "SparseTensorProto": {1: TENSOR, 2: TENSOR},
}
"""By message, the numbers of the fields that lead to tensors, and the messages that they hold."""

_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_DEPTH = 100
"""Messages inside messages; readers of Protocol Buffers allow as many."""


def check_self_contained(body: bytes, *, where: str) -> None:
    """Check that no tensor, of any graph or function, refers to data in another file.

    Raises:
        Refused: one does.
        Corrupt: these bytes are no ONNX file.
    """
    try:
        outside = next(_outside(memoryview(body), "ModelProto", _DEPTH), None)
    except (IndexError, ValueError):
        raise Corrupt("is no ONNX file", where=where) from None
    if outside is not None:
        raise Refused(
            f"the data of its tensor {outside!r} is in another file, which the manifest does not list",
            where=where,
            hint="save the model with its weights inside",
        )


def _outside(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    """Yield the names of tensors with external data."""
    if depth == 0:
        raise ValueError
    if kind == TENSOR:
        fields = [*_fields(message)]
        if any(number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value) for number, value in fields):
            names = [bytes(value) for number, value in fields if number == _NAME and isinstance(value, memoryview)]
            yield b"".join(names[-1:]).decode(errors="replace")
        return
    for number, value in _fields(message):
        inner = LEADING[kind].get(number)
        if inner is not None and isinstance(value, memoryview):
            yield from _outside(value, inner, depth - 1)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield each field's number with its value: a number, or the bytes of a value with a length.

    Raises:
        ValueError: a field ends after its message, or is of no known kind.
        IndexError: the message ends inside a number.
    """
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        value: int | memoryview = 0
        match tag & 7:
            case 0:
                value, at = _number(message, at)
            case 1:
                at += 8
            case 2:
                size, at = _number(message, at)
                value, at = message[at : at + size], at + size
            case 5:
                at += 4
            case _:
                raise ValueError
        if at > len(message):
            raise ValueError
        yield tag >> 3, value


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """Read a number of variable length; return it with the place of the next byte."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError
