"""ONNX files whose data lies elsewhere are refused, wherever in the file that is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from model_release.errors import Corrupt, Refused
from model_release.model_files.onnx_safety import LEADING, TENSOR, check_self_contained

FLOAT = TensorProto.FLOAT
IN = helper.make_tensor_value_info("x", FLOAT, [1])
OUT = helper.make_tensor_value_info("y", FLOAT, [1])


def tensor(*, outside: bool) -> TensorProto:
    made = helper.make_tensor("w", FLOAT, [1], [1.0])
    if outside:
        made.ClearField("float_data")
        made.data_location = TensorProto.EXTERNAL
        entry = made.external_data.add()
        entry.key, entry.value = "location", "weights.bin"
    return made


def constant(held: TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], value=held)


def graph(*nodes: onnx.NodeProto, initial: tuple[TensorProto, ...] = ()) -> onnx.GraphProto:
    return helper.make_graph(nodes, "graph", [IN], [OUT], initial)


def branch(inner: onnx.GraphProto) -> onnx.GraphProto:
    other = graph(constant(tensor(outside=False)))
    return graph(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other))


def sparse(held: TensorProto) -> onnx.NodeProto:
    indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    return helper.make_node("Constant", [], ["y"], sparse_value=helper.make_sparse_tensor(held, indices, [1]))


def function(held: TensorProto) -> onnx.ModelProto:
    held_by = helper.make_function("f", "F", ["x"], ["y"], [constant(held)], [helper.make_opsetid("", 17)])
    return helper.make_model(graph(helper.make_node("F", ["x"], ["y"], domain="f")), functions=[held_by])


def training(held: TensorProto) -> onnx.ModelProto:
    made = helper.make_model(graph())
    made.training_info.add().algorithm.CopyFrom(graph(constant(held)))
    return made


def several(held: TensorProto) -> onnx.ModelProto:
    return helper.make_model(graph(helper.make_node("F", ["x"], ["y"], domain="f", all=[tensor(outside=False), held])))


PLACES: dict[str, Callable[[TensorProto], onnx.ModelProto]] = {
    "initializer": lambda held: helper.make_model(graph(initial=(held,))),
    "attribute": lambda held: helper.make_model(graph(constant(held))),
    "one of several": several,
    "subgraph": lambda held: helper.make_model(branch(graph(constant(held)))),
    "initializer of a subgraph": lambda held: helper.make_model(branch(graph(initial=(held,)))),
    "subgraph of a subgraph": lambda held: helper.make_model(branch(branch(graph(constant(held))))),
    "sparse": lambda held: helper.make_model(graph(sparse(held))),
    "function": function,
    "training": training,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.refuses("ONNX files")
def test_external_data_is_found_wherever_it_is(place: str) -> None:
    whole = PLACES[place](tensor(outside=False)).SerializeToString()
    check_self_contained(whole, where="there")
    with pytest.raises(Refused, match="there: the data of its tensor 'w' is in another file"):
        check_self_contained(PLACES[place](tensor(outside=True)).SerializeToString(), where="there")


def test_every_field_that_leads_to_a_tensor_is_followed() -> None:
    """By the message types of the installed onnx."""
    leads = {TENSOR}
    kinds = onnx.onnx_ml_pb2.DESCRIPTOR.message_types_by_name
    while True:
        more = {
            name
            for name, kind in kinds.items()
            if any(field.message_type is not None and field.message_type.name in leads for field in kind.fields)
        }
        if more <= leads:
            break
        leads |= more
    found = {
        name: {
            field.number: field.message_type.name
            for field in kinds[name].fields
            if field.message_type is not None and field.message_type.name in leads
        }
        for name in leads - {TENSOR}
    }
    assert found == LEADING


@pytest.mark.parametrize("body", [b"\xff", b"\x3a\x05a", b"\x0b", b"\x80" * 11, b"\x39\x00"])
@pytest.mark.refuses("ONNX files")
def test_what_is_no_such_file(body: bytes) -> None:
    with pytest.raises(Corrupt, match="no ONNX file"):
        check_self_contained(body, where="there")


@pytest.mark.refuses("ONNX files")
def test_a_graph_too_deep() -> None:
    def field(number: int, body: bytes) -> bytes:
        return bytes([number << 3 | 2, len(body) & 0x7F | 0x80, len(body) >> 7]) + body

    body = b""
    for _ in range(40):
        body = field(1, field(5, field(6, body)))
    with pytest.raises(Corrupt):
        check_self_contained(field(7, body), where="there")


def test_onnxruntime_alone_would_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why there is a walk: from a subgraph, a file of the working directory is read. When this fails, it can go."""
    import onnxruntime

    (tmp_path / "weights.bin").write_bytes(b"\x00\x00\x80\x3f")
    monkeypatch.chdir(tmp_path)
    inner = graph(constant(tensor(outside=True)))
    inner.ClearField("input")
    outer = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    given = helper.make_tensor("c", TensorProto.BOOL, [], [True])
    made = helper.make_model(graph(outer, initial=(given,)), opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
