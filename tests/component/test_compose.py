"""What can be told of `docker-compose.yaml`, `.env.example` and the Dockerfile without running them."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from team.compose import FILE, resolve
from team.compose import services as services_of

CHECKOUT = FILE.parent
ONE_SHOT = {"secrets", "airflow-init", "clouds-init"}
STAND_INS = {"seaweedfs", "azurite", "fake-gcs", "clouds-init"}
OFFICIAL = {"postgres", "redis", *(f"airflow-{each}" for each in ("apiserver", "scheduler", "dag-processor"))}
OFFICIAL |= {"airflow-triggerer", "airflow-init"}
KEYS = {
    f"{each}_AWS_{part}": "own" for each in ("MLFLOW", "SERVICE") for part in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
}
ASKING = """
import json, os
from botocore.session import get_session
session = get_session()
credentials = session.get_credentials()
client = session.create_client("s3", endpoint_url=os.environ.get(os.environ["NAMED_BY"] or "none"))
print(json.dumps({"endpoint": client.meta.endpoint_url, "key": credentials and credentials.access_key}))
"""
"""Tells whom Amazon's SDK would ask and as whom; MLflow names the endpoint by a variable of its own."""
COMPONENTS = {"apiserver", "scheduler", "dag-processor", "triggerer", "worker-1", "worker-2"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """Every service, as Docker Compose resolves it, which refuses what is not by its specification."""
    return dict(resolve("--profile=clouds")["services"])


def test_stand_ins_are_left_out_unless_they_are_asked_for(services: dict[str, Any]) -> None:
    assert set(services) - set(resolve()["services"]) == STAND_INS
    assert set(services) >= OFFICIAL


@pytest.mark.parametrize(
    ("settings", "endpoint", "key"),
    [
        ({}, "http://seaweedfs:8333", "stand-in"),
        ({"S3_ENDPOINT_URL": ""}, "https://s3.eu-central-1.amazonaws.com", None),
        ({"S3_ENDPOINT_URL": "", **KEYS}, "https://s3.eu-central-1.amazonaws.com", "own"),
        ({"S3_ENDPOINT_URL": "https://minio.example.org", **KEYS}, "https://minio.example.org", "own"),
    ],
)
def test_who_asks_s3_goes_where_it_was_told_with_the_key_it_was_given(
    settings: dict[str, str], endpoint: str, key: str | None, tmp_path: Path
) -> None:
    """The services' own lines, with the SDK in place of the program that they end in."""
    resolved = services_of(resolve(variables={"AWS_DEFAULT_REGION": "eu-central-1", **settings}))
    for name, program, variable in (
        ("mlflow", "mlflow", "MLFLOW_S3_ENDPOINT_URL"),
        ("model-service", "model-release", ""),
    ):
        secrets = tmp_path / name.removeprefix("model-")
        secrets.mkdir()
        (secrets / "stand_in").write_text("AWS_ACCESS_KEY_ID=stand-in\nAWS_SECRET_ACCESS_KEY=secret\n")
        (secrets / "database").write_text("sqlite://")
        script = secrets / program
        script.write_text(f"#!{sys.executable}\n{ASKING}")
        script.chmod(0o755)
        service = resolved[name]
        env = {**service.environment, "PATH": f"{secrets}:/usr/bin:/bin", "NAMED_BY": variable}
        env |= {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
        command = [each.replace("/secrets/", f"{tmp_path}/") for each in service.command]
        told = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
        assert json.loads(told) == {"endpoint": endpoint, "key": key}, name


def test_what_asks_google_takes_an_empty_endpoint_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = services_of(resolve(variables={"STORAGE_EMULATOR_HOST": ""}))
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", resolved["airflow-worker-1"].environment["STORAGE_EMULATOR_HOST"])
    client = storage.Client(project="any", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]
    assert client.api_endpoint == "https://storage.googleapis.com"


def test_what_runs_on_is_watched_started_again_and_bounded(services: dict[str, Any]) -> None:
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory"} <= set(limits), name
        if name not in ONE_SHOT:
            assert service["healthcheck"]["test"], name
            assert service["restart"] == "unless-stopped", name
            assert service["cap_drop"] == ["ALL"], name


def test_nothing_runs_as_root_but_what_leaves_it_by_itself(services: dict[str, Any]) -> None:
    assert {name for name, each in services.items() if each.get("user", "0").startswith("0")} == {"postgres"}


def test_images_are_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert "build" in service or re.fullmatch(r"\d+\.\d+(\.\d+)?(-bookworm)?", tag), name


def test_no_secret_stands_in_the_file(services: dict[str, Any]) -> None:
    secret = re.compile(r"PASSWORD|SECRET|FERNET|KEY|TOKEN|SQL_ALCHEMY|BROKER|BACKEND", re.IGNORECASE)
    for name, service in services.items():
        for variable, value in (service.get("environment") or {}).items():
            if secret.search(variable):
                assert not value or variable.endswith(("_CMD", "_FILE")), f"{name}: {variable}"


def test_every_component_has_every_key_of_airflow(services: dict[str, Any]) -> None:
    for name in COMPONENTS:
        environment = services[f"airflow-{name}"]["environment"]
        for key in ("CORE__FERNET_KEY", "API__SECRET_KEY", "API_AUTH__JWT_SECRET", "DATABASE__SQL_ALCHEMY_CONN"):
            assert f"AIRFLOW__{key}_CMD" in environment, name


def test_workers_have_no_folder_in_common(services: dict[str, Any]) -> None:
    one, two = (
        {v["source"] for v in services[f"airflow-worker-{n}"]["volumes"] if not v.get("read_only")} for n in "12"
    )
    assert one and two and not one & two


def test_ports_are_open_to_this_machine_alone(services: dict[str, Any]) -> None:
    ports = [port for each in services.values() for port in each.get("ports", [])]
    assert ports
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


@pytest.mark.parametrize("path", ["", "/airflow"])
def test_a_path_of_a_proxy_is_in_the_address_for_browsers_and_in_that_for_tasks(path: str) -> None:
    variables = {"AIRFLOW_BASE_URL": "https://tools.example.org", "AIRFLOW_BASE_PATH": path}
    found = resolve(variables=variables)["services"]
    for name in COMPONENTS:
        environment = found[f"airflow-{name}"]["environment"]
        assert environment["AIRFLOW__API__BASE_URL"] == f"https://tools.example.org{path}"
        inside = environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"]
        assert inside == f"http://airflow-apiserver:8080{path}/execution/"


def test_every_setting_stands_in_the_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text()))
    named = set(re.findall(r"^#?(\w+)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))
    assert named == used


def test_secrets_are_made_once(tmp_path: Path) -> None:
    for consumer in ("airflow", "postgres", "redis", "mlflow", "service", "seaweedfs", "azurite"):
        (tmp_path / consumer).mkdir()
    make = [sys.executable, str(CHECKOUT / "deploy/compose/make_secrets.py"), str(tmp_path)]
    subprocess.run(make, check=True, capture_output=True)
    first = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o444 for path in first)
    assert len(set(first.values())) == len(first), "two secrets are alike"
    again = subprocess.run(make, check=True, capture_output=True, text=True)
    assert again.stdout == ""
    assert first == {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
