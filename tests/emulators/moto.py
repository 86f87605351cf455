"""moto's server: S3 in about a second.

It accepts any key and any signature, and ignores the condition of a copy and wrong checksums: no judge of those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emulators.process import HOST, Server, executable, serving

INSTALL = "pip install 'moto[server]'"


@contextmanager
def moto() -> Iterator[Server]:
    """Run moto's server until the block ends."""
    program = executable("moto_server", install=INSTALL)

    def command(_folder: Path, ports: Sequence[int]) -> list[str]:
        return [program, "-H", HOST, "-p", str(ports[0])]

    with serving(command) as server:
        yield server
