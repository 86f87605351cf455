"""What is special about Azure Blob Storage, beside the suite of every store. Azurite stands for the service."""

from __future__ import annotations

import hashlib
import socket
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    ContentSettings,
    generate_container_sas,
)

from contract.cloud_suite import CloudSuite, spoil
from emulators.azurite import ACCOUNT, KEY, azurite, connection_string
from emulators.process import HOST, Server, free_ports
from emulators.proxy import Proxy
from model_release.errors import (
    Contended,
    Corrupt,
    CredentialsRefused,
    ModelReleaseError,
    NotFound,
    OutcomeUnknown,
    Refused,
    StoreUnavailable,
    UsageError,
)
from model_release.spec.transfer import TransferSettings
from model_release.stores.azure.fast import _signing
from model_release.stores.azure.store import PART, SHA256_OF_PARTS, AzureStore, open_default
from model_release.stores.base import NO_STORE, Lost, Won
from support.foreign_names import FOREIGN_NAMES, check_foreign_names

QUICK = TransferSettings(connect_timeout=0.5, read_timeout=0.5, deadline=3.0, attempts=3)
PREFIX = "team/heart-disease-models"


def container_of(url: str, name: str, credential: str = KEY) -> ContainerClient:
    return ContainerClient(f"{url}/{ACCOUNT}", name, credential=credential)


def sas(container: str, *, hours: int = 1, **permissions: bool) -> str:
    return generate_container_sas(
        ACCOUNT,
        container,
        KEY,
        permission=ContainerSasPermissions(**permissions),
        expiry=datetime.now(UTC) + timedelta(hours=hours),
    )


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with azurite() as running:
        yield running


@pytest.fixture
def container(server: Server) -> str:
    name = f"models-{uuid.uuid4().hex[:12]}"
    container_of(server.url, name).create_container()
    return name


@pytest.fixture
def any_store(server: Server, container: str) -> AzureStore:
    return AzureStore(container_of(server.url, container), PREFIX)


@pytest.fixture
def store(proxy: Proxy, container: str) -> AzureStore:
    """A store whose answers a test may spoil."""
    return AzureStore(container_of(proxy.url, container), PREFIX, settings=QUICK)


@pytest.fixture
def raw(server: Server, container: str) -> ContainerClient:
    """The same container through the plain SDK."""
    return container_of(server.url, container)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * (2 * PART // 256) + b"and a little more")
    return path


def test_names_that_others_gave_are_read(
    server: Server, container: str, any_store: AzureStore, raw: ContainerClient, tmp_path: Path
) -> None:
    for name in FOREIGN_NAMES:
        raw.upload_blob(f"{PREFIX}/{name}", name.encode())
    others = AzureStore(container_of(server.url, container), PREFIX, settings=TransferSettings().for_reading())
    check_foreign_names(any_store, others, tmp_path)


def answering(status: int, code: str = "InternalError", date: datetime | None = None) -> bytes:
    """An answer in the service's form."""
    stamp = (date or datetime.now(UTC)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    head = f"HTTP/1.1 {status} No\r\nx-ms-error-code: {code}\r\nDate: {stamp}\r\nContent-Length: 0\r\n\r\n"
    return head.encode()


@pytest.fixture
def ignored() -> set[str]:
    """Azurite looks at every condition."""
    return set()


class TestAzure(CloudSuite):
    """The suite; the race for one blob is shorter, because Azurite is slow at it."""

    creates = "PUT"
    throttled: ClassVar = [(503, "ServerBusy"), (429, "TooManyRequests")]
    told = "fewer requests.*{status} {code}"
    answering = staticmethod(answering)

    @staticmethod
    def outage(status: int) -> bytes:
        return answering(status, "InternalError" if status == 500 else "Unavailable")

    def test_racing_swaps_lose_no_change(self, any_store: AzureStore) -> None:  # type: ignore[override]
        any_store.create("counter", b"0")

        def add(times: int) -> None:
            while times:
                stored = any_store.get("counter")
                assert stored is not None
                more = str(int(stored.body) + 1).encode()
                times -= isinstance(any_store.replace("counter", more, stored.token), Won)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(add, [5] * 16))
        stored = any_store.get("counter")
        assert stored is not None
        assert stored.body == b"80"


def test_memory_does_not_grow_with_the_file(any_store: AzureStore, tmp_path: Path) -> None:
    any_store = AzureStore(any_store._container, PREFIX, settings=TransferSettings(workers=2))
    source, target = tmp_path / "source", tmp_path / "target"
    peaks = []
    for parts in (8, 16):
        with source.open("wb") as file:
            file.truncate(parts * PART)
        tracemalloc.start()
        try:
            any_store.upload("key", source)
            any_store.download("key", target)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert target.stat().st_size == parts * PART
    assert peaks[1] < 1.2 * peaks[0]


def test_a_damaged_or_cut_download(
    store: AzureStore, proxy: Proxy, big: Path, tmp_path: Path, raw: ContainerClient
) -> None:
    store.create("key", b"precious bytes")
    store.upload("big", big)
    md5 = hashlib.md5(big.read_bytes(), usedforsecurity=False).digest()
    raw.upload_blob(f"{PREFIX}/other", big.read_bytes(), content_settings=ContentSettings(content_md5=bytearray(md5)))
    store.download("other", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == big.read_bytes(), "a blob of another tool"
    proxy.spoil = lambda _, answer: answer.replace(b"precious", b"spoiled!")
    with pytest.raises(Corrupt, match="checksum"):
        store.get("key")
    with pytest.raises(Corrupt, match="checksum"):
        store.download("key", tmp_path / "target")
    proxy.spoil = lambda _, answer: answer.replace(b"and a little more", b"and a little less")
    for large in ("big", "other"):
        with pytest.raises(Corrupt, match="checksum"):
            store.download(large, tmp_path / "target")
    proxy.spoil = lambda request, answer: None if b"-ms-range" in request and answer.find(b"HTTP/1.1") else answer
    with pytest.raises(StoreUnavailable):
        store.download("big", tmp_path / "target")
    assert not (tmp_path / "target").exists(), "nothing wrong is left behind"


def test_a_blob_replaced_while_it_is_read(
    store: AzureStore, proxy: Proxy, big: Path, tmp_path: Path, raw: ContainerClient
) -> None:
    store.upload("big", big)
    changed: list[bool] = []

    def change(request: bytes, answer: bytes) -> bytes:
        if b"-ms-range" in request and not changed:
            changed.append(True)
            raw.upload_blob(f"{PREFIX}/big", b"y", overwrite=True)
        return answer

    proxy.spoil = change
    with pytest.raises(StoreUnavailable, match="replaced while it was read"):
        store.download("big", tmp_path / "target")


def test_a_file_that_is_damaged_on_the_quick_way_is_read_again(store: AzureStore, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious bytes")
    store.upload("file", tmp_path / "file")
    spoiled: list[bytes] = []

    def once(_: bytes, answer: bytes) -> bytes:
        if b"precious" in answer and not spoiled:
            spoiled.append(answer)
            return answer.replace(b"precious", b"spoiled!")
        return answer

    proxy.spoil = once
    store.download("file", tmp_path / "target")
    assert spoiled
    assert (tmp_path / "target").read_bytes() == b"precious bytes"
    assert store._fast._requests is None, "the SDK gets all further requests"


def test_who_has_a_quick_way(server: Server, container: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    readers = {
        "a key": container_of(server.url, container),
        "a SAS": container_of(server.url, container, sas(container, read=True, write=True, create=True)),
        "a hook's": BlobServiceClient(f"{server.url}/{ACCOUNT}", credential=KEY).get_container_client(container),
    }
    for number, (name, reader) in enumerate(readers.items()):
        store = AzureStore(reader, PREFIX)
        store.upload("file", tmp_path / "file")
        body = store._fast.get(f"{PREFIX}/file", PART)
        assert body is not None, name
        store.download("file", tmp_path / f"target{number}")
        assert store._fast._requests is not None, name
    others = {
        "nobody": ContainerClient(f"{server.url}/{ACCOUNT}", container),
        "a proxy": ContainerClient(
            f"{server.url}/{ACCOUNT}", container, credential=KEY, proxies={"http": "http://127.0.0.1:9"}
        ),
        "authorities": ContainerClient(f"{server.url}/{ACCOUNT}", container, credential=KEY, connection_verify="/ca"),
        "no account": ContainerClient("https://models.example", container, credential=sas(container, read=True)),
    }
    for name, other in others.items():
        assert AzureStore(other, PREFIX)._fast._requests is None, name


def test_a_token_of_the_client_signs_the_quick_way() -> None:
    class Tokens:
        def get_token(self, *scopes: str, **_: object) -> AccessToken:
            assert scopes == ("https://storage.azure.com/.default",)
            return AccessToken("token", 2_000_000_000)

    assert _signing(Tokens(), "")() == {"token": "token", "expires_at": datetime.fromtimestamp(2_000_000_000, UTC)}


def test_uploads_at_once_do_not_mix(any_store: AzureStore, tmp_path: Path) -> None:
    sources = []
    for letter in b"ab":
        sources.append(tmp_path / f"source-{letter}")
        sources[-1].write_bytes(bytes([letter]) * (PART + 1))

    def upload(source: Path) -> bool:
        try:
            any_store.upload("key", source)
        except Contended:
            return False
        return True

    for _ in range(3):
        with ThreadPoolExecutor(2) as pool:
            assert any(pool.map(upload, sources))
        any_store.download("key", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() in [each.read_bytes() for each in sources]


def test_a_missing_container(server: Server, tmp_path: Path) -> None:
    store = AzureStore(container_of(server.url, "no-such-container"), PREFIX)
    (tmp_path / "file").write_bytes(b"x")
    calls: list[Callable[[], object]] = [
        lambda: store.get("key"),
        lambda: store.create("key", b"x"),
        lambda: store.upload("key", tmp_path / "file"),
        lambda: store.download("key", tmp_path / "target"),
        lambda: store.copy("key", "other"),
        lambda: store.delete("key"),
        lambda: [*store.list()],
    ]
    for call in calls:
        with pytest.raises(NotFound, match=f"wasb://no-such-container@{ACCOUNT}: there is no such container"):
            call()


def test_permissions(server: Server, container: str, any_store: AzureStore, tmp_path: Path) -> None:
    any_store.create("key", b"x")
    (tmp_path / "file").write_bytes(b"x")
    reader_sas = sas(container, read=True)
    reader = AzureStore(container_of(server.url, container, reader_sas), PREFIX)
    assert reader.get("key") is not None
    reader.download("key", tmp_path / "target")
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: reader.create("key", b"y"), "create and write"),
        (lambda: reader.upload("key", tmp_path / "file"), "create and write"),
        (lambda: reader.delete("key"), "delete"),
        (lambda: [*reader.list()], "list"),
        (lambda: AzureStore(container_of(server.url, container, "AAAA")).get("key"), "read"),
        (
            lambda: AzureStore(container_of(server.url, container, sas(container, hours=-1, read=True))).get("key"),
            "read",
        ),
    ]
    for call, permission in refused:
        with pytest.raises(CredentialsRefused, match=f"let it {permission} blobs") as caught:
            call()
        assert KEY not in str(caught.value)
        assert "sig=" not in str(caught.value)
    creator = AzureStore(container_of(server.url, container, sas(container, create=True)), PREFIX)
    assert isinstance(creator.create("other", b"x"), Won)
    assert "sig" not in reader.uri


def test_what_the_service_refuses(store: AzureStore, proxy: Proxy) -> None:
    answers: list[tuple[int, str, type[ModelReleaseError], str]] = [
        (403, "AuthorizationFailure", CredentialsRefused, "firewall"),
        (403, "KeyBasedAuthenticationNotPermitted", CredentialsRefused, "KeyBased"),
        (409, "BlobImmutableDueToPolicy", Refused, "protects"),
        (412, "LeaseIdMissing", Refused, "lease"),
        (400, "InvalidHeaderValue", UsageError, "storage_class"),
        (400, "Md5Mismatch", Corrupt, "sent"),
        (400, "InvalidBlockList", Contended, "another upload"),
    ]
    for status, code, kind, word in answers:
        spoil(proxy, "PUT", answering(status, code))
        with pytest.raises(kind, match=word) as caught:
            store.create("key", b"x")
        assert f"{store.uri}/key" in str(caught.value)
    spoil(proxy, "PUT", answering(403, "UnauthorizedBlobOverwrite"))
    assert isinstance(store.create("key", b"x"), Lost)
    spoil(proxy, "PUT", answering(403, "AuthenticationFailed", datetime.now(UTC) - timedelta(hours=1)))
    with pytest.raises(Refused, match="clock is 60 minutes ahead of"):
        store.create("key", b"x")


def test_dead_endpoints() -> None:
    with socket.create_server((HOST, 0)) as silent:
        for port in (free_ports(1)[0], silent.getsockname()[1]):
            secret = sas("models", read=True)
            store = AzureStore(container_of(f"http://{HOST}:{port}", "models", secret), settings=QUICK)
            calls: list[Callable[[], object]] = [
                lambda store=store: store.get("key"),  # type: ignore[misc]
                lambda store=store: [*store.list()],  # type: ignore[misc]
                lambda store=store: store.now(),  # type: ignore[misc]
                lambda store=store: store.create("key", b"x"),  # type: ignore[misc]
            ]
            for call in calls:
                began = time.monotonic()
                with pytest.raises((StoreUnavailable, OutcomeUnknown), match=f"{HOST}:{port} .*after") as caught:
                    call()
                assert time.monotonic() - began < QUICK.deadline + 0.5
                assert "sig=" not in str(caught.value)
                assert caught.value.__cause__ is None
                assert caught.value.__suppress_context__


def test_settings_reach_the_service(server: Server, container: str, raw: ContainerClient, tmp_path: Path) -> None:
    settings = TransferSettings(tags={"team": "heart"}, storage_class="cool")
    store = AzureStore(container_of(server.url, container), PREFIX, settings=settings)
    store.create("key", b"{}", content_type="application/json", cache_control=NO_STORE)
    (tmp_path / "file").write_bytes(b"x" * (PART + 1))
    store.upload("file", tmp_path / "file", content_type="text/html")
    store.copy("file", "latest/file", cache_control=NO_STORE)
    for name in ("key", "file", "latest/file"):
        blob = raw.get_blob_client(f"{PREFIX}/{name}")
        assert blob.get_blob_tags() == {"team": "heart"}, name
        assert blob.get_blob_properties().blob_tier == "Cool", name
    pointer, copy = (raw.get_blob_client(f"{PREFIX}/{name}").get_blob_properties() for name in ("key", "latest/file"))
    for found, content_type in ((pointer, "application/json"), (copy, "text/html")):
        assert found.content_settings.content_type == content_type
        assert found.content_settings.cache_control == NO_STORE
    assert SHA256_OF_PARTS in copy.metadata, "a copy keeps the checksum"
    store.download("latest/file", tmp_path / "target")
    for wrong in (
        TransferSettings(sse="AES256"),
        TransferSettings(kms_key="k"),
        TransferSettings(storage_class="Archive"),
    ):
        with pytest.raises(UsageError, match="setting|access tier"):
            AzureStore(container_of(server.url, container), settings=wrong)


def test_encryption_scope(server: Server, container: str, tmp_path: Path, raw: ContainerClient) -> None:
    sent: list[Any] = []
    client = ContainerClient(
        f"{server.url}/{ACCOUNT}", container, credential=KEY, raw_request_hook=lambda each: sent.append(each)
    )
    store = AzureStore(client, PREFIX, settings=TransferSettings(encryption_scope="heart"))
    (tmp_path / "file").write_bytes(b"x" * (PART + 1))
    store.create("key", b"x")
    store.upload("file", tmp_path / "file", content_type="text/html")
    store.copy("file", "latest/file", cache_control=NO_STORE)
    writes = [each.http_request for each in sent if each.http_request.method == "PUT"]
    assert len(writes) == 7
    assert {each.headers.get("x-ms-encryption-scope") for each in writes} == {"heart"}
    copy = raw.get_blob_client(f"{PREFIX}/latest/file").get_blob_properties()
    assert (copy.size, copy.content_settings.content_type) == (PART + 1, "text/html")
    assert copy.content_settings.cache_control == NO_STORE


def test_listing_pages(server: Server, container: str, any_store: AzureStore) -> None:
    keys = [f"log/{number:012d}.json" for number in range(7)]
    for key in keys:
        any_store.create(key, b"x")
    paged = AzureStore(container_of(server.url, container), PREFIX)
    listed = paged._container.list_blobs
    paged._container.list_blobs = lambda **options: listed(**options, results_per_page=3)  # type: ignore[method-assign]
    assert [each.key for each in paged.list("log/")] == keys


def test_open_default(server: Server, container: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection_string(server))
    store = open_default(f"wasb://{container}/{PREFIX}", QUICK)
    assert store.uri == f"wasb://{container}@{ACCOUNT}/{PREFIX}"
    assert isinstance(store.create("key", b"x"), Won)
    with pytest.raises(UsageError, match="connection of Airflow"):
        open_default(f"wasb://conn@{container}/{PREFIX}", QUICK)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"secret {KEY}")
    with pytest.raises(UsageError, match="not a connection string") as caught:
        open_default(f"wasb://{container}", QUICK)
    assert KEY not in str(caught.value)
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    with pytest.raises(UsageError, match="which storage account"):
        open_default(f"wasb://{container}", QUICK)
    named = open_default(f"wasb://{container}@heart.blob.core.windows.net/{PREFIX}", QUICK)
    assert named.uri == f"wasb://{container}@heart/{PREFIX}"
