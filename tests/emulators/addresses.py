"""A model's folder at an emulator or on a disk, told so that any process can open it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emulators.azurite import ACCOUNT, KEY
from emulators.clouds import gcs_client
from emulators.seaweedfs import WRITER
from model_release.spec.transfer import TransferSettings
from model_release.stores.base import Store
from model_release.stores.local import LocalStore

Kind = Literal["folder", "s3", "gcs", "azure"]

SETTINGS = TransferSettings(connect_timeout=2, read_timeout=20, deadline=60, attempts=3)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a folder is.

    Attributes:
        kind: of store.
        url: of the server; empty for a folder.
        container: bucket or container; the path, for a folder.
        prefix: of the keys.
        insistent: whether S3's SDK sends a request again by itself, which this project's clients keep it from.
    """

    kind: Kind
    url: str
    container: str
    prefix: str
    insistent: bool = False

    def open(self) -> Store:
        """Open it, with a client of its own."""
        match self.kind:
            case "folder":
                return LocalStore(Path(self.container) / self.prefix)
            case "s3":
                from model_release.stores.s3.store import S3Store

                client = s3_client(self.url, insistent=self.insistent)
                return S3Store(client, self.container, self.prefix, settings=SETTINGS)
            case "gcs":
                from model_release.stores.gcs.store import GcsStore

                return GcsStore(gcs_client(self.url), self.container, self.prefix, settings=SETTINGS)
            case "azure":
                from model_release.stores.azure.store import AzureStore

                return AzureStore(_azure_container(self.url, self.container), self.prefix, settings=SETTINGS)

    def at(self, prefix: str) -> Address:
        """Return the address of another folder in the same container."""
        return replace(self, prefix=prefix)

    def make_container(self) -> None:
        """Make the bucket or container."""
        match self.kind:
            case "folder":
                Path(self.container).mkdir(exist_ok=True)
            case "s3":
                s3_client(self.url).create_bucket(Bucket=self.container)
            case "gcs":
                gcs_client(self.url).create_bucket(self.container)
            case "azure":
                _azure_container(self.url, self.container).create_container()


def s3_client(url: str, *, insistent: bool = False) -> Any:
    """Return boto3's client as `S3Store` wants it, or one whose SDK repeats what failed."""
    import boto3
    from botocore.config import Config

    from model_release.stores.s3.store import client_config

    repeats = Config(retries={"mode": "standard", "total_max_attempts": 3})
    config = client_config(SETTINGS, path_style=True)
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=WRITER.access,
        aws_secret_access_key=WRITER.secret,
        config=config.merge(repeats) if insistent else config,
    )


def _azure_container(url: str, name: str) -> Any:
    from azure.storage.blob import ContainerClient

    return ContainerClient(f"{url}/{ACCOUNT}", name, credential=KEY)
