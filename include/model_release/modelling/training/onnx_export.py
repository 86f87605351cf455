"""The fitted model as one ONNX graph: rows in, the columns of the task's output out. For `training`.

Rows of numbers are one table. If a column holds text, each column is an input of its own, `[rows]` of doubles or of
strings, by its name; NaN and the empty string are missing.

The preprocessing is written with ONNX's own operators in double precision, as scikit-learn computes it. A
converter's single-precision scaling moves values across the thresholds of trees, whose probabilities then
differ by several hundredths; scaled in double and rounded once, as scikit-learn's trees do it, they agree.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor

from model_release.documents.output import Output
from model_release.modelling.trained import ONNX_INPUT
from model_release.modelling.training.onnx_converters import CONVERTERS, register_boosters

COLUMNS = "columns"
"""Key in the graph's own metadata: the names of the input's columns, as a JSON list."""

_OPSETS = {"": 17, "ai.onnx.ml": 3}


_KINDS = {"integer": TensorProto.INT64, "number": TensorProto.FLOAT, "text": TensorProto.STRING}
_MLFLOW = {"integer": "long", "number": "float", "text": "string"}

_Back = Literal["exp", "expm1"]

_BACK: Final[dict[Any, _Back]] = {np.exp: "exp", np.expm1: "expm1"}
"""How a number comes back from the scale on which an estimator was fitted, by the function that does it."""


def export(
    preprocessor: ColumnTransformer,
    estimator: Any,
    columns: Sequence[str],
    output: Output,
    *,
    texts: Collection[str] = (),
) -> bytes:
    """Return the graph of a fitted preprocessor and estimator; equal models give equal bytes.

    Args:
        preprocessor: as `training.build` makes it, fitted.
        estimator: fitted on what the preprocessor puts out.
        columns: the names of the model's inputs, in the order of the graph's columns.
        output: what the model answers.
        texts: those of the columns that hold text.

    Raises:
        ValueError: a column has the name of an output.
        Exception: an error of the converter about an estimator that it cannot convert.
    """
    if taken := sorted({column.name for column in output.columns} & {*columns} if texts else set()):
        raise ValueError(f"the column {taken[0]} has the name of one of its outputs")
    graph = _preprocessing(preprocessor, list(columns), texts)
    prepared = compose.add_prefix_graph(graph, "prepare/", rename_inputs=False)
    width = prepared.output[0].type.tensor_type.shape.dim[1].dim_value
    register_boosters()
    inner = estimator.regressor_ if isinstance(estimator, TransformedTargetRegressor) else estimator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the converter reads attributes that scikit-learn will remove
        model = convert_sklearn(
            inner,
            name="estimator",  # else a random one
            initial_types=[("features", FloatTensorType([None, width]))],
            options=None if output.form == "value" else {id(inner): {"zipmap": False}},
            target_opset=_OPSETS,
            custom_conversion_functions=CONVERTERS,
        )
    graph = _joined(
        prepared, model.graph, output, back=_BACK[estimator.inverse_func] if inner is not estimator else None
    )
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(domain, number) for domain, number in _OPSETS.items()],
        ir_version=model.ir_version,
        producer_name="model-release",
    )
    model = _with_columns_named(made, columns)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def feed(rows: pd.DataFrame) -> dict[str, NDArray[Any]]:
    """Return rows as the graph's inputs: one table, or its columns if one of them holds text."""
    if not texts_of(rows):
        return {ONNX_INPUT: rows.to_numpy(np.float64)}
    return {
        str(name): column.fillna("").to_numpy(dtype=object) if column.dtype == object else column.to_numpy(np.float64)
        for name, column in rows.items()
    }


def texts_of(rows: pd.DataFrame) -> list[str]:
    """Return the columns that hold text."""
    return [str(name) for name, column in rows.items() if column.dtype == object]


def predict(body: bytes, rows: pd.DataFrame, output: Output) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return the class (none of a number) and the numbers that the graph gives for each row, bounds among them."""
    session = onnxruntime.InferenceSession(body, providers=["CPUExecutionProvider"])
    told = session.run([column.name for column in output.columns], feed(rows))
    if output.form == "value":
        return np.array([]), np.stack(told, axis=1) if output.interval else told[0]
    return told[0], told[1] if output.form == "probability" else np.stack(told[1:], axis=1)


def mlmodel(path: str, columns: Sequence[str], output: Output, *, texts: Collection[str] = ()) -> bytes:
    """Return the file `MLmodel` that makes a folder with the graph at `path` a model for MLflow's loaders."""
    kinds = {name: "string" if name in texts else "double" for name in columns}
    inputs = [{"type": kind, "name": name, "required": True} for name, kind in kinds.items()]
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


def _preprocessing(preprocessor: ColumnTransformer, columns: list[str], texts: Collection[str]) -> onnx.GraphProto:
    """Impute, scale and one-hot encode, operator by operator, up to what the estimator takes."""
    numbers = [name for name in columns if name not in texts]
    fill = np.zeros(len(numbers))
    constants: dict[str, NDArray[Any]] = {"fill": fill}
    inputs, nodes = _table(numbers, columns, texts)
    parts, width = [], 0
    for kind, pipeline, names in preprocessor.transformers_:
        imputer, last = pipeline[0], pipeline[-1]
        for place, name in enumerate(names):
            if name in numbers:
                fill[numbers.index(name)] = imputer.statistics_[place]
        if kind == "numeric":
            at = np.array([numbers.index(name) for name in names], dtype=np.int64)
            constants |= {"numeric_at": at, "mean": last.mean_, "scale": last.scale_}
            nodes += [
                helper.make_node("Gather", ["filled", "numeric_at"], ["numeric"], axis=1),
                helper.make_node("Sub", ["numeric", "mean"], ["centred"]),
                helper.make_node("Div", ["centred", "scale"], ["scaled"]),
            ]
            parts.append("scaled")
            width += len(names)
            continue
        for place, name in enumerate(names):
            categories = last.categories_[place]
            more, new = (
                _words(name, place, categories, imputer.statistics_[place])
                if name in texts
                else _codes(numbers.index(name), place, categories)
            )
            nodes += more
            constants |= new
            parts.append(f"encoded_{place}")
            width += len(categories)
    nodes += [
        helper.make_node("Concat", parts, ["features_double"], axis=1),
        helper.make_node("Cast", ["features_double"], ["prepared"], to=TensorProto.FLOAT),
    ]
    return helper.make_graph(
        nodes,
        "preprocessing",
        inputs,
        [helper.make_tensor_value_info("prepared", TensorProto.FLOAT, ["rows", width])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )


def _table(
    numbers: list[str], columns: list[str], texts: Collection[str]
) -> tuple[list[onnx.ValueInfoProto], list[onnx.NodeProto]]:
    """Return the graph's inputs, and the nodes that make the table `filled` of the numbers among them."""
    filling = [
        helper.make_node("IsNaN", ["table" if texts else ONNX_INPUT], ["absent"]),
        helper.make_node("Where", ["absent", "fill", "table" if texts else ONNX_INPUT], ["filled"]),
    ]
    if not texts:
        return [helper.make_tensor_value_info(ONNX_INPUT, TensorProto.DOUBLE, ["rows", len(columns)])], filling
    kinds = {name: TensorProto.STRING if name in texts else TensorProto.DOUBLE for name in columns}
    inputs = [helper.make_tensor_value_info(name, kind, ["rows"]) for name, kind in kinds.items()]
    upright = {name: f"upright_{place}" for place, name in enumerate(numbers)}
    shape = numpy_helper.from_array(np.array([-1, 1], dtype=np.int64))
    return inputs, [
        helper.make_node("Constant", [], ["as_column"], value=shape),
        *(helper.make_node("Reshape", [name, "as_column"], [each]) for name, each in upright.items()),
        *([helper.make_node("Concat", [*upright.values()], ["table"], axis=1), *filling] if numbers else []),
    ]


def _codes(at: int, place: int, categories: NDArray[Any]) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    """Return the nodes and constants that encode a column of codes of the table."""
    return [
        helper.make_node("Gather", ["filled", f"at_{place}"], [f"category_{place}"], axis=1),
        helper.make_node("Equal", [f"category_{place}", f"categories_{place}"], [f"matches_{place}"]),
        helper.make_node("Cast", [f"matches_{place}"], [f"encoded_{place}"], to=TensorProto.DOUBLE),
    ], {f"at_{place}": np.array([at], dtype=np.int64), f"categories_{place}": categories.astype(np.float64)}


def _words(
    name: str, place: int, categories: NDArray[Any], fill: str
) -> tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]:
    """Return the nodes and constants that encode a column of text: a word's place; -1 for one that is not known."""
    words = [str(each) for each in categories]
    places = {**{word: each for each, word in enumerate(words)}, "": words.index(fill)}
    return [
        helper.make_node(
            "LabelEncoder",
            [name],
            [f"word_{place}"],
            domain="ai.onnx.ml",
            keys_strings=[*places],
            values_int64s=[*places.values()],
            default_int64=-1,
        ),
        helper.make_node("Reshape", [f"word_{place}", "as_column"], [f"category_{place}"]),
        helper.make_node("Equal", [f"category_{place}", f"categories_{place}"], [f"matches_{place}"]),
        helper.make_node("Cast", [f"matches_{place}"], [f"encoded_{place}"], to=TensorProto.DOUBLE),
    ], {f"categories_{place}": np.arange(len(words), dtype=np.int64)}


def _joined(
    prepared: onnx.GraphProto, estimator: onnx.GraphProto, output: Output, *, back: _Back | None
) -> onnx.GraphProto:
    """Put the estimator behind the preprocessing, and make the columns of the output of what it gives.

    Args:
        prepared: the graph of the preprocessing.
        estimator: the graph of what is fitted behind it.
        output: what the model answers.
        back: how a number comes back from the scale that the estimator was fitted on; None if that is the target's.
    """
    label, *more = [f"estimator/{each.name}" for each in estimator.output]
    graph = compose.merge_graphs(
        prepared,
        compose.add_prefix_graph(estimator, "estimator/"),
        io_map=[("prepare/prepared", "estimator/features")],
    )
    graph.name = "model"
    match output.form:
        case "probability":
            _end_in_probability(graph, more[0], output)
        case "classes":
            _end_in_classes(graph, label, more[0], output)
        case "value":
            _end_in_value(graph, label, output, back)
    del graph.output[:]
    graph.output.extend(
        helper.make_tensor_value_info(column.name, _KINDS[column.kind], ["rows"]) for column in output.columns
    )
    return graph


def _end_in_value(graph: onnx.GraphProto, told: str, output: Output, back: _Back | None) -> None:
    """Give the number in the target's unit, and its bounds, which are as far from it on the estimator's own scale.

    A transformed number, and one with bounds, is computed on in double precision: an exponential would enlarge the
    rounding of single precision.
    """
    value, *bounds = [column.name for column in output.columns]
    _constant(graph, "answer/flat", np.array([-1], dtype=np.int64))
    if back is None and output.interval is None:
        graph.node.append(helper.make_node("Reshape", [told, "answer/flat"], [value]))
        return
    graph.node.append(helper.make_node("Reshape", [told, "answer/flat"], ["answer/single"]))
    graph.node.append(helper.make_node("Cast", ["answer/single"], ["answer/fitted"], to=TensorProto.DOUBLE))
    if back == "expm1":
        _constant(graph, "answer/one", np.array(1.0, dtype=np.float64))
    reach = output.interval.reach if output.interval else 0.0
    for name, away in zip([value, *bounds], [0.0, -reach, reach], strict=False):
        _constant(graph, f"{name}/away", np.array(away, dtype=np.float64))
        graph.node.append(helper.make_node("Add", ["answer/fitted", f"{name}/away"], [f"{name}/scaled"]))
        last = f"{name}/scaled"
        for step in {None: [], "exp": ["Exp"], "expm1": ["Exp", "Sub"]}[back]:
            operands = [last, "answer/one"] if step == "Sub" else [last]
            graph.node.append(helper.make_node(step, operands, [f"{name}/{step}"]))
            last = f"{name}/{step}"
        graph.node.append(helper.make_node("Cast", [last], [name], to=TensorProto.FLOAT))


def _end_in_probability(graph: onnx.GraphProto, both: str, output: Output) -> None:
    """Keep the positive class's probability alone, and label a row by the threshold, which no converter writes."""
    label, probability = [column.name for column in output.columns]
    _constant(graph, "answer/positive", np.array(1, dtype=np.int64))
    _constant(graph, "answer/threshold", np.array(output.threshold, dtype=np.float32))
    graph.node.extend(
        [
            helper.make_node("Gather", [both, "answer/positive"], [probability], axis=1),
            helper.make_node("Greater", [probability, "answer/threshold"], ["answer/above"]),
            helper.make_node("Cast", ["answer/above"], [label], to=TensorProto.INT64),
        ]
    )


def _end_in_classes(graph: onnx.GraphProto, label: str, probabilities: str, output: Output) -> None:
    """Name the class in words, and give each class's probability as a column of its own."""
    names = [column.name for column in output.columns]
    _constant(graph, "answer/words", np.array(output.classes, dtype=object))
    graph.node.append(helper.make_node("Gather", ["answer/words", label], [names[0]], axis=0))
    for code, name in enumerate(names[1:]):
        _constant(graph, f"answer/class_{code}", np.array(code, dtype=np.int64))
        graph.node.append(helper.make_node("Gather", [probabilities, f"answer/class_{code}"], [name], axis=1))


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[Any]) -> None:
    graph.initializer.append(numpy_helper.from_array(value, name))


def _with_columns_named(model: onnx.ModelProto, columns: Sequence[str]) -> onnx.ModelProto:
    helper.set_model_props(model, {COLUMNS: json.dumps(list(columns))})
    return model
