"""The consumer's reader of pointers and manifests, and their own classes, accept and refuse the same documents.

The documents are those of real releases with one field removed or given another value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_release.client.promises import Promised, Resolved
from model_release.documents.manifest import AbandonedManifest, Manifest, read_manifest
from model_release.documents.pointer import Pointer
from model_release.errors import Corrupt, NotFound, UnknownFormat

GOLDEN = Path(__file__).parents[1] / "golden"
POINTERS = [json.loads(each.read_bytes()) for each in sorted(GOLDEN.glob("*/log/*.json"))]
MANIFESTS = [json.loads(each.read_bytes()) for each in sorted(GOLDEN.glob("*/v*/metadata.json"))]

READ_OF_POINTERS = {
    "format", "lineage", "ancestors", "epoch", "since", "data_as_of", "version", "metadata_sha256", "retired",
    "quarantined",
}  # fmt: skip
READ_OF_MANIFESTS = {"format", "version", "abandoned", "files"}
"""The fields that the consumer's reader checks as their class does. Of all others it takes what it can use."""

REMOVED = object()

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([10**9, 10**12, 10**18, 10**30, 1.0, 0.5]),
    st.sampled_from(["", "v1.0.0", "1.0.0", "v01.0.0", "v1.0", "2026-10-01", "20261001", "1600-01-01", "9999-12-31"]),
    st.sampled_from(["0" * 64, "A" * 64, "0" * 63, "../x", "a/../b", "CON", "best_model.pkl", "é"]),
)  # fmt: skip
objects = st.dictionaries(st.sampled_from("ab"), scalars, max_size=1)
values = st.one_of(st.just(REMOVED), scalars, st.lists(scalars, max_size=2), objects)


def places(document: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of each field and item of a JSON document, times apart: the consumer's reader uses none."""
    inner: Iterable[tuple[str | int, Any]] = ()
    if isinstance(document, dict):
        inner = document.items()
    elif isinstance(document, list):
        inner = enumerate(document)
    for key, value in inner:
        if key != "at":
            yield (*at, key)
            yield from places(value, (*at, key))


@st.composite
def altered(draw: st.DrawFn, documents: list[Any], fields: set[str]) -> Any:
    """A document with one of these fields, or something in it, removed or given another value."""
    document = json.loads(json.dumps(draw(st.sampled_from(documents))))
    place = draw(st.sampled_from([each for each in places(document) if each[0] in fields]))
    *way, last = place
    holder = document
    for each in way:
        holder = holder[each]
    value = draw(values)
    if value is REMOVED:
        del holder[last]
    else:
        holder[last] = value
    return document


def answer(read: Callable[..., Any], document: Any) -> Any:
    """Return what a reader makes of a document, or the class of the error that it raises."""
    try:
        return read(json.dumps(document).encode(), where="there")
    except (Corrupt, UnknownFormat, NotFound) as error:
        return type(error)


def agree_on_pointer(document: Any) -> None:
    short, whole = answer(Resolved.read, document), answer(Pointer.read, document)
    if isinstance(whole, Pointer):
        assert isinstance(short, Resolved), (short, document)
        assert (short.lineage, short.epoch, short.version) == (whole.lineage, whole.epoch, whole.version)
        assert (short.metadata_sha256, short.ancestors) == (whole.metadata_sha256, frozenset(whole.ancestors))
        assert short.barred.keys() == {*whole.quarantined, *map(str, whole.retired)}
    else:
        assert short is whole, (short, document)


def agree_on_manifest(document: Any) -> None:
    short, whole = answer(Promised.read, document), answer(read_manifest, document)
    if isinstance(whole, Manifest):
        assert isinstance(short, Promised), (short, document)
        assert short.version == whole.version
        assert [(each.path, each.size, each.sha256) for each in short.files] == [
            (each.path, each.size, each.sha256) for each in whole.files
        ]
    else:
        assert isinstance(short, type), (short, document)  # an error, whichever it is of a number that was given up
        assert not isinstance(whole, AbandonedManifest) or short is NotFound


@pytest.mark.parametrize("document", POINTERS)
def test_real_pointers(document: Any) -> None:
    agree_on_pointer(document)


@pytest.mark.parametrize("document", MANIFESTS)
def test_real_manifests(document: Any) -> None:
    agree_on_manifest(document)


@given(altered(POINTERS, READ_OF_POINTERS))
def test_altered_pointers(document: Any) -> None:
    agree_on_pointer(document)


@given(altered(MANIFESTS, READ_OF_MANIFESTS))
def test_altered_manifests(document: Any) -> None:
    agree_on_manifest(document)
