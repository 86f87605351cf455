"""The few calls of Airflow's REST API that a local run needs, over one signed-in connection.

Used by `scripts.local_airflow`, `scripts.run`, `scripts.up` and tests. Loopback only, so that
the environment's proxies are not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any, Self
from urllib.parse import quote

import httpx

from model_release.errors import NotFound, Retry, Stop
from model_release.workflows.task_state import TaskState

RUN_ENDED = frozenset({"success", "failed"})
_PAGE = 100
_NO_TASK = "00000000-0000-7000-8000-000000000000"
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class ImportProblem:
    """A DAG file that could not be imported.

    Attributes:
        file: path inside the DAGs folder.
        trace: the traceback, as Airflow shows it.
        at: when it was found.
    """

    file: str
    trace: str
    at: datetime


class AirflowRest:
    """A signed-in connection to one Airflow.

    Every call raises `Retry` when there is no answer, `NotFound` for 404 and `Stop` when Airflow refuses.
    """

    def __init__(self, url: str, *, user: str, password: str) -> None:
        self.url = url
        self._credentials = {"username": user, "password": password}
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._orders: dict[tuple[str, str], dict[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def health(self) -> dict[str, Any]:
        """Return the health of the components; needs no sign-in."""
        return dict(self._send("GET", "/api/v2/monitor/health"))

    def warm_up(self) -> None:
        """Let the API server build what it otherwise builds while the first task waits, some seconds.

        Any request to the tasks' API does it; this one is refused for want of a token, as it should be.
        """
        try:
            self._http.put(f"/execution/task-instances/{_NO_TASK}/heartbeat", json={})
        except httpx.TransportError as error:
            raise Retry("the API server did not answer", where=self.url) from error

    def parsed_at(self, dag_id: str) -> datetime | None:
        """Return when the DAG was last parsed; None if Airflow does not know it (yet)."""
        try:
            dag = self.call("GET", f"/dags/{dag_id}")
        except NotFound:
            return None
        if dag["is_stale"] or dag["has_import_errors"]:
            return None
        return _time(dag["last_parsed_time"])

    def import_problems(self) -> list[ImportProblem]:
        """Return the DAG files that could not be imported, at most 100."""
        found = self.call("GET", "/importErrors", params={"limit": _PAGE})["import_errors"]
        return [
            ImportProblem(file=each["filename"], trace=each["stack_trace"], at=at)
            for each in found
            if (at := _time(each["timestamp"])) is not None
        ]

    def unpause(self, dag_id: str) -> None:
        """Let the runs of a DAG start."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, *, conf: dict[str, Any] | None = None, logical_date: datetime | None = None) -> str:
        """Trigger a run and return its id.

        Args:
            dag_id: of the DAG.
            conf: the run's params.
            logical_date: none by default, as for a run that a person starts without choosing a date.
        """
        body = {"logical_date": logical_date.isoformat() if logical_date else None, "conf": conf or {}}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        return str(self.call("GET", _run(dag_id, run_id))["state"])

    def open_runs(self, dag_id: str) -> list[str]:
        """Return the ids of the runs that have not ended, at most 100."""
        query = {"state": ["queued", "running"], "limit": _PAGE}
        runs = self.call("GET", f"/dags/{dag_id}/dagRuns", params=query)["dag_runs"]
        return [str(each["dag_run_id"]) for each in runs]

    def fail_run(self, dag_id: str, run_id: str, *, note: str) -> None:
        """End a run as failed and say why; its running tasks are stopped."""
        self.call("PATCH", _run(dag_id, run_id), json={"state": "failed", "note": note})

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return the tasks of a run in the order of the graph, at most 100."""
        now = datetime.now(UTC)
        query = {"limit": _PAGE}
        found = self.call("GET", f"{_run(dag_id, run_id)}/taskInstances", params=query)["task_instances"]
        order = self._order(dag_id, run_id)
        tasks = [_task(each, now) for each in found]
        return sorted(tasks, key=lambda task: (order.get(task.task_id, len(order)), task.map_index))

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:
        """Return a value that a task handed on; None if it handed on none."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            return self.call("GET", path, params={"map_index": map_index, "deserialize": "false"})["value"]
        except NotFound:
            return None

    def _order(self, dag_id: str, run_id: str) -> dict[str, int]:
        """Return the place of each task in the graph, which stays the same while a run lasts."""
        run = dag_id, run_id
        if run in self._orders:
            return self._orders[run]
        tasks = self.call("GET", f"/dags/{dag_id}/tasks")["tasks"]
        graph: TopologicalSorter[str] = TopologicalSorter({each["task_id"]: () for each in tasks})
        for each in tasks:
            for after in each["downstream_task_ids"] or ():
                graph.add(after, each["task_id"])
        self._orders[run] = {task_id: place for place, task_id in enumerate(graph.static_order())}
        return self._orders[run]

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Send a request to the stable API and return its answer; for whatever has no method of its own."""
        if "authorization" not in self._http.headers:
            token = self._send("POST", "/auth/token", json=self._credentials)["access_token"]
            self._http.headers["authorization"] = f"Bearer {token}"
        return self._send(method, f"/api/v2{path}", **options)

    def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise Retry(f"no answer ({type(error).__name__})", where=self.url) from error
        if answer.is_success:
            return answer.json()
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"Airflow knows no {path}", where=self.url)
        raise Stop(f"Airflow answered {answer.status_code} to {method} {path}: {answer.text[:500]}", where=self.url)


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _task(found: dict[str, Any], now: datetime) -> TaskState:
    start, end = _time(found["start_date"]), _time(found["end_date"])
    return TaskState(
        task_id=found["task_id"],
        map_index=found["map_index"],
        name=found["rendered_map_index"],
        state=found["state"] or "none",
        seconds=((end or now) - start).total_seconds() if start else None,
        try_number=found["try_number"],
    )
