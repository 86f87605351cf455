"""The runner of `docker-compose.yaml` itself: services apart from each other, and nothing left of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from scripts.waits import ticks
from team.container import CHECKOUT
from team.stack import Stack, stack

SECONDS = 20
FEW = ("secrets", "postgres", "redis")
ENDLESS = f"""
import sys, time
from pathlib import Path
from team.stack import stack
with stack(Path(sys.argv[1])) as running:
    running.up(*{FEW!r})
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(tmp_path_factory.mktemp("few") / "stack") as running:
        running.up(*FEW)
        yield running


def test_a_service_sees_its_own_secrets_alone(few: Stack) -> None:
    for name in ("postgres", "redis"):
        assert few.containers[name].run(["ls", "/secrets"]).stdout.split() == [name]


def test_a_service_sees_no_file_and_no_process_of_another(few: Stack) -> None:
    one, other = few.containers["postgres"], few.containers["redis"]
    assert one.run(["sh", "-c", "echo hers > /var/hers"]).returncode == 0
    assert one.run(["cat", "/var/hers"]).stdout == "hers\n"
    assert other.run(["cat", "/var/hers"]).stdout == ""
    assert not Path("/var/hers").exists()
    assert set(other.run(["ps", "-e", "-o", "comm="]).stdout.split()) == {"sh", "redis-server", "ps"}


def test_a_service_has_no_more_than_the_file_gives_it(few: Stack) -> None:
    redis = few.containers["redis"]
    assert redis.run(["id", "-u"]).stdout.strip() == "999"
    assert redis.run(["touch", "/secrets/redis/password"]).returncode != 0
    assert "CapBnd:\t0000000000000000" in redis.run(["cat", "/proc/self/status"]).stdout


def test_a_queue_outlives_its_service(few: Stack) -> None:
    ask = ["sh", "-c", 'REDISCLI_AUTH="$(cat /secrets/redis/password)" redis-cli "$@"', "redis-cli"]
    assert few.containers["redis"].run([*ask, "lpush", "queue", "task"]).stdout == "1\n"
    few.containers["redis"].run(["sleep", "1.1"])  # its file is written each second
    few.kill("redis")
    few.up("redis")
    assert few.containers["redis"].run([*ask, "llen", "queue"]).stdout == "1\n"


def test_nothing_is_left_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    env = {"PYTHONPATH": f"{CHECKOUT / 'include'}:{CHECKOUT / 'tests'}", "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", ENDLESS, str(tmp_path / "stack")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) > len(FEW)
        process.kill()
    for _ in ticks(SECONDS):
        if not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in started):
            return
    pytest.fail(f"still there: {[each for each in started if each.is_running()]}")
