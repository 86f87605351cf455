#!/usr/bin/env bash
# MLflow 3.17.2, onnxruntime, pandas 3.1.1: an ONNX model with an input of numbers and one of text, asked through mlflow.pyfunc.
# Expected: a pandas frame is answered, whichever of its text types the column has.
# Seen: a column of objects is answered; the type that pandas gives text by itself (str) raises RuntimeError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
	mlflow-skinny==3.17.2 pandas==3.1.1 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import mlflow
import onnx
import onnxruntime
import pandas
from onnx import TensorProto, helper

inputs = [
    helper.make_tensor_value_info("age", TensorProto.DOUBLE, [None]),
    helper.make_tensor_value_info("job", TensorProto.STRING, [None]),
]
outputs = [
    helper.make_tensor_value_info("older", TensorProto.DOUBLE, [None]),
    helper.make_tensor_value_info("same", TensorProto.STRING, [None]),
]
nodes = [helper.make_node("Add", ["age", "age"], ["older"]), helper.make_node("Identity", ["job"], ["same"])]
graph = helper.make_graph(nodes, "rows", inputs, outputs)
opset = [helper.make_opsetid("", 17)]
mlflow.onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), "model", pip_requirements=[])
model = mlflow.pyfunc.load_model("model")


def answered(kind: str) -> object:
    try:
        frame = pandas.DataFrame({"age": [30.0], "job": pandas.Series(["poet"], dtype=kind)})
        return [*model.predict(frame)["same"]]
    except RuntimeError as error:
        return type(error).__name__


seen = {kind: answered(kind) for kind in ("object", "str")}
print(f"MLflow {mlflow.__version__}, onnxruntime {onnxruntime.__version__}, pandas {pandas.__version__}: {seen}")
assert seen == {"object": ["poet"], "str": "RuntimeError"}, "this has changed"
PYTHON
