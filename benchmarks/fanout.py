"""Eight candidates on one Celery worker and on two, in the stack of `docker-compose.yaml`; needs root.

Each worker runs one task at a time. The time of a fan-out is from the start of its first candidate to the end of its
last; the candidates are forests that take some seconds each.

    PYTHONPATH=include:tests python -m benchmarks.fanout
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from benchmarks import reporting
from scripts.airflow_rest import AirflowRest
from scripts.waits import wait_for_dag, wait_for_run
from support.quick_specs import quick_spec
from team.looking import BUCKET, Clouds
from team.stack import Stack, stack

DAG = "retrain_fanout"
CANDIDATES = 8
SPECS = "/opt/airflow/specs"
WORKERS = ("airflow-worker-1", "airflow-worker-2")
AIRFLOW = (*WORKERS, "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")


def main() -> None:
    """Measure and print."""
    parser = reporting.parser("fanout", "Eight candidates on one worker and on two.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    options = parser.parse_args()
    seconds: dict[int, list[float]] = {2: [], 1: []}
    with tempfile.TemporaryDirectory(prefix="fanout-") as name:
        folder = Path(name)
        with stack(folder / "stack", "--profile=clouds", files=[_overrides(folder)]) as running:
            running.up(*(each for each in running.containers if each != "model-service"))
            _arrive(Clouds.of(running))
            password = running.secret("airflow/admin_password")
            with AirflowRest(running.url("airflow-apiserver", 8080), user="admin", password=password) as rest:
                wait_for_dag(rest, DAG)
                rest.unpause(DAG)
                _fan_out(rest)  # what is imported for the first time is not measured
                for workers in seconds:
                    _only(running, workers)
                    seconds[workers] = [_fan_out(rest) for _ in range(options.rounds)]
    table = reporting.table("eight candidates", "workers", "seconds, median", "of one worker's")
    one = median(seconds[1])
    for workers in (1, 2):
        table.add_row(str(workers), f"{median(seconds[workers]):.1f}", f"{median(seconds[workers]) / one:.2f}")
    reporting.console().print(table)
    reporting.keep(options, seconds)


def _fan_out(rest: AirflowRest) -> float:
    """Run the chain once and return how long its candidates took together."""
    run_id = rest.trigger(DAG, conf={"force": True})
    state = wait_for_run(rest, DAG, run_id)
    tasks: list[dict[str, Any]] = rest.call("GET", f"/dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
    trains = [each for each in tasks if each["task_id"] == "train"]
    assert state == "success" and len(trains) == CANDIDATES, state  # noqa: S101
    first, last = min(each["start_date"] for each in trains), max(each["end_date"] for each in trains)
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def _only(running: Stack, workers: int) -> None:
    """Let this many workers run."""
    for name in WORKERS[workers:]:
        running.kill(name)


def _arrive(clouds: Clouds) -> None:
    """Put the data where every worker finds it."""
    source = (
        Path(__file__).resolve().parents[1] / "include/models/data/heart-disease/dt=1988-07-01/processed.cleveland.csv"
    )
    clouds.boto3().put_object(Bucket=BUCKET, Key="arrivals/dt=1988-07-01/rows.csv", Body=source.read_bytes())


def _overrides(folder: Path) -> Path:
    """Write what differs from the compose file: one spec of eight candidates, one task at a time on each worker."""
    specs = folder / "specs"
    specs.mkdir()
    forest = {"estimator": "RandomForestClassifier", "parameters": {"n_estimators": 200}}
    candidates = {f"forest_{seed}": {**forest, "seed": seed} for seed in range(CANDIDATES)}
    path = quick_spec(specs, "heart_disease", candidates=candidates, name="fanout", schedule=None, tracking=None)
    spec = yaml.safe_load(path.read_text())
    spec["dataset"] |= {"source": f"s3://aws_models@{BUCKET}/arrivals", "sha256": {}}
    spec["validation"] = {"folds": 5, "repeats": 10}
    spec["destinations"] = [{"name": "aws", "uri": "${MODELS_S3}"}]
    path.write_text(yaml.safe_dump(spec, sort_keys=False))
    change = {
        "environment": {
            "MODEL_RELEASE_SPECS": SPECS,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        },
        "volumes": [f"{specs}:{SPECS}:ro"],
    }
    override = folder / "override.yaml"
    override.write_text(yaml.safe_dump({"services": dict.fromkeys(AIRFLOW, change)}))
    return override


if __name__ == "__main__":
    main()
