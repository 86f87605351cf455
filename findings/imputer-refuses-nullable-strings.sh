#!/usr/bin/env bash
# scikit-learn 1.9.1 with pandas 3.1.1: SimpleImputer(strategy="most_frequent") on a text column with a hole.
# Expected: pandas' two text types, str and string, are filled alike, as Int64 and float64 are.
# Seen: str is filled; string, whose hole is pandas.NA, raises TypeError.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1 pandas==3.1.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import pandas
import sklearn
from sklearn.impute import SimpleImputer


def filled(kind: str) -> object:
    frame = pandas.DataFrame({"plan": pandas.Series(["basic", None, "basic"], dtype=kind)})
    try:
        return SimpleImputer(strategy="most_frequent").fit_transform(frame).ravel().tolist()
    except TypeError as error:
        return type(error).__name__


seen = {kind: filled(kind) for kind in ("str", "string")}
print(f"scikit-learn {sklearn.__version__}, pandas {pandas.__version__}: {seen}")
assert seen == {"str": ["basic", "basic", "basic"], "string": "TypeError"}, "this has changed"
PYTHON
