"""`make bench`: what Airflow itself costs a run, before any work is done.

Starts an Airflow in a temporary folder and runs a chain of ten tasks that do nothing.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console

from scripts import sessions
from scripts.airflow_home import AirflowHome
from scripts.local_airflow import LocalAirflow

RUNS = 3
DAG_ID = "ten_tasks"
_DAG_FILE = f'''
from airflow.sdk import DAG, task

with DAG("{DAG_ID}", schedule=None):
    before = None
    for place in range(10):
        @task(task_id=f"task_{{place}}")
        def nothing():
            return None
        this = nothing()
        if before is not None:
            before >> this
        before = this
'''


def bench() -> None:
    """Print the seconds, one line each."""
    sessions.stop_when_told()
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="model-release-bench-") as folder:
        dags = Path(folder) / "dags"
        dags.mkdir()
        (dags / "ten_tasks.py").write_text(_DAG_FILE)
        home = AirflowHome(var=Path(folder) / "var", dags=dags, plugins=Path(folder) / "plugins")
        for words in ("start of a new home", "start of the same home"):
            began = time.monotonic()
            with LocalAirflow(home) as airflow:
                airflow.wait_for_dag(DAG_ID)
                console.print(f"{words}: {time.monotonic() - began:.1f} s")
                seconds = [_run(airflow) for _ in range(RUNS)]
                ended = time.monotonic()
            console.print(f"ten tasks that do nothing, median of {RUNS} runs: {median(seconds):.1f} s")
            console.print(f"stop: {time.monotonic() - ended:.1f} s")


def _run(airflow: LocalAirflow) -> float:
    airflow.rest.unpause(DAG_ID)
    began = time.monotonic()
    airflow.wait_for_run(DAG_ID, airflow.rest.trigger(DAG_ID))
    return time.monotonic() - began


if __name__ == "__main__":
    bench()
