"""Many files to or from one store, in parallel, for the mirror of a folder; a store itself knows single files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

WORKERS = 8
"""Files on their way at once; the SDKs keep ten connections."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def as_done(work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = WORKERS) -> Iterator[Result]:
    """Yield the result of `work` for each item, as it is done; a task of its own for each would cost as much as a file.

    The first failure is raised after the work under way has ended; nothing else is begun.
    """
    todo, turn, over = iter(items), threading.Lock(), threading.Event()
    results: SimpleQueue[tuple[Result] | None] = SimpleQueue()

    def run() -> None:
        try:
            while not over.is_set():
                with turn:
                    try:
                        item = next(todo)
                    except StopIteration:
                        return
                results.put((work(item),))
        except BaseException:
            over.set()
            raise
        finally:
            results.put(None)

    with ThreadPoolExecutor(workers) as pool:
        try:
            running = [pool.submit(run) for _ in range(workers)]
            left = workers
            while left:
                result = results.get()
                if result is None:
                    left -= 1
                else:
                    yield result[0]
            for each in running:
                each.result()
        finally:
            over.set()
