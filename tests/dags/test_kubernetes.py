"""A team's Airflow on Kubernetes: the chart's values, and the pod of a task that trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from support.dag_runs import load

HELM = Path(__file__).resolve().parents[2] / "deploy" / "helm"
DAG = "retrain_heart_disease"

FREE = {"config", "env", "resources", "annotations"}
"""What the chart takes as it is: Airflow's options, the environment, whatever Kubernetes allows there."""

TAKEN = {
    "executor",
    "airflowVersion",
    "images.airflow.repository",
    "images.airflow.tag",
    "fernetKeySecretName",
    "apiSecretKeySecretName",
    "jwtSecretName",
    "data.metadataSecretName",
    "postgresql.enabled",
    "redis.enabled",
    "config",
    "env",
    "dags.persistence.enabled",
    "dags.gitSync.enabled",
    "createUserJob.useHelmHooks",
    "migrateDatabaseJob.useHelmHooks",
    "workers.kubernetes.resources",
    "workers.kubernetes.serviceAccount.create",
    "workers.kubernetes.serviceAccount.annotations",
    "apiServer.serviceAccount.create",
    "apiServer.serviceAccount.annotations",
    "apiServer.resources",
    "scheduler.resources",
    "dagProcessor.enabled",
    "dagProcessor.resources",
    "triggerer.persistence.enabled",
    "triggerer.resources",
    "logs.persistence.enabled",
}
"""Values that chart 1.22 takes; it refuses unknown ones below its sections."""


def values() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((HELM / "values.yaml").read_text())
    return read


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict) and key not in FREE:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_chart_takes_every_value() -> None:
    assert set(leaves(values())) <= TAKEN


def test_no_secret_has_a_value() -> None:
    told = values()
    assert {told[f"{each}SecretName"] for each in ("fernetKey", "apiSecretKey", "jwt")} == {"airflow-secrets"}
    assert not any(word in each["name"] for each in told["env"] for word in ("PASSWORD", "SECRET", "TOKEN", "CONN"))


def test_airflow_knows_every_option() -> None:
    from airflow.configuration import conf

    for section, options in values()["config"].items():
        for option, value in options.items():
            known = conf.configuration_description.get(section, {}).get("options", {})
            assert option in known or section == "kubernetes_executor", f"[{section}] {option}"
            assert isinstance(value, str | int)


def test_a_task_that_trains_has_a_larger_pod(specs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from airflow.serialization.serialized_objects import DagSerialization
    from kubernetes.client import ApiClient
    from kubernetes.client import models as k8s

    specs()
    assert load(DAG).get_task("train").partial_kwargs["executor_config"] is None
    monkeypatch.setenv("MODEL_RELEASE_TRAIN_POD", str(HELM / "train-pod.yaml"))
    dag = load(DAG)
    assert DagSerialization.to_dict(dag)
    override = dag.get_task("train").partial_kwargs["executor_config"]["pod_override"]
    workers = values()["workers"]["kubernetes"]["resources"]
    base = k8s.V1Pod(
        api_version="v1",
        kind="Pod",
        metadata=k8s.V1ObjectMeta(name="of-the-chart"),
        spec=k8s.V1PodSpec(
            containers=[k8s.V1Container(name="base", image="airflow", resources=k8s.V1ResourceRequirements(**workers))]
        ),
    )
    made = ApiClient().sanitize_for_serialization(PodGenerator.reconcile_pods(base, override))
    kubernetes_validate.validate(made, "1.33", strict=True)
    (container,) = made["spec"]["containers"]
    assert (container["name"], container["image"]) == ("base", "airflow")
    assert container["resources"]["limits"]["memory"] == "4Gi"


def test_a_pod_that_is_not_there_is_an_import_error(
    specs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from model_release.airflow_glue import pod_of_training
    from model_release.errors import SpecError

    specs()
    monkeypatch.setenv("MODEL_RELEASE_TRAIN_POD", str(tmp_path / "none.yaml"))
    with pytest.raises(SpecError, match="names .*none.yaml, and there is no such file"):
        pod_of_training()
