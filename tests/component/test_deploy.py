"""The files that put the service into containers: checked by the tools of their trade, and against this project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from model_release.cli.destinations import Model
from model_release.releases.catalog import live_pointer

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"
DOCKERFILES = [CHECKOUT / "Dockerfile", DEPLOY / "service/Dockerfile.baked"]
KUBERNETES = DEPLOY / "kubernetes/heart-disease.yaml"
KSERVE = DEPLOY / "kubernetes/kserve.yaml"


def documents(path: Path) -> list[dict[str, Any]]:
    return [*yaml.safe_load_all(path.read_text())]


def of_kind(kind: str) -> dict[str, Any]:
    return next(each for each in documents(KUBERNETES) if each["kind"] == kind)


def service_stages() -> str:
    text = (CHECKOUT / "Dockerfile").read_text()
    return text[text.index("FROM ${SERVICE_BASE_IMAGE}") : text.index("FROM ${BASE_IMAGE}")]


@cache
def told_by(command: str) -> tuple[set[str], set[str]]:
    """Return the options that a command's help names, and the environment variables."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "include"), "COLUMNS": "300", "NO_COLOR": "1"}
    call = [sys.executable, "-m", "model_release.cli", command, "--help"]
    text = subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout
    return {*re.findall(r"--[a-z][a-z0-9-]*", text)}, {*re.findall(r"MODEL_RELEASE_[A-Z_]+", text)}


def test_the_dockerfiles_pass_hadolint() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, *DOCKERFILES], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_holds_what_serves_and_nothing_else() -> None:
    text = service_stages()
    extras = re.search(r"'\.\[([a-z0-9,]+)\]'", text)
    assert extras is not None
    known = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*extras[1].split(",")} == {"serve", "s3", "gcs", "azure", "sign"} <= known.keys()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for path in source.split():
            assert (CHECKOUT / path).exists(), path
            assert f"!{path}\n" in (CHECKOUT / ".dockerignore").read_text()


def test_who_serves_is_nobody() -> None:
    for text in (service_stages(), (DEPLOY / "service/Dockerfile.baked").read_text()):
        assert re.findall(r"^USER (.+)$", text, re.MULTILINE)[-1] == "10001:10001"


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
def test_kubernetes_knows_every_field(version: str) -> None:
    kinds = []
    for each in documents(KUBERNETES):
        kubernetes_validate.validate(each, version, strict=True)
        kinds.append(each["kind"])
    assert kinds == ["ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"]


def test_the_pods_are_locked_and_hold_no_secret() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    containers = [*pod["initContainers"], *pod["containers"]]
    volumes = {each["name"] for each in pod["volumes"]}
    for each in containers:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in each["resources"]["limits"]
        assert "env" not in each
        assert {mount["name"] for mount in each["volumeMounts"]} <= volumes
    assert "Secret" not in KUBERNETES.read_text()
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        of_kind("Deployment")["spec"]["selector"]["matchLabels"],
        of_kind("Service")["spec"]["selector"],
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()


def test_the_containers_call_commands_that_there_are() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    told = of_kind("ConfigMap")["data"].keys()
    assert told <= told_by("serve")[1]
    kserve = documents(KSERVE)[0]["spec"]["predictor"]
    for each in (*pod["initContainers"], *pod["containers"], *kserve["containers"]):
        command, *arguments = each["args"]
        options, _ = told_by(command)
        assert {each for each in arguments if each.startswith("-")} <= options
        assert "--trust" in options
    named = {*re.findall(r"MODEL_RELEASE_\w+", service_stages())}
    assert named <= told_by("serve")[1]
    for path in ("/healthz", "/readyz", "/metrics", "/v2/health/ready"):
        assert path in _routes()


def _routes() -> str:
    return "".join(path.read_text() for path in (CHECKOUT / "include/model_release/serving").glob("*.py"))


def test_kserve_gets_a_version_with_its_slash_and_not_by_its_pickles() -> None:
    """No schema of KServe's is at hand: what is known of its shape."""
    own, ready_made = (each["spec"]["predictor"] for each in documents(KSERVE))
    (variable,) = own["containers"][0]["env"]
    assert variable["name"] == "STORAGE_URI"
    for uri in (variable["value"], ready_made["model"]["storageUri"]):
        assert re.search(r"-models/v\d+\.\d+\.\d+/$", uri)
    assert own["containers"][0]["args"][1] == "/mnt/models"
    assert ready_made["model"]["modelFormat"] == {"name": "mlflow"}
    for each in documents(KSERVE):
        assert (each["apiVersion"], each["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")


def upload(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    script = CHECKOUT / "include/scripts/upload_models.sh"
    environment = {"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"}
    return subprocess.run([script, *arguments], capture_output=True, text=True, cwd=cwd, env=environment)


def test_upload_models_publishes(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for name in ("best_model.pkl", "preprocessor.pkl"):
        (models / name).write_text(name)
    (tmp_path / "bucket of mine").mkdir()
    done = upload(
        "models/", "bucket of mine", "churn", "--reason", "made by hand", "--by", "ann", "--unopened", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    pointer = live_pointer(Model((tmp_path / "bucket of mine/churn-models").as_uri()).destinations().home)
    assert (str(pointer.version), pointer.change.by, pointer.change.reason) == ("v1.0.0", "ann", "made by hand")
    usage = upload("models/", cwd=tmp_path)
    assert (usage.returncode, "upload_models.sh FOLDER BUCKET [MODEL]" in usage.stderr) == (2, True)
    missing = upload("nothing", "bucket of mine", cwd=tmp_path)
    assert (missing.returncode, "nothing: there is no such folder" in missing.stderr) == (1, True)
