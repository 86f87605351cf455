"""Putting one object back from wherever its right bytes lie.

A version's objects are written once, and buckets may demand that by policy. So a wrong one is first removed, and that
only while its right bytes are in hand, checked; then it is created where there is none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from model_release.errors import Corrupt, NotFound
from model_release.releases.catalog import fetch, matches
from model_release.releases.doctor.findings import Copies, Part
from model_release.releases.publish import content_type
from model_release.stores.base import Store
from model_release.stores.create_once import create_exactly


def restore(store: Store, part: Part) -> None:
    """Put an object right. Killed anywhere and run again, it ends the same.

    Raises:
        Corrupt: no copy has the right bytes, or what was written does not read back as they are; or another writer has
            put something else there meanwhile.
        NotFound: no copy is there any more.
    """
    if isinstance(part.good, bytes):
        _restore_document(store, part.key, part.good)
    else:
        _restore_file(store, part.key, part.good)


def _restore_document(store: Store, key: str, good: bytes) -> None:
    found = store.get(key)
    if found is not None and found.body != good:
        store.delete(key)
    create_exactly(store, key, good)


def _restore_file(store: Store, key: str, copies: Copies) -> None:
    if matches(store, key, copies.entry):
        return
    with tempfile.TemporaryDirectory(prefix="model-release-") as folder:
        path = Path(folder) / "file"
        _fetch_first(copies, path)
        store.delete(key)
        store.upload(key, path, content_type=content_type(key), new=True)
    fetch(store, key, copies.entry, None)


def _fetch_first(copies: Copies, path: Path) -> None:
    """Fetch the first copy that is right; what the last one lacks is told if none is."""
    for store, key in copies.places[:-1]:
        try:
            fetch(store, key, copies.entry, path)
        except (NotFound, Corrupt):
            continue
        return
    store, key = copies.places[-1]
    fetch(store, key, copies.entry, path)
