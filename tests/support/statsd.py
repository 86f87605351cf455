"""A receiver of StatsD's datagrams on this machine, and what they say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

LINE = "airflow.model_release."
"""How each line of this package begins."""


class Receiver:
    """Takes datagrams. They wait in the socket until they are read.

    Args:
        taken: a socket that is bound to a port of this machine.
    """

    def __init__(self, taken: socket.socket) -> None:
        self._socket = taken
        self.port = int(taken.getsockname()[1])
        self._heard: dict[str, float] = {}

    def settings(self, *, tags: bool = True) -> dict[str, str]:
        """Return the environment of an Airflow that sends its metrics here, with or without labels."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self.port),
            "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": str(tags),
            "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "model_release",  # the socket keeps a few hundred datagrams
        }

    def read(self) -> dict[str, float]:
        """Return what has come so far, by name with labels: the last value, and the sum of a counter."""
        found = self._heard
        for line in self._lines():
            name, _, rest = line.removeprefix(LINE).partition(":")
            value, _, kind = rest.partition("|")
            found[name] = float(value) + (found.get(name, 0.0) if kind == "c" else 0.0)
        return found

    def _lines(self) -> Iterator[str]:
        while True:
            try:
                datagram = self._socket.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            yield from (each for each in datagram.decode().splitlines() if each.startswith(LINE))


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive StatsD's datagrams on a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield Receiver(taken)
