"""Children that die or stop where they are told to, each forked from one small process without threads.

A test's own process has threads, and clients with open connections, which do not survive a fork.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

START = "from support.killed_processes import serve; serve()"


class End(NamedTuple):
    """How a child stands.

    Attributes:
        state: `ended`, `failed` (it raised), `killed` or `stopped`.
        pid: of the child.
        value: what it returned or raised.
    """

    state: str
    pid: int
    value: Any


@dataclass(frozen=True, slots=True)
class Nursery:
    """The small process, as its test sees it."""

    process: subprocess.Popen[bytes]

    def warm(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the small process itself, so that each child has its imports and caches."""
        self._order("here", function, arguments)

    def fork(self, function: Callable[..., object], *arguments: object) -> End:
        """Call a function in a child, until it ends, dies or stops."""
        return self._order("fork", function, arguments)

    def wake(self, pid: int) -> End:
        """Let a child that stopped go on, until it ends."""
        return self._order("wake", pid)

    def _order(self, *order: object) -> End:
        assert self.process.stdin is not None and self.process.stdout is not None
        pickle.dump(order, self.process.stdin)
        self.process.stdin.flush()
        end: End = pickle.load(self.process.stdout)  # noqa: S301 - our own process
        return end


def for_good(context: Callable[[], AbstractContextManager[object]]) -> None:
    """Enter a context and never leave it; for `Nursery.warm`."""
    context().__enter__()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Run the small process until the block ends; its children end with it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", START], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield Nursery(process)


def serve() -> None:
    """Take orders from the standard input and answer them on the standard output, until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a child prints is no answer
    results: dict[int, IO[bytes]] = {}
    try:
        while order := _next_order():
            match order:
                case "here", function, arguments:
                    end = End("ended", os.getpid(), None)
                    function(*arguments)
                case "fork", function, arguments:
                    end = _watch(_born(function, arguments, results), results)
                case "wake", pid:
                    os.kill(pid, signal.SIGCONT)
                    end = _watch(pid, results)
            pickle.dump(end, answers)
            answers.flush()
    finally:
        for pid in results:
            os.kill(pid, signal.SIGKILL)


def _next_order() -> Any:
    try:
        return pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
    except EOFError:
        return None


def _born(function: Callable[..., object], arguments: tuple[object, ...], results: dict[int, IO[bytes]]) -> int:
    result = tempfile.TemporaryFile()  # noqa: SIM115 - read when the child has ended
    pid = os.fork()
    if pid:
        results[pid] = result
        return pid
    state: tuple[str, object]
    try:
        state = ("ended", function(*arguments))
    except BaseException as error:  # noqa: BLE001 - for the test to judge
        state = ("failed", error)
    try:
        pickle.dump(state, result)
        result.flush()
    finally:
        os._exit(0)


def _watch(pid: int, results: dict[int, IO[bytes]]) -> End:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return End("stopped", pid, None)
    with results.pop(pid) as result:
        if os.WIFSIGNALED(status):
            return End("killed", pid, os.WTERMSIG(status))
        result.seek(0)
        state, value = pickle.load(result)  # noqa: S301 - from our own child
        return End(state, pid, value)
