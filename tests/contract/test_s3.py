"""What is special about S3, beside the suite of every store: SeaweedFS judges, moto is the fast one."""

from __future__ import annotations

import hashlib
import io
import socket
import threading
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ConnectTimeoutError, ProxyConnectionError

from contract.test_store import TestStore as Suite
from emulators.moto import moto
from emulators.process import HOST, Server, free_ports
from emulators.proxy import proxied
from emulators.seaweedfs import READER, WRITER, Keys, seaweedfs
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
from model_release.stores.base import NO_STORE, Lost, Won
from model_release.stores.create_once import create_once
from model_release.stores.faults import Asked
from model_release.stores.s3 import multipart
from model_release.stores.s3 import store as s3
from model_release.stores.s3.errors import Effect, effect_of, translate
from model_release.stores.s3.multipart import PART, base64_of
from model_release.stores.s3.store import S3Store, client_config, open_default
from support.foreign_names import FOREIGN_NAMES, check_foreign_names

QUICK = TransferSettings(connect_timeout=0.5, read_timeout=0.5, deadline=2.0, attempts=3)
PREFIX = "team/heart-disease-models"


def client_of(url: str, keys: Keys = WRITER, settings: TransferSettings | None = None) -> Any:
    """A client for an emulator, made as a hook's would be."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=keys.access,
        aws_secret_access_key=keys.secret,
        region_name="us-east-1",
        config=client_config(settings or TransferSettings(), path_style=True),
    )


def new_bucket(url: str) -> str:
    bucket = f"models-{uuid.uuid4().hex[:12]}"
    client_of(url).create_bucket(Bucket=bucket)
    return bucket


@pytest.fixture(scope="session")
def weed() -> Iterator[Server]:
    with seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def fast() -> Iterator[Server]:
    with moto() as server:
        yield server


@pytest.fixture
def bucket(weed: Server) -> str:
    return new_bucket(weed.url)


@pytest.fixture
def store(weed: Server, bucket: str) -> S3Store:
    return S3Store(client_of(weed.url), bucket, PREFIX)


def by_the_sdk(store: S3Store) -> S3Store:
    """Take the store's quick way from it, so that the SDK sends every request."""
    store._fast._requests = None
    return store


@pytest.fixture(params=["weed", "fast", "weed by the SDK"])
def any_store(request: pytest.FixtureRequest) -> S3Store:
    name, _, slow = request.param.partition(" ")
    server: Server = request.getfixturevalue(name)
    store = S3Store(client_of(server.url), new_bucket(server.url), PREFIX)
    return by_the_sdk(store) if slow else store


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file of three parts."""
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * (2 * PART // 256) + b"and a little more")
    return path


@pytest.fixture
def ignored(any_store: S3Store, request: pytest.FixtureRequest) -> set[str]:
    """SeaweedFS looks at every condition, moto not at that of a copy."""
    return {"copy"} if "fast" in request.node.callspec.params["any_store"] else set()


def test_names_that_others_gave_are_read(any_store: S3Store, tmp_path: Path) -> None:
    for name in FOREIGN_NAMES:
        any_store._client.put_object(Bucket=any_store._bucket, Key=any_store._root + name, Body=name.encode())
    settings = TransferSettings().for_reading()
    others = S3Store(any_store._client, any_store._bucket, PREFIX, settings=settings)
    check_foreign_names(any_store, by_the_sdk(others) if any_store._fast._requests is None else others, tmp_path)


class TestS3(Suite):
    """The suite; races are shorter, because SeaweedFS lets a contended write wait for seconds."""

    def test_racing_creators_have_one_winner(self, any_store: S3Store) -> None:  # type: ignore[override]
        start = threading.Barrier(16)

        def race(me: int, key: str) -> bool:
            start.wait()
            return isinstance(any_store.create(key, str(me).encode()), Won)

        with ThreadPoolExecutor(16) as pool:
            for turn in range(2):
                won = [*pool.map(race, range(16), [f"race/{turn}"] * 16)]
                stored = any_store.get(f"race/{turn}")
                assert won.count(True) == 1
                assert stored is not None
                assert stored.body == str(won.index(True)).encode()

    def test_racing_swaps_lose_no_change(self, any_store: S3Store) -> None:  # type: ignore[override]
        any_store.create("counter", b"0")

        def add(times: int) -> None:
            while times:
                stored = any_store.get("counter")
                assert stored is not None
                more = str(int(stored.body) + 1).encode()
                times -= isinstance(any_store.replace("counter", more, stored.token), Won)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(add, [4] * 16))
        stored = any_store.get("counter")
        assert stored is not None
        assert stored.body == b"64"


class Wire:
    """Counts a client's requests, and answers some of them in the service's place."""

    def __init__(self, client: Any) -> None:
        self.sent: list[Any] = []
        self.answers: list[tuple[str, int, str]] = []
        client.meta.events.register("before-send.s3.*", self._send)

    def answer(self, operation: str, status: int, code: str, *, times: int = 1) -> None:
        self.answers += [(operation, status, code)] * times

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.sent]

    def _send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        name = event_name.rpartition(".")[2]
        self.sent.append((name, request))
        for given in self.answers:
            operation, status, code = given
            if operation == name:
                self.answers.remove(given)
                body = f"<Error><Code>{code}</Code><Message>as told</Message></Error>" if status >= 300 else ""
                headers = {
                    "ETag": '"as-told"',
                    "Date": "Sat, 21 Nov 2026 02:00:00 GMT",
                    "Content-Length": str(len(body)),
                }
                return AWSResponse(request.url, status, headers, Raw(body.encode()))
        return None


class Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def listening() -> tuple[str, Wire, S3Store]:
    """A store whose every request is answered by the test: nothing is behind it."""
    client = client_of(f"http://{HOST}:9", settings=QUICK)
    return f"http://{HOST}:9", Wire(client), S3Store(client, "models", PREFIX, settings=QUICK)


def test_a_large_file_travels_in_parts_that_are_checked(any_store: S3Store, big: Path, tmp_path: Path) -> None:
    wire = Wire(any_store._client)
    quick = any_store._fast._requests is not None
    any_store.upload("v1.0.0/big", big, cache_control=NO_STORE, content_type="application/x-big")
    assert sorted(wire.operations) == [
        *("CompleteMultipartUpload", "CreateMultipartUpload"),
        *("UploadPart", "UploadPart", "UploadPart"),
    ]
    head = any_store._client.head_object(Bucket=any_store._bucket, Key=f"{PREFIX}/v1.0.0/big", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"]
    assert head["Metadata"] == {"model-release-part-size": str(PART)}
    assert (head["CacheControl"], head["ContentType"]) == (NO_STORE, "application/x-big")
    wire.sent.clear()
    any_store.download("v1.0.0/big", tmp_path / "target")
    assert wire.operations.count("GetObject") == (1 if quick else 4)
    assert (any_store._fast._requests is not None) == quick, "the quick way was good enough to the end"
    assert (tmp_path / "target").read_bytes() == big.read_bytes()


def test_a_copy_keeps_what_the_source_had(any_store: S3Store, big: Path, tmp_path: Path) -> None:
    any_store.upload("v1.0.0/big", big, content_type="application/x-big")
    for key, cache_control in (("plain", ""), ("latest/big", NO_STORE)):
        any_store.copy("v1.0.0/big", key, cache_control=cache_control)
        head = any_store._client.head_object(Bucket=any_store._bucket, Key=f"{PREFIX}/{key}")
        assert (head.get("CacheControl", ""), head["ContentType"]) == (cache_control, "application/x-big")
        any_store.download(key, tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == big.read_bytes()


def test_what_is_too_large_for_one_copy_is_copied_in_parts(
    any_store: S3Store, big: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "COPY_LIMIT", PART)
    monkeypatch.setattr(multipart, "_COPY_PART", PART)
    any_store.upload("v1.0.0/big", big, content_type="application/x-big")
    wire = Wire(any_store._client)
    wire.answer("CopyObject", 400, "InvalidRequest")
    any_store.copy("v1.0.0/big", "copied")
    assert wire.operations.count("UploadPartCopy") == 3
    any_store.download("copied", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == big.read_bytes()


def test_memory_does_not_grow_with_the_file(store: S3Store, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    peaks = []
    slim = S3Store(store._client, store._bucket, PREFIX, settings=TransferSettings(workers=2))
    for path, parts in ((small, 3), (large, 6)):
        path.write_bytes(bytes(PART) * parts)
        tracemalloc.start()
        slim.upload("file", path)
        slim.download("file", tmp_path / "target")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + PART


def test_the_number_of_requests(store: S3Store, tmp_path: Path) -> None:
    wire = Wire(by_the_sdk(store)._client)
    (tmp_path / "file").write_bytes(b"x")
    won = store.create("key", b"one")
    assert isinstance(won, Won)
    store.replace("key", b"two", won.token)
    store.get("key")
    store.copy("key", "copied")
    store.upload("file", tmp_path / "file")
    store.download("file", tmp_path / "target")
    store.delete("key")
    store.now()
    expected = [
        "PutObject",
        "PutObject",
        "GetObject",
        "CopyObject",
        "PutObject",
        "GetObject",
        "DeleteObject",
        "HeadBucket",
    ]
    assert wire.operations == expected


def test_listing_goes_over_all_pages(any_store: S3Store) -> None:
    def two_at_a_time(params: dict[str, Any], **_: Any) -> None:
        params["MaxKeys"] = 2

    any_store._client.meta.events.register("before-parameter-build.s3.ListObjectsV2", two_at_a_time)
    keys = [f"v1.{number}.0/metadata.json" for number in range(5)]
    for key in reversed(keys):
        any_store.create(key, b"x")
    wire = Wire(any_store._client)
    assert [entry.key for entry in any_store.list("v")] == keys
    assert len(wire.operations) == 3


def test_what_the_console_calls_a_folder_is_no_object(store: S3Store) -> None:
    store.create("latest/x", b"x")
    store._client.put_object(Bucket=store._bucket, Key=store._root + "latest/")
    assert [entry.key for entry in store.list()] == ["latest/x"]


@pytest.mark.parametrize("large", [False, True])
def test_a_download_that_was_changed_on_the_way_is_refused(
    weed: Server, bucket: str, big: Path, tmp_path: Path, large: bool
) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"trustworthy " * 3000)
    path = big if large else path
    S3Store(client_of(weed.url), bucket, PREFIX).upload("file", path)
    before, after = (b"little more", b"little less") if large else (b"trustworthy", b"untrustable")

    def change(_request: bytes, answer: bytes) -> bytes:
        return answer.replace(before, after)

    with proxied(weed.url) as proxy:
        proxy.spoil = change
        through = S3Store(client_of(proxy.url), bucket, PREFIX)
        with pytest.raises(Corrupt, match="file"):
            through.download("file", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_download_that_is_cut_short_is_no_download(weed: Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    S3Store(client_of(weed.url), bucket, PREFIX).upload("file", tmp_path / "file")
    with proxied(weed.url) as proxy:
        passed = 0

        def cut(_request: bytes, answer: bytes) -> bytes | None:
            nonlocal passed
            passed += len(answer)
            return answer if passed < 1_000_000 else None

        proxy.spoil = cut
        through = S3Store(client_of(proxy.url, settings=QUICK), bucket, PREFIX, settings=QUICK)
        with pytest.raises((Corrupt, StoreUnavailable)):
            through.download("file", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_lost_answer_is_unknown_and_settled_by_sending_again(weed: Server, bucket: str, at_once: None) -> None:
    direct = S3Store(client_of(weed.url), bucket, PREFIX)
    with proxied(weed.url) as proxy:
        lost: list[bytes] = []

        def lose(request: bytes, answer: bytes) -> bytes | None:
            final = not answer.startswith(b"HTTP/1.1 100")
            if request.startswith(b"PUT") and final and len(lost) < losses:
                lost.append(request)
                return None
            return answer

        proxy.spoil, losses = lose, 1
        through = S3Store(client_of(proxy.url), bucket, PREFIX)
        with pytest.raises(OutcomeUnknown, match=f"{bucket}/{PREFIX}/claim.json"):
            through.create("claim.json", b"mine")
        written = direct.get("claim.json")
        assert written is not None, "it was carried out all the same"
        losses = 2
        with pytest.raises(OutcomeUnknown):
            through.replace("claim.json", b"newer", written.token)
        assert isinstance(through.replace("claim.json", b"newer", written.token), Lost), "our own success"
        losses = 3
        assert create_once(through, "log/1.json", b"entry") == b"entry"
    assert len(lost) == 3


@pytest.mark.parametrize(
    ("status", "code"), [(409, "ConditionalRequestConflict"), (503, "SlowDown"), (429, "TooManyRequests")]
)
def test_a_write_that_was_not_taken_is_sent_again(store: S3Store, status: int, code: str) -> None:
    wire = Wire(store._client)
    wire.answer("PutObject", status, code)
    assert isinstance(store.create("key", b"x"), Won)
    assert wire.operations == ["PutObject", "PutObject"]


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "ServiceUnavailable"), (502, "502")])
def test_a_server_fault_leaves_a_conditional_write_unknown(store: S3Store, status: int, code: str) -> None:
    wire = Wire(store._client)
    wire.answer("PutObject", status, code)
    with pytest.raises(OutcomeUnknown):
        store.create("key", b"x")
    assert wire.operations == ["PutObject"], "the release sends it again, not the store"


def test_reads_and_uploads_are_repeated_after_a_fault(store: S3Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    wire = Wire(store._client)
    wire.answer("PutObject", 500, "InternalError")
    wire.answer("GetObject", 503, "SlowDown")
    store.upload("file", tmp_path / "file")
    stored = store.get("file")
    assert stored is not None
    assert stored.body == b"x"


ANSWERS = [
    (404, "NoSuchBucket", NotFound, "create it"),
    (403, "AccessDenied", CredentialsRefused, f"s3:PutObject on arn:aws:s3:::models/{PREFIX}/*"),
    (403, "InvalidAccessKeyId", CredentialsRefused, "renew or correct"),
    (400, "ExpiredToken", CredentialsRefused, "renew or correct"),
    (400, "AuthorizationHeaderMalformed", UsageError, "another region"),
    (301, "PermanentRedirect", UsageError, "another region"),
    (403, "RequestTimeTooSkewed", Refused, "set the clock"),
    (501, "NotImplemented", Refused, "conditional writes"),
    (400, "KMS.DisabledException", Refused, "kms_key"),
    (400, "SomethingNew", Refused, "SomethingNew"),
    (409, "ConditionalRequestConflict", Contended, "try again"),
    (503, "SlowDown", StoreUnavailable, "http://127.0.0.1:9"),
    (400, "BadDigest", Corrupt, "damaged"),
]


@pytest.mark.parametrize(("status", "code", "kind", "words"), ANSWERS, ids=[each[1] for each in ANSWERS])
def test_what_s3_says_becomes_an_error_of_the_tree(
    status: int, code: str, kind: type[ModelReleaseError], words: str
) -> None:
    _, wire, store = listening()
    wire.answer("PutObject", status, code, times=3)
    wire.answer("HeadBucket", 200, "", times=3)  # the SDK asks where a bucket is that has moved
    with pytest.raises(kind) as caught:
        store.create("latest.json", b"x")
    assert type(caught.value) is kind
    assert f"s3://models/{PREFIX}/latest.json" in str(caught.value)
    assert words in str(caught.value)


UNSENT = [ConnectTimeoutError(endpoint_url="http://x"), ProxyConnectionError(proxy_url="http://user:hidden@proxy")]


@pytest.mark.parametrize("error", UNSENT, ids=lambda error: type(error).__name__)
def test_what_was_never_sent_is_not_unknown(error: BotoCoreError) -> None:
    asked = Asked("s3://models/key", "models", "http://x", "s3:PutObject", conditional=True, seconds=1.0)
    assert effect_of(error) is Effect.NONE
    assert type(translate(error, asked)) is StoreUnavailable
    assert "hidden" not in str(translate(error, asked))


def test_a_precondition_that_fails_is_lost() -> None:
    _, wire, store = listening()
    wire.answer("PutObject", 412, "PreconditionFailed", times=2)
    wire.answer("PutObject", 404, "NoSuchKey")
    assert isinstance(store.create("key", b"x"), Lost)
    assert isinstance(store.replace("key", b"x", '"token"'), Lost)
    assert isinstance(store.replace("key", b"x", '"token"'), Lost), "there is nothing to replace"


def test_settings_reach_every_write(tmp_path: Path) -> None:
    kms = "arn:aws:kms:eu-west-1:1:key/2"
    settings = TransferSettings(
        sse="aws:kms", kms_key=kms, tags={"team": "heart disease", "cost": "a&b"}, storage_class="STANDARD_IA"
    )
    _, wire, store = listening()
    store.settings = settings
    (tmp_path / "file").write_bytes(b"x")
    for operation in ("PutObject", "PutObject", "PutObject", "CopyObject"):
        wire.answer(operation, 200, "")
    store.create("key", b"x", cache_control=NO_STORE, content_type="application/json")
    store.replace("key", b"x", '"token"')
    store.upload("key", tmp_path / "file")
    store.copy("key", "other")
    assert len(wire.sent) == 4
    for name, request in wire.sent:
        headers = {key.lower(): _text(value) for key, value in request.headers.items()}
        assert headers["x-amz-server-side-encryption"] == "aws:kms", name
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == kms, name
        assert headers["x-amz-tagging"] == "team=heart%20disease&cost=a%26b", name
        assert headers["x-amz-storage-class"] == "STANDARD_IA", name
        assert name == "CopyObject" or "x-amz-checksum-sha256" in headers, name
    first = {key.lower(): _text(value) for key, value in wire.sent[0][1].headers.items()}
    assert (first["cache-control"], first["content-type"]) == (NO_STORE, "application/json")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_the_quick_way_sends_what_the_sdk_would(weed: Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"trustworthy")
    settings = TransferSettings(tags={"team": "heart disease"}, storage_class="STANDARD")
    sent: list[bytes] = []
    with proxied(weed.url) as proxy:

        def note(request: bytes, answer: bytes) -> bytes:
            sent.append(request)
            return answer

        proxy.spoil = note
        store = S3Store(client_of(proxy.url), bucket, PREFIX, settings=settings)
        store.upload("file", tmp_path / "file", content_type="application/x-file", cache_control=NO_STORE)
        request = sent[0].decode().lower()
        store.download("file", tmp_path / "target")
        assert len(sent) == 2, "one request each"
        locked = S3Store(client_of(proxy.url), bucket, PREFIX, settings=TransferSettings(kms_key="key/1"))
        with pytest.raises(StoreUnavailable):  # this server has no keys
            locked.upload("file", tmp_path / "file")
        assert "x-amz-server-side-encryption: aws:kms\r\n" in sent[2].decode().lower()
        assert "x-amz-server-side-encryption-aws-kms-key-id: key/1\r\n" in sent[2].decode().lower()
    assert (tmp_path / "target").read_bytes() == b"trustworthy"
    for header in (
        f"x-amz-checksum-sha256: {base64_of(hashlib.sha256(b'trustworthy').digest())}".lower(),
        "x-amz-storage-class: standard",
        "x-amz-tagging: team=heart",
        "content-type: application/x-file",
        f"cache-control: {NO_STORE}",
        f"credential={WRITER.access}/",
    ):
        assert header in request, header


def test_the_quick_way_is_left_after_a_fault(weed: Server, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with proxied(weed.url) as proxy:
        cut: list[bytes] = []

        def once(request: bytes, answer: bytes) -> bytes | None:
            cut.append(request)
            return answer if len(cut) > 1 else None

        proxy.spoil = once
        store = S3Store(client_of(proxy.url), bucket, PREFIX)
        wire = Wire(store._client)
        store.upload("file", tmp_path / "file")
        store.download("file", tmp_path / "target")
    assert wire.operations == ["PutObject", "GetObject"]
    assert (tmp_path / "target").read_bytes() == b"x"


def test_what_is_missing_does_not_end_the_quick_way(store: S3Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no such object"):
        store.download("missing", tmp_path / "target")
    assert store._fast._requests is not None


UNLIKE: dict[str, Config] = {
    "a proxy": Config(proxies={"http": "http://127.0.0.1:9", "https": "http://127.0.0.1:9"}),
    "a certificate": Config(client_cert="/path/to/certificate"),
    "no signature": Config(signature_version=UNSIGNED),
    "no time": client_config(TransferSettings(connect_timeout=30, read_timeout=30, deadline=60)),
}


@pytest.mark.parametrize("name", list(UNLIKE))
def test_a_client_that_cannot_be_mirrored_has_no_quick_way(name: str) -> None:
    settings = TransferSettings(connect_timeout=30, read_timeout=30) if name == "no time" else TransferSettings()
    client = boto3.client(
        "s3",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        region_name="us-east-1",
        config=client_config(settings, path_style=True).merge(UNLIKE[name]),
    )
    assert S3Store(client, "models", settings=settings)._fast._requests is None


@pytest.mark.parametrize(("verify", "quick"), [(True, True), (False, False), ("/path/to/authorities.pem", False)])
def test_only_the_usual_authorities_have_a_quick_way(
    verify: bool | str, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "eu-west-1"}
    client = boto3.client("s3", verify=verify, **keys)
    assert (S3Store(client, "models")._fast._requests is not None) is quick


def test_an_object_whose_etag_is_not_its_md5_is_read_by_the_sdk(store: S3Store, big: Path, tmp_path: Path) -> None:
    name = f"{PREFIX}/parts"
    upload = store._client.create_multipart_upload(Bucket=store._bucket, Key=name)["UploadId"]
    one = {"Bucket": store._bucket, "Key": name, "UploadId": upload}
    part = {"PartNumber": 1, "ETag": store._client.upload_part(**one, PartNumber=1, Body=b"one part")["ETag"]}
    store._client.complete_multipart_upload(**one, MultipartUpload={"Parts": [part]})
    wire = Wire(store._client)
    store.download("parts", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"one part"
    assert wire.operations == ["GetObject"]


def test_a_setting_of_another_cloud_is_refused() -> None:
    with pytest.raises(UsageError, match="encryption_scope"):
        S3Store(None, "models", settings=TransferSettings(encryption_scope="scope"))


def test_a_part_that_fails_leaves_nothing_behind(store: S3Store, big: Path) -> None:
    wire = Wire(store._client)
    wire.answer("UploadPart", 403, "AccessDenied")
    with pytest.raises(CredentialsRefused, match=r"s3:PutObject"):
        store.upload("v1.0.0/big", big)
    assert wire.operations[-1] == "AbortMultipartUpload"
    assert store._client.list_multipart_uploads(Bucket=store._bucket).get("Uploads", []) == []
    assert store.get("v1.0.0/big") is None


HOSTILE: list[tuple[Keys, str]] = [
    (READER, "s3:PutObject"),
    (Keys(WRITER.access, "wrong-secret-0f3a"), "SignatureDoesNotMatch"),
    (Keys("stranger", "wrong-secret-0f3a"), "InvalidAccessKeyId"),
]


@pytest.mark.parametrize(("keys", "words"), HOSTILE, ids=["reader", "wrong secret", "stranger"])
def test_refused_credentials_are_named_and_not_shown(
    weed: Server, bucket: str, big: Path, keys: Keys, words: str
) -> None:
    store = S3Store(client_of(weed.url, keys), bucket, PREFIX)
    calls: list[Callable[[], object]] = [
        lambda: store.create("key", b"x"),
        lambda: store.replace("key", b"x", '"token"'),
        lambda: store.upload("big", big),
    ]
    for call in calls:
        with pytest.raises(CredentialsRefused, match=words) as caught:
            call()
        assert keys.secret not in str(caught.value)
        assert "Signature=" not in str(caught.value)
        assert bucket in str(caught.value)


def test_no_credentials_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    store = open_default("s3://models/prefix?region=eu-west-1", QUICK)
    with pytest.raises(CredentialsRefused, match="no credentials"):
        store.get("key")


def test_a_missing_bucket(weed: Server, big: Path, tmp_path: Path) -> None:
    store = S3Store(client_of(weed.url), "never-made", PREFIX)
    calls: list[Callable[[], object]] = [
        lambda: store.get("key"),
        lambda: store.create("key", b"x"),
        lambda: store.upload("big", big),
        lambda: store.download("key", tmp_path / "target"),
        lambda: store.copy("key", "other"),
        lambda: [*store.list()],
        lambda: store.delete("key"),
        store.now,
    ]
    for call in calls:
        with pytest.raises(NotFound, match="no bucket 'never-made'"):
            call()


@pytest.mark.parametrize("dead", ["refused", "silent"])
def test_a_dead_endpoint_fails_in_time(dead: str, big: Path, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as silent:  # takes connections and never answers
        port = silent.getsockname()[1] if dead == "silent" else free_ports(1)[0]
        url = f"http://{HOST}:{port}"
        store = S3Store(client_of(url, settings=QUICK), "models", PREFIX, settings=QUICK)
        calls: list[Callable[[], object]] = [
            lambda: store.get("key"),
            lambda: store.upload("big", big),
            lambda: store.download("key", tmp_path / "target"),
            lambda: [*store.list()],
            store.now,
        ]
        for call in calls:
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match=url):
                call()
            assert time.monotonic() - began < QUICK.deadline + 0.5
        with pytest.raises(OutcomeUnknown if dead == "silent" else StoreUnavailable):
            store.create("key", b"x")


def test_opened_from_the_environment(weed: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", WRITER.access)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", WRITER.secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", weed.url)
    store = open_default(f"s3://{bucket}/{PREFIX}", TransferSettings())
    assert store.uri == f"s3://{bucket}/{PREFIX}"
    assert isinstance(store.create("key", b"x"), Won)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    named = open_default(f"s3://{bucket}/{PREFIX}?endpoint_url={weed.url}&region=us-east-1", TransferSettings())
    assert named.uri == store.uri, "what an option says is not part of the name"
    assert named.get("key") == store.get("key")


def test_a_connection_is_airflows() -> None:
    with pytest.raises(UsageError, match="connection"):
        open_default("s3://aws_default@models/prefix", TransferSettings())
