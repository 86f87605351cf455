"""`docker-compose.yaml` as a team runs it: two Celery workers without a shared disk, and what dies at night.

Every service's command, environment, user and health check is that file's own; what runs them here is `team`. One
stack serves all tests, each of which goes on where the one before has ended. All along, a process of its own reads
`latest` on each of three clouds.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from emulators.clouds import live
from scripts.airflow_rest import RUN_ENDED, AirflowRest
from scripts.waits import ticks, wait_for_dag
from support.proof_tally import Record, proof
from support.quick_specs import MODELS, quick_spec
from team.container import CHECKOUT
from team.looking import BUCKET, Clouds
from team.stack import Stack, stack

pytestmark = pytest.mark.live(minutes=6)

HEART, DOOMED, CROWD = "heart-disease", "doomed", "crowd"
MODELS_HERE = (HEART, DOOMED, CROWD)
SPECS = "/opt/airflow/specs"
WORKERS = ("airflow-worker-1", "airflow-worker-2")
AIRFLOW = (*WORKERS, "airflow-apiserver", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
TODAY = datetime.now(UTC).date()
DAYS = 20
ROWS = 203
"""What has arrived before the first day; each day brings five rows more."""

IN_A_HURRY = {
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    # A worker that was killed is found out after twenty seconds instead of sixty.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "150",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
}
CANDIDATES = {
    "logistic_regression": {"estimator": "LogisticRegression", "parameters": {"C": 0.1, "max_iter": 1000}},
    "naive_bayes": {"estimator": "GaussianNB"},
}
ONE = {"logistic_regression": CANDIDATES["logistic_regression"]}
RUN_SECONDS = 600.0
HURRIED = {"connect_timeout": 1, "read_timeout": 5, "deadline": 8, "attempts": 2}


class Team:
    """The stack, its Airflow, and its clouds from outside."""

    def __init__(self, running: Stack, rest: AirflowRest, clouds: Clouds) -> None:
        self.stack = running
        self.rest = rest
        self.clouds = clouds
        self.read = clouds.readers()
        self._days = iter(range(DAYS))

    def trigger(self, model: str, **conf: Any) -> Run:
        """Start a run by hand."""
        dag_id = dag_of(model)
        return Run(self, dag_id, self.rest.trigger(dag_id, conf=conf))

    def night(self, model: str, **conf: Any) -> Run:
        """Start the run of the next day, on which new rows have arrived."""
        return self.trigger(model, as_of=day(next(self._days)).isoformat(), **conf)

    def live(self, model: str) -> dict[str, str | None]:
        """Return what is live on each cloud, after every byte of it was checked."""
        return {name: live(partial(self._below, model, name)) for name in self.read}

    def pointers(self, model: str) -> set[bytes]:
        """Return the pointers of all clouds: one, where they agree."""
        return {self._below(model, name, "latest.json") for name in self.read}

    def _below(self, model: str, name: str, key: str) -> bytes:
        return self.read[name](f"team/{model}-models/{key}")


class Run:
    """One run, looked at through Airflow's REST API."""

    def __init__(self, team: Team, dag_id: str, run_id: str) -> None:
        self._team = team
        self._path = f"/dags/{dag_id}/dagRuns/{run_id}"

    def state(self) -> str:
        return str(self._team.rest.call("GET", self._path)["state"])

    def tasks(self, task_id: str | None = None) -> list[dict[str, Any]]:
        found = self._team.rest.call("GET", f"{self._path}/taskInstances")["task_instances"]
        return [dict(each) for each in found if task_id in (None, each["task_id"])]

    def wait_for(self, what: str, check: Callable[[list[dict[str, Any]]], Any], *, seconds: float = 240) -> Any:
        """Wait until a check of the run's tasks returns something, and return that."""
        for _ in ticks(seconds, pause=0.4):
            tasks = self.tasks()
            if found := check(tasks):
                return found
            assert self.state() not in RUN_ENDED, f"the run has ended before {what}:\n{words(tasks)}"
        pytest.fail(f"no {what} within {seconds:.0f} s:\n{words(self.tasks())}")

    def wait_until(self, task_id: str, *states: str) -> dict[str, Any]:
        """Wait until an instance of a task is in one of these states."""

        def found(tasks: list[dict[str, Any]]) -> dict[str, Any] | None:
            return next((each for each in tasks if each["task_id"] == task_id and each["state"] in states), None)

        task: dict[str, Any] = self.wait_for(f"{task_id} {'/'.join(states)}", found)
        return task

    def end(self) -> dict[str, Any]:
        """Wait for the run's end and return its result, which says what became of it."""
        for _ in ticks(RUN_SECONDS, pause=0.6):
            if (state := self.state()) in RUN_ENDED:
                break
        assert state == "success", words(self.tasks())
        result: dict[str, Any] = self._team.rest.call(
            "GET", f"{self._path}/taskInstances/report/xcomEntries/return_value", params={"deserialize": "true"}
        )["value"]
        return result


def words(tasks: list[dict[str, Any]]) -> str:
    names = ("task_id", "map_index", "state", "try_number", "hostname", "duration")
    return "\n".join(" ".join(str(each[name]) for name in names) for each in tasks)


def dag_of(model: str) -> str:
    return f"retrain_{model.replace('-', '_')}"


def day(number: int) -> date:
    """One of the days on which data arrived, the last of them yesterday."""
    return TODAY - timedelta(days=DAYS - number)


def write_spec(folder: Path, name: str, candidates: dict[str, Any], *, tracked: bool = False, **changes: Any) -> None:
    path = quick_spec(folder, "heart_disease", candidates=candidates, **changes)
    spec = yaml.safe_load(path.read_text())
    path.unlink()
    spec["name"] = name
    spec["dataset"] |= {"source": f"s3://aws_models@{BUCKET}/arrivals", "sha256": {}}
    # What this night is about is not whether it is better.
    spec["gate"] |= {"compare": "never", "cross_validation": {"accuracy": 0.6}, "holdout": {}, "slices": []}
    variables = {"aws": "S3", "google": "GCS", "azure": "AZURE"}
    spec["destinations"] = [
        {"name": each, "uri": f"${{MODELS_{variable}}}", "transfer": HURRIED} for each, variable in variables.items()
    ]
    tracking = {"uri": "${MLFLOW_TRACKING_URI}", "experiment": name, "registered_model": name}
    spec["tracking"] = tracking if tracked else None
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))


def arrive(clouds: Clouds) -> None:
    """Let data arrive in the bucket, where both workers find it: some rows long ago, and a few more on each day."""
    rows = list(
        csv.reader((MODELS / "data/heart-disease/dt=1988-07-01/processed.cleveland.csv").read_text().splitlines())
    )
    header, rows = rows[0], rows[1:]
    parts = {day(0) - timedelta(days=1): rows[:ROWS]}
    parts |= {day(each): rows[ROWS + 5 * each : ROWS + 5 * each + 5] for each in range(DAYS)}
    s3 = clouds.boto3()
    for when, part in parts.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *part])
        s3.put_object(Bucket=BUCKET, Key=f"arrivals/dt={when}/rows.csv", Body=text.getvalue().encode())


def overrides(folder: Path) -> Path:
    """Write what this test changes of the compose file: its own specs, and clocks that run faster."""
    specs = folder / "specs"
    specs.mkdir()
    write_spec(specs, HEART, CANDIDATES, schedule=None, tracked=True)
    write_spec(specs, DOOMED, ONE, schedule=None)
    write_spec(specs, CROWD, ONE)
    change = {
        "environment": {"MODEL_RELEASE_SPECS": SPECS, **IN_A_HURRY},
        "volumes": [f"{specs}:{SPECS}:ro"],
    }
    service = {"environment": {"MODEL_RELEASE_EVERY": "1"}}
    path = folder / "override.yaml"
    path.write_text(json.dumps({"services": dict.fromkeys(AIRFLOW, change) | {"model-service": service}}))
    return path


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with stack(folder / "stack", "--profile=clouds", files=[overrides(folder)]) as running:
        running.up(*(name for name in running.containers if name != "model-service"))
        clouds = Clouds.of(running)
        arrive(clouds)
        password = running.secret("airflow/admin_password")
        with AirflowRest(running.url("airflow-apiserver", 8080), user="admin", password=password) as rest:
            for model in MODELS_HERE:
                wait_for_dag(rest, dag_of(model))
            for model in (HEART, DOOMED):
                rest.unpause(dag_of(model))
            yield Team(running, rest, clouds)


@pytest.fixture(scope="module")
def watcher(team: Team, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], dict[str, Any]]]:
    """A process that looks at `latest` until it is asked what it saw."""
    counts = tmp_path_factory.mktemp("watcher") / "counts.json"
    folders = [f"team/{model}-models" for model in MODELS_HERE]
    env = {"PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"}
    command = [sys.executable, "-m", "team.watcher", team.clouds.told(), str(counts), *folders]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=env) as process:

        def seen() -> dict[str, Any]:
            process.communicate(b"end\n", timeout=60)
            found: dict[str, Any] = json.loads(counts.read_text())
            return found

        yield seen
        process.kill()


@pytest.fixture(scope="module")
def released(team: Team, watcher: object) -> dict[str, Any]:
    """A night in which nothing happens."""
    run = team.night(HEART)
    result = run.end()
    assert {each["hostname"] for each in run.tasks("train")} == set(WORKERS), "candidates ran on one worker"
    return result


def assert_released(team: Team, model: str, result: dict[str, Any]) -> None:
    """The run's version is live on each cloud, byte for byte the same."""
    assert result["version"] == result["live"], result
    assert team.live(model) == dict.fromkeys(team.read, result["version"])
    assert len(team.pointers(model)) == 1


def test_a_night_on_two_workers_to_three_clouds_and_a_prediction(team: Team, released: dict[str, Any]) -> None:
    assert released["version"] == "v1.0.0"
    assert_released(team, HEART, released)
    team.stack.up("model-service", seconds=60)
    assert predict(team)["version"] == "v1.0.0"


def test_workers_die_in_the_middle_of_train_and_of_upload(
    team: Team, released: object, record_property: Record
) -> None:
    with proof(record_property, "nights on two Celery workers", "workers killed", "released whole") as tally:
        run = team.night(DOOMED)
        for task_id in ("train", "upload"):
            victim = run.wait_until(task_id, "running")["hostname"]
            time.sleep(1)  # into its work
            team.stack.kill(victim)
            tally.counts["workers killed"] += 1
            team.stack.containers[victim].start()
        result = run.end()
        retried = [each for each in run.tasks() if each["try_number"] > 1]
        assert {"train", "upload"} <= {each["task_id"] for each in retried}, words(run.tasks())
        assert_released(team, DOOMED, result)
        tally.counts["released whole"] += 1


def test_scheduler_and_broker_die_in_the_middle_of_a_run(team: Team, released: object, record_property: Record) -> None:
    counted = ("schedulers killed", "brokers killed", "released whole")
    with proof(record_property, "nights on two Celery workers", *counted) as tally:
        run = team.night(DOOMED)
        run.wait_until("train", "running")
        for name, kind in (("airflow-scheduler", "schedulers killed"), ("redis", "brokers killed")):
            team.stack.kill(name)
            tally.counts[kind] += 1
            time.sleep(2)
            team.stack.containers[name].start()
            if name == "airflow-scheduler":
                run.wait_until("evaluate", "running", "queued", "success")
        assert_released(team, DOOMED, run.end())
        tally.counts["released whole"] += 1


def test_what_is_rejected_stays_rejected_when_the_broker_dies(
    team: Team, released: object, record_property: Record
) -> None:
    counted = ("brokers killed", "rejected with a reason")
    with proof(record_property, "nights on two Celery workers", *counted) as tally:
        before = team.live(DOOMED), team.pointers(DOOMED)
        run = team.night(DOOMED, accuracy_floor=0.99)
        run.wait_until("train", "running")
        team.stack.kill("redis")
        tally.counts["brokers killed"] += 1
        team.stack.containers["redis"].start()
        result = run.end()
        reason = r"rejected \(.+\): .*accuracy on cross-validation is 0\.\d+, below the 0\.9900 required"
        assert re.search(reason, result["summary"]), result
        assert (team.live(DOOMED), team.pointers(DOOMED)) == before
        tally.counts["rejected with a reason"] += 1


def test_a_cloud_is_down_in_each_phase(team: Team, released: dict[str, Any], record_property: Record) -> None:
    counted = ("clouds down in phase one", "clouds down in phase two", "released whole")
    with proof(record_property, "nights on two Celery workers", *counted) as tally:
        run = team.night(DOOMED)
        before = team.live(DOOMED)
        run.wait_until("gate", "running")
        with down(team, "azurite"):
            run.wait_until("upload", "up_for_retry")
            tally.counts["clouds down in phase one"] += 1
        assert team.live(DOOMED) == before
        run.wait_for("uploads", lambda tasks: done(tasks, "upload", 3))
        with down(team, "fake-gcs"):
            run.wait_until("update_latest", "up_for_retry")
            tally.counts["clouds down in phase two"] += 1
        assert team.live(DOOMED)["google"] == before["google"]
        assert_released(team, DOOMED, run.end())
        tally.counts["released whole"] += 1


def test_a_scheduled_run_a_run_by_hand_and_a_backfill_at_once(team: Team, released: object) -> None:
    """Backfills are not counted under `max_active_runs`: the compare-and-swap alone keeps them apart."""
    dag_id = dag_of(CROWD)
    operate_run = team.trigger(CROWD, as_of=day(DAYS - 3).isoformat())
    window = {"from_date": f"{day(0)}T00:00:00Z", "to_date": f"{day(2)}T00:00:00Z"}
    body = {"dag_id": dag_id, **window, "max_active_runs": 3, "dag_run_conf": {"promote": "auto"}}
    backfill = team.rest.call("POST", "/backfills", json=body)["id"]
    team.rest.unpause(dag_id)  # and the scheduler makes last night's run
    for _ in ticks(RUN_SECONDS, pause=1):
        if team.rest.call("GET", f"/backfills/{backfill}")["completed_at"] and not team.rest.open_runs(dag_id):
            break
    runs = team.rest.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
    assert {each["run_type"] for each in runs} == {"scheduled", "manual", "backfill"}
    assert {each["state"] for each in runs} == {"success"}, runs
    assert together(runs) >= 2
    operate_run.end()
    pointers = team.pointers(CROWD)
    assert len(pointers) == 1
    pointer = json.loads(pointers.pop())
    assert pointer["data_as_of"] == max(as_of(each) for each in runs)
    assert team.live(CROWD) == dict.fromkeys(team.read, pointer["version"])
    versions = {each["version"] for each in log_of(team, pointer["epoch"])}
    assert len(versions) == pointer["epoch"]


def test_latest_was_one_complete_version_at_every_instant(
    team: Team, released: object, watcher: Callable[[], dict[str, Any]], record_property: Record
) -> None:
    counted = ("looks at latest", "looks where it was torn", "looks at a cloud that was down")
    with proof(record_property, "nights on two Celery workers", *counted) as tally:
        seen = watcher()
        tally.counts["looks at latest"] = seen["counts"]["whole"]
        tally.counts["looks where it was torn"] = len(seen["faults"])
        tally.counts["looks at a cloud that was down"] = seen["counts"].get("out of reach", 0)
        tally.findings += seen["faults"]
    for name, epochs in seen["epochs"].items():
        assert epochs == sorted(set(epochs)), name
        assert epochs, name


@contextmanager
def down(team: Team, cloud: str) -> Iterator[None]:
    """Cut a cloud off until the block ends."""
    team.stack.network.cut(cloud)
    try:
        yield
    finally:
        team.stack.network.mend(cloud)


def done(tasks: list[dict[str, Any]], task_id: str, count: int) -> bool:
    return [each["state"] for each in tasks if each["task_id"] == task_id] == ["success"] * count


def predict(team: Team) -> dict[str, Any]:
    """Ask the service about one patient."""
    row = dict(age=63, sex=1, cp=1, trestbps=145, chol=233, fbs=1, restecg=2, thalach=150, exang=0, oldpeak=2.3)
    row |= {"slope": 3, "ca": 0, "thal": 6}
    url = team.stack.url("model-service", 8000)
    answer = httpx.post(f"{url}/predict", json=row, trust_env=False, timeout=10).raise_for_status().json()
    assert 0 <= answer["predictions"][0]["probability"] <= 1
    return dict(answer)


def together(runs: list[dict[str, Any]]) -> int:
    """Return how many kinds of runs were on at the same time."""
    moments = [each["start_date"] for each in runs]
    return max(len({run["run_type"] for run in runs if run["start_date"] <= at < run["end_date"]}) for at in moments)


def as_of(run: dict[str, Any]) -> str:
    """Return the day that a run's data was taken as of."""
    return str((run["conf"] or {}).get("as_of") or (run["data_interval_end"] or run["run_after"])[:10])


def log_of(team: Team, epoch: int) -> list[dict[str, Any]]:
    """Return the pointer as it was at each epoch, at home."""
    folder = f"team/{CROWD}-models/log"
    return [json.loads(team.read["aws"](f"{folder}/{each:012d}.json")) for each in range(1, epoch + 1)]
