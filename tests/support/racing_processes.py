"""Processes that all want the same at once. Each function is called in a process without threads, and forks more."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emulators.addresses import Address
from model_release.documents.version import Version
from model_release.errors import BaselineMoved, Retry
from model_release.releases.catalog import live_pointer, published
from model_release.stores.base import Won
from support.interposed_store import Interposed, Request
from support.release_builder import Chain, make

_FORK = multiprocessing.get_context("fork")


def promote_all(address: Address, racers: int, rounds: int) -> list[tuple[int, Version]]:
    """Let each process promote a version of its own in every round; return each success, with its epoch."""
    start = _FORK.Barrier(racers)

    def race(me: int) -> list[tuple[int, Version]]:
        store, won = address.open(), []
        for turn in range(rounds):
            manifest = published(store, Version(1, 1 + turn * racers + me, 0))
            start.wait()
            while True:
                try:
                    done = Chain(store).promote(manifest, since=live_pointer(store).since)
                except (BaselineMoved, Retry):  # judged again, as the nightly chain is
                    continue
                if done.refusal is None and done.pointer is not None:
                    won.append((done.pointer.epoch, done.pointer.version))
                break
        return won

    return [success for each in _at_once(racers, race) for success in each]


def publish_all(address: Address, folder: Path, runs: int, mortal: dict[int, str]) -> dict[int, Version]:
    """Let each run publish a release of its own; return the number that each one got.

    Args:
        address: of the model's folder.
        folder: for the files.
        runs: how many.
        mortal: the runs that are killed when they have created a key that ends so.
    """
    start = _FORK.Barrier(runs)

    def run(me: int) -> tuple[int, Version]:
        def between(request: Request) -> object:
            outcome = request.perform()
            if me in mortal and isinstance(outcome, Won) and request.key.endswith(mortal[me]):
                os.kill(os.getpid(), signal.SIGKILL)
            return outcome

        made = make(folder, f"run {me}", card=False)
        store = Interposed(address.open(), between)
        start.wait()
        return me, Chain(store).publish(made).version

    return dict(_at_once(runs, run, dying=len(mortal)))


def _at_once(count: int, work: Callable[[int], Any], *, dying: int = 0) -> list[Any]:
    """Call a function in so many processes; return what those returned that did not die."""
    results = _FORK.SimpleQueue()

    def process(me: int) -> None:
        try:
            results.put(work(me))
        except BaseException as error:
            results.put(error)
            raise

    processes = [_FORK.Process(target=process, args=(me,)) for me in range(count)]
    for each in processes:
        each.start()
    values = [results.get() for _ in range(count - dying)]
    for each in processes:
        each.join()
    assert [each.exitcode for each in processes].count(-signal.SIGKILL) == dying
    for value in values:
        if isinstance(value, BaseException):
            raise value
    return values
