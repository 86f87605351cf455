"""The one healer: from home's current pointer it makes good whatever follows from it (rule 11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from model_release.documents.pointer import Pointer
from model_release.errors import ModelReleaseError
from model_release.releases.fill import fill
from model_release.releases.pointer_cas import heal_log
from model_release.releases.promote import check_beginning, check_home, follow, refresh_latest
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Store


@dataclass(slots=True)
class Reconciled:
    """What was found and done.

    Attributes:
        pointer: home's, which every destination now follows; None if nothing was released yet.
        mended: what was made good, in words.
        lagging: the destinations that could not be brought up to date, in words.
        complete: whether home and every required follower are up to date.
    """

    pointer: Pointer | None
    mended: list[str] = field(default_factory=list)
    lagging: list[str] = field(default_factory=list)
    complete: bool = True


def reconcile(
    releases: ReleaseStore, *, waits: bool = True, tell: Callable[[str], None] = lambda _words: None
) -> Reconciled:
    """Make good the log, the followers' pointers and every `latest/`.

    A look-up that fails is never taken for "missing": an object that cannot be read is not repaired. One destination
    that fails does not keep the others from being moved.

    Args:
        releases: of the model.
        waits: whether a failure of home or of a required follower is raised. After a person's act, which is done once
            home's pointer has moved, it is reported instead, like that of any other follower.
        tell: called with a word about each earlier version that a new follower is given.

    Raises:
        Refused: the pointer is missing, and something speaks of one that was there.
        ModelReleaseError: the first failure of home or of a required follower, after all others had their turn; or the
            log has another history.
    """
    live = releases.pointer()
    if live is None:
        check_beginning(releases)
        return Reconciled(None)
    check_home(releases, live.pointer)
    heal_log(releases.home, live)
    done = Reconciled(live.pointer)
    failures: list[ModelReleaseError] = []
    for each in [Follower(releases.home), *releases.followers]:
        try:
            _catch_up(releases, each.store, done, tell)
        except ModelReleaseError as error:
            failures += [error] if each.required else []
            done.lagging.append(f"{each.store.uri} lags behind: {error}")
    if failures and waits:
        raise failures[0]
    done.complete = not failures
    return done


def _catch_up(releases: ReleaseStore, store: Store, done: Reconciled, tell: Callable[[str], None]) -> None:
    def begin(pointer: Pointer) -> None:
        done.lagging += fill(releases, store, pointer, tell=tell)

    given = follow(releases, store, begin=begin) if store is not releases.home else None
    if given is not None:
        done.mended.append(f"{store.uri}: latest.json moved to epoch {given.epoch} ({given.version})")
    paths = refresh_latest(store)
    if paths:
        done.mended.append(f"{store.uri}: latest/ renewed: {', '.join(paths)}")
