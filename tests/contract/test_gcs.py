"""What is special about Google Cloud Storage, beside the suite of every store. The service is fake-gcs-server."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest
from google.api_core.retry import Retry
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import RefreshError
from google.cloud import storage

from contract.cloud_suite import CloudSuite, spoil
from emulators.fake_gcs import fake_gcs
from emulators.process import HOST, Server, free_ports
from emulators.proxy import Proxy, proxied
from emulators.served import served
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
from model_release.stores.base import NO_STORE, Won
from model_release.stores.gcs.errors import fault_of, unauthenticated
from model_release.stores.gcs.resumable import send
from model_release.stores.gcs.store import PART, GcsStore, open_default
from support.foreign_names import FOREIGN_NAMES, check_foreign_names

QUICK = TransferSettings(connect_timeout=0.5, read_timeout=0.5, deadline=3.0, attempts=3)
PREFIX = "team/heart-disease-models"


def client_of(url: str) -> Any:
    anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
    return storage.Client("project", anonymous, client_options={"api_endpoint": url})


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with fake_gcs() as running:
        yield running


@pytest.fixture
def bucket(server: Server) -> str:
    name = f"models-{uuid.uuid4().hex[:12]}"
    client_of(server.url).create_bucket(name)
    return name


@pytest.fixture
def any_store(server: Server, bucket: str) -> GcsStore:
    return GcsStore(client_of(server.url), bucket, PREFIX)


@pytest.fixture
def store(proxy: Proxy, bucket: str) -> GcsStore:
    """A store whose answers a test may spoil."""
    return GcsStore(client_of(proxy.url), bucket, PREFIX, settings=QUICK)


@pytest.fixture
def raw(server: Server, bucket: str) -> Any:
    """The same bucket through the plain SDK."""
    return client_of(server.url).bucket(bucket)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * (2 * PART // 256) + b"and a little more")
    return path


def test_names_that_others_gave_are_read(server: Server, any_store: GcsStore, raw: Any, tmp_path: Path) -> None:
    for name in FOREIGN_NAMES:
        raw.blob(f"{PREFIX}/{name}").upload_from_string(name)
    others = GcsStore(client_of(server.url), raw.name, PREFIX, settings=TransferSettings().for_reading())
    check_foreign_names(any_store, others, tmp_path)


def answering(status: int, reason: str = "backendError") -> bytes:
    """An answer in the service's form."""
    body = json.dumps({"error": {"code": status, "message": "no", "errors": [{"reason": reason}]}}).encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.fixture
def ignored() -> set[str]:
    """fake-gcs-server looks at conditions of uploads in one request alone."""
    return {"copy", "large upload"}


class TestGcs(CloudSuite):
    """The suite."""

    creates = "POST"
    throttled: ClassVar = [(429, "rateLimitExceeded"), (403, "userRateLimitExceeded")]
    told = "fewer requests.*{status}"
    answering = staticmethod(answering)
    outage = staticmethod(answering)


def test_memory_does_not_grow_with_the_file(any_store: GcsStore, tmp_path: Path) -> None:
    any_store = GcsStore(any_store._client, any_store._bucket.name, PREFIX, settings=TransferSettings(workers=2))
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        file.truncate(8 * PART)
    any_store.upload("warm", source)
    tracemalloc.start()
    try:
        any_store.upload("key", source)
        any_store.download("key", target)
        assert tracemalloc.get_traced_memory()[1] < 6 * PART
    finally:
        tracemalloc.stop()
    assert target.stat().st_size == 8 * PART


class Session(BaseHTTPRequestHandler):
    """A resumable upload as the service documents it, cut off twice; fake-gcs-server takes a question for the end."""

    arrived = bytearray()
    requests: ClassVar[list[str]] = []
    cuts: ClassVar[list[int]] = []

    def do_PUT(self) -> None:  # noqa: N802 - the base class's name
        asked = self.headers["Content-Range"]
        self.requests.append(asked)
        if not asked.startswith("bytes */"):
            assert asked.startswith(f"bytes {len(self.arrived)}-")
            length = int(self.headers["Content-Length"])
            self.arrived += self.rfile.read(self.cuts.pop(0) if self.cuts else length)
            if asked.endswith(f"/{len(self.arrived)}") and not self.cuts:
                self.answer(200, b'{"crc32c": "told"}')
            else:
                self.connection.close()
        else:
            self.answer(308, b"", {"Range": f"bytes=0-{len(self.arrived) - 1}"} if self.arrived else {})

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_a_large_upload_goes_on_from_where_it_was_cut_off(any_store: GcsStore, big: Path) -> None:
    Session.cuts = [0, PART, PART // 2]
    with served(Session) as url, big.open("rb") as file:
        tries = Retry(predicate=lambda error: fault_of(error) is not None, initial=0.01, timeout=3)
        told = send(
            any_store._session,
            f"{url}/session",
            file,
            big.stat().st_size,
            {},
            timeouts=(1, 1),
            patient=tries,
        )
    assert told == {"crc32c": "told"}
    assert bytes(Session.arrived) == big.read_bytes()
    assert len([each for each in Session.requests if each.startswith("bytes */")]) == 3


def test_a_damaged_or_cut_download(
    store: GcsStore, any_store: GcsStore, proxy: Proxy, big: Path, tmp_path: Path
) -> None:
    store.create("key", b"precious bytes")
    any_store.upload("big", big)
    proxy.spoil = lambda _, answer: answer.replace(b"precious", b"spoiled!")
    with pytest.raises(Corrupt, match="checksum"):
        store.get("key")
    with pytest.raises(Corrupt, match="checksum"):
        store.download("key", tmp_path / "target")
    proxy.spoil = lambda _, answer: answer.replace(b"and a little more", b"and a little less")
    with pytest.raises(Corrupt, match="checksum"):
        store.download("big", tmp_path / "target")
    proxy.spoil = lambda request, answer: None if b"Range" in request and answer.find(b"HTTP/1.1") else answer
    with pytest.raises(StoreUnavailable):
        store.download("big", tmp_path / "target")
    assert not (tmp_path / "target").exists(), "nothing wrong is left behind"


def test_a_missing_bucket(server: Server, tmp_path: Path) -> None:
    store = GcsStore(client_of(server.url), "no-such-bucket", PREFIX)
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
        with pytest.raises(NotFound, match="gs://no-such-bucket: there is no such bucket"):
            call()


def test_what_the_service_refuses(store: GcsStore, proxy: Proxy) -> None:
    answers: list[tuple[int, str, type[ModelReleaseError], str]] = [
        (403, "forbidden", CredentialsRefused, "storage.objects.create"),
        (403, "retentionPolicyNotMet", Refused, "retention"),
        (400, "invalid", UsageError, "storage_class"),
        (409, "conflict", Contended, "another request"),
    ]
    for status, reason, kind, word in answers:
        spoil(proxy, "POST", answering(status, reason))
        with pytest.raises(kind, match=word) as caught:
            store.create("key", b"x")
        assert f"{store.uri}/key" in str(caught.value)


def test_credentials_that_give_no_token() -> None:
    refused: Any = RefreshError
    skewed = refused("no", {"error": "invalid_grant", "error_description": "check your iat and exp values"})
    assert isinstance(unauthenticated(skewed, "gs://b"), Refused)
    revoked = refused("no", {"error": "invalid_grant", "error_description": "account not found"})
    assert isinstance(unauthenticated(revoked, "gs://b"), CredentialsRefused)


def test_dead_endpoints(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as silent:
        for port in (free_ports(1)[0], silent.getsockname()[1]):
            store = GcsStore(client_of(f"http://{HOST}:{port}"), "bucket", settings=QUICK)
            calls: list[Callable[[], object]] = [
                lambda store=store: store.get("key"),  # type: ignore[misc]
                lambda store=store: [*store.list()],  # type: ignore[misc]
                lambda store=store: store.now(),  # type: ignore[misc]
                lambda store=store: store.create("key", b"x"),  # type: ignore[misc]
            ]
            for call in calls:
                began = time.monotonic()
                with pytest.raises((StoreUnavailable, OutcomeUnknown), match=f"{HOST}:{port} .*after"):
                    call()
                assert time.monotonic() - began < QUICK.deadline + 0.5


def test_no_secret_in_an_error(store: GcsStore, proxy: Proxy, big: Path) -> None:
    """The address of a resumable upload is a permission to write."""
    secrets: list[str] = []

    def change(request: bytes, answer: bytes) -> bytes | None:
        if request.startswith(b"PUT"):
            secrets.append(request.split(b"upload_id=")[1].split()[0].split(b"&")[0].decode())
            return answering(403, "forbidden")
        return answer

    proxy.spoil = change
    with pytest.raises(CredentialsRefused) as caught:
        store.upload("big", big)
    assert secrets
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert not [each for each in secrets if each in str(caught.value)]


def test_settings_reach_the_service(server: Server, bucket: str, raw: Any, tmp_path: Path) -> None:
    key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
    settings = TransferSettings(tags={"team": "heart"}, storage_class="NEARLINE", kms_key=key)
    with proxied(server.url) as proxy:
        seen = spoil(proxy, "-")
        store = GcsStore(client_of(proxy.url), bucket, PREFIX, settings=settings)
        store.create("key", b"{}", content_type="application/json", cache_control=NO_STORE)
        (tmp_path / "file").write_bytes(b"x" * (PART + 1))
        store.upload("file", tmp_path / "file", content_type="text/html")
        store.copy("file", "latest/file", cache_control=NO_STORE)
    written = [each for each in seen if each.startswith("POST")]
    assert len(written) == 3
    assert all("ryptoKeys%2Fk" in each or "ryptoKeys/k" in each for each in written), written
    assert not [each for each in written if "Acl" in each], "uniform bucket-level access refuses ACLs"
    for name in ("key", "file"):
        blob = raw.get_blob(f"{PREFIX}/{name}")
        assert blob.metadata == {"team": "heart"}
    assert raw.get_blob(f"{PREFIX}/key").storage_class == "NEARLINE"  # forgotten by resumable uploads and copies
    pointer, copy = raw.get_blob(f"{PREFIX}/key"), raw.get_blob(f"{PREFIX}/latest/file")
    assert (pointer.content_type, pointer.cache_control) == ("application/json", NO_STORE)
    assert (copy.content_type, copy.cache_control, copy.metadata) == ("text/html", NO_STORE, {"team": "heart"})
    for settings in (TransferSettings(sse="AES256"), TransferSettings(encryption_scope="scope")):
        with pytest.raises(UsageError, match="has no setting"):
            GcsStore(client_of(server.url), bucket, settings=settings)


def test_listing_pages(any_store: GcsStore, raw: Any) -> None:
    raw.blob(f"{PREFIX}/folder/").upload_from_string(b"")
    keys = [f"log/{number:012d}.json" for number in range(1005)]
    for key in keys:
        raw.blob(f"{PREFIX}/{key}").upload_from_string(b"")
    assert [each.key for each in any_store.list("")] == keys


def test_open_default(server: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    store = open_default(f"gs://{bucket}/{PREFIX}", QUICK)
    assert store.uri == f"gs://{bucket}/{PREFIX}"
    assert isinstance(store.create("key", b"x"), Won)
    with pytest.raises(UsageError, match="connection of Airflow"):
        open_default(f"gs://conn@{bucket}/{PREFIX}", QUICK)
