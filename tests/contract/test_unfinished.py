"""What uploads leave behind whose writer died: told, and removed, once it is old enough to belong to nobody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from emulators.addresses import Address, Kind, s3_client
from emulators.azurite import azurite
from emulators.fake_gcs import fake_gcs
from emulators.moto import moto
from emulators.process import Server
from emulators.seaweedfs import seaweedfs
from model_release.stores.base import Store
from model_release.stores.local import HIDDEN, LocalStore

SERVERS: dict[str, tuple[Kind, Callable[[], AbstractContextManager[Server]]]] = {
    "moto": ("s3", moto),
    "seaweedfs": ("s3", seaweedfs),
    "fake_gcs": ("gcs", fake_gcs),
    "azurite": ("azure", azurite),
}
DAY = timedelta(days=1)
"""On either side of now; a store's clock may be told to the second."""


def served(name: str) -> Iterator[Address]:
    kind, serve = SERVERS[name]
    with serve() as server:
        address = Address(kind, server.url, f"models-on-{name.replace('_', '-')}", "team/heart-disease-models")
        address.make_container()
        yield address


@pytest.fixture(scope="module", params=["moto", "seaweedfs"])
def s3(request: pytest.FixtureRequest) -> Iterator[Address]:
    yield from served(request.param)


def begin(address: Address, key: str) -> dict[str, str]:
    """Begin an upload in parts, send a part, and leave it."""
    client = s3_client(address.url)
    one = {"Bucket": address.container, "Key": key}
    one["UploadId"] = client.create_multipart_upload(**one)["UploadId"]
    client.upload_part(**one, PartNumber=1, Body=b"a part")
    return one


def told(store: Store, before: datetime, *, remove: bool = False) -> list[str]:
    return sorted(store.unfinished(before, remove=remove))


def test_parts_on_s3(s3: Address) -> None:
    store = s3.open()
    store.create("v1.0.0/model.onnx", b"an object")
    for key in ("v1.1.0/model.onnx", "v1.1.0/best_model.pkl"):
        begin(s3, f"{s3.prefix}/{key}")
    others = begin(s3, "team/another-model/model.onnx")
    now = store.now()
    left = ["v1.1.0/best_model.pkl", "v1.1.0/model.onnx"]
    if "moto" not in s3.container:  # moto says of every upload that it began in 2010
        assert told(store, now - DAY, remove=True) == [], "they may belong to a run that is under way"
    assert told(store, now + DAY) == left
    assert told(store, now + DAY) == left, "telling removes nothing"
    assert told(store, now + DAY, remove=True) == left
    assert told(store, now + DAY) == []
    assert [entry.key for entry in store.list()] == ["v1.0.0/model.onnx"]
    uploads = s3_client(s3.url).list_multipart_uploads(Bucket=s3.container)["Uploads"]
    assert [each["UploadId"] for each in uploads] == [others["UploadId"]], "another folder's are not ours"
    s3_client(s3.url).abort_multipart_upload(**others)


def test_an_upload_that_ends_meanwhile(s3: Address) -> None:
    """Its writer lives after all, and has ended it between the listing and the removal."""
    store = s3.open()
    one, two = (begin(s3, f"{s3.prefix}/v1.2.0/{name}") for name in ("a", "b"))
    going = store.unfinished(store.now() + DAY, remove=True)
    assert next(going) == "v1.2.0/a"
    s3_client(s3.url).abort_multipart_upload(**two)
    assert [*going] == ["v1.2.0/b"]
    assert one["Key"].endswith("a")
    assert told(store, store.now() + DAY) == []


def test_many_parts_on_s3(s3: Address) -> None:
    """More than one page of them."""
    store = s3.open()
    keys = [f"v2.0.0/{number}" for number in range(5)]
    for key in keys:
        begin(s3, f"{s3.prefix}/{key}")

    def two_at_a_time(params: dict[str, object], **_: object) -> None:
        params["MaxUploads"] = 2

    store._client.meta.events.register("before-parameter-build.s3.ListMultipartUploads", two_at_a_time)  # type: ignore[attr-defined]
    assert told(store, store.now() + DAY, remove=True) == keys
    assert told(store, store.now() + DAY) == []


def test_files_in_the_making(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    assert told(store, store.now() + DAY, remove=True) == [], "there is no folder yet"
    store.create("v1.0.0/claim.json", b"{}")
    for name in ("new-dead", "new-at-work"):
        (store.root / HIDDEN / name).write_bytes(b"half a mod")
    (store.root / HIDDEN / "lock").touch()
    old = (datetime.now(UTC) - 3 * DAY).timestamp()
    for name in ("new-dead", "lock"):
        os.utime(store.root / HIDDEN / name, (old, old))
    dead = [f"{HIDDEN}/new-dead"]
    assert told(store, store.now() - 4 * DAY, remove=True) == []
    assert told(store, store.now() - DAY) == told(store, store.now() - DAY, remove=True) == dead
    assert told(store, store.now() - DAY) == []
    left = sorted(path.name for path in (store.root / HIDDEN).iterdir())
    assert left == ["lock", "new-at-work"], "nobody's lock is taken away"
    assert [entry.key for entry in store.list()] == ["v1.0.0/claim.json"]


@pytest.mark.parametrize("name", ["fake_gcs", "azurite"])
def test_stores_that_drop_it_by_themselves(name: str) -> None:
    for address in served(name):
        store = address.open()
        store.create("v1.0.0/claim.json", b"{}")
        assert told(store, store.now() + DAY, remove=True) == []
        assert [entry.key for entry in store.list()] == ["v1.0.0/claim.json"]
