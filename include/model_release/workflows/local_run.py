"""One whole run of a model's chain on this machine, without Airflow: what `retrain_<model>` does, task by task.

The releases go to a folder that has the store's layout, so that every other command reads it as it reads a bucket.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path

from model_release.errors import Stop
from model_release.spec.model import Destination, Spec
from model_release.workflows.destinations import Opener
from model_release.workflows.messages import (
    IngestOutcome,
    RetrainOutcome,
    TrainedCandidate,
    UploadOrder,
    Verdict,
    Work,
)
from model_release.workflows.result import RunResult
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from model_release.workflows.task_state import TaskState

Watch = Callable[[list[TaskState]], None]
"""Called with all tasks of the run each time that one of them changes its state, and while candidates are trained."""

_TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class LocalRun:
    """What became of a run.

    Attributes:
        outcome: of the task *Ingest*.
        verdict: of the task *Gate*; None if nothing was new.
        result: of the task *Report*.
        tasks: all tasks, as they ended.
    """

    outcome: IngestOutcome
    verdict: Verdict | None
    result: RunResult
    tasks: list[TaskState]


def at_folder(spec: Spec, folder: Path) -> tuple[Spec, list[str]]:
    """Return the spec with a folder as its one destination, and what of the spec has no part in such a run.

    Nothing outside the folder is written: no other destination, no MLflow. Airflow's connections are not here, so
    nothing is signed and no person is asked.
    """
    left_out = [f"destination {each.name} ({each.uri})" for each in spec.destinations]
    left_out += ["tracking"] if spec.tracking else []
    left_out += ["signing"] if spec.signing else []
    left_out += ["approval"] if spec.approval == "required" else []
    here = Destination(name="folder", uri=folder.resolve().as_uri())
    changes = {"destinations": [here], "tracking": None, "signing": None, "approval": "never"}
    return spec.model_copy(update=changes), left_out


def run_here(spec: Spec, run: Run, *, opener: Opener, watch: Watch) -> LocalRun:
    """Take every task of the chain in this process; candidates are trained side by side, each in a process of its own.

    Args:
        spec: as `at_folder` returns it.
        run: the facts of the run.
        opener: opens the source and the folder; must be a module's function, since other processes are given it.
        watch: called with the state of every task.

    Raises:
        ModelReleaseError: of the task that failed.
    """
    chain, tasks = RetrainRun(spec, run, opener=opener), _Tasks(watch)
    outcomes: list[RetrainOutcome] = []
    with tasks.one("reconcile"):
        outcomes.append(chain.reconcile())
    with tasks.one("ingest"):
        outcome, work = chain.ingest()
        outcomes.append(outcome)
    if not work:
        for name in ("train", "evaluate", "gate", "upload", "update_latest"):
            tasks.skip(name)
        return LocalRun(outcome, None, chain.report(outcomes), tasks.all)
    trained = _train_all(partial(_train, spec, run, opener), work, tasks)
    with tasks.one("evaluate"):
        evaluated = chain.evaluate(trained)
    with tasks.one("gate"):
        verdict, gated = chain.gate(evaluated)
        outcomes.append(verdict)
    uploaded = []
    for order in (each for each in gated if isinstance(each, UploadOrder)):  # no proposal: the approval is left out
        with tasks.one("upload", name=order.destination):
            uploaded.append(chain.upload(order, opened=True))
    outcomes += uploaded
    if uploaded:
        with tasks.one("update_latest"):
            outcomes.append(chain.update_latest(uploaded))
    else:
        tasks.skip("upload")
        tasks.skip("update_latest")
    return LocalRun(outcome, verdict, chain.report(outcomes), tasks.all)


class _Tasks:
    """The tasks of a run, in order; calls `watch` at every change."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._states: dict[tuple[str, str | None], tuple[str, float | None]] = {}

    @property
    def all(self) -> list[TaskState]:
        """Every task that has begun, waits for a core, or was skipped."""
        seen: Counter[str] = Counter()
        found = []
        for (task_id, name), (state, seconds) in self._states.items():
            index = -1 if name is None else seen[task_id]
            seen[task_id] += 1
            found.append(TaskState(task_id, index, name, state, seconds, try_number=1))
        return found

    @contextmanager
    def one(self, task_id: str, *, name: str | None = None) -> Iterator[None]:
        """Have a task run while the block does."""
        began = time.monotonic()
        self.set(task_id, name, "running", None)
        try:
            yield
        except BaseException:
            self.set(task_id, name, "failed", time.monotonic() - began)
            raise
        self.set(task_id, name, "success", time.monotonic() - began)

    def skip(self, task_id: str) -> None:
        """Have a task be skipped."""
        self.set(task_id, None, "skipped", None)

    def set(self, task_id: str, name: str | None, state: str, seconds: float | None) -> None:
        """Change one task's state."""
        self._states[task_id, name] = state, seconds
        self._watch(self.all)


def _train(spec: Spec, run: Run, opener: Opener, work: Work) -> TrainedCandidate:
    return RetrainRun(spec, run, opener=opener).train(work)


def _train_all(train: Callable[[Work], TrainedCandidate], work: list[Work], tasks: _Tasks) -> list[TrainedCandidate]:
    """Train as many candidates at a time as there are cores; begin with the spec's last, the most complex.

    A worker ends as soon as it is interrupted, so that Ctrl-C leaves no process behind.

    Raises:
        ModelReleaseError: of the first candidate that failed; Stop if its process ended without an answer.
    """
    names = [each.candidate for each in work]
    for name in names:
        tasks.set("train", name, "queued", None)
    at_once = min(len(work), cpu_count() or 1)
    waiting, running, trained = (
        [*work],
        dict[Future[TrainedCandidate], tuple[str, float]](),
        dict[str, TrainedCandidate](),
    )
    with ProcessPoolExecutor(
        at_once, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL)
    ) as pool:
        while waiting or running:
            while waiting and len(running) < at_once:
                each = waiting.pop()
                running[pool.submit(train, each)] = each.candidate, time.monotonic()
            done, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            for future, (name, began) in [*running.items()]:
                state = "running" if future not in done else "failed" if future.exception() else "success"
                tasks.set("train", name, state, time.monotonic() - began)
            for future in done:
                name, _ = running.pop(future)
                trained[name] = _made(future, name)
    return [trained[name] for name in names]


def _made(future: Future[TrainedCandidate], name: str) -> TrainedCandidate:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise Stop(
            "the process that trained this candidate ended without an answer",
            where=f"candidates.{name}",
            hint="the likely cause is a lack of memory: train fewer candidates, or on a larger machine",
        ) from error
