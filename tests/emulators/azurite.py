"""Azurite's blob service: a storage account with conditions, signatures and SAS permissions.

It has no `upload_blob_from_url`, takes any encryption scope, and does not check the MD5 of a whole list of
blocks.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from emulators.process import HOST, Server, serving

INSTALL = "make azurite"

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(b"of no account but Azurite's, and of these tests only").decode()
"""Of the one account, in place of the one that everybody knows."""

_PROGRAM = Path("node_modules/.bin/azurite-blob")
_CHECKOUT = Path(__file__).resolve().parents[2]


def program() -> str:
    """Return the path of the server's program."""
    given = os.environ.get("MODEL_RELEASE_TEST_NODE")
    for folder in (*([Path(given)] if given else []), _CHECKOUT / ".node"):
        if (folder / _PROGRAM).exists():
            return str(folder / _PROGRAM)
    found = shutil.which("azurite-blob")
    assert found is not None, f"azurite-blob is missing; install it with: {INSTALL}"
    return found


def connection_string(server: Server) -> str:
    """Return what `AZURE_STORAGE_CONNECTION_STRING` takes."""
    account = f"AccountName={ACCOUNT};AccountKey={KEY}"
    return f"DefaultEndpointsProtocol=http;{account};BlobEndpoint={server.url}/{ACCOUNT};"


@contextmanager
def azurite() -> Iterator[Server]:
    """Run Azurite's blob service until the block ends."""
    found = program()

    def command(folder: Path, ports: Sequence[int]) -> list[str]:
        return [
            found,
            *("--location", str(folder / "blobs"), "--blobHost", HOST, "--blobPort", str(ports[0])),
            *("--silent", "--disableTelemetry", "--skipApiVersionCheck"),  # the SDK is newer
        ]

    with serving(command, ready=("/", 400), env={"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}) as server:
        yield server
