"""The fitted model as one ONNX graph: rows of plain numbers in, class and probability out. For `training`.

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
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer

from model_release.modelling.trained import ONNX_INPUT, ONNX_LABEL, ONNX_PROBABILITY

COLUMNS = "columns"
"""Key in the graph's own metadata: the names of the input's columns, as a JSON list."""

_OPSETS = {"": 17, "ai.onnx.ml": 3}


def export(preprocessor: ColumnTransformer, classifier: ClassifierMixin, columns: Sequence[str]) -> bytes:
    """Return the graph of a fitted preprocessor and classifier; equal models give equal bytes.

    Args:
        preprocessor: as `training.build` makes it, fitted.
        classifier: fitted on what the preprocessor puts out.
        columns: the names of the model's inputs, in the order of the graph's columns.

    Raises:
        Exception: whatever the converter says to an estimator that it cannot convert.
    """
    prepared = _preprocessing(preprocessor, list(columns))
    width = prepared.output[0].type.tensor_type.shape.dim[1].dim_value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the converter reads attributes that scikit-learn will remove
        model = to_onnx(
            classifier,
            initial_types=[("features", FloatTensorType([None, width]))],
            options={id(classifier): {"zipmap": False}},
            target_opset=_OPSETS,
        )
    model = _with_columns_named(_joined(prepared, model.graph, model), columns)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def predict(body: bytes, matrix: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the class and the positive class's probability that the graph gives for each row of `matrix`."""
    session = onnxruntime.InferenceSession(body, providers=["CPUExecutionProvider"])
    label, probability = session.run([ONNX_LABEL, ONNX_PROBABILITY], {ONNX_INPUT: matrix})
    return label, probability


def mlmodel(path: str, columns: Sequence[str]) -> bytes:
    """Return the file `MLmodel` that makes a folder with the graph at `path` a model for MLflow's loaders."""
    inputs = [{"type": "double", "name": name, "required": True} for name in columns]
    outputs = [
        {"type": "long", "name": ONNX_LABEL, "required": True},
        {"type": "float", "name": ONNX_PROBABILITY, "required": True},
    ]
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
    """Impute, scale and one-hot encode, operator by operator, up to what the classifier takes."""
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


def _joined(prepared: onnx.GraphProto, classifier: onnx.GraphProto, converted: onnx.ModelProto) -> onnx.ModelProto:
    """Put the classifier behind the preprocessing, and keep the positive class's probability alone."""
    label, both = (output.name for output in classifier.output)
    graph = compose.merge_graphs(
        prepared,
        compose.add_prefix_graph(classifier, "classifier/"),
        io_map=[("prepared", "classifier/features")],
    )
    graph.name = "model"
    graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.int64), "positive"))
    graph.node.extend(
        [
            helper.make_node("Identity", [f"classifier/{label}"], [ONNX_LABEL]),
            helper.make_node("Gather", [f"classifier/{both}", "positive"], [ONNX_PROBABILITY], axis=1),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info(ONNX_LABEL, TensorProto.INT64, ["rows"]),
            helper.make_tensor_value_info(ONNX_PROBABILITY, TensorProto.FLOAT, ["rows"]),
        ]
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, number) for domain, number in _OPSETS.items()],
        ir_version=converted.ir_version,
        producer_name="model-release",
    )


def _with_columns_named(model: onnx.ModelProto, columns: Sequence[str]) -> onnx.ModelProto:
    helper.set_model_props(model, {COLUMNS: json.dumps(list(columns))})
    return model
