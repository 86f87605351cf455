"""The mirror on every cloud: pushed, pushed again for one request, pulled whole."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulators.clouds import BUCKET, Clouds, azure_service, clouds, gcs_client, s3_client
from emulators.seaweedfs import WRITER
from emulators.wire import Wire, wired
from mlruns_mirror.local import Source
from mlruns_mirror.pull import pull
from mlruns_mirror.push import push
from mlruns_mirror.unchanged import unchanged
from model_release.stores.azure.store import AzureStore
from model_release.stores.base import Store
from model_release.stores.gcs.store import GcsStore
from model_release.stores.reader.reader import Reader, open_reader
from model_release.stores.s3.store import S3Store
from support.local_mlruns import Local

PREFIX = "team/mlruns"


@pytest.fixture(scope="module")
def sky() -> Iterator[Clouds]:
    with clouds() as running:
        yield running


@pytest.fixture(params=["s3", "gcs", "azure"])
def store(request: pytest.FixtureRequest, sky: Clouds) -> Store:
    match request.param:
        case "s3":
            return S3Store(s3_client(sky.s3.url), BUCKET, PREFIX)
        case "gcs":
            return GcsStore(gcs_client(sky.gcs.url), BUCKET, PREFIX)
        case _:
            return AzureStore(azure_service(sky.azure).get_container_client(BUCKET), PREFIX)


def test_pushed_and_pulled(store: Store, tmp_path: Path) -> None:
    here = Local(tmp_path / "here", files=40)
    here.write("1/run0000/artifacts/large name.bin", "x" * 9_000_000)
    assert push(store, here.source).sent == 41
    here.run("more")
    here.write("1/run0000/artifacts/model.pkl", "changed")
    done = push(store, here.source)
    assert (done.sent, done.runs, done.files) == (2, 41, 42)
    pull(Reader(store.uri, "", lambda: store), tmp_path / "there")
    files = {path.relative_to(here.root): path.read_bytes() for path in here.root.rglob("*") if path.is_file()}
    there = tmp_path / "there" / "mlruns"
    assert {path.relative_to(there): path.read_bytes() for path in there.rglob("*") if path.is_file()} == files


@pytest.fixture
def wire(sky: Clouds, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A way to S3 on which requests are counted, as the environment names it."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", WRITER.access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", WRITER.secret)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull + "-none")
    with wired(sky.s3.url) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


@pytest.mark.parametrize("files", [10, 1000])
def test_nothing_new_is_one_request_on_the_wire(
    sky: Clouds, wire: Wire, tmp_path: Path, files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlruns_mirror.local._SETTLED_NS", 20_000_000)
    here = Local(tmp_path / "here")
    for number in range(files):
        here.write(f"1/run/artifacts/{number}", str(number))
    root = f"counted/{files}"
    time.sleep(0.03)
    push(S3Store(s3_client(sky.s3.url), BUCKET, root), here.source)
    wire.rest()
    done = unchanged(open_reader(f"s3://{BUCKET}/{root}"), Source(here.source.database, here.root))
    assert done is not None and done.files == files
    assert [each.line.split("?")[0] for each in wire.requests] == [f"GET /{BUCKET}/{root}/mirror.json"]
