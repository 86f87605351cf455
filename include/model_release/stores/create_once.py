"""Writing an object once: create-only, and safe to repeat after a lost answer."""

from __future__ import annotations

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from model_release.documents.base import JSON_TYPE
from model_release.errors import Corrupt, OutcomeUnknown, StoreUnavailable
from model_release.stores.base import Store, Won

ATTEMPTS = 4

RESEND = Retrying(
    retry=retry_if_exception_type(OutcomeUnknown),
    stop=stop_after_attempt(ATTEMPTS),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
"""Sends the identical request again while its answers are lost; then `OutcomeUnknown` stands."""


def create_once(store: Store, key: str, body: bytes, *, content_type: str = JSON_TYPE) -> bytes:
    """Create an object, or return the bytes of the one that was there first.

    An answer that was lost needs no special care here: sent again, the same body is either created or found.

    Returns:
        The bytes under the key, for ever: `body`, or another writer's.

    Raises:
        OutcomeUnknown: every answer was lost; it may be there.
        StoreUnavailable: the store refused the object as existing, then did not have it.
    """
    outcome = RESEND.copy()(store.create, key, body, content_type=content_type)
    if isinstance(outcome, Won):
        return body
    there = store.get(key)
    if there is None:
        raise StoreUnavailable(
            "the store says that the object exists and does not have it",
            where=f"{store.uri}/{key}",
            hint="if it stays so, a person at the store removes what has its name and is no object",
        )
    return there.body


def create_exactly(store: Store, key: str, body: bytes, *, content_type: str = JSON_TYPE) -> None:
    """Create an object that no other writer may have written with other bytes.

    Raises:
        Corrupt: the object exists with other bytes.
    """
    if create_once(store, key, body, content_type=content_type) != body:
        raise Corrupt(
            "another writer has put different bytes here",
            where=f"{store.uri}/{key}",
            hint="two histories share this folder; compare the two before anything is repaired",
        )
