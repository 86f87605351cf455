"""Who serves what: what a consumer reports, where it lies, who reads it, and that it disturbs nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emulators.served import served
from model_release import client
from model_release.cli import app
from model_release.client import reporting
from model_release.documents.consumer import ConsumerReport, Served, key_of, read_key
from model_release.documents.version import Version
from model_release.errors import UsageError
from model_release.releases.catalog import live_pointer
from model_release.releases.consumers import FORGOTTEN, consumers
from model_release.releases.doctor.examine import examine
from model_release.releases.doctor.findings import Damage
from model_release.releases.overview import Overview
from model_release.releases.store import ReleaseStore
from model_release.releases.sweep import sweep
from model_release.stores.local import LocalStore
from support.release_builder import Chain, make


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Two releases one after the other."""
    store = LocalStore(tmp_path / "store" / "churn-models")
    chain = Chain(store)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    return store


def reporter(store: LocalStore, label: str | None = "ward-3", to: str = "store") -> client.Reporter:
    return client.Reporter(to, uri=store.uri, via="pull", label=label)


def put(store: LocalStore, label: str, version: str, *, epoch: int | None = 1, days: float = 0) -> None:
    key = f"consumers/{label}/{version}{'' if epoch is None else f'@{epoch}'}.json"
    store.create(key, b"{}")
    moment = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    os.utime(store.root / key, (moment, moment))


def keys(store: LocalStore) -> list[str]:
    return [each.key for each in store.list("consumers/")]


@pytest.mark.parametrize("epoch", [None, 7, 10**17])
def test_a_name_says_what_its_report_says(epoch: int | None) -> None:
    report = ConsumerReport(
        consumer="ward-3.a_b",
        version=Version(1, 20, 3),
        epoch=epoch,
        lineage=None,
        metadata_sha256="0" * 64,
        via="serve",
        at=datetime.now(UTC),
    )
    assert read_key(key_of(report)) == Served("ward-3.a_b", Version(1, 20, 3), epoch)


@pytest.mark.parametrize(
    "key",
    ["", "a", "a/b", "a/v1.0.0", "a/v1.0.json", "/v1.0.0.json", "a/b/v1.0.0.json", "a/v1.0.0@-1.json", "a/v1.0.0@.json"]
    + ["a b/v1.0.0.json", "a/v01.0.0.json", f"{'x' * 101}/v1.0.0.json", f"a/v1.0.0@{'9' * 30}.json"],
)
def test_other_names_are_no_reports(key: str) -> None:
    assert read_key(key) is None


def test_a_pull_reports_what_is_in_use_and_says_nothing_twice(store: LocalStore, tmp_path: Path) -> None:
    told = reporter(store)
    pulled = client.pull(store.uri, to=tmp_path / "copy", reporter=told)
    assert keys(store) == ["consumers/ward-3/v1.1.0@2.json"]
    body = json.loads((store.root / "consumers/ward-3/v1.1.0@2.json").read_bytes())
    assert {**body, "at": None} == {
        "format": 1,
        "consumer": "ward-3",
        "version": "v1.1.0",
        "epoch": 2,
        "lineage": live_pointer(store).lineage,
        "metadata_sha256": pulled.promised.sha256,
        "via": "pull",
        "at": None,
    }
    (store.root / "consumers/ward-3/v1.1.0@2.json").unlink()
    pulled.tell(told)
    assert keys(store) == []
    told._sent -= reporting.RENEWED
    pulled.tell(told)
    assert keys(store) == ["consumers/ward-3/v1.1.0@2.json"]


def test_a_host_name_is_the_label_by_default(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Wärd 3/b.example")
    reporter(store, label=None).report("v1.0.0", 1, "a", "0" * 64)
    assert keys(store) == ["consumers/W-rd-3-b.example/v1.0.0@1.json"]


@pytest.mark.parametrize("label", ["", "a/b", "../a", "a b", "x" * 101])
def test_another_label_is_refused(store: LocalStore, label: str) -> None:
    with pytest.raises(UsageError, match="no label"):
        reporter(store, label)


def test_a_place_that_takes_no_reports_is_refused(store: LocalStore) -> None:
    for to in ("ftp://x", "nowhere", "s3:///x"):
        with pytest.raises(UsageError):
            reporter(store, to=to)


@pytest.fixture
def web() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(json.loads(body))
            self.send_response(500 if self.path.startswith("/broken") else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with served(Handler) as url:
        yield url, received


def test_an_address_gets_the_report_and_a_failure_disturbs_nothing(
    store: LocalStore, web: tuple[str, list[dict[str, Any]]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url, received = web
    client.pull(store.uri, to=tmp_path / "copy", reporter=reporter(store, to=f"{url}/reports"))
    assert [each["version"] for each in received] == ["v1.1.0"] and keys(store) == []
    for to in (f"{url}/broken?token=secret", "http://127.0.0.1:9/?token=secret"):
        assert client.pull(store.uri, to=tmp_path / "copy", reporter=reporter(store, to=to)).version == Version(1, 1, 0)
    assert caplog.text.count("could not be reported") == 2 and "secret" not in caplog.text


def test_a_watch_reports_each_version_that_it_takes(store: LocalStore, tmp_path: Path) -> None:
    watcher = client.Watcher(store.uri, tmp_path / "copy", reporter=reporter(store))
    seen: list[Version] = []

    def follow() -> None:
        for pulled in watcher.follow(every=0.05):
            seen.append(pulled.version)

    thread = threading.Thread(target=follow)
    thread.start()
    for _ in range(200):
        if keys(store):
            break
        threading.Event().wait(0.02)
    watcher.stop()
    thread.join()
    assert (seen, keys(store)) == ([Version(1, 1, 0)], ["consumers/ward-3/v1.1.0@2.json"])


def test_each_consumer_stands_once_by_its_newest_report_who_lags_first(store: LocalStore) -> None:
    put(store, "a", "v1.1.0", days=3)
    put(store, "a", "v1.0.0", days=1)
    put(store, "b", "v1.1.0", epoch=2)
    put(store, "c", "v1.0.0", epoch=None)
    store.create("consumers/readme.txt", b"")
    found = consumers(store, live_pointer(store))
    assert [(each.said.consumer, str(each.said.version), each.lags) for each in found.rows] == [
        ("c", "v1.0.0", True),
        ("a", "v1.0.0", True),
        ("b", "v1.1.0", False),
    ]
    assert (found.strange, found.more) == (1, False)
    glance = Overview(ReleaseStore(store)).glance()
    assert glance.consumers == found
    elsewhere = LocalStore(store.root.parent / "reports")
    elsewhere.create("d/v1.0.0@1.json", b"{}")
    seen = Overview(ReleaseStore(store), elsewhere).glance().consumers
    assert seen is not None and [each.said.consumer for each in seen.rows] == ["d"]


def test_the_command_lists_them(store: LocalStore) -> None:
    assert "no consumer has reported" in CliRunner().invoke(app, ["consumers", store.uri]).stdout
    put(store, "ward-3", "v1.0.0", epoch=1)
    shown = CliRunner().invoke(app, ["consumers", store.uri, "--json"])
    [row] = json.loads(shown.stdout)["consumers"]
    assert (row["consumer"], row["version"], row["epoch"], row["lags"]) == ("ward-3", "v1.0.0", 1, True)
    assert "lags" in CliRunner().invoke(app, ["consumers", store.uri]).stdout


def test_housekeeping_removes_what_says_nothing_any_more_and_doctor_finds_nothing_strange(store: LocalStore) -> None:
    put(store, "a", "v1.0.0", days=2)
    put(store, "a", "v1.1.0", days=0.5)
    put(store, "gone", "v1.0.0", days=FORGOTTEN.days + 1)
    releases = ReleaseStore(store)
    found = [each for each in examine(releases) if "consumers" in each.where]
    assert [each.kind for each in found] == [Damage.LITTER]
    [litter] = sweep(releases, by="me", remove=False)
    assert (litter.files, len(keys(store))) == (2, 3)
    sweep(releases, by="me", remove=True)
    assert keys(store) == ["consumers/a/v1.1.0@1.json"]
