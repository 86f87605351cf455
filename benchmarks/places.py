"""Where the benchmarks write: a folder, and emulators of three clouds on loopback, each with an empty bucket."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulators import azurite as azure_emulator
from emulators.azurite import ACCOUNT, azurite, connection_string
from emulators.fake_gcs import fake_gcs
from emulators.seaweedfs import WRITER, seaweedfs

BUCKET = "models"


@dataclass(frozen=True, slots=True)
class Place:
    """One store to measure.

    Attributes:
        name: in the table.
        uri: for our own code.
        env: what every tool needs in its environment.
        path: for peers: a folder, or one in the bucket.
    """

    name: str
    uri: str
    path: str
    env: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def folder() -> Iterator[Place]:
    """A folder on this machine's disk for temporary files."""
    with tempfile.TemporaryDirectory(prefix="benchmark-store-") as name:
        Path(name, "peers").mkdir()
        yield Place("folder", f"file://{name}/ours", f"{name}/peers")


@contextmanager
def s3() -> Iterator[Place]:
    """SeaweedFS."""
    import boto3

    with seaweedfs() as server:
        env = {
            "AWS_ACCESS_KEY_ID": WRITER.access,
            "AWS_SECRET_ACCESS_KEY": WRITER.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": server.url,
            "S3_ENDPOINT_URL": server.url,
            "RCLONE_S3_PROVIDER": "Other",
            "RCLONE_S3_ENV_AUTH": "true",
            "RCLONE_S3_ENDPOINT": server.url,
            "RCLONE_S3_REGION": "us-east-1",
        }
        client = boto3.client(
            "s3",
            endpoint_url=server.url,
            aws_access_key_id=WRITER.access,
            aws_secret_access_key=WRITER.secret,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket=BUCKET)
        yield Place("s3", f"s3://{BUCKET}/ours", f"{BUCKET}/peers", env)


@contextmanager
def gcs() -> Iterator[Place]:
    """fake-gcs-server, in memory."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    with fake_gcs() as server:
        env = {
            "STORAGE_EMULATOR_HOST": server.url,
            "GOOGLE_CLOUD_PROJECT": "benchmark",
            "RCLONE_GCS_ANONYMOUS": "true",
            "RCLONE_GCS_ENDPOINT": f"{server.url}/storage/v1/",
            "RCLONE_GCS_BUCKET_POLICY_ONLY": "true",
        }
        client = storage.Client(
            project="benchmark",
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": server.url},
        )
        client.create_bucket(BUCKET)
        yield Place("gcs", f"gs://{BUCKET}/ours", f"{BUCKET}/peers", env)


@contextmanager
def azure() -> Iterator[Place]:
    """Azurite, on a disk."""
    from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

    with azurite() as server:
        text = connection_string(server)
        ContainerClient.from_connection_string(text, BUCKET).create_container()
        sas = generate_container_sas(
            ACCOUNT,
            BUCKET,
            account_key=azure_emulator.KEY,
            permission=ContainerSasPermissions(read=True, add=True, create=True, write=True, delete=True, list=True),
            expiry=datetime.now(UTC) + timedelta(days=1),
        )
        env = {
            "AZURE_STORAGE_CONNECTION_STRING": text,
            "RCLONE_AZUREBLOB_SAS_URL": f"{server.url}/{ACCOUNT}/{BUCKET}?{sas}",
        }
        yield Place("azure", f"wasb://{BUCKET}/ours", f"{BUCKET}/peers", env)


PLACES: Mapping[str, Callable[[], AbstractContextManager[Place]]] = {
    "folder": folder,
    "s3": s3,
    "gcs": gcs,
    "azure": azure,
}


def local_files(folder: Path, *, size: int, count: int, each: int) -> tuple[Path, Path]:
    """Write a file of `size` bytes and a folder of `count` files of `each` bytes, which no tool can compress."""
    large, many = folder / "large.bin", folder / "many"
    with large.open("wb") as file:
        for start in range(0, size, 1024 * 1024):
            file.write(os.urandom(min(1024 * 1024, size - start)))
    many.mkdir()
    for number in range(count):
        (many / f"{number:05d}.bin").write_bytes(os.urandom(each))
    return large, many
