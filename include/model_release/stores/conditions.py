"""Whether a store honours conditional writes. One that ignores them lets two writers both win: refused (rule 4)."""

from __future__ import annotations

import uuid

from model_release.documents import layout
from model_release.errors import Refused
from model_release.stores.base import Lost, Store, Won


def check_conditions(store: Store) -> None:
    """Try, on an object of its own, that a second create and a stale replace are refused: five small requests.

    Raises:
        Refused: the store ignores conditions.
    """
    key = f"{layout.STAGING}/probe/{uuid.uuid4().hex}"
    first = store.create(key, b"1")
    try:
        if not isinstance(first, Won) or not isinstance(store.create(key, b"2"), Lost):
            raise _ignores(store, "overwrites an object that was to be created")
        second = store.replace(key, b"3", first.token)
        if not isinstance(second, Won) or not isinstance(store.replace(key, b"4", first.token), Lost):
            raise _ignores(store, "replaces an object that another writer has changed")
    finally:
        store.delete(key)


def _ignores(store: Store, how: str) -> Refused:
    return Refused(
        f"this store {how}: it ignores conditional writes, so two runs at once could both win",
        where=store.uri,
        hint="use a server that honours If-None-Match and If-Match on PUT, or a folder",
    )
