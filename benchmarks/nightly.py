"""A whole night on a real Airflow, beside what it is made of: as many empty tasks, and the same learning in one script.

Each round runs a night that releases, a DAG of the same shape whose tasks do nothing, and the script, in turn.
A night adds little of its own if it takes no longer than the empty tasks and the script together. The script is counted
with what it tells MLflow, as a night does, and without.

    PYTHONPATH=include:tests python -m benchmarks.nightly
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks import reporting
from benchmarks.plain_night import MLFLOW
from model_release.spec.load import load_spec
from model_release.spec.summary import SPECS_VARIABLE
from scripts import sessions
from scripts.airflow_home import CHECKOUT, AirflowHome
from scripts.local_airflow import LocalAirflow
from support.quick_specs import MODELS, quick_spec

NIGHT, EMPTY = "retrain_heart_disease", "the_same_shape"

SAME_SHAPE = """\
from airflow.sdk import dag, task


@dag(dag_id="the_same_shape", schedule=None)
def shape():
    @task
    def reconcile():
        return {{}}

    @task
    def ingest(_):
        return [{{"candidate": name}} for name in {candidates!r}]

    @task(map_index_template="{{{{ task.op_kwargs['work']['candidate'] }}}}")
    def train(work):
        return work

    @task
    def evaluate(trained):
        return len(trained)

    @task
    def gate(_):
        return [{{"destination": "local"}}]

    @task(map_index_template="{{{{ task.op_kwargs['order']['destination'] }}}}")
    def upload(order):
        return order

    @task
    def update_latest(_):
        return {{}}

    @task
    def announce(_):
        return None

    @task
    def report(_):
        return {{}}

    report(announce(update_latest(upload.expand(order=gate(evaluate(train.expand(work=ingest(reconcile()))))))))


shape()
"""


def main() -> None:
    """Measure, and print the tables."""
    parser = reporting.parser("nightly", __doc__, quick="one round with few folds")
    parser.add_argument("--rounds", type=int, default=3, help="how often all three run (3)")
    options = parser.parse_args()
    sessions.stop_when_told()
    console, kept = reporting.console(), []
    with tempfile.TemporaryDirectory(prefix="model-release-bench-") as name:
        folder = Path(name)
        specs, dags = folder / "specs", folder / "dags"
        specs.mkdir()
        dags.mkdir()
        spec = quick_spec(specs, "heart_disease") if options.quick else MODELS / "heart_disease.yaml"
        shutil.copy(CHECKOUT / "dags" / "retrain.py", dags)
        (dags / "the_same_shape.py").write_text(SAME_SHAPE.format(candidates=list(load_spec(spec).candidates)))
        home = AirflowHome(var=folder / "var", dags=dags, extra={SPECS_VARIABLE: str(spec)})
        with LocalAirflow(home) as airflow:
            for dag_id in (NIGHT, EMPTY):
                airflow.wait_for_dag(dag_id)
                airflow.rest.unpause(dag_id)
            _run(airflow, EMPTY, {})  # the first run of all pays for what the API server builds once
            for turn in range(1 if options.quick else options.rounds):
                shutil.rmtree(home.store)  # so that each night is a first one: it judges, publishes and promotes
                home.store.mkdir()
                told = {
                    "night": _run(airflow, NIGHT, {"force": True}),
                    "empty": _run(airflow, EMPTY, {}),
                    "script": _script(spec, folder / f"script-{turn}"),
                }
                kept.append(told)
                console.print(f"round {turn + 1}: " + ", ".join(f"{each} {told[each]['all']:.1f} s" for each in told))
    console.print(_table(kept))
    for words, left_out in (("with MLflow", ()), ("without", (MLFLOW,))):
        night, empty, script = (
            median(told[each]["all"] - sum(told[each].get(step, 0) for step in left_out) for told in kept)
            for each in ("night", "empty", "script")
        )
        console.print(
            f"a night {night:.1f} s; empty tasks {empty:.1f} s + script {words} {script:.1f} s = "
            f"{empty + script:.1f} s; night / both {night / (empty + script):.2f}"
        )
    reporting.keep(options, kept)


def _run(airflow: LocalAirflow, dag_id: str, conf: dict[str, Any]) -> dict[str, float]:
    began = time.monotonic()
    run_id = airflow.rest.trigger(dag_id, conf=conf)
    state = airflow.wait_for_run(dag_id, run_id)
    whole = time.monotonic() - began
    tasks = airflow.rest.tasks(dag_id, run_id)
    if state != "success" or any(task.state != "success" for task in tasks):
        raise RuntimeError(f"{dag_id} ended as {', '.join(f'{task.label}: {task.state}' for task in tasks)}")
    return {**{task.label: task.seconds or 0.0 for task in tasks}, "all": whole}


def _script(spec: Path, target: Path) -> dict[str, float]:
    env = {
        **os.environ,
        "MODEL_RELEASE_STORE": target.as_uri(),
        "MLFLOW_TRACKING_URI": f"sqlite:///{target.parent}/script.db",
    }
    env |= {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    began = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.plain_night", str(spec), str(target)]
    ran = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise RuntimeError(ran.stderr[-2000:])
    return {**json.loads(ran.stdout.splitlines()[-1]), "all": time.monotonic() - began}


def _table(kept: list[dict[str, dict[str, float]]]) -> Table:
    """Seconds of each task, in the order of the night."""
    title = f"seconds, median of {len(kept)} rounds"
    table = reporting.table(title, "step", "in a night", "empty task", "in the script")
    steps = {step: None for each in ("night", "script") for step in kept[0][each]}
    for step in [*(step for step in steps if step != "all"), "all"]:
        table.add_row(step, *(_median(kept, each, step) for each in ("night", "empty", "script")))
    return table


def _median(kept: list[dict[str, dict[str, float]]], column: str, step: str) -> str:
    measured: list[Mapping[str, float]] = [told[column] for told in kept]
    return f"{median(each[step] for each in measured):.2f}" if step in measured[0] else ""


if __name__ == "__main__":
    main()
