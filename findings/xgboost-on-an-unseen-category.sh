#!/usr/bin/env bash
# XGBoost 3.2.0 with enable_categorical=True on a category that training had not, in pandas' own type.
# Expected: refused, as its message "Found a category not in the training set" says, whatever the category's name.
# Seen: refused only if the name sorts behind every known one; any other is answered as the next known name in order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check xgboost==3.2.0 scikit-learn==1.9.1 pandas==3.1.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy as np
import pandas
import xgboost

KNOWN = ["basic", "plus", "pro"]
chance = np.random.default_rng(0)
rows = pandas.DataFrame({"plan": pandas.Categorical(chance.choice(KNOWN, 3000))})
shares = rows["plan"].map({"basic": 0.9, "plus": 0.5, "pro": 0.1}).astype(float)
model = xgboost.XGBClassifier(n_estimators=30, enable_categorical=True)
model.fit(rows, (chance.random(3000) < shares).astype(int))


def answer(plan: str) -> float | str:
    row = pandas.DataFrame({"plan": pandas.Categorical([plan], categories=[*KNOWN, *({plan} - {*KNOWN})])})
    try:
        return round(float(model.predict_proba(row)[0, 1]), 1)
    except xgboost.core.XGBoostError:
        return "refused"


seen = {plan: answer(plan) for plan in [*KNOWN, "advanced", "business", "premium", "ultra"]}
print(f"XGBoost {xgboost.__version__}: {seen}")
assert seen == {
    "basic": 0.9, "plus": 0.5, "pro": 0.1, "advanced": 0.9, "business": 0.5, "premium": 0.1, "ultra": "refused"
}, "this has changed"
PYTHON
