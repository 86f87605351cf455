"""Large files, alike for every cloud: parts in parallel, hashed in order, no half file left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def new_file(path: Path) -> Iterator[BufferedRandom]:
    """Open a new file for a download, and remove it again if that fails."""
    try:
        with path.open("w+b") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def side_by_side(work: Callable[[int], T], starts: Sequence[int], workers: int) -> Iterator[T]:
    """Yield the result of `work` for each start, in their order; its errors are raised.

    One part alone travels in the caller's thread: many files have no more, and a thread costs as much as a request.
    """
    if len(starts) == 1:
        yield work(starts[0])
        return
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(work, starts)


def hashed(done: Iterator[Any], file: int, part: int, digest: Any) -> Any:
    """Hash a file part by part, each as soon as `done` yields it; return the digest.

    It costs no time of its own while other parts are on their way, and no memory: the part is in the system's cache.
    """
    for number, _ in enumerate(done):
        digest.update(os.pread(file, part, number * part))
    return digest
