#!/usr/bin/env bash
# skl2onnx 1.20.0: the bytes of one fitted model's graph, exported by its two functions.
# Expected: one model, one set of options, the same bytes, from either function.
# Seen: convert_sklearn gives the graph a random name where none is asked for; to_onnx names it after the class.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
import skl2onnx
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.linear_model import LogisticRegression

rows = np.random.default_rng(0).normal(size=(100, 3))
model = LogisticRegression().fit(rows, rows[:, 0] > 0)
types = [("x", DoubleTensorType([None, 3]))]
seen = {
    export.__name__: len({export(model, initial_types=types).SerializeToString() for _ in range(5)})
    for export in (skl2onnx.convert_sklearn, skl2onnx.to_onnx)
}
print(f"skl2onnx {skl2onnx.__version__}: different bytes of five exports: {seen}")
assert seen == {"convert_sklearn": 5, "to_onnx": 1}, "this has changed"
PYTHON
