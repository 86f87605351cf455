"""MLflow's tracking server as a team runs it: a database behind it, artifacts through it, a login before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from emulators.process import HOST, Server, executable, serving

INSTALL = "pip install 'mlflow[auth]' psycopg2-binary"
USER = "admin"
PASSWORD = "mlflow-secret-c2f8a1"


@contextmanager
def mlflow_server(
    backend: str,
    artifacts: str,
    *,
    login: bool = False,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a tracking server until the block ends.

    Args:
        backend: its database, which it migrates, as an address for SQLAlchemy.
        artifacts: where it keeps artifacts: a folder or a bucket's URI.
        login: whether it asks for `USER` and `PASSWORD`.
        env: variables beside those of this process, such as the credentials of the bucket.
    """
    program = executable("mlflow", install=INSTALL)
    settings = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{HOST}:*",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves a process; nothing here runs as a job of the server's
    }
    if login:
        settings |= {
            "MLFLOW_AUTH_ADMIN_USERNAME": USER,
            "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
            "MLFLOW_AUTH_CONFIG_PATH": "auth.ini",  # in its own folder, which it is started in
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "flask-secret-90b6d3",
        }

    def command(folder: Path, ports: Sequence[int]) -> list[str]:
        options = {
            "backend-store-uri": backend,
            "artifacts-destination": artifacts,
            "host": HOST,
            "port": str(ports[0]),
            "workers": "1",
        }
        if login:
            users = folder / "auth.ini"
            users.write_text(
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = {backend}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
                "grant_default_workspace_access = false\n"
                "auth_cache_ttl_seconds = 60\n"  # a check of a password is made to be slow
            )
            options["app-name"] = "basic-auth"
        return [program, "server", *(f"--{name}={value}" for name, value in options.items())]

    with serving(command, ready=("/health", 200), env={**settings, **(env or {})}, seconds=120) as server:
        yield server
