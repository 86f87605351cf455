"""Three clouds at once, with a bucket each, and the Airflow connections that lead to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from emulators.azurite import ACCOUNT, KEY, azurite, connection_string
from emulators.fake_gcs import fake_gcs
from emulators.process import Server
from emulators.seaweedfs import WRITER, seaweedfs

BUCKET = "models"


@dataclass(frozen=True)
class Clouds:
    """The servers, and each cloud's own plain SDK client for looking at what was written.

    Attributes:
        connections: environment of an Airflow that reaches them as `seaweed`, `fake_gcs` and `azurite`.
    """

    s3: Server
    gcs: Server
    azure: Server
    connections: dict[str, str]

    def readers(self, prefix: str) -> dict[str, Callable[[str], bytes]]:
        """Return what reads an object below a prefix at each destination, by the destination's name."""
        return {
            "aws": lambda key: self.read_s3(f"{prefix}/{key}"),
            "google": lambda key: self.read_gcs(f"{prefix}/{key}"),
            "azure": lambda key: self.read_azure(f"{prefix}/{key}"),
        }

    def read_s3(self, key: str) -> bytes:
        """Read an object with boto3."""
        body: bytes = s3_client(self.s3.url).get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def read_gcs(self, key: str) -> bytes:
        """Read an object with google-cloud-storage."""
        body: bytes = gcs_client(self.gcs.url).bucket(BUCKET).blob(key).download_as_bytes()
        return body

    def read_azure(self, key: str) -> bytes:
        """Read an object with azure-storage-blob."""
        body: bytes = azure_service(self.azure).get_blob_client(BUCKET, key).download_blob().readall()
        return body


def live(read: Callable[[str], bytes]) -> str | None:
    """Return the version that a model's pointer names, after every byte of it was checked; None without a pointer."""
    try:
        pointer = json.loads(read("latest.json"))
    except Exception:  # each SDK has its own way to say that nothing is there
        return None
    version: str = pointer["version"]
    manifest = read(f"{version}/metadata.json")
    assert hashlib.sha256(manifest).hexdigest() == pointer["metadata_sha256"]
    for entry in json.loads(manifest)["files"]:
        body = read(f"{version}/{entry['path']}")
        assert (len(body), hashlib.sha256(body).hexdigest()) == (entry["size"], entry["sha256"])
        assert read(f"latest/{entry['path']}") == body
    assert read(f"log/{pointer['epoch']:012d}.json") == read("latest.json")
    return version


def s3_client(url: str) -> Any:
    """Return boto3's client for the emulator."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=WRITER.access,
        aws_secret_access_key=WRITER.secret,
        config=Config(s3={"addressing_style": "path"}),
    )


def gcs_client(url: str) -> Any:
    """Return Google's client for the emulator."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    return Client(
        project="test",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": url},
    )


def azure_service(server: Server) -> Any:
    """Return Azure's client for the emulator."""
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(connection_string(server))


@contextmanager
def clouds() -> Iterator[Clouds]:
    """Run the three until the block ends."""
    with ExitStack() as stack:
        s3, gcs, azure = (stack.enter_context(each()) for each in (seaweedfs, fake_gcs, azurite))
        s3_client(s3.url).create_bucket(Bucket=BUCKET)
        gcs_client(gcs.url).create_bucket(BUCKET)
        azure_service(azure).create_container(BUCKET)
        yield Clouds(s3, gcs, azure, connections(s3.url, gcs.url, azure.url))


def destinations(prefix: str) -> list[dict[str, Any]]:
    """Return a spec's destinations: S3 as home, Google, Azure and a folder, each below `prefix`."""
    return [
        {"name": "aws", "uri": f"s3://seaweed@{BUCKET}/{prefix}"},
        {"name": "google", "uri": f"gs://fake_gcs@{BUCKET}/{prefix}"},
        {"name": "azure", "uri": f"wasb://azurite@{BUCKET}/{prefix}"},
        {"name": "folder", "uri": f"${{MODEL_RELEASE_STORE}}/{prefix}"},
    ]


def connections(s3_url: str, gcs_url: str, azure_url: str) -> dict[str, str]:
    """Return the environment that makes Airflow's hooks reach these addresses."""
    path_style = {"s3": {"addressing_style": "path"}}
    return {
        "AIRFLOW_CONN_SEAWEED": json.dumps(
            {
                "conn_type": "aws",
                "login": WRITER.access,
                "password": WRITER.secret,
                "extra": {"endpoint_url": s3_url, "region_name": "us-east-1", "config_kwargs": path_style},
            }
        ),
        "AIRFLOW_CONN_FAKE_GCS": json.dumps({"conn_type": "google_cloud_platform", "extra": {"is_anonymous": True}}),
        "AIRFLOW_CONN_AZURITE": json.dumps(
            {"conn_type": "wasb", "login": ACCOUNT, "password": KEY, "host": f"{azure_url}/{ACCOUNT}"}
        ),
        "STORAGE_EMULATOR_HOST": gcs_url,
        "GOOGLE_CLOUD_PROJECT": "test",
    }
