"""Any sequence of verbs, with crashes and with two writers at once, against the rules of a release in a page of code.

The real verbs work on two stores in memory. A verb may be killed at any request, then sent again or not; or another one
may be played whole at any of its requests. Both of these must look as if one had come after the other.
"""

from __future__ import annotations

import copy
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import FIRST, Version
from model_release.errors import BaselineMoved, NotFound, OutcomeUnknown, Refused
from model_release.releases import acts, prune
from model_release.releases.promote import Promotion
from model_release.releases.reconcile import reconcile
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.retention import Retention
from model_release.stores.base import Lost, Store
from model_release.stores.create_once import RESEND
from support.fault_matrices import EVERY
from support.interposed_store import Interposed, Request
from support.memory_store import MemoryStore
from support.release_builder import Chain, Made, act, assert_lawful, assert_settled, make
from support.schedule_player import Killed

EXAMPLES = os.environ.get("MODEL_RELEASE_EXAMPLES")
"""Sequences of verbs; set the variable to some thousands after a change of a verb, and they are drawn anew."""

STEP = 2
"""Days that pass at once: each age is clearly on one side of every limit."""

KEEP = Retention(live_versions=2, days=3, other_versions=1, grace_hours=24)


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Term:
    """A version was live from one day until another."""

    version: Version
    left: int | None = None


class Release(NamedTuple):
    """A published version: its place in the order, the epoch of its baseline, the day it was made."""

    order: tuple[date, Version]
    judged: int | None
    made: int


@dataclass
class Model:
    """What an act leaves behind; each returns whether it is done, or refused."""

    epoch: int = 0
    live: Version | None = None
    since: int | None = None
    previous: Version | None = None
    holds: int = 0
    quarantined: set[Version] = field(default_factory=set)
    retired: dict[Version, int] = field(default_factory=dict)
    published: dict[Version, Release] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    follower: int = 0
    at_follower: Version | None = None
    day: int = 0

    def pointer(self) -> object:
        return (self.epoch, self.live, self.since, self.previous, self.holds, self.quarantined, {*self.retired})

    def barred(self, version: Version) -> bool:
        return version in self.quarantined or version in self.retired

    def go(self, version: Version) -> bool:
        if self.terms:
            self.terms[-1].left = self.day
        self.terms.append(Term(version))
        self.epoch += 1
        self.live, self.since, self.previous = version, self.epoch, self.live
        return True

    def may_follow(self, version: Version) -> bool:
        if self.barred(version) or self.holds:
            return False
        return self.live is None or self.published[version].order > self.published[self.live].order

    def publish(self, version: Version, as_of: date, judged: int | None) -> bool:
        assert version not in self.published
        self.published[version] = Release((as_of, version), judged, self.day)
        return True

    def night(self, version: Version) -> bool:
        if version not in self.published:
            return False
        if version == self.live:
            return True
        judged = self.published[version].judged == self.since
        return judged and self.may_follow(version) and self.go(version)

    def promote(self, version: Version, overrule: bool) -> bool:
        if version not in self.published or version == self.live:
            return False
        judged = overrule or self.published[version].judged == self.since
        return judged and self.may_follow(version) and self.go(version)

    def rollback(self, to: Version | None) -> bool:
        before = [term.version for term in reversed(self.terms) if term.version != self.live]
        targets = [version for version in before if not self.barred(version)] if to is None else [to]
        if not targets or targets[0] == self.live or self.barred(targets[0]) or targets[0] not in self.published:
            return False
        assert self.live is not None
        self.quarantined.add(self.live)
        self.holds += 1
        return self.go(targets[0])

    def hold(self) -> bool:
        self.holds += 1
        self.epoch += 1
        return True

    def unhold(self) -> bool:
        done = self.holds > 0
        self.epoch += done
        self.holds = 0
        return done

    def quarantine(self, version: Version) -> bool:
        done = version in self.published and version != self.live and version not in self.quarantined
        self.epoch += done
        self.quarantined |= {version} if done else set()
        return done

    def lift(self, version: Version) -> bool:
        done = version in self.quarantined
        self.epoch += done
        self.quarantined -= {version}
        return done

    def prune(self) -> bool:
        if self.live is None:
            return False
        left = {term.version: self.day if term.left is None else term.left for term in self.terms}  # the last time
        lately = dict.fromkeys(term.version for term in reversed(self.terms))
        recent = [*lately][: KEEP.live_versions]
        others = sorted(each for each in self.published if each not in left and each not in self.retired)
        going = set()
        for version, release in self.published.items():
            named = version in (self.live, self.previous, self.at_follower)
            young = release.made == self.day
            was_live = version in recent or (version in left and self.day - left[version] < KEEP.days)
            other = version in others[len(others) - KEEP.other_versions :]
            if not (named or young or was_live or other or version in self.retired):
                going.add(version)
        self.epoch += bool(going)
        self.retired |= dict.fromkeys(going, self.day)
        return self.settle()

    def settle(self) -> bool:
        self.follower, self.at_follower = self.epoch, self.live
        return True

    def gone(self) -> set[Version]:
        """Whose files have gone, once `prune` is through."""
        return {version for version, day in self.retired.items() if day < self.day}


# ── the machine ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Deed(NamedTuple):
    """Something to do: really, and by the model, which are told what came of it where they cannot know."""

    really: Callable[[Store, Store], Any]
    by_model: Callable[[Model, Any], bool]
    is_act: bool = False


@cache
def made(number: int, day: int) -> Made:
    """What a run has produced; the same for every sequence."""
    return make(Path(scratch.name), f"run{number}-{day}", as_of=date(2024, 4, day))


scratch = tempfile.TemporaryDirectory(prefix="model-release-")

PERSON: dict[str, tuple[Callable[..., Any], Callable[..., bool]]] = {
    "promote": (
        lambda home, by, version, flag: acts.promote(ReleaseStore(home), version, by, overrule=flag),
        lambda model, version, flag: model.promote(version, flag),
    ),
    "rollback": (
        lambda home, by, version, flag: acts.rollback(ReleaseStore(home), by, to=version if flag else None),
        lambda model, version, flag: model.rollback(version if flag else None),
    ),
    "hold": (lambda home, by, *_: acts.hold(ReleaseStore(home), by), lambda model, *_: model.hold()),
    "unhold": (lambda home, by, *_: acts.unhold(ReleaseStore(home), by), lambda model, *_: model.unhold()),
    "quarantine": (
        lambda home, by, version, _: acts.quarantine(ReleaseStore(home), version, by),
        lambda model, version, _: model.quarantine(version),
    ),
    "lift": (
        lambda home, by, version, _: acts.lift(ReleaseStore(home), version, by),
        lambda model, version, _: model.lift(version),
    ),
}
KINDS = ["publish", "publish", "night", "night", "night", "prune", "settle", *PERSON, "unhold"]


class Fate(StrEnum):
    """What becomes of a request, or of its sender."""

    DIES_BEFORE = "the sender dies before it"
    DIES_AFTER = "the sender dies after it"
    UNKNOWN = "its answer is lost"
    REFUSED = "its answer is lost inside the SDK, whose own retry is then refused"


REQUESTS = {"publish": 50, "prune": 30, "settle": 30}
"""About so many are sent, and fewer by the others."""

wishes = st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.booleans())
moments = st.integers(0, 50)


class Releases(RuleBasedStateMachine):
    """Home and a follower, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.home, self.follower = MemoryStore(), MemoryStore("memory://follower")
        self.model = Model()
        self.log: dict[int, bytes] = {}
        self.epochs = [0, 0]
        self.count = 0
        machine = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Clock:
                return super().now(tz) + machine.home.ahead

        self.patches: list[Any] = [
            mock.patch.object(prune, "datetime", Clock),
            mock.patch.object(RESEND, "sleep", lambda _seconds: None),
        ]
        for each in self.patches:
            each.start()

    def teardown(self) -> None:
        self.attempt(self.deed("settle"))
        if self.model.live is not None:
            assert assert_settled(self.home) == assert_settled(self.follower)
        for each in self.patches:
            each.stop()

    def deed(self, kind: str, nth: int = 0, flag: bool = False) -> Deed:
        self.count += 1
        model, number = self.model, self.count
        known = sorted(model.published)
        if kind == "lift" and flag:
            known = sorted(model.quarantined) or known
        version = known[nth % len(known)] if known else FIRST
        if kind == "publish":
            judged = model.since if flag or nth else None
            run = made(number, 1 + nth % 4)
            assert run.draft.gate is not None
            gate = run.draft.gate.model_copy(update={"since": judged})
            run = replace(run, draft=run.draft.model_copy(update={"gate": gate}))
            day = run.draft.data_as_of or date.min
            return Deed(
                lambda home, follower: Chain(home, [follower]).publish(run).version,
                lambda model, version: model.publish(version, day, judged),
            )
        if kind == "night":
            version = known[-1 - nth // 4 % len(known)] if known else FIRST

            def promotes(home: Store, _: Store) -> Promotion:
                stored = self.home.get(layout.manifest(version))
                if stored is None:
                    raise NotFound("nothing is published")
                manifest = Manifest.read(stored.body, where="")
                assert manifest.gate is not None
                return Chain(home).promote(manifest, since=manifest.gate.since)

            return Deed(promotes, lambda model, _: model.night(version))
        if kind == "prune":
            return Deed(
                lambda home, follower: prune.prune(ReleaseStore(home, [Follower(follower)]), KEEP, act(f"{number}")),
                lambda model, _: model.prune(),
            )
        if kind == "settle":
            return Deed(
                lambda home, follower: reconcile(ReleaseStore(home, [Follower(follower)])),
                lambda model, _: model.settle(),
            )
        really, by_model = PERSON[kind]
        seen = max(model.epoch - (nth == 9), 0)

        def allowed(model: Model, _: Any) -> bool:
            begun = model.live is not None or kind == "promote"
            return begun and model.epoch == seen and by_model(model, version, flag)

        return Deed(lambda home, _: really(home, act(f"{number}", seen=seen), version, flag), allowed, is_act=True)

    def attempt(self, deed: Deed, between: Callable[[Request], Any] | None = None) -> tuple[bool, Any]:
        """Return whether it was done, and what came of it; readers look at every moment."""

        def watched(request: Request) -> Any:
            outcome = between(request) if between else request.perform()
            if request.writes:
                self.readers_find_one_whole_release()
            return outcome

        try:
            result = deed.really(Interposed(self.home, watched), Interposed(self.follower, watched))
        except (Refused, NotFound, BaselineMoved):
            return False, None
        return not isinstance(result, Promotion) or result.refusal is None, result

    @rule(wish=wishes)
    def alone(self, wish: tuple[str, int, bool]) -> None:
        deed = self.deed(*wish)
        done, result = self.attempt(deed)
        assert (done or wish[0] != "publish") and deed.by_model(self.model, result) == done
        if wish[0] == "prune" and done:
            for version in self.model.gone():
                assert [entry.key for entry in self.home.list(f"{version}/") if not entry.key.endswith(".json")] == []

    @rule(wish=wishes, moment=moments, fate=st.sampled_from(Fate), again=st.booleans())
    def disturbed(self, wish: tuple[str, int, bool], moment: int, fate: Fate, again: bool) -> None:
        deed, left = self.deed(*wish), moment % REQUESTS.get(wish[0], 12)

        def between(request: Request) -> Any:
            nonlocal left
            left -= 1
            if left < 0 and fate is Fate.DIES_BEFORE:
                raise Killed
            outcome = request.perform()
            if left < 0 and fate is Fate.DIES_AFTER:
                raise Killed
            if left < 0 and request.conditional and not answers:
                answers.append(request)
                if fate is Fate.UNKNOWN:
                    raise OutcomeUnknown("the answer was lost", where=request.key)
                return Lost()
            return outcome

        answers: list[Request] = []
        try:
            done, result = self.attempt(deed, between)
        except Killed:
            self.after_a_death(deed, wish[0], again)
        else:
            assert deed.by_model(self.model, result) == done

    def after_a_death(self, deed: Deed, kind: str, again: bool) -> None:
        """It had happened, or it had not; sent again, it is done once."""
        before, happened = self.model, False
        if kind != "publish" and self.seen() != before.pointer():
            self.model, happened = copy.deepcopy(before), True
            assert deed.by_model(self.model, None)
        moved = self.pointer_of(self.follower)
        self.model.follower, self.model.at_follower = (moved.epoch, moved.version) if moved else (0, None)
        assert self.model.follower in (before.follower, self.model.epoch)
        if again:
            done, result = self.attempt(deed)
            if happened and deed.is_act:
                assert done
                assert result.repeated
            else:
                assert deed.by_model(self.model, result) == done

    @rule(wish=wishes.filter(lambda wish: wish[0] != "prune"), other=wishes, moment=moments)
    def together(self, wish: tuple[str, int, bool], other: tuple[str, int, bool], moment: int) -> None:
        one, two = self.deed(*wish), self.deed(*other)
        left, ends = moment % REQUESTS.get(wish[0], 12), dict[Deed, tuple[bool, Any]]()

        def between(request: Request) -> Any:
            nonlocal left
            left -= 1
            if left < 0 and two not in ends:
                ends[two] = self.attempt(two)
            return request.perform()

        ends[one] = self.attempt(one, between)
        if two not in ends:
            ends[two] = self.attempt(two)
        orders = []
        for order in ((one, two), (two, one)):
            model = copy.deepcopy(self.model)
            told = {deed: deed.by_model(model, ends[deed][1]) for deed in order}
            if told == {deed: done for deed, (done, _) in ends.items()} and model.pointer() == self.seen():
                orders.append(model)
        assert orders, f"no order of the two explains {ends} and {self.seen()}"
        there = self.pointer_of(self.follower)
        epoch = there.epoch if there else 0
        fitting = [model for model in orders if model.follower == epoch]
        assert fitting
        self.model = fitting[0]

    @rule(count=st.integers(1, 3))
    def nights(self, count: int) -> None:
        for _ in range(count):
            self.alone(("publish", 3, True))
            self.alone(("night", 0, False))

    @rule()
    def days_pass(self) -> None:
        self.model.day += STEP
        for store in (self.home, self.follower):
            store.ahead = timedelta(days=self.model.day)

    # ── what holds at every moment ───────────────────────────────────────────────────────────────────────────────────

    def pointer_of(self, store: MemoryStore) -> Pointer | None:
        stored = store.get(layout.POINTER)
        return Pointer.read(stored.body, where=store.uri) if stored else None

    def seen(self) -> object:
        pointer = self.pointer_of(self.home)
        if pointer is None:
            return Model().pointer()
        barred = {Version.parse(name) for name in pointer.quarantined}, {*pointer.retired}
        return (pointer.epoch, pointer.version, pointer.since, pointer.previous, len(pointer.holds), *barred)

    @invariant()
    def the_pointer_is_what_the_rules_say(self) -> None:
        assert self.seen() == self.model.pointer()
        there = self.pointer_of(self.follower)
        assert (there.epoch if there else 0) == self.model.follower

    @invariant()
    def readers_find_one_whole_release(self) -> None:
        for index, store in enumerate((self.home, self.follower)):
            pointer = self.pointer_of(store)
            if pointer is None:
                continue
            assert pointer.epoch >= self.epochs[index], "it went back"
            self.epochs[index] = pointer.epoch
            body = store._found(layout.manifest(pointer.version)).body
            assert sha256(body).hexdigest() == pointer.metadata_sha256
            for entry in Manifest.read(body, where="").files:
                found = store._found(layout.artifact(pointer.version, entry.path)).body
                assert sha256(found).hexdigest() == entry.sha256
            assert str(pointer.version) not in pointer.quarantined
            assert pointer.version not in pointer.retired

    @invariant()
    def the_log_only_grows(self) -> None:
        assert_lawful(self.home)
        for entry in self.home.list(f"{layout.LOG}/"):
            body = self.home._found(entry.key).body
            epoch = Pointer.read(body, where=entry.key).epoch
            assert self.log.setdefault(epoch, body) == body

    @invariant()
    def what_is_not_retired_has_its_files(self) -> None:
        for version in self.model.published.keys() - self.model.retired.keys():
            assert len([*self.home.list(f"{version}/")]) == 5


Releases.TestCase.settings = settings(
    max_examples=int(EXAMPLES or (150 if EVERY else 40)),
    stateful_step_count=30,
    deadline=None,
    derandomize=EXAMPLES is None,
    suppress_health_check=[*HealthCheck],
)
TestReleases = Releases.TestCase
