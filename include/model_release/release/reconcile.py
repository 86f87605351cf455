"""The one healer: from home's current pointer it makes good whatever follows from it (rule 11)."""

from __future__ import annotations

from collections.abc import Sequence

from model_release.pointer import Pointer
from model_release.release.catalog import read_pointer
from model_release.release.promote import check_home, follow, refresh_latest
from model_release.release.swap import heal_log
from model_release.stores.base import Store


def reconcile(home: Store, followers: Sequence[Store] = ()) -> tuple[Pointer | None, list[str]]:
    """Make good the log, the followers' pointers and every `latest/`.

    A look-up that fails stops it: what cannot be read is not repaired.

    Returns:
        The pointer that everything now follows (None: nothing was released yet), and what was mended, in words.
    """
    live = read_pointer(home)
    if live is None:
        return None, []
    check_home(home, live.pointer)
    heal_log(home, live)
    mended = []
    for follower in followers:
        given = follow(home, follower)
        if given is not None:
            mended.append(f"{follower.uri}: latest.json moved to epoch {given.epoch} ({given.version})")
    for store in [home, *followers]:
        paths = refresh_latest(store)
        if paths:
            mended.append(f"{store.uri}: latest/ renewed: {', '.join(paths)}")
    return live.pointer, mended
