"""A run of tests needs no network but loopback."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys

import pytest

from emulators.process import HOST

OUTSIDE = ("192.0.2.1", 443)  # an address that is given to nobody
REACH = f"import socket; socket.create_connection({OUTSIDE!r}, timeout=5)"


def test_nothing_outside_is_reached_by_a_test() -> None:
    with pytest.raises(OSError) as refused:
        socket.create_connection(OUTSIDE, timeout=5)
    assert refused.value.errno == errno.ENETUNREACH, "this machine gives a run of tests no network of its own"
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("pypi.org", 443)


def test_nothing_outside_is_reached_by_what_a_test_starts() -> None:
    done = subprocess.run([sys.executable, "-c", REACH], capture_output=True, text=True, check=False)
    assert "Network is unreachable" in done.stderr


def test_loopback_is_reached() -> None:
    with socket.create_server((HOST, 0)) as server, socket.create_connection(server.getsockname()):
        pass
