"""What each verb of a store costs on the wire, in requests. A request more than these is one that nobody asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from emulators.azurite import connection_string
from emulators.clouds import BUCKET, Clouds, clouds, gcs_client, s3_client
from emulators.wire import wired
from model_release.stores.azure.store import AzureStore
from model_release.stores.base import Store
from model_release.stores.gcs.store import GcsStore
from model_release.stores.s3.store import S3Store

PREFIX = "counted/heart-disease-models"
KINDS = ("s3", "gcs", "azure")


@pytest.fixture(scope="module")
def sky() -> Iterator[Clouds]:
    with clouds() as running:
        yield running


def through(sky: Clouds, kind: str, url: str) -> Store:
    match kind:
        case "s3":
            return S3Store(s3_client(url), BUCKET, PREFIX)
        case "gcs":
            return GcsStore(gcs_client(url), BUCKET, PREFIX)
        case _:
            text = connection_string(sky.azure).replace(sky.azure.url, url)
            return AzureStore(BlobServiceClient.from_connection_string(text).get_container_client(BUCKET), PREFIX)


def url_of(sky: Clouds, kind: str) -> str:
    return str({"s3": sky.s3, "gcs": sky.gcs, "azure": sky.azure}[kind].url)


Verb = Callable[[Store, Path], Any]
VERBS: dict[str, Verb] = {
    "get": lambda store, _: store.get("there"),
    "get what is missing": lambda store, _: store.get("missing"),
    "create": lambda store, _: store.create("new", b"x"),
    "create what is there": lambda store, _: store.create("there", b"x"),
    "replace": lambda store, _: store.replace("there", b"y", "of no state"),
    "upload": lambda store, folder: store.upload("uploaded", folder / "there"),
    "download": lambda store, folder: store.download("there", folder / "target"),
    "copy": lambda store, _: store.copy("there", "copied"),
    "list": lambda store, _: [*store.list()],
    "delete": lambda store, _: store.delete("new"),
    "now": lambda store, _: store.now(),
}
ONE = {
    "s3": dict.fromkeys(VERBS, "PUT") | {"get": "GET", "get what is missing": "GET", "download": "GET", "list": "GET"},
    "gcs": dict.fromkeys(VERBS, "POST") | {"get": "GET", "download": "GET", "list": "GET", "now": "GET"},
}
ONE["azure"] = ONE["s3"] = ONE["s3"] | {"delete": "DELETE", "now": "HEAD"}
ONE["gcs"] |= {"delete": "DELETE"}

MORE = {("gcs", "get what is missing"): ["GET", "GET"]}
"""The second asks whether the bucket is there, once for each store: Google answers the same for both."""


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_verb_costs_its_requests_and_no_other(sky: Clouds, kind: str, verb: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"there")
    plain = through(sky, kind, url_of(sky, kind))
    plain.upload("there", tmp_path / "there")
    plain.delete("new")
    if verb == "delete":
        plain.create("new", b"x")
    with wired(url_of(sky, kind)) as wire:
        VERBS[verb](through(sky, kind, wire.url), tmp_path)
        time.sleep(0.3)  # an SDK that asks in the background has asked by then
        sent = [each.line.partition(" ")[0] for each in wire.requests]
    assert sent == MORE.get((kind, verb), [ONE[kind].get(verb)])
