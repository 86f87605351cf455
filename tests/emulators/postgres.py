"""PostgreSQL from Debian's packages: a cluster of its own on a free port, which nothing of the machine's own meets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulators.process import HOST, free_ports

INSTALL = "apt-get install postgresql"
SUPERUSER = "owner"
PASSWORD = "owner-secret-7d1e40"

_BINARIES = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "''",
    "fsync": "off",  # nobody needs these rows after a crash
    "max_connections": "100",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A cluster that takes connections.

    Attributes:
        port: on loopback.
        binaries: the folder of `psql` and its kin.
    """

    port: int
    binaries: Path

    def url(self, database: str, *, driver: str = "postgresql+psycopg2") -> str:
        """Return a database's address for SQLAlchemy, or, as `postgresql`, for libpq."""
        return f"{driver}://{SUPERUSER}:{PASSWORD}@{HOST}:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make an empty database and return its address for SQLAlchemy."""
        connection = ["--host", HOST, "--port", str(self.port), "--username", SUPERUSER]
        _run([self.binaries / "createdb", *connection, database], env={"PGPASSWORD": PASSWORD})
        return self.url(database)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a cluster until the block ends, then end it and remove its folder."""
    binaries = _binaries()
    with tempfile.TemporaryDirectory(prefix="emulator-", ignore_cleanup_errors=True) as name:
        folder, data = Path(name), Path(name) / "data"
        word = folder / "password"
        word.write_text(PASSWORD)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root; Debian's package brings a user for it
            for each in (folder, word):
                shutil.chown(each, "postgres", "postgres")
        login = ["--auth=scram-sha-256", f"--username={SUPERUSER}", f"--pwfile={word}"]
        _run([*_unprivileged(), binaries / "initdb", f"--pgdata={data}", *login, "--no-sync", "--locale=C.UTF-8"])
        control = [*_unprivileged(), binaries / "pg_ctl", f"--pgdata={data}", "--silent"]
        port = _start(control, folder)
        try:
            yield Postgres(port, binaries)
        finally:
            _run([*control, "stop", "--mode=immediate"])


def _binaries() -> Path:
    """The newest version's programs: Debian keeps them off the PATH."""
    found = [each.parent for each in _BINARIES.glob("*/bin/postgres")]
    assert found, f"PostgreSQL is missing; install it with: {INSTALL}"
    return max(found, key=lambda each: [int(number) for number in re.findall(r"\d+", each.parent.name)])


def _unprivileged() -> list[str | Path]:
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def _start(control: list[str | Path], folder: Path, *, starts: int = 3) -> int:
    """Start it and wait until it takes connections; on another port if somebody took this one meanwhile."""
    [port] = free_ports(1)
    settings = " ".join(f"-c {name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items())
    try:
        _run([*control, "start", "--wait", f"--log={folder / 'server.log'}", f"--options={settings}"])
    except AssertionError:
        if starts == 1:
            raise
        return _start(control, folder, starts=starts - 1)
    return port


def _run(command: list[str | Path], *, env: dict[str, str] | None = None) -> None:
    # into a file: what the server keeps open of a pipe would never let its reader end
    with tempfile.TemporaryFile() as log:
        done = subprocess.run(
            command,
            cwd="/",
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        )
        log.seek(0)
        assert done.returncode == 0, f"{command!r} ended with {done.returncode}:\n{log.read().decode(errors='replace')}"
