#!/usr/bin/env bash
# PyArrow 25.0.1, Polars 2.1.0 and pandas 3.1.1 on whole numbers of 20 digits, such as ids that others made.
# Expected: text or wider integers; the integers of each file are exact up to 64 bits.
# Seen: PyArrow makes them floats and two neighbours one number; Polars and pandas keep them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1 polars==2.1.0 pandas==3.1.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import io

import pandas
import polars
import pyarrow
from pyarrow import csv

body = b"id\n18446744073709551616\n18446744073709551617\n"
seen = {
    "PyArrow": len({*csv.read_csv(io.BytesIO(body))["id"].to_pylist()}),
    "Polars": len({*polars.read_csv(body)["id"].to_list()}),
    "pandas": len({*pandas.read_csv(io.BytesIO(body))["id"]}),
}
print(f"PyArrow {pyarrow.__version__}, Polars {polars.__version__}, pandas {pandas.__version__}: of 2 ids: {seen}")
assert seen == {"PyArrow": 1, "Polars": 2, "pandas": 2}, "this has changed"
PYTHON
