"""One transfer by a cloud's SDK as its manual shows it.

python -m benchmarks.sdk CLOUD up|down one|many BUCKET/PREFIX LOCAL
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

WORKERS = 8

Move = Callable[[str, Path], Any]
Verbs = tuple[Move, Move, Callable[[str], list[str]]]
"""Upload, download, and list the keys that begin with a prefix."""


def _s3(bucket: str) -> Verbs:
    import boto3

    client = boto3.client("s3")

    def names(prefix: str) -> list[str]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [each["Key"] for page in pages for each in page["Contents"]]

    return (
        lambda key, path: client.upload_file(str(path), bucket, key),
        lambda key, path: client.download_file(bucket, key, str(path)),
        names,
    )


def _azure(container_name: str) -> Verbs:
    from azure.storage.blob import ContainerClient

    container = ContainerClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"], container_name)

    def upload(key: str, path: Path) -> None:
        with path.open("rb") as file:
            container.upload_blob(key, file, overwrite=True, max_concurrency=WORKERS)

    def download(key: str, path: Path) -> None:
        with path.open("wb") as file:
            container.download_blob(key, max_concurrency=WORKERS).readinto(file)

    return upload, download, lambda prefix: [*container.list_blob_names(name_starts_with=prefix)]


def _gcs(bucket_name: str) -> Verbs:
    from google.cloud import storage
    from google.cloud.storage import transfer_manager

    bucket = storage.Client().bucket(bucket_name)

    def download(key: str, path: Path) -> None:
        if path.suffix == ".one":
            blob = bucket.get_blob(key)
            transfer_manager.download_chunks_concurrently(
                blob, str(path), worker_type=transfer_manager.THREAD, max_workers=WORKERS
            )
        else:
            bucket.blob(key).download_to_filename(str(path))

    return (
        lambda key, path: bucket.blob(key).upload_from_filename(str(path)),  # its upload in parts needs the XML API
        download,
        lambda prefix: [each.name for each in bucket.list_blobs(prefix=prefix)],
    )


def main(cloud: str, direction: str, shape: str, path: str, local: Path) -> None:
    """Move one file, or each file of a folder."""
    bucket, _, prefix = path.partition("/")
    upload, download, names = {"s3": _s3, "azure": _azure, "gcs": _gcs}[cloud](bucket)
    if shape == "one":
        (upload if direction == "up" else download)(f"{prefix}/one", local)
        return
    with ThreadPoolExecutor(WORKERS) as pool:
        if direction == "up":
            done = [*pool.map(lambda file: upload(f"{prefix}/many/{file.name}", file), local.iterdir())]
        else:
            local.mkdir(parents=True)
            keys = names(f"{prefix}/many/")
            done = [*pool.map(lambda key: download(key, local / key.rpartition("/")[2]), keys)]
    if not done:
        raise RuntimeError("nothing was moved")


if __name__ == "__main__":
    _, cloud, direction, shape, path, local = sys.argv
    main(cloud, direction, shape, path, Path(local))
