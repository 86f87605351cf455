"""obstore's client for a cloud, from the environment alone: reading without the cost of an SDK's import.

Each function returns None where the SDK would find out more than the environment says, such as a profile in a file or
the role of a machine. For `reader`, which uses the SDK if this is not enough.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model_release.errors import UsageError
from model_release.stores.uris import StoreUri

if TYPE_CHECKING:
    from obstore.store import ObjectStore

CONNECT, READ, DEADLINE, ATTEMPTS = 5.0, 30.0, 60.0, 3
"""Seconds, and how often one request is sent: the defaults of `TransferSettings`, which is a pydantic model."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def s3(parts: StoreUri) -> ObjectStore | None:
    """A bucket, by a key pair or the role of a pod or task; a profile needs the SDK."""
    config = Path(os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config").expanduser()
    keys = "AWS_ACCESS_KEY_ID" in os.environ and "AWS_SECRET_ACCESS_KEY" in os.environ
    told = keys or any(name in os.environ for name in _ROLES)
    if not told or "AWS_PROFILE" in os.environ or config.exists():
        return None
    from obstore.store import S3Store

    named = (os.environ.get(each) for each in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
    endpoint = parts.options.get("endpoint_url") or next(filter(None, named), None)
    region = parts.options.get("region") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    elsewhere: dict[str, Any] = {"endpoint": endpoint} if endpoint else {"virtual_hosted_style_request": True}
    return S3Store(parts.container, region=region, **elsewhere, **_bounds(endpoint))


def gcs(parts: StoreUri) -> ObjectStore | None:
    """A bucket, by a service account's file; an emulator's by its plain addresses."""
    from obstore.store import GCSStore, HTTPStore

    emulator = os.environ.get("STORAGE_EMULATOR_HOST")
    if emulator:
        return HTTPStore(f"{emulator}/download/storage/v1/b/{parts.container}/o?alt=media", **_bounds(emulator))
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    try:
        kind = json.loads(Path(named).read_bytes()).get("type") if named else None
    except (OSError, ValueError, AttributeError):
        return None
    if kind != "service_account" or named is None:
        return None
    return GCSStore(parts.container, service_account=named, **_bounds(None))


def azure(parts: StoreUri) -> ObjectStore | None:
    """A container, by the account's key in a connection string."""
    text = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    told = dict(each.split("=", 1) for each in text.split(";") if "=" in each)
    name, key = told.get("AccountName"), told.get("AccountKey")
    if not name or not key:
        return None
    from obstore.store import AzureStore

    scheme, suffix = told.get("DefaultEndpointsProtocol", "https"), told.get("EndpointSuffix", "core.windows.net")
    endpoint = told.get("BlobEndpoint") or f"{scheme}://{name}.blob.{suffix}"
    return AzureStore(parts.container, account_name=name, account_key=key, endpoint=endpoint, **_bounds(endpoint))


def web(uri: str) -> ObjectStore | None:
    """A folder on the web; user, password and query go with each request."""
    parts = urlsplit(uri)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        return None
    if parts.fragment:
        raise UsageError("not the URL of a folder", hint="https://host/folder")
    from obstore.store import HTTPStore

    return HTTPStore(uri, **_bounds(uri))


def _bounds(endpoint: str | None) -> dict[str, Any]:
    return {
        "client_options": {
            "allow_http": bool(endpoint) and str(endpoint).startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT),
            "read_timeout": timedelta(seconds=READ),
            "timeout": timedelta(seconds=DEADLINE),
        },
        "retry_config": {
            "max_retries": ATTEMPTS - 1,
            "retry_timeout": timedelta(seconds=DEADLINE),
            "backoff": {
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=2),
                "base": 2,
            },
        },
    }
