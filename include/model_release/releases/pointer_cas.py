"""The one way in which the pointer changes: compare-and-swap, log made good first, lost answers settled (rule 4)."""

from __future__ import annotations

from collections.abc import Callable

from model_release.documents import layout
from model_release.documents.base import JSON_TYPE
from model_release.documents.pointer import Pointer
from model_release.errors import Contended
from model_release.releases.catalog import Live, logged, read_pointer, still_logged
from model_release.releases.store import ReleaseStore
from model_release.stores.base import NO_STORE, Outcome, Store, Won
from model_release.stores.create_once import RESEND, create_exactly

ATTEMPTS = 50
"""How often one change may lose against others before it says so."""


def move(releases: ReleaseStore, decide: Callable[[Pointer | None], Pointer | None]) -> Pointer | None:
    """Change the pointer.

    Args:
        releases: of the model.
        decide: takes the pointer as it is (None: there is none) and returns the next one, or None to leave it. It is
            asked again, with the newer pointer, whenever another writer was faster. It raises what it will not do.

    Returns:
        The pointer after the change, or as it is where nothing was to change.

    Raises:
        Contended: others won every time.
        OutcomeUnknown: the answers were lost; the change may have happened. The same call again settles it.
    """
    for _ in range(ATTEMPTS):
        live = releases.pointer()
        if live is not None:
            heal_log(releases.home, live)
        proposed = decide(live.pointer if live else None)
        if proposed is None:
            return live.pointer if live else None
        if swap(releases.home, proposed, live.token if live else None):
            heal_log(releases.home, Live(proposed, "", proposed.to_bytes()))
            return proposed
    raise Contended(
        f"lost {ATTEMPTS} races for the pointer",
        where=f"{releases.uri}/{layout.POINTER}",
        hint="try again later",
    )


def heal_log(store: Store, live: Live) -> None:
    """Make sure that the log has the pointer as it is at this epoch.

    Raises:
        Corrupt: the log has another history.
    """
    create_exactly(store, layout.log_entry(live.pointer.epoch), live.body)


def write(store: Store, body: bytes, token: str | None) -> Outcome:
    """Send one conditional write of the pointer, the identical one again while its answer is lost."""
    if token is None:
        return RESEND.copy()(store.create, layout.POINTER, body, content_type=JSON_TYPE, cache_control=NO_STORE)
    return RESEND.copy()(store.replace, layout.POINTER, body, token, content_type=JSON_TYPE, cache_control=NO_STORE)


def swap(store: Store, proposed: Pointer, token: str | None) -> bool:
    """Replace the pointer in the state that `token` names (None: there is none), and return whether that was done."""
    outcome = write(store, proposed.to_bytes(), token)
    # A refusal may be the answer to our own earlier request, whose answer was lost here or inside an SDK.
    return isinstance(outcome, Won) or _was_mine(store, proposed)


def _was_mine(store: Store, proposed: Pointer) -> bool:
    current = read_pointer(store)
    if current is None:
        return False
    if current.pointer.epoch <= proposed.epoch:
        return current.pointer.write_id == proposed.write_id
    if current.pointer.lineage != proposed.lineage:  # a recovery may have passed over this epoch
        entry = still_logged(store, proposed.epoch)
        return entry is not None and entry.write_id == proposed.write_id
    # Whoever moved on has made this entry good before.
    return logged(store, proposed.epoch).write_id == proposed.write_id
