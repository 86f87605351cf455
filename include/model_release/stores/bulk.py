"""Many files to or from one store, side by side. For whoever mirrors a folder; a store itself knows single files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model_release.stores.base import Store

WORKERS = 8
"""Files on their way at once; the SDKs keep ten connections."""


def upload_many(store: Store, files: Iterable[tuple[str, Path]], *, workers: int = WORKERS) -> int:
    """Upload files to their keys; return how many. The first failure ends it, with what was sent before in place."""
    return _each(store.upload, files, workers)


def download_many(store: Store, files: Iterable[tuple[str, Path]], *, workers: int = WORKERS) -> int:
    """Download objects to new files, whose folders are made; return how many. The first failure ends it."""
    files = [*files]
    for folder in {path.parent for _, path in files}:
        folder.mkdir(parents=True, exist_ok=True)
    return _each(store.download, files, workers)


def _each(work: Callable[[str, Path], None], files: Iterable[tuple[str, Path]], workers: int) -> int:
    with ThreadPoolExecutor(workers) as pool:
        tasks = [pool.submit(work, key, path) for key, path in files]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return len(tasks)
