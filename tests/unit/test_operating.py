"""What a person asks for, as the form's tasks do it: looked at, done once, spread, said in words; or refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model_release.documents.manifest import Manifest
from model_release.documents.version import Version
from model_release.errors import NotFound, Refused, UsageError
from model_release.releases.catalog import live_pointer, read_pointer
from model_release.releases.request import Action, Request
from model_release.releases.store import Follower
from model_release.workflows import operate
from model_release.workflows.destinations import Destinations
from model_release.workflows.messages import Looked, OperateOutcome
from model_release.workflows.operate import Operation
from support.memory_store import MemoryStore
from support.release_builder import Chain, make

FIRST, SECOND, THIRD = (Version(1, minor, 0) for minor in range(3))
Ask = Callable[..., Operation]


@pytest.fixture
def follower() -> MemoryStore:
    return MemoryStore("memory://follower/heart-disease-models")


@pytest.fixture
def ask(memory: MemoryStore, follower: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """A request of ann's, of which every made-up release is one that loads."""

    def loads(_folder: Path, _manifest: Manifest) -> None:
        return None

    monkeypatch.setattr(operate, "tries", loads)

    def one(action: str, *, operation: str = "one", asked: datetime | None = None, **facts: Any) -> Operation:
        facts = {"by": "ann", "reason": "it is worse on Mondays", **facts}
        request = Request(action=Action(action), operation=operation, asked=asked or datetime.now(UTC), **facts)
        return Operation(Destinations(memory, [Follower(follower)]), request)

    return one


@pytest.fixture
def chain(memory: MemoryStore, follower: MemoryStore, tmp_path: Path) -> Chain:
    """Two releases one after the other, and a third that is published only."""
    chain = Chain(memory, [follower])
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    chain.publish(make(tmp_path, "c", since=2))
    return chain


def done(operation: Operation) -> OperateOutcome:
    return operation.reconcile(operation.act(operation.look()))


@pytest.mark.usefixtures("chain")
def test_a_rollback_reaches_every_destination_and_says_what_it_did(
    ask: Ask, memory: MemoryStore, follower: MemoryStore
) -> None:
    assert ask("rollback").look() == Looked(live=SECOND, epoch=2, held=[], seen=2)
    outcome = done(ask("rollback"))
    assert outcome.summary == (
        "latest went back from v1.1.0, now in quarantine, to v1.0.0, and is held there (epoch 3)"
    )
    assert (str(outcome.live), outcome.epoch, outcome.lagging) == ("v1.0.0", 3, [])
    pointer = live_pointer(memory)
    assert (pointer.version, pointer.change.by, pointer.change.reason) == (FIRST, "ann", "it is worse on Mondays")
    assert live_pointer(follower) == pointer


@pytest.mark.usefixtures("chain")
def test_each_action_in_turn_in_words(ask: Ask, memory: MemoryStore) -> None:
    said = [
        done(ask(action, operation=f"{number}", version=version, unopened=unopened)).summary
        for number, (action, version, unopened) in enumerate(
            [
                ("hold", None, False),
                ("unhold", None, False),
                ("quarantine", FIRST, False),
                ("lift", FIRST, False),
                ("promote", THIRD, False),
                ("rollback", FIRST, True),
            ]
        )
    ]
    assert said == [
        "latest is held at v1.1.0: runs publish and do not promote (epoch 3)",
        "latest is not held at v1.1.0 any more: the next run may move it (epoch 4)",
        "v1.0.0 is in quarantine and will not be live; v1.1.0 is (epoch 5)",
        "v1.0.0 is out of quarantine; v1.1.0 is live (epoch 6)",
        "v1.2.0 is live, after v1.1.0 (epoch 7)",
        "latest went back from v1.2.0, now in quarantine, to v1.0.0, and is held there (epoch 8)",
    ]
    assert live_pointer(memory).epoch == 8


@pytest.mark.usefixtures("chain")
def test_a_task_that_is_retried_does_not_do_it_twice(ask: Ask, memory: MemoryStore) -> None:
    operation = ask("rollback")
    looked = operation.look()
    first, again = operation.act(looked), operation.act(looked)
    assert (first.repeated, again.repeated) == (False, True)
    assert again.summary == f"{first.summary}; an earlier attempt of this run had done it"
    assert live_pointer(memory).epoch == 3


@pytest.mark.usefixtures("chain")
def test_a_run_that_is_cleared_finds_what_it_did_although_others_acted_since(ask: Ask, memory: MemoryStore) -> None:
    asked = datetime.now(UTC)
    done(ask("rollback", asked=asked))
    done(ask("unhold", operation="two"))
    again = ask("rollback", asked=asked)
    assert again.look().seen == 2
    assert again.act(again.look()).repeated
    assert live_pointer(memory).epoch == 4


@pytest.mark.usefixtures("chain")
def test_a_second_click_is_refused(ask: Ask, memory: MemoryStore) -> None:
    asked = datetime.now(UTC)
    done(ask("rollback", operation="click", asked=asked))
    second = ask("rollback", operation="clack", asked=asked + timedelta(microseconds=1))
    with pytest.raises(Refused, match="moved from epoch 2 to 3 .*: rollback by ann, now v1.0.0 is live"):
        done(second)
    assert live_pointer(memory).epoch == 3


@pytest.mark.usefixtures("chain")
def test_who_names_an_epoch_acts_on_that_one_only(ask: Ask, memory: MemoryStore) -> None:
    with pytest.raises(Refused, match="moved from epoch 1 to 2"):
        done(ask("hold", epoch=1))
    done(ask("hold", epoch=2))
    assert live_pointer(memory).epoch == 3


def test_a_first_release_after_the_request_is_a_move_too(ask: Ask, memory: MemoryStore, tmp_path: Path) -> None:
    early = ask("rollback", asked=datetime.now(UTC))
    with pytest.raises(NotFound, match="nothing was ever released"):
        early.act(early.look())
    looked = early.look()
    Chain(memory).release(make(tmp_path, "a"))
    for seen in (looked, early.look()):
        assert seen.seen == 0
        with pytest.raises(Refused, match="moved from epoch 0 to 1"):
            early.act(seen)


def test_a_published_version_is_promoted_where_nothing_is_live(ask: Ask, memory: MemoryStore, tmp_path: Path) -> None:
    Chain(memory).publish(make(tmp_path, "a"))
    assert done(ask("promote", version=FIRST)).summary == "v1.0.0 is live (epoch 1)"


def test_a_first_release_is_verified_as_well(ask: Ask, memory: MemoryStore, tmp_path: Path) -> None:
    Chain(memory).publish(make(tmp_path, "a"))
    memory.delete("v1.0.0/best_model.pkl")
    with pytest.raises(NotFound, match="no such object"):
        done(ask("promote", version=FIRST))
    assert read_pointer(memory) is None


@pytest.mark.usefixtures("chain")
def test_what_does_not_load_becomes_live_only_by_overruling(
    ask: Ask, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_folder: Path, manifest: Manifest) -> None:
        raise Refused(f"no form of {manifest.version} loads here")

    monkeypatch.setattr(operate, "tries", refuses)
    for wish in (ask("rollback"), ask("promote", version=THIRD), ask("promote", version=THIRD, overrule=True)):
        with pytest.raises(Refused, match="loads here"):
            done(wish)
    assert live_pointer(memory).epoch == 2
    assert str(done(ask("rollback", unopened=True)).live) == "v1.0.0"


@pytest.mark.parametrize(
    ("action", "facts", "words"),
    [
        ("rollback", {"reason": " "}, "no reason is given"),
        ("promote", {}, "promote: no version is given"),
        ("quarantine", {}, "quarantine: no version is given"),
        ("lift", {}, "lift: no version is given"),
        ("hold", {"version": FIRST}, "whatever version is live, and v1.0.0 is given"),
        ("unhold", {"version": FIRST}, "actions about a version: rollback, promote, quarantine, lift"),
        ("hold", {"overrule": True}, "hold has nothing to overrule"),
        ("rollback", {"overrule": True}, "rollback has nothing to overrule"),
        ("quarantine", {"version": FIRST, "unopened": True}, "quarantine opens nothing"),
    ],
)
def test_a_request_without_sense_is_refused_whatever_is_live(
    ask: Ask, action: str, facts: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        ask(action, **facts)


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize(
    ("action", "version", "error", "words"),
    [
        ("rollback", SECOND, Refused, "v1.1.0 is live already"),
        ("rollback", Version(9, 9, 9), NotFound, "no release v9.9.9"),
        ("promote", FIRST, Refused, "was not accepted against what is live"),
        ("unhold", None, Refused, "latest is not held"),
        ("quarantine", SECOND, Refused, "v1.1.0 is live"),
        ("lift", FIRST, Refused, "v1.0.0 is not in quarantine"),
    ],
)
def test_the_impossible_is_refused_and_changes_nothing(
    ask: Ask, memory: MemoryStore, action: str, version: Version | None, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        done(ask(action, version=version))
    assert live_pointer(memory).epoch == 2


@pytest.mark.usefixtures("chain")
def test_consumers_are_told_of_what_is_live_now_and_of_nothing_else(ask: Ask) -> None:
    operation = ask("rollback")
    known = operation.destinations.announcement(None)
    assert known is not None
    done(ask("hold", operation="hold"))
    assert operation.destinations.announcement(known.model_dump(mode="json")) is None
    done(ask("rollback"))
    news = operation.destinations.announcement(known.model_dump(mode="json"))
    assert news is not None
    assert (str(news.version), news.since) == ("v1.0.0", 4)
