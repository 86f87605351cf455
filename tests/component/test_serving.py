"""The service's own protocol and what it tells about itself; the process and other protocols have their own tests."""

from __future__ import annotations

import json
import logging
import pickle
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from prometheus_client import CollectorRegistry
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from model_release import client
from model_release.client import Pulled, Watcher
from model_release.documents.base import sha256_of
from model_release.documents.manifest import FileEntry, InputColumn
from model_release.errors import Corrupt, CredentialsRefused, Refused, StoreUnavailable
from model_release.model_files import sandbox
from model_release.serving import reference
from model_release.serving.application import application
from model_release.serving.live import Live, Metrics
from model_release.serving.logs import JsonLines
from model_release.serving.served import open_release
from model_release.serving.watching import Following
from support.servable_releases import ROW, golden, release, version_folder

LIMIT = 100_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Live:
    folder, manifest = version_folder(tmp_path_factory.mktemp("release"), 0.1)
    return Live(open_release(folder, manifest, None, allow_pickle=False))


@pytest.fixture(scope="module")
def service(live: Live) -> Iterator[TestClient]:
    with TestClient(application(live, limit=LIMIT), raise_server_exceptions=False) as asking:
        yield asking


def rows() -> list[dict[str, Any]]:
    by_column = golden(0.1).rows
    return [dict(zip(by_column, row, strict=True)) for row in zip(*by_column.values(), strict=True)]


def test_golden_rows_get_the_answers_of_training(service: TestClient) -> None:
    answer = service.post("/predict", json=rows())
    assert answer.status_code == 200
    assert answer.headers["X-Model-Version"] == "v1.0.0"
    told = answer.json()
    assert (told["model"], told["version"]) == ("heart-disease", "v1.0.0")
    found = told["predictions"]
    assert golden(0.1).disagreement([each["class"] for each in found], [each["probability"] for each in found]) is None
    words = {1: "heart disease (a vessel narrowed by more than half)", 0: "no heart disease"}
    assert all(each["label"] == words[each["class"]] for each in found)
    one = service.post("/predict", json=rows()[0]).json()
    assert one["predictions"] == found[:1]


def test_many_rows_are_answered_in_a_thread_and_alike(service: TestClient) -> None:
    many = rows() * 60
    assert len(json.dumps(many)) > 64 * 1024
    answer = service.post("/predict", json=many).json()["predictions"]
    assert answer == service.post("/predict", json=rows()).json()["predictions"] * 60


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"age": "63"}, 422, "row 0, age: must be a number from 18 to 110"),
        ({"thal": 4}, 422, "row 0, thal: must be one of 3, 6, 7, or null where it is not known"),
        ({"Age": 63}, 422, "row 0, Age: is not a column of the model; did you mean 'age'?"),
        ({"oldpeak": float("nan")}, 422, "row 0, oldpeak: must be a number from 0 to 10"),
    ],
)
def test_a_row_that_is_none_is_refused(service: TestClient, changes: dict[str, Any], status: int, error: str) -> None:
    answer = service.post("/predict", content=json.dumps({**ROW, **changes}))
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.json()["field"] == next(iter(changes))
    assert answer.headers["X-Model-Version"] == "v1.0.0"


@pytest.mark.parametrize("length", ["told", "not told"])
def test_a_body_that_is_too_long_is_refused_while_it_comes(service: TestClient, length: str) -> None:
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for _ in range(30):
            read += 10_000
            yield b" " * 10_000

    answer = service.post("/predict", content=chunks() if length == "not told" else b" " * (LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json() == {"error": "the body is longer than 100,000 bytes; send fewer rows at a time"}
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("DELETE", "/model", 405), ("GET", "/docs", 200)],
)
def test_every_answer_names_the_version(service: TestClient, method: str, path: str, status: int) -> None:
    answer = service.request(method, path)
    assert answer.status_code == status
    assert answer.headers["X-Model-Version"] == "v1.0.0"
    assert path == "/docs" or set(answer.json()) == {"error"}


def test_the_page_of_the_interface_loads_nothing_and_runs_nothing(service: TestClient) -> None:
    answer = service.get("/docs")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<h3>POST /predict</h3>" in answer.text
    assert re.findall(r"<(script|link|img|iframe)|[^-]\bsrc=|url\(", answer.text) == []
    assert re.findall(r'href="([^"]*)"', answer.text) == ["openapi.json"]


def test_the_page_of_the_interface_shows_words_of_a_release_as_words() -> None:
    told = {"info": {"title": "<script>alert(1)</script>"}, "paths": {"/<b>": {"get": {"summary": "<i>"}}}}
    shown = reference.page(told)
    assert "&lt;script&gt;" in shown
    assert not [each for each in ("<script", "<b>", "<i>") if each in shown]


def test_the_model_tells_what_it_is(service: TestClient, live: Live) -> None:
    told = service.get("/model").json()
    assert told["version"] == "v1.0.0"
    assert told["metadata_sha256"] == live.served.manifest.sha256()
    assert told["metrics"]["accuracy"]["value"] == 0.8493
    assert told["classes"]["0"] == "no heart disease"
    assert [each["name"] for each in told["input_schema"]] == [*ROW]
    assert (told["form"], told["epoch"], told["stale"], told["trouble"]) == ("onnx", None, False, None)


def test_a_service_that_is_about_to_end_is_alive_and_not_ready(service: TestClient, live: Live) -> None:
    ready = ["/readyz", "/ping", "/health", "/v2/health/ready", "/v2/models/heart-disease/ready"]
    assert {service.get(path).status_code for path in ready} == {200}
    live.draining = True
    try:
        assert {service.get(path).status_code for path in ready} == {503}
        assert service.get("/healthz").json() == {"status": "alive"}
        assert service.get("/v2/health/live").status_code == 200
        assert service.post("/predict", json=ROW).status_code == 200
    finally:
        live.draining = False


def test_prometheus_is_told(live: Live) -> None:
    with TestClient(application(live, limit=LIMIT)) as asking:
        asking.post("/predict", json=[ROW, ROW])
        asking.post("/v2/models/heart-disease/versions/v9.9.9/infer", json={"inputs": []})
        asking.get("/healthz")
        told = asking.get("/metrics").text
    assert 'model_release_predictions_total{version="v1.0.0"} 2.0' in told
    assert f'digest="{live.served.digest}",form="onnx",model="heart-disease",version="v1.0.0"}} 1.0' in told
    assert 'http_requests_total{handler="/predict",method="POST",status="2xx"} 1.0' in told
    path = "/v2/models/{name}/versions/{version}/infer"
    assert f'http_requests_total{{handler="{path}",method="POST",status="4xx"}} 1.0' in told
    assert 'http_request_duration_seconds_bucket{handler="/predict",le="0.5",method="POST"} 1.0' in told
    assert "model_release_stale_seconds" in told
    assert "model_release_epoch 0.0" in told
    assert "healthz" not in told


def test_the_openapi_document_has_examples_that_work(service: TestClient) -> None:
    document = service.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        where = path.replace("{name}", "heart-disease").replace("{version}", "v1.0.0")
        for kind, content in operations.get("post", {}).get("requestBody", {}).get("content", {}).items():
            bodies = [each["value"] for each in content.get("examples", {}).values()] or [content["example"]]
            for body in bodies:
                sent = body if isinstance(body, str) else json.dumps(body)
                answer = service.post(where, content=sent, headers={"Content-Type": kind})
                assert answer.status_code == 200, answer.text
                told = operations["post"]["responses"]["200"]["content"]["application/json"]["schema"]
                Draft202012Validator({**told, "components": document["components"]}).validate(answer.json())
                if not isinstance(body, str):
                    Draft202012Validator({**content["schema"], "components": document["components"]}).validate(body)
                tried += 1
    assert tried == 2 + 5 + 2
    for path in set(document["paths"]) - {"/predict", "/invocations"}:
        where = path.replace("{name}", "heart-disease").replace("{version}", "v1.0.0")
        assert "post" in document["paths"][path] or service.get(where).status_code == 200


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=10,
)
FORMS = ["dataframe_split", "dataframe_records", "instances", "inputs", "columns", "data", "id", "outputs", *ROW]


@settings(max_examples=60, deadline=None)
@given(
    path=st.sampled_from(["/predict", "/invocations", "/v2/models/heart-disease/infer"]),
    body=st.one_of(ANYTHING, st.dictionaries(st.sampled_from(FORMS), ANYTHING, max_size=4)),
    kind=st.sampled_from(["application/json", "text/csv"]),
)
def test_whatever_is_sent_is_answered_or_refused_in_words(service: TestClient, path: str, body: Any, kind: str) -> None:
    answer = service.post(path, content=json.dumps(body), headers={"Content-Type": kind})
    assert answer.status_code in (400, 415, 422)
    assert answer.json()["error"]


MARK = "4242.4242"
LEAKS: list[tuple[str, str, str]] = [
    ("/predict", "application/json", json.dumps({**ROW, "chol": 242.4242})),
    ("/predict", "application/json", json.dumps({**ROW, "chol": float(MARK)})),
    ("/predict", "application/json", json.dumps({**ROW, "chol": MARK})),
    ("/predict", "application/json", json.dumps(ROW)[:-1] + f', "chol": {MARK}'),
    ("/predict", "application/json", f"{MARK}{MARK}"),
    ("/invocations", "application/json", json.dumps({"dataframe_records": [{**ROW, "chol": MARK}]})),
    ("/invocations", "application/json", json.dumps({"inputs": MARK})),
    ("/invocations", "text/csv", ",".join(ROW) + "\n" + ",".join([MARK] * len(ROW))),
    ("/invocations", "text/csv", f"{MARK}\n{MARK},{MARK}"),
    ("/v2/models/heart-disease/infer", "application/json", json.dumps({"inputs": [MARK]})),
    (
        "/v2/models/heart-disease/infer",
        "application/json",
        json.dumps({"inputs": [{"name": "age", "shape": [1], "datatype": MARK, "data": [MARK]}]}),
    ),
]


def test_no_value_that_was_sent_is_logged_or_sent_back(
    service: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    for path, kind, body in LEAKS:
        answer = service.post(path, content=body, headers={"Content-Type": kind})
        assert (answer.status_code == 200) == ("242.4242" in body and MARK not in body)
        told.append(answer.text)

    def breaks(matrix: Any) -> Any:
        raise ValueError(f"cannot do {matrix}")

    broken = open_release(*version_folder(tmp_path, 0.1), None, allow_pickle=False)
    monkeypatch.setattr(broken.model, "predict_matrix", breaks)
    with TestClient(application(Live(broken), limit=LIMIT), raise_server_exceptions=False) as asking:
        answer = asking.post("/predict", json={**ROW, "chol": 242.4242})
    assert answer.status_code == 500
    assert answer.json() == {"error": "the service failed; its log says where"}
    assert answer.headers["X-Model-Version"] == "v1.0.0"
    logged = [JsonLines().format(record) for record in caplog.records if record.name.startswith("model_release")]
    assert "ValueError" in logged[-1]
    assert " breaks" in logged[-1]
    assert not [line for line in [*told, *logged] if "242.4242" in line]


def test_a_pickle_is_opened_only_when_that_is_asked_for(tmp_path: Path) -> None:
    folder, manifest = version_folder(tmp_path, 0.1, without=("model.onnx",))
    with pytest.raises(
        Refused, match="v1.0.0 has no ONNX form, and a pickle is opened only on request\n  → --allow-pickle"
    ):
        open_release(folder, manifest, None, allow_pickle=False)
    served = open_release(folder, manifest, None, allow_pickle=True)
    with TestClient(application(Live(served), limit=LIMIT)) as asking:
        found = asking.post("/predict", json=rows()).json()["predictions"]
        assert asking.get("/model").json()["form"] == "pickle"
    assert golden(0.1).disagreement([each["class"] for each in found], [each["probability"] for each in found]) is None
    both = version_folder(tmp_path / "both", 0.1)
    assert open_release(*both, None, allow_pickle=True).model.form == "onnx"


def test_a_release_that_answers_otherwise_than_in_training_is_not_served(tmp_path: Path) -> None:
    folder, manifest = version_folder(tmp_path, 0.1)
    body = golden(0.1).model_copy(update={"probabilities": [0.5] * 8}).to_bytes()
    (folder / "golden.json").write_bytes(body)
    entry = manifest.file("golden.json").model_copy(update={"size": len(body), "sha256": sha256_of(body)})
    others = [each for each in manifest.files if each.path != "golden.json"]
    with pytest.raises(Corrupt, match="the onnx form of v1.0.0 cannot serve: ValueError: golden row 1 gets"):
        open_release(folder, manifest.model_copy(update={"files": [*others, entry]}), None, allow_pickle=True)


def test_a_release_without_an_input_schema_is_not_served(tmp_path: Path) -> None:
    folder, manifest = version_folder(tmp_path, 0.1)
    with pytest.raises(Refused, match="has no input schema"):
        open_release(folder, manifest.model_copy(update={"input_schema": None}), None, allow_pickle=True)


def test_a_column_of_text_is_served_by_its_pickle(tmp_path: Path) -> None:
    table = pd.DataFrame({"site": ["va", "cleveland"] * 10, "age": [float(age) for age in range(40, 60)]})
    preprocessor = ColumnTransformer([("site", OneHotEncoder(), ["site"]), ("age", "passthrough", ["age"])])
    model = LogisticRegression().fit(preprocessor.fit_transform(table), [0, 1] * 10)
    _, manifest = version_folder(tmp_path, 0.1)
    columns = [
        InputColumn(name="site", kind="categorical", nullable=False, values=["va", "cleveland"]),
        InputColumn(name="age", kind="numeric", nullable=False, minimum=18),
    ]
    files = []
    for name, part in (("preprocessor.pkl", preprocessor), ("best_model.pkl", model)):
        body = pickle.dumps(part)
        (tmp_path / name).write_bytes(body)
        files.append(FileEntry(path=name, size=len(body), sha256=sha256_of(body)))
    made = manifest.model_copy(update={"files": files, "input_schema": columns})
    with TestClient(application(Live(open_release(tmp_path, made, None, allow_pickle=True)), limit=LIMIT)) as asking:
        rows = [{"age": 50, "site": "cleveland"}, {"age": 50, "site": "va"}]
        found = asking.post("/predict", json=rows).json()["predictions"]
        assert [each["class"] for each in found] == [1, 0]
        wrong = asking.post("/predict", json={"age": 50, "site": "Va"}).json()
        assert wrong["error"] == 'row 0, site: must be one of "va", "cleveland"'
        csv = asking.post("/invocations", content="site,age\nva,50\n", headers={"Content-Type": "text/csv"})
        assert csv.json()["predictions"][0]["label"] == 0
        inputs = asking.get("/v2/models/heart-disease").json()["inputs"]
        assert [each["datatype"] for each in inputs] == ["BYTES", "FP64"]


class Script(Watcher):
    """A watcher whose polls end as they are told to."""

    def __init__(self, *ends: Pulled | None | Exception) -> None:
        self.ends = list(ends)

    def poll(self) -> Pulled | None:
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def test_what_goes_wrong_while_following_is_told_until_it_is_over(tmp_path: Path) -> None:
    store, copies = tmp_path / "heart-disease-models", tmp_path / "copies"
    release(store, 0.1)
    first = client.pull(store.as_uri(), to=copies)
    release(store, 1.0, since=1)
    second = client.pull(store.as_uri(), to=copies)
    unopened = replace(second, folder=tmp_path)
    live = Live(open_release(first.folder, first.manifest, first.pointer, allow_pickle=False), polled=0.0)
    watcher = Script(StoreUnavailable("away"), CredentialsRefused("no"), None, unopened, None, second)
    metrics = Metrics(live, CollectorRegistry())
    following = Following(live, watcher, metrics, every=1.0, allow_pickle=False)

    def told() -> tuple[str, bool, str]:
        return live.served.version, live.stale, (live.trouble or "none").partition(" of ")[0].rpartition(": ")[2]

    assert not following.step()
    assert (told(), live.polled) == (("v1.0.0", True, "none"), 0.0)
    assert not following.step()
    assert told() == ("v1.0.0", True, "no")
    assert following.step()
    assert told() == ("v1.0.0", False, "none")
    assert live.polled
    for _ in range(2):  # it stays in trouble while the store has nothing else
        assert following.step()
        assert told() == ("v1.0.0", False, "the onnx form")
    assert following.step()
    assert told() == ("v1.1.0", False, "none")
    counted = [metrics.failed_polls, metrics.failed_swaps, metrics.swaps]
    assert [next(iter(each.collect())).samples[0].value for each in counted] == [2, 1, 1]


class Sleeps:
    """Pickled, it takes a minute to load."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (60,)


def test_a_model_that_does_not_load_in_time_blocks_no_poll_and_no_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "SECONDS", 3.0)
    folder, manifest = version_folder(tmp_path, 1.0)
    bodies = {"best_model.pkl": pickle.dumps(Sleeps()), "preprocessor.pkl": pickle.dumps(None)}
    for name, body in bodies.items():
        (folder / name).write_bytes(body)
    files = [FileEntry(path=name, size=len(body), sha256=sha256_of(body)) for name, body in bodies.items()]
    with pytest.raises(Corrupt, match="cannot serve: not loaded within 3 s"):
        open_release(folder, manifest.model_copy(update={"files": files}), None, allow_pickle=True)


def test_a_release_that_grows_too_old_is_served_on_as_trouble(tmp_path: Path) -> None:
    folder, manifest = version_folder(tmp_path, 1.0)
    old = manifest.model_copy(update={"trained_at": datetime.now(UTC) - timedelta(days=8)})
    live = Live(open_release(folder, old, None, allow_pickle=False))
    registry = CollectorRegistry()
    metrics = Metrics(live, registry)
    told = {each.name: each.samples[0].value for each in registry.collect() if each.samples}
    assert told["model_release_age_seconds"] == pytest.approx(8 * 86_400, abs=3600)
    for most, trouble in ((timedelta(days=9), None), (timedelta(days=7), "was trained 8.0 days ago")):
        following = Following(live, Script(None), metrics, every=1.0, allow_pickle=False, max_age=most)
        assert following.step()
        assert trouble is None if live.trouble is None else str(trouble) in live.trouble
        assert live.served.version == "v1.0.0"
