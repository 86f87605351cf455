"""The service beside the protocols that it speaks: MLflow's own scoring server, and the Open Inference Protocol."""

from __future__ import annotations

import gzip
import json
import math
import socket
import threading
import tracemalloc
import warnings
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import uvicorn
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from model_release import __version__, client
from model_release.client import Pulled
from model_release.documents.golden import table
from model_release.serving.application import application
from model_release.serving.content import decoded
from model_release.serving.live import Live
from model_release.serving.problems import Problem
from model_release.serving.served import open_release
from support.servable_releases import ROW, golden, release

INFER = "/v2/models/heart-disease/infer"


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Pulled:
    """A consumer's copy of a release."""
    store = tmp_path_factory.mktemp("store") / "heart-disease-models"
    release(store, 0.1)
    return client.pull(store.as_uri(), to=tmp_path_factory.mktemp("copies"))


@pytest.fixture(scope="module")
def service(pulled: Pulled) -> Iterator[TestClient]:
    served = open_release(pulled.folder, pulled.manifest, pulled.pointer, allow_pickle=False)
    with TestClient(application(Live(served), limit=100_000)) as asking:
        yield asking


@pytest.fixture
def served_url(service: TestClient) -> Iterator[str]:
    """The service on a port of this machine, for clients that speak HTTP by themselves."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(service.app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, args=[[listening]])
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def theirs(pulled: Pulled) -> Any:
    """MLflow's own parsers and model, as its scoring server calls them: body and content type in, answer out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc
        from mlflow.pyfunc import scoring_server

        score: Any = scoring_server.invocations

        model = mlflow.pyfunc.load_model(str(pulled.folder))

    def ask(body: str, kind: str) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = score(body, kind, model, model.metadata.get_input_schema())
        assert answer.status == 200
        return json.loads(answer.response)

    return ask


FRAME = table(golden(0.1).rows)
WITH_NULLS = json.loads(FRAME.to_json(orient="records"))
WHOLE = FRAME.dropna()


def by_mlflow_client(frame: pd.DataFrame) -> str:
    from mlflow.utils.proto_json_utils import dump_input_data

    return str(dump_input_data(frame))


BODIES = {
    "dataframe_split by pandas": lambda: '{"dataframe_split": ' + FRAME.to_json(orient="split") + "}",
    "dataframe_split by MLflow's client, with NaN": lambda: by_mlflow_client(FRAME),
    "dataframe_split in another order": lambda: '{"dataframe_split": ' + FRAME[FRAME.columns[::-1]].to_json(
        orient="split"
    ) + "}",
    "dataframe_records": lambda: json.dumps({"dataframe_records": WITH_NULLS}),
    "instances": lambda: json.dumps({"instances": WITH_NULLS}),
    "inputs by column": lambda: json.dumps({"inputs": WHOLE.to_dict(orient="list")}),
    "inputs by row": lambda: json.dumps({"inputs": WITH_NULLS}),
    "inputs, one row": lambda: json.dumps({"inputs": WITH_NULLS[0]}),
    "with params": lambda: json.dumps({"dataframe_records": WITH_NULLS, "params": {}}),
}  # fmt: skip


@pytest.mark.parametrize("form", BODIES)
def test_json_gets_the_answer_of_mlflow_s_server(service: TestClient, theirs: Any, form: str) -> None:
    body = BODIES[form]()
    answer = service.post("/invocations", content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert answer.status_code == 200, answer.text
    same(answer.json(), theirs(body, "application/json"))


@pytest.mark.parametrize("index", [False, True])
def test_csv_gets_the_answer_of_mlflow_s_server(service: TestClient, theirs: Any, index: bool) -> None:
    body = FRAME.to_csv(index=index)
    answer = service.post("/invocations", content=body, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 200, answer.text
    same(answer.json(), theirs(body, "text/csv"))


@pytest.mark.parametrize(
    "kind",
    [
        "text/csv;",
        "text/csv; header=present",
        "Text/CSV; charset=us-ascii",
        'text/csv; header="present"; charset="UTF-8" ;',
        "text/csv ; charset = utf8",
    ],
)
def test_a_content_type_may_have_parameters(service: TestClient, theirs: Any, kind: str) -> None:
    body = FRAME.to_csv(index=False)
    answer = service.post("/invocations", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    same(answer.json(), theirs(body, "text/csv"))


@pytest.mark.parametrize("path", ["/invocations", "/predict", INFER])
@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP", "identity"])
def test_a_body_may_be_gzip(service: TestClient, path: str, encoding: str) -> None:
    tensors = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in ROW.items()]
    document = {"/invocations": {"inputs": ROW}, "/predict": ROW, INFER: {"inputs": tensors}}[path]
    body = json.dumps(document).encode()
    plain = service.post(path, content=body)
    sent = body if encoding == "identity" else gzip.compress(body[:9]) + gzip.compress(body[9:])
    answer = service.post(path, content=sent, headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.json()) == (200, plain.json())


@pytest.mark.parametrize(
    ("encoding", "body", "status", "error"),
    [
        ("br", b"{}", 415, "this content encoding is not read here; send the body plain, or as gzip"),
        ("gzip, gzip", b"{}", 415, "this content encoding is not read here"),
        ("gzip", b"{}", 400, "the body is not gzip, as its content encoding says"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-9], 400, "the body ends before its gzip data does"),
        ("gzip", gzip.compress(b" " * 100_000_000, mtime=0), 413, "the body is longer than 100,000 bytes"),
        ("gzip", gzip.compress(b" " * 60_000, mtime=0) * 2, 413, "the body is longer than 100,000 bytes"),
    ],
)
def test_other_encodings_and_bombs_are_refused(
    service: TestClient, encoding: str, body: bytes, status: int, error: str
) -> None:
    answer = service.post("/predict", content=body, headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    with pytest.raises(Problem, match="longer than 1,000 bytes"):
        decoded(bomb, "gzip", 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_mlflow_s_own_client_is_answered(service: TestClient, served_url: str) -> None:
    from mlflow.pyfunc.scoring_server import client as scoring

    made: Any = scoring.ScoringServerClient  # without types
    asking = made(*served_url.split(":"))
    asking.wait_server_ready()
    assert asking.get_version() == __version__
    ours = service.post("/invocations", json={"dataframe_records": WITH_NULLS}).json()["predictions"]
    assert asking.invoke(FRAME).get_predictions().to_dict(orient="records") == ours


def same(ours: Any, theirs: Any) -> None:
    assert len(ours["predictions"]) == len(theirs["predictions"]) > 0
    for mine, other in zip(ours["predictions"], theirs["predictions"], strict=True):
        assert mine.keys() == other.keys() == {"label", "probability"}
        assert mine["label"] == other["label"]
        assert mine["probability"] == pytest.approx(other["probability"], abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "body", "status", "error"),
    [
        ("application/json", "[]", 422, "the body must be an object with one of dataframe_split, dataframe_records,"),
        ("application/json", '{"inputs": {}, "instances": []}', 422, "the body must be an object with one of"),
        ("application/json", '{"dataframe_split": {"data": [[1]]}}', 422, "dataframe_split must be an object with"),
        (
            "application/json",
            '{"dataframe_split": {"columns": ["age"], "data": [[1], []]}}',
            422,
            "row 1: must be a list of 1 values, as there are columns",
        ),
        ("application/json", '{"inputs": {"age": [1, 2], "sex": 3}}', 422, "inputs by column must be lists of one"),
        ("application/json", json.dumps({"instances": [[*ROW.values()]]}), 422, "row 0: must be an object with a"),
        (
            "application/json",
            json.dumps({"dataframe_records": [{**ROW, "chol": math.nan}]}),
            422,
            "row 0, chol: must be a number from 80 to 700",
        ),
        (
            "application/json",
            '{"dataframe_split": {"columns": ["age", "age"], "data": [[1, 2]]}}',
            422,
            "age: stands twice among the columns",
        ),
        ("application/json", json.dumps({"instances": [ROW]})[:-3] + ', "age": 3}]}', 422, "age: stands twice in one"),
        ("application/json", '{"inputs": {"age": [1, 2], "age": [3, 4]}}', 422, "age: stands twice in one object"),
        ("text/csv", "age,age\n1,2\n", 422, "age: stands twice among the columns"),
        ("text/csv", "", 400, "the body is empty; its first line must name the columns"),
        ("text/csv", "age,sex\n1\n", 422, "row 0: must have 2 values, as there are columns"),
        ("text/csv", ",".join(ROW), 422, "there are no rows"),
        ("text/csv", ",".join(ROW) + "\n" + ",".join(["x"] * 13), 422, "row 0, age: must be a number from 18 to 110"),
        ("application/json; charset=latin-1", "{}", 415, "only UTF-8 is read"),
        ("text/csv; header=present; charset=utf-16", "", 415, "only UTF-8 is read"),
        (
            "text/csv",
            ",".join(["63"] * 13) + "\n",
            422,
            "the first line must be a header with the names of the columns: age,",
        ),
        ("text/csv;header=absent", ",".join(ROW), 422, "the first line must be a header with the names of the columns"),
        ("application/x-npy", "", 415, "this content type is not read here; use one of application/json and"),
    ],
)
@pytest.mark.refuses("requests to the service")
def test_what_cannot_be_read_is_told(service: TestClient, kind: str, body: str, status: int, error: str) -> None:
    answer = service.post("/invocations", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(error)


def test_a_container_of_sagemaker_answers_pings(service: TestClient) -> None:
    assert service.get("/ping").status_code == service.get("/health").status_code == 200
    assert service.get("/version").text == __version__


TENSOR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"enum": ["BOOL", "INT64", "FP32", "FP64", "BYTES"]},
    },
    "required": ["name", "shape", "datatype"],
}
PUBLISHED = {
    "server": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "version": {"type": "string"},
            "extensions": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name", "version", "extensions"],
    },
    "model": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "versions": {"type": "array", "items": {"type": "string"}},
            "platform": {"type": "string"},
            "inputs": {"type": "array", "items": TENSOR},
            "outputs": {"type": "array", "items": TENSOR},
        },
        "required": ["name", "platform", "inputs", "outputs"],
    },
    "response": {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {
                "type": "array",
                "items": {
                    **TENSOR,
                    "properties": {**TENSOR["properties"], "data": {"type": "array", "items": {"type": "number"}}},
                    "required": ["name", "shape", "datatype", "data"],
                },
            },
        },
        "required": ["model_name", "outputs"],
    },
    "error": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
}
"""What the Open Inference Protocol says of each body, in the words of JSON Schema."""


def told(service: TestClient, path: str, schema: str, *, body: Any = None, status: int = 200) -> Any:
    answer = service.get(path) if body is None else service.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    Draft202012Validator(PUBLISHED[schema]).validate(answer.json())
    return answer.json()


@pytest.mark.parametrize("version", ["", "/versions/v1.0.0"])
def test_the_open_inference_protocol_is_spoken(service: TestClient, version: str) -> None:
    told(service, "/v2", "server")
    path = f"/v2/models/heart-disease{version}"
    model = told(service, path, "model")
    assert model["versions"] == ["v1.0.0"]
    assert [each["name"] for each in model["inputs"]] == [*ROW]
    assert service.get(f"{path}/ready").json() == {"name": "heart-disease", "ready": True}
    tensors = [
        {"name": name, "shape": [8], "datatype": "FP64", "data": values} for name, values in golden(0.1).rows.items()
    ]
    answer = told(service, f"{path}/infer", "response", body={"id": "42", "inputs": tensors})
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("42", "heart-disease", "v1.0.0")
    label, probability = answer["outputs"]
    assert (label["name"], label["datatype"], label["shape"]) == ("label", "INT64", [8])
    assert (probability["name"], probability["datatype"], probability["shape"]) == ("probability", "FP64", [8])
    assert golden(0.1).disagreement(label["data"], probability["data"]) is None
    wanted = {"inputs": tensors, "outputs": [{"name": "probability"}]}
    (alone,) = told(service, f"{path}/infer", "response", body=wanted)["outputs"]
    assert alone == probability


def test_the_request_of_kserve_s_client_is_answered(service: TestClient) -> None:
    """As `InferRequest.to_rest` of KServe's package makes it: parameters at each level, which have no effect."""
    tensors = [
        {"name": name, "shape": [1], "datatype": "FP64", "parameters": {"content_type": "np"}, "data": [value]}
        for name, value in ROW.items()
    ]
    body = {
        "id": "af2a0e55-9b0c-4d55-b9c7-0e07e1b3c9a1",
        "model_name": "heart-disease",
        "inputs": tensors,
        "parameters": {"content_type": "pd"},
        "outputs": [{"name": "probability", "parameters": {"binary_data": False}}],
    }
    headers = {"content-type": "application/json", "x-request-id": "7", "accept-encoding": "gzip"}
    answer = service.post(INFER, content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], len(answer.json()["outputs"])) == (body["id"], 1)


def test_tensors_in_binary_are_refused_by_name(service: TestClient) -> None:
    """As Triton's client sends them unless it is told otherwise."""
    header = {"Inference-Header-Content-Length": "10"}
    answer = service.post(INFER, content=b'{"inputs":' + bytes(9), headers=header)
    assert (answer.status_code, answer.json()["error"][:36]) == (415, "the extension for binary tensors is ")


@pytest.mark.parametrize("nested", [False, True])
def test_a_single_tensor_is_the_whole_matrix_in_the_model_s_order(service: TestClient, nested: bool) -> None:
    rows = [[*row] for row in zip(*golden(0.1).rows.values(), strict=True)]
    data = rows if nested else [value for row in rows for value in row]
    tensor = {"name": "input-0", "shape": [8, 13], "datatype": "FP32", "data": data}
    label, probability = told(service, INFER, "response", body={"inputs": [tensor]})["outputs"]
    assert golden(0.1).disagreement(label["data"], probability["data"]) is None


def column(name: str = "age", **changes: Any) -> list[dict[str, Any]]:
    tensors = [{"name": each, "shape": [1, 1], "datatype": "INT64", "data": [value]} for each, value in ROW.items()]
    return [{**each, **(changes if each["name"] == name else {})} for each in tensors]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"inputs": column(data=[200])}, "row 0, age: must be a number from 18 to 110"),
        ({"inputs": column(datatype="FP65")}, "age: has a datatype that the protocol does not know; it knows BOOL,"),
        ({"inputs": column(data=[63, 64])}, "age: has another number of values than its shape says"),
        ({"inputs": column(shape=[1, 1, 1])}, "age: must have the shape [rows] or [rows, 1]"),
        ({"inputs": column(shape=[2], data=[63, 64])}, "the inputs have different numbers of rows"),
        ({"inputs": column(name="sex")[:-1]}, "row 0, thal: is missing; must be one of 3, 6, 7, or null"),
        ({"inputs": [*column(), *column()[:1]]}, "age: stands twice among the inputs"),
        ({"inputs": []}, "there are no rows"),
        ({"inputs": column(), "outputs": [{"name": "logit"}]}, "logit: no such output; the outputs are label and"),
        ({"rows": []}, "not an inference request: Object missing required field `inputs`"),
        ([], "not an inference request: Expected `object`, got `array`"),
    ],
)
@pytest.mark.refuses("requests to the service")
def test_tensors_that_are_not_the_model_s_are_refused(service: TestClient, body: Any, error: str) -> None:
    assert told(service, INFER, "error", body=body, status=422)["error"].startswith(error)


@pytest.mark.parametrize("rest", ["", "/ready", "/infer"])
@pytest.mark.refuses("requests to the service")
def test_another_model_or_version_is_not_there_and_the_one_that_is_is_named(service: TestClient, rest: str) -> None:
    body = {"inputs": column()} if rest == "/infer" else None
    path = f"/v2/models/heart-disease/versions/v9.9.9{rest}"
    assert told(service, path, "error", body=body, status=404) == {"error": "no such version is served; v1.0.0 is"}
    path = f"/v2/models/diabetes{rest}"
    assert told(service, path, "error", body=body, status=404) == {
        "error": "no such model is served here; heart-disease is"
    }
