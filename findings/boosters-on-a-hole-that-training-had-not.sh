#!/usr/bin/env bash
# LightGBM 4.7.0, XGBoost 3.2.0 and scikit-learn 1.9.1 on NaN in a column that was whole in training.
# Expected: each follows a direction of its own for missing values, or refuses.
# Seen: LightGBM reads the NaN as 0, far outside of what it was trained on; XGBoost answers like the other end.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 xgboost==3.2.0 scikit-learn==1.9.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import lightgbm
import numpy as np
import sklearn
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier

chance = np.random.default_rng(0)
rows = chance.normal(5, 1, size=(2000, 1))
above = (rows[:, 0] > 5).astype(int)
models = {
    "LightGBM": lightgbm.LGBMClassifier(n_estimators=20, verbose=-1),
    "XGBoost": xgboost.XGBClassifier(n_estimators=20),
    "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=20),
}
seen = {
    name: [round(float(share)) for share in model.fit(rows, above).predict_proba([[np.nan], [0.0], [9.0]])[:, 1]]
    for name, model in models.items()
}
print(f"LightGBM {lightgbm.__version__}, XGBoost {xgboost.__version__}, scikit-learn {sklearn.__version__}: {seen}")
assert seen["LightGBM"] == [0, 0, 1] and seen["XGBoost"] == [1, 0, 1], "this has changed"
PYTHON
