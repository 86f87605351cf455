"""`model-release serve` as a process on a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

CHECKOUT = Path(__file__).resolve().parents[2]


class Service:
    """A process that serves."""

    def __init__(self, process: subprocess.Popen[str], log: Path, port: int) -> None:
        self.process = process
        self.log = log
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def model(self) -> Any:
        return self.client.get("/model").json()

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@contextmanager
def serving(folder: Path, *arguments: str, **environment: str) -> Iterator[Service]:
    """Start a service on a free port; it is ended at the end."""
    log = folder / "service.log"
    command = [sys.executable, "-m", "model_release.cli", "serve", *arguments]
    told = {"MODEL_RELEASE_LISTEN_PORT": "0", "MODEL_RELEASE_EVERY": "0.1", "MODEL_RELEASE_DRAIN": "0.5", **environment}
    told |= {"PYTHONPATH": str(CHECKOUT / "include")}
    with log.open("w") as file:
        process = subprocess.Popen(command, env={**os.environ, **told}, stderr=file, text=True)
    try:
        service = Service(process, log, port_of(process, log))
        with service.client:
            yield service
    finally:
        process.kill()
        process.wait()


def port_of(process: subprocess.Popen[str], log: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if "running on" in line:
                return int(line.partition("http://127.0.0.1:")[2].split()[0].rstrip('",)'))
        time.sleep(0.05)
    raise AssertionError(log.read_text())
