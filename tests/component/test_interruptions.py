"""What is interrupted leaves no process, no folder and no lock behind: a run of tests, `make run`, `make up`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model_release.errors import EXIT_INTERRUPTED
from scripts import tenant
from scripts.airflow_home import AirflowHome
from scripts.waits import ticks
from support import run_guard
from support.airflow_homes import migrated
from support.programs import CHECKOUT

UP_SECONDS, END_SECONDS = 240, 60

SERVERS = """
import time
from emulators.process import HOST
from emulators.seaweedfs import seaweedfs
from emulators.postgres import postgres

def test_servers(tmp_path):
    with seaweedfs(), postgres():
        (tmp_path / "up").touch()
        time.sleep(600)
"""
AIRFLOW = """
import os
import time
from pathlib import Path
from scripts.airflow_home import AirflowHome
from scripts.local_airflow import LocalAirflow

def test_airflow():
    with LocalAirflow(AirflowHome(var=Path(os.environ["HOME_OF_AIRFLOW"]))):
        time.sleep(600)
"""


# As a terminal starts it: a shell lets what it starts in the background ignore Ctrl-C, and so do all below that.
PYTHON = ("env", "--default-signal=INT", sys.executable)


def ctrl_c(leader: subprocess.Popen[bytes]) -> None:
    """A terminal tells every process of the group in front."""
    os.killpg(leader.pid, signal.SIGINT)


def ctrl_c_twice(leader: subprocess.Popen[bytes]) -> None:
    ctrl_c(leader)
    for _ in ticks(0.5):
        pass
    ctrl_c(leader)


def started(command: list[str], env: dict[str, str], cwd: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            [*PYTHON, *command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def assert_nothing_is_left(folder: Path, log: Path) -> None:
    """No process of the run that this folder belongs to is there, and nothing lies in the folder."""
    for _ in ticks(END_SECONDS):
        if not [*run_guard.members(folder)] and not [*folder.iterdir()]:
            break
    assert not [*run_guard.members(folder)], log.read_text()
    assert not [*folder.iterdir()], log.read_text()


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files that PostgreSQL's user may pass through, as `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.live(minutes=1)
@pytest.mark.parametrize(
    ("files", "interrupt"),
    [
        ([SERVERS, AIRFLOW], ctrl_c),
        ([SERVERS], ctrl_c_twice),
        ([SERVERS], subprocess.Popen.terminate),
        ([SERVERS], subprocess.Popen.kill),
    ],
    ids=["Ctrl-C", "Ctrl-C twice", "SIGTERM", "SIGKILL"],
)
def test_nothing_is_left_of_a_run_that_is_interrupted(
    files: list[str], interrupt: Callable[[subprocess.Popen[bytes]], None], tmp_path: Path, temporary: Path
) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    for number, text in enumerate(files):
        (tests / f"test_{number}.py").write_text(text)
    env = {name: value for name, value in os.environ.items() if name != run_guard.VARIABLE}
    home = migrated(AirflowHome(var=tmp_path / "var"))
    env |= {
        "HOME_OF_AIRFLOW": str(home.var),
        "TMPDIR": str(temporary),
        "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}",
    }
    options = ["-p", "support.run_plugin", "-p", "no:cacheprovider", "-n", str(len(files)), "--dist=loadfile"]
    log = tmp_path / "log"
    command = ["-m", "pytest", *options, f"--rootdir={tests}", "-c", os.devnull, str(tests)]
    controller = started(command, env, tests, log)
    try:
        for _ in ticks(UP_SECONDS):
            assert controller.poll() is None, log.read_text()
            up = [*temporary.rglob("up"), *home.home.glob("standing.json")]
            if len(up) == len(files):
                break
        assert len(up) == len(files), log.read_text()
        assert [*run_guard.members(temporary)]
        interrupt(controller)
        assert controller.wait(END_SECONDS) != 0
        assert_nothing_is_left(temporary, log)
    finally:
        controller.kill()
        controller.wait()


@pytest.mark.live(minutes=1)
@pytest.mark.parametrize(
    ("module", "interrupt", "status"),
    [
        ("scripts.run", ctrl_c, EXIT_INTERRUPTED),
        ("scripts.up", subprocess.Popen.terminate, 128 + signal.SIGTERM),
    ],
    ids=["make run, Ctrl-C", "make up, SIGTERM"],
)
def test_nothing_is_left_of_an_airflow_that_is_interrupted_while_it_starts(
    module: str, interrupt: Callable[[subprocess.Popen[bytes]], None], status: int, tmp_path: Path, temporary: Path
) -> None:
    home = migrated(AirflowHome(var=tmp_path / "var"))
    env = {**os.environ, run_guard.VARIABLE: str(temporary), "TMPDIR": str(temporary)}
    note, log = home.home / "standing.json", tmp_path / "log"
    program = started(["-m", module, "--var", str(home.var)], env, CHECKOUT, log)
    try:
        for _ in ticks(UP_SECONDS):
            assert program.poll() is None, log.read_text()
            if note.exists():
                break
        assert len([*run_guard.members(temporary)]) > 1, log.read_text()
        interrupt(program)
        assert program.wait(END_SECONDS) == status, log.read_text()
        assert_nothing_is_left(temporary, log)
        assert not note.exists()
        tenant.lock_of(home).acquire(timeout=0).lock.release()
    finally:
        program.kill()
        program.wait()
