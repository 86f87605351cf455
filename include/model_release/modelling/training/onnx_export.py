"""The fitted model as one ONNX graph: rows of plain numbers in, the columns of the task's output out. For `training`.

The preprocessing is written with ONNX's own operators in double precision, as scikit-learn computes it. A
converter's single-precision scaling moves values across the thresholds of trees, whose probabilities then
differ by several hundredths; scaled in double and rounded once, as scikit-learn's trees do it, they agree.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer

from model_release.documents.output import Output
from model_release.modelling.trained import ONNX_INPUT
from model_release.modelling.training.onnx_converters import CONVERTERS

COLUMNS = "columns"
"""Key in the graph's own metadata: the names of the input's columns, as a JSON list."""

_OPSETS = {"": 17, "ai.onnx.ml": 3}


_KINDS = {"integer": TensorProto.INT64, "number": TensorProto.FLOAT, "text": TensorProto.STRING}
_MLFLOW = {"integer": "long", "number": "float", "text": "string"}


def export(preprocessor: ColumnTransformer, estimator: Any, columns: Sequence[str], output: Output) -> bytes:
    """Return the graph of a fitted preprocessor and estimator; equal models give equal bytes.

    Args:
        preprocessor: as `training.build` makes it, fitted.
        estimator: fitted on what the preprocessor puts out.
        columns: the names of the model's inputs, in the order of the graph's columns.
        output: what the model answers.

    Raises:
        Exception: whatever the converter says to an estimator that it cannot convert.
    """
    prepared = _preprocessing(preprocessor, list(columns))
    width = prepared.output[0].type.tensor_type.shape.dim[1].dim_value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the converter reads attributes that scikit-learn will remove
        model = convert_sklearn(
            estimator,
            name="estimator",  # else a random one
            initial_types=[("features", FloatTensorType([None, width]))],
            options=None if output.form == "value" else {id(estimator): {"zipmap": False}},
            target_opset=_OPSETS,
            custom_conversion_functions=CONVERTERS,
        )
    model = _with_columns_named(_joined(prepared, model.graph, model, output), columns)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def predict(body: bytes, matrix: NDArray[np.float64], output: Output) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the class (none of a number) and the numbers that the graph gives for each row of `matrix`."""
    session = onnxruntime.InferenceSession(body, providers=["CPUExecutionProvider"])
    told = session.run([column.name for column in output.columns], {ONNX_INPUT: matrix})
    if output.form == "value":
        return np.array([]), told[0]
    return told[0], told[1] if output.form == "probability" else np.stack(told[1:], axis=1)


def mlmodel(path: str, columns: Sequence[str], output: Output) -> bytes:
    """Return the file `MLmodel` that makes a folder with the graph at `path` a model for MLflow's loaders."""
    inputs = [{"type": "double", "name": name, "required": True} for name in columns]
    outputs = [{"type": _MLFLOW[each.kind], "name": each.name, "required": True} for each in output.columns]
    content = {
        "flavors": {
            "onnx": {"data": path, "providers": ["CPUExecutionProvider"]},
            "python_function": {
                "data": path,
                "loader_module": "mlflow.onnx",
                "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
            },
        },
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs)},
    }
    return yaml.safe_dump(content, width=1_000_000).encode()


def _preprocessing(preprocessor: ColumnTransformer, columns: list[str]) -> onnx.GraphProto:
    """Impute, scale and one-hot encode, operator by operator, up to what the estimator takes."""
    fill = np.zeros(len(columns))
    constants: dict[str, NDArray[Any]] = {"fill": fill}
    nodes = [
        helper.make_node("IsNaN", [ONNX_INPUT], ["absent"]),
        helper.make_node("Where", ["absent", "fill", ONNX_INPUT], ["filled"]),
    ]
    parts, width = [], 0
    for kind, pipeline, names in preprocessor.transformers_:
        positions = np.array([columns.index(name) for name in names], dtype=np.int64)
        imputer, last = pipeline[0], pipeline[-1]
        fill[positions] = imputer.statistics_
        if kind == "numeric":
            constants |= {"numeric_at": positions, "mean": last.mean_, "scale": last.scale_}
            nodes += [
                helper.make_node("Gather", ["filled", "numeric_at"], ["numeric"], axis=1),
                helper.make_node("Sub", ["numeric", "mean"], ["centred"]),
                helper.make_node("Div", ["centred", "scale"], ["scaled"]),
            ]
            parts.append("scaled")
            width += len(positions)
        else:
            sizes = [len(values) for values in last.categories_]
            constants |= {
                "categorical_at": np.repeat(positions, sizes),
                "categories": np.concatenate(last.categories_).astype(np.float64),
            }
            nodes += [
                helper.make_node("Gather", ["filled", "categorical_at"], ["categorical"], axis=1),
                helper.make_node("Equal", ["categorical", "categories"], ["matches"]),
                helper.make_node("Cast", ["matches"], ["encoded"], to=TensorProto.DOUBLE),
            ]
            parts.append("encoded")
            width += sum(sizes)
    nodes += [
        helper.make_node("Concat", parts, ["features_double"], axis=1),
        helper.make_node("Cast", ["features_double"], ["prepared"], to=TensorProto.FLOAT),
    ]
    return helper.make_graph(
        nodes,
        "preprocessing",
        [helper.make_tensor_value_info(ONNX_INPUT, TensorProto.DOUBLE, ["rows", len(columns)])],
        [helper.make_tensor_value_info("prepared", TensorProto.FLOAT, ["rows", width])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )


def _joined(
    prepared: onnx.GraphProto, estimator: onnx.GraphProto, converted: onnx.ModelProto, output: Output
) -> onnx.ModelProto:
    """Put the estimator behind the preprocessing, and make the columns of the output of what it gives."""
    label, *more = [f"estimator/{each.name}" for each in estimator.output]
    graph = compose.merge_graphs(
        prepared,
        compose.add_prefix_graph(estimator, "estimator/"),
        io_map=[("prepared", "estimator/features")],
    )
    graph.name = "model"
    match output.form:
        case "probability":
            _end_in_probability(graph, more[0], output)
        case "classes":
            _end_in_classes(graph, label, more[0], output)
        case "value":
            _constant(graph, "flat", np.array([-1], dtype=np.int64))
            graph.node.append(helper.make_node("Reshape", [label, "flat"], [output.columns[0].name]))
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(column.name, _KINDS[column.kind], ["rows"]) for column in output.columns
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, number) for domain, number in _OPSETS.items()],
        ir_version=converted.ir_version,
        producer_name="model-release",
    )


def _end_in_probability(graph: onnx.GraphProto, both: str, output: Output) -> None:
    """Keep the positive class's probability alone, and label a row by the threshold, which no converter writes."""
    label, probability = [column.name for column in output.columns]
    _constant(graph, "positive", np.array(1, dtype=np.int64))
    _constant(graph, "threshold", np.array(output.threshold, dtype=np.float32))
    graph.node.extend(
        [
            helper.make_node("Gather", [both, "positive"], [probability], axis=1),
            helper.make_node("Greater", [probability, "threshold"], ["above"]),
            helper.make_node("Cast", ["above"], [label], to=TensorProto.INT64),
        ]
    )


def _end_in_classes(graph: onnx.GraphProto, label: str, probabilities: str, output: Output) -> None:
    """Name the class in words, and give each class's probability as a column of its own."""
    names = [column.name for column in output.columns]
    _constant(graph, "words", np.array(output.classes, dtype=object))
    graph.node.append(helper.make_node("Gather", ["words", label], [names[0]], axis=0))
    for code, name in enumerate(names[1:]):
        _constant(graph, f"class_{code}", np.array(code, dtype=np.int64))
        graph.node.append(helper.make_node("Gather", [probabilities, f"class_{code}"], [name], axis=1))


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[Any]) -> None:
    graph.initializer.append(numpy_helper.from_array(value, name))


def _with_columns_named(model: onnx.ModelProto, columns: Sequence[str]) -> onnx.ModelProto:
    helper.set_model_props(model, {COLUMNS: json.dumps(list(columns))})
    return model
