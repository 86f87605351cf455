"""The read-only store of the web, against a real HTTP server that can be told to misbehave."""

from __future__ import annotations

import hashlib
import http.server
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from emulators.served import served
from model_release.errors import (
    Corrupt,
    CredentialsRefused,
    ModelReleaseError,
    NotFound,
    Refused,
    StoreUnavailable,
    UnsafeKey,
    UsageError,
)
from model_release.local_cache import CACHE_VARIABLE
from model_release.modelling import dataset
from model_release.modelling.dataset import Snapshot
from model_release.spec.load import load_spec
from model_release.spec.transfer import TransferSettings
from model_release.stores import open_store
from model_release.stores.base import Store
from model_release.stores.local import LocalStore
from model_release.stores.web.store import SUMS, UNKNOWN_SIZE, WebStore

SPEC = """\
name: beetles
title: Beetles
owner: garden
dataset:
  title: Beetles
  source: "${SOURCE}"
  partitions: increments
  columns:
    length: {kind: numeric, min: 0, max: 9}
  target: {column: pest, positive_above: 0, positive: pest, negative: guest}
candidates:
  simple: {estimator: LogisticRegression}
gate:
  cross_validation: {accuracy: 0.8}
destinations:
  - {name: local, uri: "${STORE}"}
"""
FIRST, SECOND = "dt=2026-10-01/beetles.csv", "dt=2026-10-08/beetles.csv"
LATE = date(2026, 12, 31)
QUICK = TransferSettings(connect_timeout=0.5, read_timeout=0.5, deadline=2.0, attempts=3)
SECRETS = ("hush-user", "hush-password", "hush-signature")


class Site:
    """A web server and what is published there.

    Attributes:
        files: bodies by path.
        asked: each request as path, status and the ETag that it was conditional on.
        faults: by path, what answers instead, one after the other; each returns whether it has answered.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, int, str | None]] = []
        self.faults: dict[str, list[Callable[[http.server.BaseHTTPRequestHandler], None]]] = {}
        self.headers: list[dict[str, str]] = []
        self.queries: list[str] = []
        self.url = ""

    def publish(self, path: str, body: str) -> None:
        self.files[path] = body.encode()
        lines = [f"{hashlib.sha256(each).hexdigest()}  {name}\n" for name, each in self.files.items() if name != SUMS]
        self.files[SUMS] = "".join(lines).encode()

    def statuses(self, path: str) -> list[int]:
        return [status for name, status, _ in self.asked if name == path]

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        path, _, query = handler.path.removeprefix("/data/").partition("?")
        path = path.replace("%3D", "=")
        self.headers.append(dict(handler.headers))
        self.queries.append(query)
        if self.faults.get(path):
            self.asked.append((path, 0, handler.headers.get("If-None-Match")))
            self.faults[path].pop(0)(handler)
            return
        body = self.files.get(path)
        etag = f'"{hashlib.md5(body or b"", usedforsecurity=False).hexdigest()}"'
        condition = handler.headers.get("If-None-Match")
        status = 404 if body is None else 304 if condition == etag else 200
        self.asked.append((path, status, condition))
        handler.send_response(status)
        if status == 200 and body is not None:
            handler.send_header("ETag", etag)
            handler.send_header("Last-Modified", "Sun, 22 Nov 2026 02:00:00 GMT")
            handler.send_header("Content-Length", str(len(body)))
        elif status == 404:
            handler.send_header("Content-Length", "0")
        handler.end_headers()
        if status == 200 and body is not None:
            handler.wfile.write(body)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Keep a test's output clean."""

    with served(Handler) as url:
        site.url = f"{url}/data"
        site.publish(FIRST, "length,pest\n1.0,0\n2.0,1\n")
        site.publish(SECOND, "length,pest\n3.0,1\n")
        yield site


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def ingest(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Snapshot]:
    """Ingest from the site, as a run would, with a store opened anew each time."""
    (tmp_path / "beetles.yaml").write_text(SPEC)
    monkeypatch.setenv("SOURCE", site.url)

    def run(as_of: date = LATE) -> Snapshot:
        spec = load_spec(tmp_path / "beetles.yaml")
        source = open_store(spec.source_uri(), QUICK)
        return dataset.ingest(spec, source=source, data=LocalStore(tmp_path / "datasets"), as_of=as_of)

    return run


def store_of(site: Site) -> Store:
    return WebStore(site.url, settings=QUICK)


def status(code: int, *headers: tuple[str, str]) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in (*headers, ("Content-Length", "0")):
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def cut_short(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"length,pest\n1.0,")
    handler.close_connection = True


def silent(handler: http.server.BaseHTTPRequestHandler) -> None:
    time.sleep(1.0)
    handler.close_connection = True


def dripping(handler: http.server.BaseHTTPRequestHandler) -> None:
    """Never let the read time-out come, and never end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(40):
        handler.wfile.write(b"0")
        time.sleep(0.1)
    handler.close_connection = True


# ── ingest, end to end ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dataset_arrives_over_http(site: Site, ingest: Callable[..., Snapshot], tmp_path: Path) -> None:
    snapshot = ingest()
    assert (snapshot.rows, [each.path for each in snapshot.partitions]) == (3, [FIRST, SECOND])
    assert sorted(site.asked) == sorted((path, 200, None) for path in (SUMS, FIRST, SECOND))
    assert len(list((tmp_path / "datasets" / "raw").rglob("*.csv"))) == 2


def test_a_night_without_news_is_one_request_that_is_answered_304(site: Site, ingest: Callable[..., Snapshot]) -> None:
    first = ingest()
    site.asked.clear()
    assert ingest() == first
    assert [(path, status) for path, status, _ in site.asked] == [(SUMS, 304)]


def test_only_a_changed_partition_is_fetched_anew(site: Site, ingest: Callable[..., Snapshot]) -> None:
    first = ingest()
    site.asked.clear()
    site.publish(SECOND, "length,pest\n4.0,1\n5.0,0\n")
    changed = ingest()
    assert (changed.rows, changed.fingerprint == first.fingerprint) == (4, False)
    assert [(path, status) for path, status, _ in site.asked] == [(SUMS, 200), (SECOND, 200)]


def test_a_partition_of_later_is_not_fetched(site: Site, ingest: Callable[..., Snapshot]) -> None:
    assert ingest(date(2026, 10, 1)).rows == 2
    assert site.statuses(SECOND) == []


def test_without_the_list_the_error_says_how_to_write_it(site: Site, ingest: Callable[..., Snapshot]) -> None:
    del site.files[SUMS]
    with pytest.raises(NotFound, match=r"no SHA256SUMS.*\n.*sha256sum dt=\*/\* > SHA256SUMS"):
        ingest()
    assert site.statuses(SUMS) == [404], "what is not there is not asked for again"


@pytest.mark.parametrize(
    "page", ["<html>Please log in</html>\n", "d41d8cd98f00b204e9800998ecf8427e  dt=2026-10-01/a\n"]
)
def test_another_page_is_no_list(site: Site, ingest: Callable[..., Snapshot], page: str) -> None:
    site.files[SUMS] = page.encode()
    with pytest.raises(Corrupt, match="line 1"):
        ingest()


def test_a_wrong_digest_is_an_error_that_leaves_nothing_behind(site: Site, ingest: Callable[..., Snapshot]) -> None:
    site.files[SECOND] = b"length,pest\n8.0,1\n"
    with pytest.raises(Corrupt, match=f"{SECOND}: has sha256 {hashlib.sha256(site.files[SECOND]).hexdigest()}"):
        ingest()
    site.publish(SECOND, "length,pest\n3.0,1\n")
    assert ingest().rows == 3


def test_a_list_that_is_published_after_its_file_is_read_again(site: Site, tmp_path: Path) -> None:
    store = store_of(site)
    assert [entry.key for entry in store.list("dt=")] == [FIRST, SECOND]
    site.publish(SECOND, "length,pest\n7.0,1\n")
    store.download(SECOND, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == site.files[SECOND]


def test_a_body_that_breaks_off_is_fetched_again(site: Site, ingest: Callable[..., Snapshot]) -> None:
    site.faults[FIRST] = [cut_short]
    assert ingest().rows == 3
    site.faults[SUMS] = [cut_short]
    assert ingest().rows == 3


def test_a_body_that_always_breaks_off_may_pass_later(site: Site, tmp_path: Path) -> None:
    site.faults[FIRST] = [cut_short] * QUICK.attempts
    with pytest.raises(StoreUnavailable, match="gave no whole answer"):
        store_of(site).download(FIRST, tmp_path / "file")
    assert len(site.statuses(FIRST)) == QUICK.attempts
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_fault_of_the_server_is_passed_over_once(site: Site, ingest: Callable[..., Snapshot], code: int) -> None:
    site.faults[SUMS] = [status(code)]
    site.faults[FIRST] = [status(code)]
    assert ingest().rows == 3


def test_a_server_that_stays_ill_may_pass_later(site: Site, ingest: Callable[..., Snapshot]) -> None:
    site.faults[SUMS] = [status(500)] * QUICK.attempts
    with pytest.raises(StoreUnavailable, match="answers 500"):
        ingest()


@pytest.mark.parametrize("fault", [silent, dripping])
def test_a_slow_server_fails_within_the_deadline(
    site: Site, tmp_path: Path, fault: Callable[[http.server.BaseHTTPRequestHandler], None]
) -> None:
    site.faults[FIRST] = [fault] * QUICK.attempts
    store = store_of(site)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+ .*tried for \d"):
        store.download(FIRST, tmp_path / "file")
    assert time.monotonic() - began < QUICK.deadline + 1.5


def test_a_dead_server_fails_within_the_deadline(site: Site) -> None:
    url = site.url.rpartition(":")[0] + ":1/data"
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        list(WebStore(url, settings=QUICK).list())
    assert time.monotonic() - began < QUICK.deadline


# ── the cache ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_damaged_cache_is_fetched_anew(site: Site, ingest: Callable[..., Snapshot], cache: Path) -> None:
    first = ingest()
    for path in (cache / "web").iterdir():
        path.write_bytes(path.read_bytes()[:-3] + b"XXX")
    site.asked.clear()
    assert ingest() == first
    assert [(path, status) for path, status, _ in site.asked] == [(SUMS, 200), (FIRST, 200), (SECOND, 200)]
    site.asked.clear()
    assert ingest() == first
    assert [(path, status) for path, status, _ in site.asked] == [(SUMS, 304)]


def test_the_cache_holds_each_address_once(site: Site, ingest: Callable[..., Snapshot], cache: Path) -> None:
    ingest()
    for turn in range(3):
        site.publish(SECOND, f"length,pest\n{turn}.5,1\n")
        ingest()
    assert len(list((cache / "web").iterdir())) == 2 * len((SUMS, FIRST, SECOND))


def test_a_cache_that_cannot_be_written_costs_requests_only(
    site: Site, ingest: Callable[..., Snapshot], cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_text("a file where the folder should be")
    assert ingest().rows == 3
    assert ingest().rows == 3
    assert site.statuses(FIRST) == [200, 200]
    assert CACHE_VARIABLE in caplog.text


# ── the store ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_has_the_listed_keys_in_order_and_no_sizes(site: Site) -> None:
    entry = f"{hashlib.sha256(b'x').hexdigest()}"
    site.files[SUMS] += f"{entry} *./dt=2026-09-01/a.csv\r\n\n{entry}  ../etc/passwd\n{entry}  read me.txt\n".encode()
    entries = list(store_of(site).list("dt="))
    assert [each.key for each in entries] == ["dt=2026-09-01/a.csv", FIRST, SECOND]
    assert {each.size for each in entries} == {UNKNOWN_SIZE}
    assert {each.modified for each in entries} == {datetime(2026, 11, 22, 2, tzinfo=UTC)}


def test_an_escaped_name_is_the_file_s_own(site: Site) -> None:
    """`sha256sum` begins a line with a backslash if the name has a backslash or a line break in it."""
    entry = hashlib.sha256(b"x").hexdigest()
    site.files[SUMS] += f"\\{entry}  dt=2026-09-01/a\\\\n.csv\n".encode()
    assert next(store_of(site).list("dt=")).key == "dt=2026-09-01/a\\n.csv"
    site.files[SUMS] += f"\\{entry}  dt=2026-09-01/a\\n.csv\n".encode()
    with pytest.raises(UnsafeKey, match=r"line 4: 'dt=2026-09-01/a\\n.csv' is no name of an object"):
        list(store_of(site).list())


def test_what_is_not_listed_is_not_there(site: Site, tmp_path: Path) -> None:
    site.files["dt=2026-10-01/secret.csv"] = b"x"
    assert store_of(site).get("dt=2026-10-01/secret.csv") is None
    with pytest.raises(NotFound, match="does not list it"):
        store_of(site).download("dt=2026-10-01/secret.csv", tmp_path / "file")


def test_what_is_listed_and_gone_is_not_found(site: Site, tmp_path: Path) -> None:
    del site.files[FIRST]
    with pytest.raises(NotFound, match=FIRST):
        store_of(site).download(FIRST, tmp_path / "file")


def test_a_second_digest_of_a_name_is_corrupt(site: Site) -> None:
    site.files[SUMS] += f"{'0' * 64}  {FIRST}\n".encode()
    with pytest.raises(Corrupt, match="second digest"):
        list(store_of(site).list())


def test_get_reads_a_listed_file(site: Site) -> None:
    stored = store_of(site).get(FIRST)
    assert stored is not None
    assert (stored.body, stored.token) == (site.files[FIRST], hashlib.sha256(site.files[FIRST]).hexdigest())


def test_the_clock_is_the_servers(site: Site) -> None:
    assert abs(store_of(site).now() - datetime.now(UTC)) < timedelta(seconds=5)


def test_it_is_never_written_to(site: Site, tmp_path: Path) -> None:
    store = store_of(site)
    writes: list[Callable[[], object]] = [
        lambda: store.create("a", b""),
        lambda: store.replace("a", b"", "token"),
        lambda: store.upload("a", tmp_path / "a"),
        lambda: store.copy(FIRST, "a"),
        lambda: store.delete(FIRST),
    ]
    for write in writes:
        with pytest.raises(UsageError, match="can only be read"):
            write()
    assert site.asked == []


# ── addresses, redirects and secrets ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("uri", ["http://example.org/data", "http://10.0.0.1/data", "https:///data", "https://a/b#c"])
def test_an_address_that_is_not_safe_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        open_store(uri)


def test_a_redirect_is_followed_only_to_where_the_source_itself_may_be(site: Site) -> None:
    site.faults[SUMS] = [status(302, ("Location", f"{site.url}/moved"))]
    site.files["moved"] = site.files[SUMS]
    assert len(list(store_of(site).list())) == 2
    site.faults[SUMS] = [status(302, ("Location", "http://example.org/elsewhere?token=hush-signature"))]
    with pytest.raises(Refused, match=r"http://example\.org, which is not https") as caught:
        list(store_of(site).list())
    assert "hush" not in str(caught.value)
    site.faults[SUMS] = [status(302, ("Location", f"{site.url}/{SUMS}"))] * 20
    with pytest.raises(Refused, match="redirects"):
        list(store_of(site).list())


@pytest.mark.parametrize(
    ("code", "error"), [(401, CredentialsRefused), (403, CredentialsRefused), (404, NotFound), (418, Refused)]
)
def test_credentials_travel_and_are_never_shown(
    site: Site,
    code: int,
    error: type[ModelReleaseError],
    cache: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, password, signature = SECRETS
    url = site.url.replace("http://", f"http://{user}:{password}@") + f"/?sig={signature}"
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", False)
    caplog.set_level(logging.INFO, logger="httpx")
    store = WebStore(url, settings=QUICK)
    assert len(list(store.list())) == 2
    assert site.headers[-1]["Authorization"].startswith("Basic ")
    assert site.queries[-1] == f"sig={signature}"
    site.faults[SUMS] = [status(code)]
    with pytest.raises(error) as caught:
        list(store.list())
    assert caught.value.__cause__ is None
    kept = "".join(path.read_text() for path in (cache / "web").iterdir())
    assert f"HTTP Request: GET {site.url}/{SUMS}" in caplog.text
    for secret in SECRETS:
        assert secret not in f"{caught.value}{store.uri}{caplog.text}{kept}"
