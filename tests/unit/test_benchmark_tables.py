"""The tables of the benchmarks are whole in a terminal of 80 columns."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from benchmarks import mlruns, pull, reporting, serving, stores

SECONDS = [1234.5]
CLOUD = {(tool, *kind): SECONDS for tool in ("ours, SDK loaded", "rclone, 16 transfers") for kind in stores.KINDS}
LOAD = stores.Load(256 * 2**20, 2000, 10 * 1024, 3)
STEPS = {(tool.name, step): SECONDS for tool in mlruns.TOOLS for step in mlruns.STEPS}
FIGURES = {"requests": 123456.7, "p50": 1234.5, "p99": 12345.67, "processor": 123.456}
CASES = {f"{server} | 10000 | 8": FIGURES for server in serving.SERVERS}
HEADINGS = [f"a heading of {number} words" for number in range(9)]

TABLES: dict[str, Table] = {
    "stores": stores.table_of("s3", CLOUD, LOAD),
    "mlruns": mlruns.table_of(STEPS, 5000, 3),
    "pull": pull.table_of({tool: SECONDS for tool in (pull.OURS, "aws s3 cp, three files")}),
    "serving": serving.show(CASES, dict.fromkeys(serving.SERVERS, 1_234_000_000)),
    "any": reporting.table("a title that goes on and on " * 5, *HEADINGS),
}


@pytest.mark.parametrize("name", TABLES)
def test_no_word_is_cut_and_no_line_is_longer(name: str) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(TABLES[name])
    lines = out.getvalue().splitlines()
    assert "…" not in out.getvalue()
    assert max(map(len, lines)) <= 80
    printed = out.getvalue().split()
    words = " ".join(str(each.header) for each in TABLES[name].columns).split()
    assert [word for word in words if word not in printed] == []
