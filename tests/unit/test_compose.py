"""What can be told of `docker-compose.yaml`, `.env.example` and the Dockerfile without running them."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from team.compose import FILE, resolve

CHECKOUT = FILE.parent
ONE_SHOT = {"secrets", "airflow-init", "clouds-init"}
STAND_INS = {"seaweedfs", "azurite", "fake-gcs", "clouds-init"}
OFFICIAL = {"postgres", "redis", *(f"airflow-{each}" for each in ("apiserver", "scheduler", "dag-processor"))}
OFFICIAL |= {"airflow-triggerer", "airflow-init"}
COMPONENTS = {"apiserver", "scheduler", "dag-processor", "triggerer", "worker-1", "worker-2"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    """Every service, as Docker Compose resolves it, which refuses what is not by its specification."""
    return dict(resolve("--profile=clouds")["services"])


def test_stand_ins_are_left_out_unless_they_are_asked_for(services: dict[str, Any]) -> None:
    assert set(services) - set(resolve()["services"]) == STAND_INS
    assert set(services) >= OFFICIAL


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
