#!/usr/bin/env bash
# DuckDB 2.0.1 on Parquet written by PyArrow 25.0.1.
# Expected: `x BETWEEN 0 AND 10` is false for NaN, which DuckDB orders above every number, wherever the rows lie.
# Seen: in memory 2 of 3 values lie in the range; in the Parquet file, whose statistics leave NaN out, all 3 do.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==25.0.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

held = pa.table({"x": pa.array([1.0, 2.0, float("nan")])})
pq.write_table(held, "rows.parquet")


def within(source: str) -> int:
    return duckdb.sql(f"SELECT count(*) FROM {source} WHERE x BETWEEN 0 AND 10").fetchall()[0][0]


seen = {"in memory": within("held"), "in Parquet": within("'rows.parquet'")}
print(f"DuckDB {duckdb.__version__}, PyArrow {pa.__version__}: values within 0 to 10: {seen}")
assert seen == {"in memory": 2, "in Parquet": 3}, "this has changed"
PYTHON
