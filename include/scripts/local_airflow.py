"""A real Airflow on this machine, started and stopped as one thing.

Inside the context manager an API server, a DAG processor and a scheduler with LocalExecutor run, on loopback
alone; after it nothing is left of them, however it ended. Used by `make run`, `make up` and tests:

    with LocalAirflow(AirflowHome(var=tmp_path)) as airflow:
        airflow.wait_for_dag("retrain_heart_disease")
        airflow.rest.unpause("retrain_heart_disease")
        run_id = airflow.rest.trigger("retrain_heart_disease")
        assert airflow.wait_for_run("retrain_heart_disease", run_id) == "success"

A SIGTERM ends a Python program without leaving its context managers: programs call `sessions.stop_when_told`
first.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import psutil
from filelock import Timeout

from model_release.errors import Retry, Stop
from model_release.workflows.task_state import TaskState
from scripts import sessions, tenant, waits
from scripts.airflow_home import USER, AirflowHome
from scripts.airflow_rest import AirflowRest

_START_SECONDS = 180
_GRACE_SECONDS = 5
_ASK_SECONDS = 0.3

_COMPONENTS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),  # the API server reads the logs from the same disk
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}


class LocalAirflow:
    """One Airflow with its processes.

    Args:
        home: where it lives. One Airflow at a time lives in a home.
        triggerer: whether the triggerer runs too; deferred tasks need it.
        schedule: whether DAGs run by their timetables; if not, only what is triggered runs.
        standing: whether other programs may use this Airflow while it runs.
        port: of the API server; a free one by default.
        say: called with a sentence about what is being waited for.

    Attributes:
        rest: the connection to it.
        started_at: when its processes were started.
    """

    rest: AirflowRest
    started_at: datetime

    def __init__(
        self,
        home: AirflowHome,
        *,
        triggerer: bool = False,
        schedule: bool = False,
        standing: bool = False,
        port: int | None = None,
        say: Callable[[str], object] = lambda _: None,
    ) -> None:
        self.home = home
        self._names = [name for name in _COMPONENTS if triggerer or name != "triggerer"]
        self._schedule = schedule
        self._standing = standing
        self._port = port
        self._say = say
        self._lock = tenant.lock_of(home)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._connection = ExitStack()

    def __enter__(self) -> Self:
        """Start everything and wait until it is healthy.

        Raises:
            Retry: another Airflow lives in this home, or this one did not get ready in time.
            Stop: a component ended, or the port is taken.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise Retry(
                "another Airflow runs in this folder", where=str(self.home.home), hint="wait, or stop it"
            ) from error
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> None:
        """Raise if a component has ended.

        Raises:
            Stop: it has; the end of its log is in the message.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self._log_of(name)
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
                raise Stop(f"Airflow's {name} ended by itself:\n{tail}", hint=f"read {log}")

    def wait_for_dag(self, dag_id: str, *, seconds: float = waits.PARSE_SECONDS) -> None:
        """Wait until this Airflow has parsed the DAG as it is now; see `waits.wait_for_dag`."""
        waits.wait_for_dag(self.rest, dag_id, since=self.started_at, seconds=seconds, check=self.check)

    def wait_for_run(
        self,
        dag_id: str,
        run_id: str,
        *,
        seconds: float = waits.RUN_SECONDS,
        show: Callable[[list[TaskState]], object] | None = None,
    ) -> str:
        """Wait until a run has ended and return its state; see `waits.wait_for_run`."""
        return waits.wait_for_run(self.rest, dag_id, run_id, seconds=seconds, show=show, check=self.check)

    def stop(self) -> None:
        """End every process that was started, with all of their descendants. Safe to call twice."""
        try:
            # The API server comes last, without being asked: the others report to it as they end, and it
            # holds nothing that an end could hurt.
            asked = [process for name, process in self._processes.items() if name != "api-server"]
            for process in asked:
                sessions.ask_to_end(process)
            for _ in waits.ticks(_GRACE_SECONDS):
                if all(process.poll() is not None for process in asked):
                    break
        finally:
            sessions.end({process.pid for process in self._processes.values()})
            for process in self._processes.values():
                process.wait()
            self._processes.clear()
            self._connection.close()
            if self._lock.is_locked:
                tenant.forget(self.home)
                self._lock.release()

    def _start(self) -> None:
        sessions.end_remains(tenant.left_over(self.home))
        self._say("preparing the databases")
        self.home.prepare()
        self._say("starting Airflow")
        port = _free_port(self._port)
        env = self.home.environment(port=port, schedule=self._schedule)
        rest = AirflowRest(f"http://127.0.0.1:{port}", user=USER, password=self.home.password)
        self.rest = self._connection.enter_context(rest)
        self.started_at = datetime.now(UTC)
        for name in self._names:
            command = _COMPONENTS[name]
            self._processes[name] = sessions.start("airflow", *command, env=env, log=self._log_of(name))
            tenant.write_note(self.home, self.rest.url, self._processes.values(), standing=False)
        self._wait_until_healthy(port)
        tenant.write_note(self.home, self.rest.url, self._processes.values(), standing=self._standing)

    def _wait_until_healthy(self, port: int) -> None:
        late = {"api_server"}
        for _ in waits.ticks(_START_SECONDS, pause=_ASK_SECONDS):
            self.check()
            if "api_server" in late and not self._listens_on(port):
                continue  # another program that listens there gets no request and no password
            with suppress(Retry):
                health = self.rest.health()
                if "api_server" in late:
                    self.rest.warm_up()
                components = {name.replace("-", "_") for name in self._names} - {"api_server"}
                late = {name for name in components if not self._has_beaten(health, name)}
            if not late:
                return
        raise Retry(
            f"after {_START_SECONDS} s still not ready: {', '.join(sorted(late))}",
            where=self.rest.url,
            hint=f"read the logs in {self.home.logs}",
        )

    def _has_beaten(self, health: dict[str, Any], name: str) -> bool:
        """Whether the component gave a sign of life since the start; older ones are of an earlier Airflow."""
        beat = health.get(name, {}).get(f"latest_{name}_heartbeat")
        return beat is not None and datetime.fromisoformat(beat) >= self.started_at

    def _listens_on(self, port: int) -> bool:
        try:
            server = psutil.Process(self._processes["api-server"].pid)
            family = [server, *server.children(recursive=True)]
            sockets = [each for process in family for each in process.net_connections("tcp")]
        except psutil.NoSuchProcess:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in sockets)

    def _log_of(self, name: str) -> Path:
        return self.home.logs / f"{name}.log"


def _free_port(wanted: int | None) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise Stop(f"port {wanted} cannot be taken: {error.strerror}", hint="choose another") from error
        return int(probe.getsockname()[1])
