"""The matrices of the proofs: a scene is played once for each moment at which it can be disturbed, then run again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from emulators.addresses import Address
from emulators.answers import STATUSES, faults
from emulators.wire import Wire
from model_release.documents import layout
from model_release.documents.version import Version
from model_release.errors import Retry
from model_release.releases.catalog import live_pointer
from support.interposed_store import Interposed, Request
from support.killed_processes import Nursery
from support.proof_tally import Tally
from support.release_builder import assert_readable
from support.release_scenes import Eyes, Play, Scene, plain

ZOMBIES = ("stops", "second moves")
CRASHES = ("crashes", "torn reads", "releases lost")
LOST = ("answers spoiled", "wrong reports", "releases lost")
TRIES = 4

EVERY = "MODEL_RELEASE_PROOFS" in os.environ
"""Whether everything is tried at every call, as `make proofs` wants.

Else each request gets one of the statuses in turn, and one in three of its answers is spoiled; every other call is
killed, before it or after it by turns, and one call in three is the one at which a process stops.
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a signal comes: before or after the so-manieth call of a store, from 1 on."""

    call: int
    after: bool
    signal: signal.Signals

    def __str__(self) -> str:
        return f"{self.signal.name} {'after' if self.after else 'before'} call {self.call}"


class Theatre:
    """The stores of one scene, which can be brought back to where it begins.

    Args:
        scene: which one.
        addresses: of empty folders, home first.
        folder: for the files of releases.
    """

    def __init__(self, scene: Scene, addresses: Sequence[Address], folder: Path) -> None:
        self.scene, self.addresses, self.folder = scene, [*addresses], folder
        self.stores = [each.open() for each in addresses]
        self._eyes = [Eyes(store) for store in self.stores]
        self._seen: list[dict[str, bytes]] = []
        self.play(self.scene.begin)
        self._begin = [each.bodies() for each in self._eyes]
        self.requests: list[Request] = []
        before = self._live()
        self.play(self.scene.act, self._note)
        self._may_live = {before, self._live()}
        self._wanted = [{key: plain(body) for key, body in each.bodies().items()} for each in self._eyes]
        self.check_end()

    def play(self, play: Play, between: Callable[[Request], object] = lambda request: request.perform()) -> None:
        """Run a part of the scene, with something that stands before the stores."""
        home, *others = [Interposed(each, between) for each in self.stores]
        play(home, others, self.folder)

    def again(self) -> None:
        """Run the act, undisturbed."""
        self.play(self.scene.act)

    def insist(self, address: Address) -> None:
        """Run the act on home at another address, again as Airflow does: after the errors that say so."""
        for left in reversed(range(TRIES)):
            try:
                self.scene.act(address.open(), [], self.folder)
            except Retry:
                if not left:
                    raise
            else:
                return

    def reset(self) -> None:
        """Put every object back as it was when the scene began."""
        seen, self._seen = self._seen or [each.bodies() for each in self._eyes], []
        for eyes, begin, there in zip(self._eyes, self._begin, seen, strict=True):
            for key in there.keys() - begin.keys():
                eyes.store.delete(key)
            for key in begin.keys() - there.keys():
                eyes.store.create(key, begin[key])
            for key in [key for key, body in begin.items() if there.get(key, body) != body]:
                found = eyes.store.get(key)
                assert found is not None
                eyes.store.replace(key, begin[key], found.token)

    def check_again(self) -> None:
        """Run again, it ends as an undisturbed run."""
        self.again()
        self.check_end()

    def check_readers(self) -> None:
        """Whoever follows a pointer now finds a whole release, the one before the act or the one after it."""
        for store in self.stores:
            assert_readable(store)
        assert self._live() in self._may_live

    def check_end(self) -> None:
        """Everything is as an undisturbed run leaves it, and every destination has home's pointer and its log entry."""
        pointers = set()
        seen = [each.bodies() for each in self._eyes]
        for store, wanted, bodies in zip(self.stores, self._wanted, seen, strict=True):
            state = {key: plain(body) for key, body in bodies.items()}
            differing = [key for key in sorted(state.keys() | wanted.keys()) if state.get(key) != wanted.get(key)]
            assert not differing, f"{store.uri}: {', '.join(differing)}"
            pointers |= {bodies[layout.POINTER], bodies[max(key for key in bodies if key.startswith(layout.LOG))]}
        assert len(pointers) == 1
        self._seen = seen  # nothing touches the stores before the next reset

    def _note(self, request: Request) -> object:
        self.requests.append(request)
        return request.perform()

    def _live(self) -> Version:
        return live_pointer(self.stores[0]).version


def play(scene: Scene, addresses: Sequence[Address], folder: Path, moment: Moment) -> None:
    """Play a scene in this process, which gets a signal at a moment."""
    calls = 0

    def between(request: Request) -> object:
        nonlocal calls
        calls += 1
        if calls == moment.call and not moment.after:
            os.kill(os.getpid(), moment.signal)
        try:
            return request.perform()
        finally:  # a request that the store refuses was performed as well
            if calls == moment.call and moment.after:
                os.kill(os.getpid(), moment.signal)

    home, *others = [Interposed(each.open(), between) for each in addresses]
    scene.act(home, others, folder)


def crash_matrix(theatre: Theatre, nursery: Nursery, tally: Tally) -> None:
    """Kill the scene before and after every call of a store; readers are right, and run again it ends the same."""
    for call, request in enumerate(theatre.requests, start=1):
        sampled = () if call % 2 else (call % 4 == 0,)
        for after in (False, True) if EVERY else sampled:
            moment = Moment(call, after, signal.SIGKILL)
            theatre.reset()
            end = nursery.fork(play, theatre.scene, theatre.addresses, theatre.folder, moment)
            assert (end.state, end.value) == ("killed", signal.SIGKILL), end
            tally.counts["crashes"] += 1
            where = f"{moment}, {request}"
            tally.expect("torn reads", theatre.check_readers, where)
            tally.expect("releases lost", theatre.check_again, where)


def zombies(theatre: Theatre, victim: Scene, nursery: Nursery, tally: Tally) -> None:
    """Stop the victim before every call of a store, play the scene to its end, and wake the victim: it changes nothing.

    Args:
        theatre: what happens while the victim stands still: its own second attempt, and maybe more.
        victim: the first attempt.
        nursery: where it lives.
        tally: counts.
    """
    for call in count(1, 1 if EVERY else 3):
        theatre.reset()
        moment = Moment(call, False, signal.SIGSTOP)
        end = nursery.fork(play, victim, theatre.addresses, theatre.folder, moment)
        if end.state == "ended":  # it has no more calls
            return
        assert end.state == "stopped", end
        tally.counts["stops"] += 1
        theatre.again()
        end = nursery.wake(end.pid)
        assert end.state == "ended", (moment, end)
        tally.expect("second moves", theatre.check_end, moment)


def lost_response_matrix(theatre: Theatre, wire: Wire, address: Address, tally: Tally) -> None:
    """Spoil each request of a scene, one at a time; called again after errors that say so, it ends the same.

    Args:
        theatre: the scene, at home alone.
        wire: stands before the server.
        address: of home, through the wire.
        tally: counts.
    """
    theatre.reset()
    wire.rest()
    theatre.insist(address)
    for number, request in enumerate([*wire.requests], start=1):
        statuses = STATUSES if EVERY else STATUSES[number % len(STATUSES) :][:1]
        spoils = [*faults(address.kind, request, statuses)]
        for fault in spoils if EVERY else spoils[number % 3 :: 3]:
            theatre.reset()
            wire.spoil(number, fault)
            tally.counts["answers spoiled"] += 1
            where = f"{fault.name}: {number}, {request.line}"
            if not tally.expect("wrong reports", lambda: theatre.insist(address), where):
                theatre.again()
            tally.expect("releases lost", theatre.check_end, where)
