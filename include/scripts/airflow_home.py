"""Where a local Airflow lives: its folders, its settings, its secrets and its two databases.

Used by `scripts.local_airflow` and by what starts one. Everything it makes lies under one folder, `var/` for
a checkout and a temporary folder for a test, so that removing the folder removes every trace.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from model_release.errors import Stop
from model_release.workflows.task_state import TaskState
from scripts import sessions

CHECKOUT = Path(__file__).resolve().parents[2]
USER = "admin"

_KEPT = ("AIRFLOW_CONN_", "AIRFLOW_VAR_")
_MIGRATION_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class AirflowHome:
    """The folders of one local Airflow.

    Attributes:
        var: the folder that holds all it leaves: `airflow/`, `mlflow/`, `store/` and `cache/`. Absolute.
        dags: the folder of DAG files.
        plugins: the folder of plugins; it need not exist.
        extra: environment variables that win over every setting made here.
    """

    var: Path = CHECKOUT / "var"
    dags: Path = CHECKOUT / "dags"
    plugins: Path = CHECKOUT / "plugins"
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.var / "airflow"

    @property
    def logs(self) -> Path:
        """The folder of the components' logs and, below it, of the tasks' logs."""
        return self.home / "logs"

    @property
    def store(self) -> Path:
        """The folder that stands for the object store."""
        return self.var / "store"

    @property
    def password(self) -> str:
        """The password of the one user, `admin`; it exists once the home is prepared."""
        return str(json.loads(self._passwords.read_text())[USER])

    @property
    def _passwords(self) -> Path:
        return self.home / "simple_auth_manager_passwords.json.generated"

    @property
    def _mlflow_uri(self) -> str:
        return f"sqlite:///{self.var / 'mlflow' / 'mlflow.db'}"

    def task_log(self, dag_id: str, run_id: str, task: TaskState) -> Path:
        """Return the file of a task's last try: a line of JSON for each message."""
        folder = self.logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task.task_id}"
        if task.map_index >= 0:
            folder /= f"map_index={task.map_index}"
        return folder / f"attempt={task.try_number}.log"

    def make_folders(self) -> None:
        """Make the folders. Airflow's and MLflow's, with their databases and logs, are closed to other users."""
        for folder in (self.home, self.var / "mlflow"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        for folder in (self.logs, self.store):
            folder.mkdir(parents=True, exist_ok=True)

    def prepare(self) -> None:
        """Make the folders, the secrets and the databases; does nothing where they are ready.

        Only for who holds the home's lock.

        Raises:
            Stop: a database could not be brought up to date.
        """
        self.make_folders()
        _write_once(self.home / "secrets.json", _new_secrets())
        _write_once(self._passwords, {USER: secrets.token_urlsafe(12)})
        env = self.environment(port=0)
        _migrate(
            [
                _Database("apache-airflow", self.home / "airflow.db", ("airflow", "db", "migrate")),
                # Before mapped tasks: parallel first users of a new database race each other's migrations.
                _Database(
                    "mlflow",
                    self.var / "mlflow" / "mlflow.db",
                    ("mlflow", "db", "upgrade", self._mlflow_uri),
                ),
            ],
            env=env,
            logs=self.logs,
        )

    def environment(self, *, port: int, schedule: bool = False) -> dict[str, str]:
        """Return the whole environment of an Airflow process.

        The caller's own `AIRFLOW_HOME` and `AIRFLOW__*` are left out, since they speak of another Airflow;
        connections and variables (`AIRFLOW_CONN_*`, `AIRFLOW_VAR_*`) stay.

        Args:
            port: of the API server.
            schedule: whether DAGs run by their timetables; if not, only what is triggered runs.
        """
        url = f"http://127.0.0.1:{port}"
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW") or key.startswith(_KEPT)
        }
        # Where compiled modules are not kept, each process compiles all of its imports again.
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        threads = {
            name: inherited.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        }
        made = json.loads((self.home / "secrets.json").read_text())
        theirs = [str(Path(each).resolve()) for each in inherited.get("PYTHONPATH", "").split(os.pathsep) if each]
        return {
            **inherited,
            **threads,  # mapped tasks run side by side; each takes one core
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")]),
            "PYTHONPATH": os.pathsep.join(dict.fromkeys([str(CHECKOUT / "include"), *theirs])),
            "NO_COLOR": "1",
            "NO_PROXY": ",".join(filter(None, [inherited.get("NO_PROXY"), "127.0.0.1", "localhost"])),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.plugins),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__FERNET_KEY": made["fernet_key"],
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # no name look-up in each process
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",  # an edit is taken at once
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": made["secret_key"],
            "AIRFLOW__API_AUTH__JWT_SECRET": made["jwt_secret"],
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(schedule),
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            # The executor's slot of a task that has just ended is sometimes held until the next heartbeat.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.logs),
            "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(self.logs / "dag_processor"),
            "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": self._mlflow_uri,
            "MODEL_RELEASE_STORE": f"file://{self.store}",
            "MODEL_RELEASE_CACHE": str(self.var / "cache"),
            **self.extra,
        }


OF_CHECKOUT = AirflowHome()
"""The home that the checkout's own commands use."""


@dataclass(frozen=True)
class _Database:
    """A database that a tool of `package` migrates, and the stamp that says for which version it was done."""

    package: str
    file: Path
    command: tuple[str, ...]

    @property
    def stamp(self) -> Path:
        return self.file.with_suffix(".migrated")

    @property
    def ready(self) -> bool:
        # Asking the tool takes seconds of imports; the stamp tells the same in no time.
        return self.file.exists() and self.stamp.exists() and self.stamp.read_text().strip() == version(self.package)


def _migrate(databases: list[_Database], *, env: Mapping[str, str], logs: Path) -> None:
    """Bring those that are not ready up to date, side by side."""
    started = {}
    try:
        for database in databases:
            if not database.ready:
                log = logs / f"{database.package}-migration.log"
                started[database] = sessions.start(*database.command, env=env, log=log)
        for database, process in started.items():
            try:
                ended: int | str = process.wait(_MIGRATION_SECONDS)
            except subprocess.TimeoutExpired:
                ended = f"nothing within {_MIGRATION_SECONDS} s"
            if ended != 0:
                raise Stop(
                    f"{' '.join(database.command[:3])} ended with {ended}",
                    where=str(database.file),
                    hint=f"read {logs / database.package}-migration.log; to begin afresh: make clean",
                )
            database.stamp.write_text(version(database.package) + "\n")
    finally:
        sessions.end({process.pid for process in started.values()})
        for process in started.values():
            process.wait()


def _new_secrets() -> dict[str, str]:
    return {
        "fernet_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "jwt_secret": secrets.token_urlsafe(64),
        "secret_key": secrets.token_urlsafe(32),
    }


def _write_once(path: Path, content: Mapping[str, str]) -> None:
    """Write a secret file that only its owner can read, unless it is there; whole or not at all."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(content, out)
    draft.replace(path)
