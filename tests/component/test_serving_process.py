"""The service as a process: it swaps releases under load, keeps a good one, and ends when it is told to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from emulators.served import served
from model_release import client
from model_release.signing import SigningKey
from model_release.stores import open_store
from support.release_builder import Chain
from support.servable_releases import ROW, golden, release, trained, version_folder
from support.service_process import serving
from support.signing_keys import pem_of, private_key

CHECKOUT = Path(__file__).resolve().parents[2]


def rows_and_answers(strength: float) -> tuple[list[dict[str, Any]], list[float]]:
    known = golden(strength)
    return [dict(zip(known.rows, row, strict=True)) for row in zip(*known.rows.values(), strict=True)], (
        known.probabilities
    )


def test_a_swap_under_load_fails_no_request_and_mixes_none(tmp_path: Path) -> None:
    store = tmp_path / "heart-disease-models"
    release(store, 0.1)
    rows, before = rows_and_answers(0.1)
    _, after = rows_and_answers(1.0)
    assert max(abs(one - other) for one, other in zip(before, after, strict=True)) > 0.01
    right = {"v1.0.0": before, "v1.1.0": after}
    wrong: list[object] = []
    seen: Counter[str] = Counter()
    ended = threading.Event()

    def ask(base_url: str) -> None:
        with httpx.Client(base_url=base_url, timeout=30) as client:
            while not ended.is_set():
                answer = client.post("/predict", json=rows)
                version = answer.headers.get("X-Model-Version", "")
                told = answer.json()
                found = [each["probability"] for each in told.get("predictions", [])]
                seen[version] += 1
                if (
                    answer.status_code != 200
                    or told["version"] != version
                    or found != pytest.approx(right[version], abs=1e-5)
                ):
                    wrong.append((answer.status_code, version, told))

    with serving(tmp_path, store.as_uri(), "--to", str(tmp_path / "copies")) as service:
        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(ask, str(service.client.base_url)) for _ in range(4)]
            try:
                service.until(lambda: seen["v1.0.0"] > 50)
                release(store, 1.0, since=1)
                service.until(lambda: seen["v1.1.0"] > 50)
            finally:
                ended.set()
        for each in asking:
            each.result()
        assert wrong == []
        told = service.client.get("/metrics").text
        assert "model_release_swaps_total 1.0" in told
        assert "model_release_epoch 2.0" in told
        assert service.model()["since"] == 2
        assert [line["to"] for line in service.lines() if line["message"] == "swapped"] == ["v1.1.0"]


def test_what_cannot_be_verified_replaces_nothing_and_what_is_mended_does(tmp_path: Path) -> None:
    store = tmp_path / "heart-disease-models"
    release(store, 0.1)
    with serving(tmp_path, store.as_uri(), "--to", str(tmp_path / "copies")) as service:
        chain = Chain(open_store(store.as_uri()))
        manifest = chain.publish(trained(1.0))
        graph = store / "v1.1.0" / "model.onnx"
        good = graph.read_bytes()
        graph.write_bytes(good[:-1] + b"x")
        chain.promote(manifest, since=1)
        service.until(lambda: service.model()["trouble"] is not None)
        told = service.model()
        assert told["version"] == "v1.0.0"
        assert "model.onnx: differs from the manifest" in told["trouble"]
        assert service.client.post("/predict", json=ROW).headers["X-Model-Version"] == "v1.0.0"
        assert service.client.get("/readyz").status_code == 200
        assert "model_release_trouble 1.0" in service.client.get("/metrics").text
        loud = [line for line in service.lines() if line["level"] == "error"]
        assert "latest cannot be followed, and v1.0.0 is served on" in loud[0]["message"]
        graph.write_bytes(good)
        service.until(lambda: service.model()["version"] == "v1.1.0")
        assert service.model()["trouble"] is None


def test_a_store_that_is_away_leaves_what_is_served_and_it_is_called_stale(tmp_path: Path) -> None:
    store, copies = tmp_path / "heart-disease-models", str(tmp_path / "copies")
    release(store, 0.1)
    with web(tmp_path) as url:
        address = f"{url}/{store.name}"
        client.pull(address, to=copies)
    with serving(tmp_path, address, "--to", copies) as service:
        told = service.model()
        assert (told["version"], told["stale"], told["epoch"]) == ("v1.0.0", True, 1)
        assert service.client.post("/predict", json=ROW).status_code == 200
        with web(tmp_path, urlsplit(url).port):
            service.until(lambda: service.model()["stale"] is False)
        service.until(lambda: service.model()["stale"] is True)
        assert "the store did not answer; v1.0.0 is served on" in service.lines()[-1]["message"]
    with pytest.raises(AssertionError, match="gave no whole answer"), serving(tmp_path, address, "--strict"):
        pass


@contextmanager
def web(folder: Path, port: int | None = None) -> Iterator[str]:
    """Serve a folder's files over HTTP."""
    with served(partial(Quiet, directory=str(folder)), port or 0) as url:
        yield url


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_sigterm_ends_it_after_what_runs_and_says_so_first(tmp_path: Path) -> None:
    folder, _ = version_folder(tmp_path / "baked", 0.1)
    with serving(tmp_path, str(folder)) as service, ThreadPoolExecutor(1) as pool:
        started = threading.Event()

        def slowly() -> Iterator[bytes]:
            body = json.dumps(ROW).encode()
            yield body[:20]
            started.set()
            time.sleep(1.0)
            yield body[20:]

        slow = pool.submit(lambda: httpx.post(service.client.base_url.join("/predict"), content=slowly(), timeout=30))
        assert started.wait(30)
        service.process.send_signal(signal.SIGTERM)
        service.until(lambda: service.client.get("/readyz").status_code == 503)
        assert service.client.post("/predict", json=ROW).status_code == 200
        assert slow.result().status_code == 200
        assert service.process.wait(15) == 0


def test_a_folder_that_pull_filled_is_served_as_it_is(tmp_path: Path) -> None:
    store, copies = tmp_path / "heart-disease-models", tmp_path / "copies"
    release(store, 0.1)
    client.pull(store.as_uri(), to=copies)
    shutil.rmtree(store)
    with serving(tmp_path, str(copies)) as service:
        told = service.model()
        assert (told["version"], told["epoch"], told["stale"]) == ("v1.0.0", 1, False)
        for body in (b" " * 12_000_000, (b" " * 1_000_000 for _ in range(12))):  # both come to read why
            answer = service.client.post("/predict", content=body)
            assert (answer.status_code, answer.headers["X-Model-Version"]) == (413, "v1.0.0")


def test_a_signed_folder_is_served_under_any_name(tmp_path: Path) -> None:
    """Where a volume is mounted says nothing of the model; who signed it is checked all the same."""
    key = SigningKey.read(pem_of(private_key()), where="the test")
    store = tmp_path / "heart-disease-models"
    Chain(open_store(store.as_uri()), key=key).release(trained(0.1))
    mounted = shutil.copytree(store / "v1.0.0", tmp_path / "models")
    trust = tmp_path / "trust.pem"
    trust.write_bytes(key.trust)
    with serving(tmp_path, str(mounted), MODEL_RELEASE_TRUST=str(trust)) as service:
        assert service.model()["version"] == "v1.0.0"
    (mounted / "model.sig").unlink()
    command = [sys.executable, "-m", "model_release.cli", "serve", str(mounted), "--trust", str(trust), "--port", "0"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(CHECKOUT / "include")}
    )
    assert (done.returncode, "it is not signed" in done.stderr) == (3, True)


def test_a_folder_that_was_changed_is_not_served(tmp_path: Path) -> None:
    folder, _ = version_folder(tmp_path / "baked", 0.1)
    with (folder / "preprocessor.pkl").open("ab") as file:
        file.write(b"x")
    command = [sys.executable, "-m", "model_release.cli", "serve", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "include")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 5
    assert "preprocessor.pkl" in ended.stderr
