"""What our DAG files cost Airflow's DAG processor, beside empty TaskFlow DAGs with as many tasks.

With one spec, then with many, and each time cold, when nothing of a spec is kept yet, and warm. At last one of the many
is broken, and must not take another model's DAG along.
Each parse is a process of its own, forked and read by Airflow's own code. Its processor time is what counts, in the
median round: other work on the machine makes it wait, and waiting is not counted.

    PYTHONPATH=include:tests python -m benchmarks.dag_parse
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks import reporting
from model_release.local_cache import CACHE_VARIABLE
from model_release.spec.load import load_spec
from model_release.spec.summary import SPECS_VARIABLE
from support.quick_specs import MODELS

CHECKOUT = Path(__file__).resolve().parents[1]

OURS = ("retrain", "operate", "housekeeping", "unreadable_specs")

PEER = """\
from datetime import UTC, datetime

from airflow.sdk import dag, task


def empty(name):
    @dag(dag_id=name, schedule="0 2 * * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)
    def nothing():
        before = None
        for place in range({tasks}):
            @task(task_id=f"task_{{place}}")
            def none(_):
                return None

            before = none(before)

    nothing()


for number in range({dags}):
    empty(f"empty_{{number}}")
"""


def parsed(folder: Path, specs: Path, state: str, rounds: int, files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Parse files in an Airflow of their own; return what `benchmarks.parsing` says of each, by the file's stem."""
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        SPECS_VARIABLE: str(specs),
        CACHE_VARIABLE: str(folder / "cache"),
    }
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "benchmarks.parsing", state, str(rounds), *map(str, files)]
    ran = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    lines = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith('{"file"')]
    return {Path(line["file"]).stem: line for line in lines}


def many_specs(folder: Path, count: int) -> Path:
    """Write that many copies of the shipped spec, each with a name of its own."""
    specs = folder / f"specs-{count}"
    specs.mkdir()
    text = (MODELS / "heart_disease.yaml").read_text()
    for number in range(count):
        (specs / f"model_{number:05d}.yaml").write_text(
            text.replace("\nname: heart-disease ", f"\nname: model-{number:05d} ", 1)
        )
    return specs


def peers(folder: Path, tasks: Mapping[str, int], dags: int) -> list[Path]:
    """Write an empty DAG for each of our files, with as many tasks."""
    written = [folder / f"peer_{name}.py" for name in tasks]
    for path, count in zip(written, tasks.values(), strict=True):
        path.write_text(PEER.format(tasks=count, dags=dags if count else 0))
    return written


def main() -> None:
    """Measure, and print the tables."""
    parser = reporting.parser("dag_parse", __doc__, quick="few specs, once")
    parser.add_argument("--specs", type=int, default=1000, help="how many specs are many (1,000)")
    parser.add_argument("--rounds", type=int, default=15, help="parses of each file with one spec (15)")
    options = parser.parse_args()
    many, rounds = (20, 1) if options.quick else (options.specs, options.rounds)
    ours = [CHECKOUT / "dags" / f"{name}.py" for name in OURS]
    console, kept = reporting.console(), {}
    with tempfile.TemporaryDirectory(prefix="model-release-bench-") as name:
        folder = Path(name)
        one = many_specs(folder, 1)
        tasks = {each: line["tasks"] for each, line in parsed(folder, one, "warm", 1, ours).items()}
        for count, turns, specs in ((1, rounds, one), (many, min(rounds, 2), many_specs(folder, many))):
            found = parsed(folder, specs, "warm", turns, [*ours, *peers(folder, tasks, count)])
            found |= {f"cold_{name}": line for name, line in parsed(folder, specs, "cold", turns, ours).items()}
            kept[str(count)] = {each: line["seconds"] for each, line in found.items()}
            console.print(_table(count, turns, found))
        began = time.monotonic()
        for path in specs.iterdir():
            load_spec(path)
        console.print(f"reading the {many:,} specs alone: {time.monotonic() - began:.2f} s")
        (specs / "model_00000.yaml").write_text("name: [")
        found = parsed(folder, specs, "warm", 1, ours)
        dags = sum(line["dags"] for line in found.values())
        errors = [f"{name}.py" for name, line in found.items() if line["errors"]]
        console.print(f"with one of {many:,} specs broken: {dags:,} DAGs, import errors of {', '.join(errors)}")
    reporting.keep(options, kept)


def _table(count: int, rounds: int, found: Mapping[str, Mapping[str, Any]]) -> Table:
    title = (
        f"one parse with {count:,} spec{'s' if count > 1 else ''}: milliseconds of processor time, median of {rounds}"
    )
    headings = ("DAGs", "tasks of each", "cold", "warm", "empty DAGs", "warm / empty")
    table = reporting.table(title, "DAG file", *headings)
    for name in OURS:
        line = found[name]
        cold, warm, peer = (median(found[each]["seconds"]) * 1000 for each in (f"cold_{name}", name, f"peer_{name}"))
        figures = (f"{cold:,.0f}", f"{warm:,.0f}", f"{peer:,.0f}", f"{warm / peer:.2f}")
        table.add_row(f"{name}.py", f"{line['dags']:,}", str(line["tasks"]), *figures)
    return table


if __name__ == "__main__":
    main()
