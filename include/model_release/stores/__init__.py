"""From a URI to a `Store`. SDKs are imported only when a URI asks for theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from model_release.errors import UsageError
from model_release.stores.base import Store

if TYPE_CHECKING:
    from model_release.spec.transfer import TransferSettings

__all__ = ["Store", "folder_of", "open_store"]


def open_store(uri: str, settings: TransferSettings | None = None) -> Store:
    """Open the store at `uri` with the credentials of this process.

    Raises:
        UsageError: no store has such a URI.
        Refused: the store cannot keep the promises of `Store`.
    """
    from model_release.spec.transfer import TransferSettings
    from model_release.stores.local import LocalStore

    settings = settings or TransferSettings()
    parts = urlsplit(uri)
    match parts.scheme:
        case "file":
            network = parse_qs(parts.query).get("allow_network") == ["true"]
            return LocalStore(folder_of(uri), allow_network=network, names_of_others=settings.names_of_others)
        case "":
            return LocalStore(folder_of(uri), names_of_others=settings.names_of_others)
        case "s3":
            from model_release.stores.s3 import store as s3

            return s3.open_default(uri, settings)
        case "gs":
            from model_release.stores.gcs import store as gcs

            return gcs.open_default(uri, settings)
        case "wasb":
            from model_release.stores.azure import store as azure

            return azure.open_default(uri, settings)
        case "https" | "http":
            from model_release.stores.web.store import WebStore

            return WebStore(uri, settings=settings)
        case scheme:
            raise UsageError(
                f"no store answers to {scheme}://",
                where=uri,
                hint="stores: file:///folder, s3://bucket, gs://bucket, wasb://container@account",
            )


def folder_of(uri: str) -> Path:
    """Return the folder that a `file://` URI or a path names.

    Raises:
        UsageError: a URI that names no absolute folder.
    """
    parts = urlsplit(uri)
    if not parts.scheme:
        return Path(uri).expanduser()
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise UsageError(f"{uri} is not an absolute folder", hint="write it with three slashes: file:///srv/models")
    return path
