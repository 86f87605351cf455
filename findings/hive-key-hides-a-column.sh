#!/usr/bin/env bash
# DuckDB 2.0.1, Polars 2.1.0, PyArrow 25.0.1 on a partitioned dataset whose files have a column of the key's name.
# Expected: an error, or the file's own values.
# Seen: DuckDB and Polars give the folder's value without a word; PyArrow refuses.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 polars==2.1.0 pyarrow==25.0.1
cd "$folder"
venv/bin/python - <<'PYTHON'
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

Path("data/x=9").mkdir(parents=True)
pq.write_table(pa.table({"x": [1], "y": [2]}), "data/x=9/rows.parquet")
seen = {
    "DuckDB": duckdb.sql("SELECT x, y FROM read_parquet('data/*/*.parquet', hive_partitioning = true)").fetchall(),
    "Polars": polars.read_parquet("data").select("x", "y").rows(),
}
try:
    seen["PyArrow"] = pyarrow.dataset.dataset("data", partitioning="hive").to_table().to_pylist()
except pa.ArrowTypeError as error:
    seen["PyArrow"] = type(error).__name__
print(f"DuckDB {duckdb.__version__}, Polars {polars.__version__}, PyArrow {pa.__version__}: the file says x = 1: {seen}")
assert seen == {"DuckDB": [(9, 2)], "Polars": [(9, 2)], "PyArrow": "ArrowTypeError"}, "this has changed"
PYTHON
