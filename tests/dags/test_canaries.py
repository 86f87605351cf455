"""Secrets that are planted in every place that holds some are in nothing that runs, failures and the service leave.

One model is released, held, and run once with a wrong passphrase, under a real Airflow in this process; a destination
of it is a bucket whose server refuses connections. Then every byte that was left is searched.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from model_release import client
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.served import open_release
from support.dag_runs import run, states
from support.signing_keys import pem_of, private_key

PHRASE, WRONG, BUCKET, VARIABLE, PROCESS = (
    f"canary+{name}/7Hq" for name in ("phrase", "wrong", "bucket", "variable", "process")
)
QUICK = {
    "candidates": {"logistic_regression": {"estimator": "LogisticRegression"}},
    "validation": {"folds": 2, "repeats": 1},
    "tracking": None,
}
AWAY = {"connect_timeout": 1, "read_timeout": 1, "deadline": 2, "attempts": 1}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a secret into each connection, a variable, the environment and the signing key; return them all."""
    pem = pem_of(private_key(), passphrase=PHRASE).decode()
    bucket = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}
    for name, value in {
        "AIRFLOW_CONN_MODEL_SIGNING": {"conn_type": "generic", "password": PHRASE, "extra": {"private_key": pem}},
        "AIRFLOW_CONN_WRONG_SIGNING": {"conn_type": "generic", "password": WRONG, "extra": {"private_key": pem}},
        "AIRFLOW_CONN_SKY": {"conn_type": "aws", "login": "AKIACANARY", "password": BUCKET, "extra": bucket},
        "AIRFLOW_VAR_TOKEN": VARIABLE,
        "MLFLOW_TRACKING_PASSWORD": PROCESS,
    }.items():
        monkeypatch.setenv(name, value if isinstance(value, str) else json.dumps(value))
    return [PHRASE, WRONG, BUCKET, VARIABLE, PROCESS, *pem.splitlines()[1:-1]]


def spellings(secret: str) -> Iterator[bytes]:
    """Yield the ways in which a text gets into a file: as it is, in an address, in JSON, in base64."""
    yield secret.encode()
    yield quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].replace("/", "\\/").encode()
    yield base64.b64encode(secret.encode()).rstrip(b"=")[:-1]


def found(secrets: list[str], left: dict[str, bytes]) -> set[tuple[str, str]]:
    """Return which secret is where, by the place and the first characters of the secret."""
    forms = [(secret[:12], form) for secret in secrets for form in spellings(secret)]
    return {(place, name) for place, body in left.items() for name, form in forms if form in body}


@pytest.mark.usefixtures("airflow_database")
def test_no_secret_is_in_anything_that_is_left(
    specs: Callable[..., Path],
    planted: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from airflow.configuration import AIRFLOW_HOME

    caplog.set_level(logging.DEBUG)
    folder = {"name": "folder", "uri": (tmp_path / "store").as_uri()}
    sky = {"name": "sky", "uri": "s3://sky@bucket", "required": False, "transfer": AWAY}
    specs(destinations=[folder, sky], signing={"connection": "wrong_signing"}, **QUICK)
    assert states(run("retrain_heart_disease"))["reconcile"] == ["failed"]
    specs(destinations=[folder, sky], signing={"connection": "model_signing"}, **QUICK)
    assert states(run("retrain_heart_disease"))["update_latest"] == ["success"]
    assert states(run("operate_heart_disease", action="hold", reason="audit"))["act"] == ["success"]

    pulled = client.pull((tmp_path / "store/heart-disease-models").as_uri(), to=tmp_path / "models")
    served = open_release(pulled.folder, pulled.manifest, pulled.pointer, allow_pickle=False)
    left = {}
    with TestClient(application(Live(served), limit=10_000)) as asking:
        for path in ("/model", "/metrics", "/openapi.json", "/docs", "/v2"):
            left[path] = asking.get(path).content
        left["/predict"] = asking.post("/predict", content=b"[{}]").content
    written = capfd.readouterr()
    left |= {"stdout": written.out.encode(), "stderr": written.err.encode(), "logs": caplog.text.encode()}
    for root in (tmp_path, Path(AIRFLOW_HOME)):
        left |= {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and not path.is_symlink()}

    assert any(place.endswith("airflow.db") for place in left)
    assert any(place.endswith("model.sig") for place in left)
    assert b"127.0.0.1:9" in b"".join(left.values())  # the bucket's failure was said
    assert found(planted, left) == set()
    print(f"{len(planted)} secrets, {len(left)} places, {sum(map(len, left.values())):,} bytes: 0 found")


@pytest.mark.parametrize("form", range(4))
def test_a_secret_that_is_left_is_found(form: int) -> None:
    body = b"... " + [*spellings(BUCKET)][form] + b" ..."
    assert found([PHRASE, BUCKET], {"there": body}) == {("there", BUCKET[:12])}
