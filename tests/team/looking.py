"""The stack's three clouds, read from outside with each cloud's own plain SDK, and what must hold of `latest` there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from emulators.clouds import gcs_client
from team.stack import Stack

BUCKET = "models"

Read = Callable[[str], bytes]
"""Reads an object of the bucket."""


@dataclass(frozen=True)
class Clouds:
    """Where the clouds are, told so that any process can open them."""

    s3: str
    s3_key: str
    gcs: str
    azure: str
    azure_key: str

    @classmethod
    def of(cls, stack: Stack) -> Clouds:
        """Return the clouds of a stack, with the keys of who may write."""
        identities = json.loads(stack.secret("seaweedfs/s3.json"))["identities"]
        writer = next(each for each in identities if each["name"] == "writer")
        return cls(
            s3=stack.url("seaweedfs", 8333),
            s3_key=writer["credentials"][0]["secretKey"],
            gcs=stack.url("fake-gcs", 4443),
            azure=stack.url("azurite", 10000),
            azure_key=stack.secret("azurite/accounts").partition(":")[2],
        )

    def told(self) -> str:
        """Return them as text for `Clouds(**json.loads(…))`."""
        return json.dumps(asdict(self))

    def readers(self) -> dict[str, Read]:
        """Return what reads at each destination, by its name in the spec."""
        s3, gcs, azure = self.boto3(), gcs_client(self.gcs).bucket(BUCKET), self._azure()
        return {
            "aws": lambda key: bytes(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()),
            "google": lambda key: bytes(gcs.blob(key).download_as_bytes(timeout=3, retry=None)),
            "azure": lambda key: bytes(azure.get_blob_client(BUCKET, key).download_blob().readall()),
        }

    def boto3(self) -> Any:
        """Return Amazon's client."""
        import boto3
        from botocore.config import Config

        bounded = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
        return boto3.client(
            "s3",
            endpoint_url=self.s3,
            region_name="us-east-1",
            aws_access_key_id="writer",
            aws_secret_access_key=self.s3_key,
            config=bounded,
        )

    def _azure(self) -> Any:
        from azure.storage.blob import BlobServiceClient

        key = {"account_name": "standin", "account_key": self.azure_key}
        bounded: dict[str, Any] = {"connection_timeout": 2, "read_timeout": 5, "retry_total": 0}
        return BlobServiceClient(f"{self.azure}/standin", credential=key, **bounded)


class Torn(AssertionError):
    """`latest` is not one complete version."""


def whole(read: Read, pointer: bytes, folder: str) -> None:
    """Check that every byte of the version that a pointer names is there.

    Raises:
        Torn: it is not.
    """
    found = json.loads(pointer)
    at = f"{folder}/{found['version']}"
    manifest = read(f"{at}/metadata.json")
    if hashlib.sha256(manifest).hexdigest() != found["metadata_sha256"]:
        raise Torn(f"{at}/metadata.json is not what latest.json promises")
    for entry in json.loads(manifest)["files"]:
        body = read(f"{at}/{entry['path']}")
        if (len(body), hashlib.sha256(body).hexdigest()) != (entry["size"], entry["sha256"]):
            raise Torn(f"{at}/{entry['path']} is not what metadata.json promises")


def is_missing(error: Exception) -> bool:
    """Whether an SDK says that there is no such object."""
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return code == "NoSuchKey" or type(error).__name__ in ("NotFound", "ResourceNotFoundError")
