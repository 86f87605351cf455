"""Pulls from every cloud, by the environment alone and by the SDK: in whole, from any byte, at one request a poll."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulators.addresses import Address, Kind
from emulators.azurite import azurite, connection_string
from emulators.fake_gcs import fake_gcs
from emulators.process import Server
from emulators.proxy import Proxy, proxied
from emulators.seaweedfs import WRITER, seaweedfs
from model_release import client
from model_release.errors import CredentialsRefused, NotFound
from model_release.stores.base import Store
from model_release.stores.reader import environment
from model_release.stores.reader.reader import PART, open_reader
from model_release.stores.uris import parse_here
from support.release_builder import Chain, make

SERVERS: dict[Kind, Callable[[], AbstractContextManager[Server]]] = {
    "s3": seaweedfs,
    "gcs": fake_gcs,
    "azure": azurite,
}
SCHEMES = {"s3": "s3", "gcs": "gs", "azure": "wasb"}
LARGE = os.urandom(3 * PART + 12_345)


@dataclass(frozen=True)
class Cloud:
    """A cloud with two releases, of which the first has a model in several parts.

    Attributes:
        uri: of the model's folder.
        store: the same, to write to.
        proxy: stands before the server.
        asked: the lines that began the requests.
    """

    kind: Kind
    uri: str
    store: Store
    proxy: Proxy
    asked: list[str]


@pytest.fixture(scope="module", params=list(SERVERS))
def server(request: pytest.FixtureRequest) -> Iterator[tuple[Kind, Server, Proxy]]:
    with SERVERS[request.param]() as started, proxied(started.url) as proxy:
        Address(request.param, started.url, "models", "").make_container()
        yield request.param, started, proxy


@pytest.fixture(scope="module")
def filled(server: tuple[Kind, Server, Proxy], tmp_path_factory: pytest.TempPathFactory) -> Store:
    kind, started, _ = server
    store = Address(kind, started.url, "models", "deep/heart-disease-models").open()
    folder = tmp_path_factory.mktemp("made")
    Chain(store).release(make(folder, "large", model=LARGE))
    Chain(store).release(make(folder, "small", since=1), since=1)
    return store


@pytest.fixture
def cloud(
    server: tuple[Kind, Server, Proxy], filled: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cloud]:
    kind, started, proxy = server
    lock, asked = threading.Lock(), list[str]()

    def note(request: bytes, answer: bytes) -> bytes:
        if answer.startswith(b"HTTP/1.1 "):
            with lock:
                asked.append(request.partition(b" HTTP")[0].decode() + " " + answer[9:12].decode())
        return answer

    proxy.spoil = note
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    for name, value in {
        "AWS_ACCESS_KEY_ID": WRITER.access,
        "AWS_SECRET_ACCESS_KEY": WRITER.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": proxy.url,
        "STORAGE_EMULATOR_HOST": proxy.url,
        "GOOGLE_CLOUD_PROJECT": "test",
        "AZURE_STORAGE_CONNECTION_STRING": connection_string(started).replace(started.url, proxy.url),
    }.items():
        monkeypatch.setenv(name, value)
    yield Cloud(kind, f"{SCHEMES[kind]}://models/deep/heart-disease-models", filled, proxy, asked)
    proxy.spoil = lambda _request, answer: answer


@pytest.fixture(params=["environment", "sdk"])
def way(request: pytest.FixtureRequest, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """By what the environment says, or as if it said too little."""
    if request.param == "sdk":
        monkeypatch.setitem(
            __import__("model_release.stores.reader.reader", fromlist=["_CLOUDS"])._CLOUDS,
            SCHEMES[cloud.kind],
            (cloud.kind, lambda _parts: None),
        )
    return str(request.param)


def test_a_pull(cloud: Cloud, way: str, tmp_path: Path) -> None:
    to = tmp_path / "to"
    assert client.pull(cloud.uri, to=to).changed
    large = client.pull(cloud.uri, to=to, version="v1.0.0")
    assert (large.folder / "best_model.pkl").read_bytes() == LARGE
    assert not client.pull(cloud.uri, to=to, version="v1.0.0").changed
    with pytest.raises(NotFound, match=r"no release v7.0.0"):
        client.pull(cloud.uri, to=to, version="v7.0.0")
    lists = [line for line in cloud.asked if "list-type" in line or "comp=list" in line or line.endswith("/o?")]
    assert lists == []


@pytest.mark.parametrize("start", [0, 1, PART, len(LARGE) - 1])
def test_from_any_byte(cloud: Cloud, way: str, tmp_path: Path, start: int) -> None:
    got = b"".join(open_reader(cloud.uri).read("v1.0.0/best_model.pkl", start, len(LARGE), tmp_path))
    assert got == LARGE[start:]


def test_an_unchanged_poll_is_one_request(cloud: Cloud, tmp_path: Path) -> None:
    watcher = client.Watcher(cloud.uri, tmp_path / "to")
    assert watcher.poll() is not None
    cloud.asked.clear()
    assert watcher.poll() is None
    assert len(cloud.asked) == 1
    assert cloud.asked[0].endswith("200" if cloud.kind == "gcs" else "304"), "fake-gcs ignores the condition"


def test_what_is_not_there_and_what_is_not_allowed(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match="no latest.json here"):
        client.pull(f"{cloud.uri}-not", to=tmp_path / "to")
    nowhere = cloud.uri.replace("//models/", "//nowhere/")
    with pytest.raises(NotFound, match="there is no (such )?(bucket|container)"):
        client.pull(nowhere, to=tmp_path / "to")
    if cloud.kind == "s3":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        with pytest.raises(CredentialsRefused, match="does not accept these credentials"):
            client.pull(cloud.uri, to=tmp_path / "to")


def test_profiles_are_the_sdks_to_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    config = tmp_path / "config"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    parts = parse_here("s3://models")
    assert environment.s3(parts) is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert environment.s3(parts) is not None
    config.write_text("[default]\nregion = eu-west-1\n")
    assert environment.s3(parts) is None
