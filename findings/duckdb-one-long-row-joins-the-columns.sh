#!/usr/bin/env bash
# DuckDB 2.0.1 on a CSV file in which one row of three has a field too many, read with its defaults.
# Expected: an error that names line 3, as with `store_rejects = true`.
# Seen: the delimiter is guessed anew, and every row is one text in one column named "a,b".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
cd "$folder"
venv/bin/python - <<'PYTHON'
from pathlib import Path

import duckdb

Path("rows.csv").write_text("a,b\n1,2\n3,4,5\n5,6\n")


def read(option: str) -> tuple[list[str], list[tuple[object, ...]]]:
    rows = duckdb.sql(f"SELECT * FROM read_csv('rows.csv'{option})")
    return rows.columns, rows.fetchall()


by_default, with_rejects = read(""), read(", store_rejects = true")
rejected = duckdb.sql("SELECT line FROM reject_errors").fetchall()
print(f"DuckDB {duckdb.__version__}: by default {by_default}; with rejects {with_rejects}, rejected lines {rejected}")
assert by_default == (["a,b"], [("1,2",), ("3,4,5",), ("5,6",)]), "this has changed"
assert (with_rejects, rejected) == ((["a", "b"], [(1, 2), (5, 6)]), [(3,)]), "this has changed"
PYTHON
