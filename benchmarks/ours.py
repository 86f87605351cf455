"""One transfer through our own `Store`, as a process: `python -m benchmarks.ours up|down one|many URI LOCAL`."""

from __future__ import annotations

import sys
from pathlib import Path

from model_release.stores import open_store
from model_release.stores.base import Store
from model_release.stores.bulk import download_many, upload_many


def transfer(store: Store, direction: str, shape: str, local: Path) -> None:
    """Move one file, or each file of a folder, between here and the store."""
    match direction, shape:
        case "up", "one":
            store.upload("one/file.bin", local)
        case "down", "one":
            store.download("one/file.bin", local)
        case "up", _:
            upload_many(store, ((f"many/{path.name}", path) for path in local.iterdir()))
        case _:
            keys = [entry.key for entry in store.list("many/")]
            download_many(store, ((key, local / key.rpartition("/")[2]) for key in keys))


if __name__ == "__main__":
    _, direction, shape, uri, name = sys.argv
    transfer(open_store(uri), direction, shape, Path(name))
