"""One transfer through our own `Store`, as a process: `python -m benchmarks.ours up|down one|many URI LOCAL`.

It prints its peak resident memory in bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from model_release.stores import open_store
from model_release.stores.base import Store
from model_release.stores.bulk import as_done


def transfer(store: Store, direction: str, shape: str, local: Path) -> None:
    """Move one file, or each file of a folder, between here and the store."""
    match direction, shape:
        case "up", "one":
            store.upload("one/file.bin", local)
        case "down", "one":
            store.download("one/file.bin", local)
        case "up", _:
            for _ in as_done(lambda path: store.upload(f"many/{path.name}", path), local.iterdir()):
                pass
        case _:
            local.mkdir()
            keys = [entry.key for entry in store.list("many/")]
            for _ in as_done(lambda key: store.download(key, local / key.rpartition("/")[2]), keys):
                pass


def peak_memory() -> int:
    """Return what this process has used at most. Not by `getrusage`: it counts the memory of who started it."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].removesuffix("kB")) * 1024


if __name__ == "__main__":
    _, direction, shape, uri, name = sys.argv
    transfer(open_store(uri), direction, shape, Path(name))
    print(peak_memory())
