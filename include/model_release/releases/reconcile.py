"""The one healer: from home's current pointer it makes good whatever follows from it (rule 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from model_release.documents.pointer import Pointer
from model_release.errors import ModelReleaseError
from model_release.releases.catalog import read_pointer
from model_release.releases.pointer_cas import heal_log
from model_release.releases.promote import check_home, follow, refresh_latest
from model_release.stores.base import Store


@dataclass(frozen=True, slots=True)
class Follower:
    """A destination that is not home.

    Attributes:
        required: whether its failure is the run's; otherwise it lags behind, loudly, until it can be mended.
    """

    store: Store
    required: bool = True


@dataclass(slots=True)
class Reconciled:
    """What was found and done.

    Attributes:
        pointer: home's, which everything now follows; None where nothing was released yet.
        mended: what was made good, in words.
        lagging: the destinations that could not be brought up to date and are not required, in words.
    """

    pointer: Pointer | None
    mended: list[str] = field(default_factory=list)
    lagging: list[str] = field(default_factory=list)


def reconcile(home: Store, followers: Sequence[Follower] = ()) -> Reconciled:
    """Make good the log, the followers' pointers and every `latest/`.

    A look-up that fails is never taken for "missing": what cannot be read is not repaired. One destination that fails
    does not keep the others from being moved.

    Raises:
        ModelReleaseError: the first failure of home or of a required follower, after all others had their turn.
    """
    live = read_pointer(home)
    if live is None:
        return Reconciled(None)
    check_home(home, live.pointer)
    heal_log(home, live)
    done = Reconciled(live.pointer)
    failures: list[ModelReleaseError] = []
    for each in [Follower(home), *followers]:
        try:
            _catch_up(home, each.store, done.mended)
        except ModelReleaseError as error:
            if each.required:
                failures.append(error)
            else:
                done.lagging.append(f"{each.store.uri} lags behind: {error}")
    if failures:
        raise failures[0]
    return done


def _catch_up(home: Store, store: Store, mended: list[str]) -> None:
    given = follow(home, store) if store is not home else None
    if given is not None:
        mended.append(f"{store.uri}: latest.json moved to epoch {given.epoch} ({given.version})")
    paths = refresh_latest(store)
    if paths:
        mended.append(f"{store.uri}: latest/ renewed: {', '.join(paths)}")
