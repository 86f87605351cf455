"""The one healer: from home's current pointer it makes good whatever follows from it (rule 11)."""

from __future__ import annotations

from dataclasses import dataclass, field

from model_release.documents.pointer import Pointer
from model_release.errors import ModelReleaseError
from model_release.releases.pointer_cas import heal_log
from model_release.releases.promote import check_home, follow, refresh_latest
from model_release.releases.store import Follower, ReleaseStore
from model_release.stores.base import Store


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


def reconcile(releases: ReleaseStore) -> Reconciled:
    """Make good the log, the followers' pointers and every `latest/`.

    A look-up that fails is never taken for "missing": what cannot be read is not repaired. One destination that fails
    does not keep the others from being moved.

    Raises:
        ModelReleaseError: the first failure of home or of a required follower, after all others had their turn.
    """
    live = releases.pointer()
    if live is None:
        return Reconciled(None)
    check_home(releases, live.pointer)
    heal_log(releases.home, live)
    done = Reconciled(live.pointer)
    failures: list[ModelReleaseError] = []
    for each in [Follower(releases.home), *releases.followers]:
        try:
            _catch_up(releases, each.store, done.mended)
        except ModelReleaseError as error:
            if each.required:
                failures.append(error)
            else:
                done.lagging.append(f"{each.store.uri} lags behind: {error}")
    if failures:
        raise failures[0]
    return done


def _catch_up(releases: ReleaseStore, store: Store, mended: list[str]) -> None:
    given = follow(releases, store) if store is not releases.home else None
    if given is not None:
        mended.append(f"{store.uri}: latest.json moved to epoch {given.epoch} ({given.version})")
    paths = refresh_latest(store)
    if paths:
        mended.append(f"{store.uri}: latest/ renewed: {', '.join(paths)}")
