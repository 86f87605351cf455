"""A run of tests that is interrupted leaves no process and no folder behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.waits import ticks
from support import run_guard
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
import time
from scripts.airflow_home import AirflowHome
from scripts.local_airflow import LocalAirflow

def test_airflow(tmp_path):
    with LocalAirflow(AirflowHome(var=tmp_path / "var")):
        (tmp_path / "up").touch()
        time.sleep(600)
"""


def ctrl_c(controller: subprocess.Popen[bytes]) -> None:
    """A terminal tells every process of the group in front."""
    os.killpg(controller.pid, signal.SIGINT)


def ctrl_c_twice(controller: subprocess.Popen[bytes]) -> None:
    ctrl_c(controller)
    for _ in ticks(0.5):
        pass
    ctrl_c(controller)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files that PostgreSQL's user may pass through, as `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.live
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
    env |= {"TMPDIR": str(temporary), "PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}"}
    options = ["-p", "support.run_plugin", "-p", "no:cacheprovider", "-n", str(len(files)), "--dist=loadfile"]
    # As a terminal starts it: a shell lets what it starts in the background ignore Ctrl-C, and so do all below that.
    python = ["env", "--default-signal=INT", sys.executable]
    command = [*python, "-m", "pytest", *options, f"--rootdir={tests}", "-c", os.devnull, str(tests)]
    log = tmp_path / "log"
    with log.open("wb") as out:
        controller = subprocess.Popen(
            command, env=env, cwd=tests, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    try:
        for _ in ticks(UP_SECONDS):
            assert controller.poll() is None, log.read_text()
            if len([*temporary.rglob("up")]) == len(files):
                break
        assert len([*temporary.rglob("up")]) == len(files), log.read_text()
        assert [*run_guard.members(temporary)]
        interrupt(controller)
        assert controller.wait(END_SECONDS) != 0
        for _ in ticks(END_SECONDS):
            if not [*run_guard.members(temporary)] and not [*temporary.iterdir()]:
                break
        assert not [*run_guard.members(temporary)], log.read_text()
        assert not [*temporary.iterdir()], log.read_text()
    finally:
        controller.kill()
        controller.wait()
