"""Plays schedules of real code over one store: control is handed over at each request, and an actor may die at one.

An actor is a plain function that takes stores; each runs in a thread of its own, one at a time. A schedule is replayed
from the beginning, so actors must behave the same whenever they see the same. Schedules with few preemptions (switching
away from an actor that could go on) come first: nearly every race shows with two.
"""

from __future__ import annotations

import os
import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from model_release.stores.base import Store
from support.interposed_store import Interposed, Request

PLAYED: Counter[str] = Counter()
"""The schedules of this process so far, and those at whose end a rule was broken."""

LIMIT = int(os.environ.get("MODEL_RELEASE_SCHEDULES", 100 if "MODEL_RELEASE_PROOFS" in os.environ else 60))
"""Schedules of each test; set the first variable to some thousands after a change of the protocol."""


class Killed(BaseException):
    """The process died here."""


def dying_after(requests: int) -> Callable[[Request], Any]:
    """Return what performs so many requests and dies before the next one."""
    left = requests

    def between(request: Request) -> Any:
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return request.perform()

    return between


@dataclass
class Actor:
    """One actor of a schedule, afterwards with how it ended."""

    name: str
    play: Callable[[Callable[[Store], Store]], Any]
    mortal: bool = False
    result: Any = None
    error: BaseException | None = None
    _go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0), repr=False)
    _die: bool = False
    _done: bool = False

    @property
    def died(self) -> bool:
        """Whether it was killed."""
        return isinstance(self.error, Killed)


class _Stage:
    """Lets one actor run at a time."""

    def __init__(self, actors: list[Actor]) -> None:
        self.actors = actors
        self.trace: list[str] = []
        self._back = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._run, args=(actor,), daemon=True) for actor in actors]
        for thread in self._threads:
            thread.start()
            self._wait()  # each stands before its first request

    def step(self, actor: Actor, *, die: bool = False) -> None:
        actor._die = die
        actor._go.release()
        self._wait()

    def _wait(self) -> None:
        assert self._back.acquire(timeout=30), "an actor hangs outside of the store:\n" + "\n".join(self.trace)

    def _run(self, actor: Actor) -> None:
        def between(request: Request) -> Any:
            self._back.release()
            actor._go.acquire()
            if actor._die:
                self.trace.append(f"{actor.name} dies before: {request}")
                raise Killed
            outcome = request.perform()
            said = f" -> {type(outcome).__name__}" if request.conditional else ""
            self.trace.append(f"{actor.name}: {request}{said}")
            return outcome

        try:
            actor.result = actor.play(lambda store: Interposed(store, between))
        except BaseException as error:  # noqa: BLE001 - how an actor ended is for the test to judge
            actor.error = error
        actor._done = True
        self._back.release()


def explore(
    make: Callable[[], tuple[list[Actor], Callable[[], None]]],
    *,
    preemptions: int = 2,
    deaths: int = 0,
    limit: int = LIMIT,
) -> int:
    """Play the schedules within the bounds: all with one deviation from running on, then others, drawn by chance.

    Args:
        make: sets up a fresh store and returns the actors and the check that must hold at the end; it raises if not.
        preemptions: how often an actor that could go on may be left for another one.
        deaths: how many mortal actors may die, each at any of its requests.
        limit: how many schedules at most.

    Returns:
        How many schedules were played.
    """
    agenda: deque[list[tuple[int, bool]]] = deque([[]])
    deeper: list[list[tuple[int, bool]]] = []
    chance = random.Random(7)  # noqa: S311 - the same draw every time
    played = 0
    while (agenda or deeper) and played < limit:
        prefix = agenda.popleft() if agenda else deeper.pop(chance.randrange(len(deeper)))
        actors, check = make()
        stage = _Stage(actors)
        taken: list[tuple[int, bool]] = []
        switches = dead = 0
        last = -1
        while alive := [i for i, actor in enumerate(actors) if not actor._done]:
            default = (last if last in alive else alive[0], False)
            if len(taken) < len(prefix):
                choice = prefix[len(taken)]
            else:
                choice = default
                free = switches < preemptions or last not in alive
                others = [(i, False) for i in alive if i != default[0]] if free else []
                killed = [(i, True) for i in alive if actors[i].mortal] if dead < deaths else []
                queue = deeper if prefix else agenda
                queue.extend([*taken, each] for each in [*others, *killed])
            switches += last in alive and choice[0] != last and not choice[1]
            dead += choice[1]
            taken.append(choice)
            stage.step(actors[choice[0]], die=choice[1])
            last = choice[0]
        played += 1
        PLAYED["schedules"] += 1
        try:
            check()
        except BaseException as error:
            PLAYED["rules broken"] += 1
            ends = [f"{each.name}: {each.result if each.error is None else repr(each.error)}" for each in actors]
            raise AssertionError("\n".join([f"schedule {played}:", *stage.trace, *ends, str(error)])) from error
    return played
