"""The examples of destinations are the reference model, and differ from it only in where they release to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import model_release
from model_release.spec.load import load_spec
from model_release.stores.uris import SCHEMES, parse

MODELS = Path(model_release.__file__).parent.parent / "models"
EXAMPLES = {
    "heart_disease_s3": ["s3"],
    "heart_disease_gcs": ["gs"],
    "heart_disease_azure": ["wasb"],
    "heart_disease_all_clouds": ["s3", "gs", "wasb", "folder"],
}
OWN: Any = {"name": True, "destinations": True, "tracking": True, "dataset": {"source"}}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_the_reference_model_released_elsewhere(name: str) -> None:
    reference, example = load_spec(MODELS / "heart_disease.yaml"), load_spec(MODELS / "examples" / f"{name}.yaml")
    assert example.model_dump(exclude=OWN) == reference.model_dump(exclude=OWN)
    assert example.source_uri() == reference.source_uri()
    assert example.identifier == name


@pytest.mark.parametrize(("name", "schemes"), EXAMPLES.items())
def test_an_example_names_a_connection_and_a_prefix_for_each_cloud(
    name: str, schemes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_RELEASE_STORE", "file:///srv/models")
    spec = load_spec(MODELS / "examples" / f"{name}.yaml")
    uris = [spec.model_uri(each) for each in spec.destinations]
    clouds = [parse(uri) for uri in uris if uri.partition(":")[0] in SCHEMES]
    assert [each.scheme for each in clouds] == [each for each in schemes if each in SCHEMES]
    assert all(each.connection and each.prefix == f"ml/{spec.name}-models" for each in clouds)


def test_a_cloud_that_is_not_required_may_give_up_early() -> None:
    spec = load_spec(MODELS / "examples" / "heart_disease_all_clouds.yaml")
    azure = spec.destination("azure")
    assert (azure.required, spec.home.required, spec.home.name) == (False, True, "aws")
    assert azure.transfer.deadline < spec.home.transfer.deadline


def test_the_example_for_s3_shows_how_objects_are_kept() -> None:
    transfer = load_spec(MODELS / "examples" / "heart_disease_s3.yaml").home.transfer
    assert {"sse", "kms_key", "tags", "storage_class", "deadline", "attempts"} <= transfer.model_fields_set
