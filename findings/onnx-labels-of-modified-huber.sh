#!/usr/bin/env bash
# scikit-learn 1.9.1, skl2onnx 1.20.0, onnxruntime 1.32.0: SGDClassifier(loss="modified_huber") with three classes.
# Expected: where the probabilities of a converted model are those of the original, so are its labels.
# Seen: every probability is equal, and more than 100 of 1,000 labels are others: the original goes by the decision function,
# of which the probabilities are a clipped reading with ties. Two classes agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
import onnxruntime
import skl2onnx
import sklearn
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.linear_model import SGDClassifier

chance = np.random.default_rng(0)
rows, unseen = chance.normal(size=(400, 6)), chance.normal(size=(1000, 6))
labels = np.digitize(rows[:, 0] + 0.5 * chance.normal(size=400), [-0.5, 0.5])
model = SGDClassifier(loss="modified_huber", random_state=0).fit(rows, labels)
graph = skl2onnx.to_onnx(
    model, initial_types=[("x", DoubleTensorType([None, 6]))], options={id(model): {"zipmap": False}}, target_opset=17
)
label, probability = onnxruntime.InferenceSession(graph.SerializeToString()).run(None, {"x": unseen})
others = int((label != model.predict(unseen)).sum())
apart = float(np.abs(probability - model.predict_proba(unseen)).max())
print(f"scikit-learn {sklearn.__version__}, skl2onnx {skl2onnx.__version__}: probabilities {apart:.0e} apart, {others} other labels")
assert apart < 1e-12 and others > 100, "this has changed"
PYTHON
