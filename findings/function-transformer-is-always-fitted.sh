#!/usr/bin/env bash
# scikit-learn 1.9.1: is an object fitted already? Its own test is check_is_fitted.
# Expected: it fails on each transformer that was just made.
# Seen: a new FunctionTransformer passes, and a pipeline that ends in one does as well; a new StandardScaler fails.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scikit-learn==1.9.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import numpy
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.validation import check_is_fitted


def fitted(estimator: object) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


made = {
    "scaler": StandardScaler(),
    "function": FunctionTransformer(numpy.log1p),
    "scaler, function": make_pipeline(StandardScaler(), FunctionTransformer(numpy.log1p)),
    "function, scaler": make_pipeline(FunctionTransformer(numpy.log1p), StandardScaler()),
}
seen = {name: fitted(each) for name, each in made.items()}
print(f"scikit-learn {sklearn.__version__}, fitted before any fit: {seen}")
assert seen == {"scaler": False, "function": True, "scaler, function": True, "function, scaler": False}, (
    "this has changed"
)
PYTHON
