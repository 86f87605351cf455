"""Which models lie near a URI: for a URI that is mistyped by a letter, or that lies inside another model's folder."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from urllib.parse import urlsplit, urlunsplit

from model_release.documents import layout
from model_release.errors import ModelReleaseError, NoModel, Refused
from model_release.stores import open_store
from model_release.stores.base import Store
from model_release.stores.local import LocalStore

LISTED = 2_000
"""Objects of the folder above that are listed at most."""

SIMILAR = 0.8


def check_new(uri: str, *, new: bool) -> None:
    """Check a folder in which a model is to be released for the first time.

    Args:
        uri: of the folder.
        new: whether a person has said that a new model begins there, whatever other names are similar.

    Raises:
        Refused: it lies inside the folder of another model, or a model of a similar name is beside it.
    """
    for above in _above(uri):
        if _is_model(above):
            raise Refused("lies inside the folder of a model", where=uri, hint=f"did you mean {above}?")
    similar = near(uri)
    if similar and not new:
        raise Refused(
            f"nothing was ever released here, and {' and '.join(similar)} is beside it",
            where=uri,
            hint=f"did you mean {similar[0]}? --new begins another model",
        )


def with_names(error: NoModel) -> NoModel:
    """Return the error of a folder without a model with the names of models that are near."""
    similar = near(error.where) if error.where else []
    return NoModel(error.what, where=error.where, hint=f"did you mean {similar[0]}?") if similar else error


def near(uri: str) -> list[str]:
    """Return the URIs of models beside `uri` whose names are similar, the most similar one first."""
    above = next(_above(uri), None)
    if above is None:
        return []
    name, names = layout.folder_name(uri), set[str]()
    with suppress(ModelReleaseError):
        names = {each for each in _models(open_store(above)) if each != name}
    return [_joined(above, each) for each in difflib.get_close_matches(name, sorted(names), n=3, cutoff=SIMILAR)]


def _is_model(uri: str) -> bool:
    with suppress(ModelReleaseError):  # a folder above that this identity may not read
        return open_store(uri).get(layout.POINTER) is not None
    return False


def _models(store: Store) -> Iterator[str]:
    """Yield the names of the folders that have a pointer. Of a bucket, its first objects are listed."""
    if isinstance(store, LocalStore):  # a listing would walk through the whole tree
        if store.root.is_dir():
            yield from (each.name for each in store.root.iterdir() if (each / layout.POINTER).is_file())
        return
    for entry in islice(store.list(), LISTED):
        name, _, path = entry.key.partition("/")
        if path == layout.POINTER:
            yield name


def _above(uri: str) -> Iterator[str]:
    """Yield the URIs of the folders above, nearest first; a bucket itself is the last one."""
    parts = urlsplit(uri)
    path = parts.path.rstrip("/")
    while "/" in path:
        path = path.rpartition("/")[0]
        if path or parts.netloc:
            yield urlunsplit(parts._replace(path=path))


def _joined(uri: str, name: str) -> str:
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(path=f"{parts.path}/{name}"))
