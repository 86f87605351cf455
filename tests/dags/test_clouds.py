"""The chain over four destinations at once, through the real provider hooks, with clouds that go down in between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from emulators.clouds import BUCKET, Clouds, clouds, connections
from emulators.proxy import Proxy, proxied
from model_release.errors import ModelReleaseError
from model_release.nightly import Json, Nightly, Run

FOLDER = "ml/heart-disease-models"
QUICK = {"connect_timeout": 1, "read_timeout": 5, "deadline": 8, "attempts": 2}


@pytest.fixture(scope="module")
def three() -> Iterator[Clouds]:
    with clouds() as running:
        yield running


@pytest.fixture
def azure_door(three: Clouds, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to Azure, which a test can close."""
    with proxied(three.azure.url) as door:
        for name, value in connections(three.s3.url, three.gcs.url, door.url).items():
            monkeypatch.setenv(name, value)
        yield door


@pytest.fixture
def night(specs: Callable[..., Path], azure_door: Proxy, tmp_path: Path) -> Callable[..., Nightly]:
    """A run of a model that goes to S3 first, then to Google, Azure and a folder; a prefix of its own for each test."""
    from model_release.airflow_glue import open_through_hooks
    from model_release.specfile import load_spec

    def run(day: int = 22, *, run_id: str = "one", azure_required: bool = True) -> Nightly:
        prefix = f"{BUCKET}/{tmp_path.name}/ml"
        destinations: list[dict[str, Any]] = [
            {"name": "aws", "uri": f"s3://seaweed@{prefix}"},
            {"name": "google", "uri": f"gs://fake_gcs@{prefix}"},
            {"name": "azure", "uri": f"wasb://azurite@{prefix}", "required": azure_required},
            {"name": "folder", "uri": "${MODEL_RELEASE_STORE}/ml"},
        ]
        path = specs(
            "heart_disease_four_sites",
            name="heart-disease",
            destinations=[{**each, "transfer": QUICK} for each in destinations],
            tracking=None,
        )
        facts = Run(run_id=run_id, as_of=date(2026, 10, day), by="test")
        return Nightly(load_spec(path), facts, opener=open_through_hooks)

    return run


def up_to_gate(night: Nightly) -> list[Json]:
    night.reconcile()
    _, work = night.ingest()
    _, orders = night.gate(night.evaluate([night.train(each) for each in work]))
    assert [each["destination"] for each in orders] == ["aws", "google", "azure", "folder"]
    return orders


def closed(_request: bytes, _answer: bytes) -> bytes | None:
    return None


def opened(_request: bytes, answer: bytes) -> bytes | None:
    return answer


def readers(three: Clouds, tmp_path: Path) -> dict[str, Callable[[str], bytes]]:
    """Each destination, read with its own plain SDK."""
    prefix = f"{tmp_path.name}/{FOLDER}"
    return {
        "aws": lambda key: three.read_s3(f"{prefix}/{key}"),
        "google": lambda key: three.read_gcs(f"{prefix}/{key}"),
        "azure": lambda key: three.read_azure(f"{prefix}/{key}"),
        "folder": lambda key: (tmp_path / "store" / FOLDER / key).read_bytes(),
    }


def live(read: Callable[[str], bytes]) -> str | None:
    """The version that a destination's pointer names, after every byte of it was checked; None without a pointer."""
    try:
        pointer = json.loads(read("latest.json"))
    except Exception:  # noqa: BLE001 - each SDK has its own way to say that nothing is there
        return None
    version: str = pointer["version"]
    manifest = read(f"{version}/metadata.json")
    assert hashlib.sha256(manifest).hexdigest() == pointer["metadata_sha256"]
    for entry in json.loads(manifest)["files"]:
        body = read(f"{version}/{entry['path']}")
        assert (len(body), hashlib.sha256(body).hexdigest()) == (entry["size"], entry["sha256"])
        assert read(f"latest/{entry['path']}") == body
    assert read(f"log/{pointer['epoch']:012d}.json") == read("latest.json")
    return version


def test_one_release_lies_on_four_destinations_byte_for_byte(
    night: Callable[..., Nightly], three: Clouds, tmp_path: Path
) -> None:
    uploaded = [night().upload(each) for each in up_to_gate(night())]
    assert night().update_latest(uploaded)["promoted"]
    read = readers(three, tmp_path)
    assert {name: live(each) for name, each in read.items()} == dict.fromkeys(read, "v1.0.0")
    for key in ("latest.json", "v1.0.0/metadata.json", "v1.0.0/claim.json", "v1.0.0/best_model.pkl"):
        assert len({each(key) for each in read.values()}) == 1, key
    assert all(sent["sent"] == [] for sent in map(night().upload, uploaded))


def test_a_cloud_down_in_phase_one_moves_no_pointer_and_only_what_is_missing_is_sent_again(
    night: Callable[..., Nightly], azure_door: Proxy, three: Clouds, tmp_path: Path
) -> None:
    orders = {each["destination"]: each for each in up_to_gate(night())}
    azure_door.spoil = closed
    for name in ("aws", "google", "folder"):
        assert len(night().upload(orders[name])["sent"]) == 5
    with pytest.raises(ModelReleaseError):
        night().upload(orders["azure"])
    read = readers(three, tmp_path)
    assert [live(each) for each in read.values()] == [None] * 4
    azure_door.spoil = opened
    again = {name: night().upload(order) for name, order in orders.items()}
    assert {name: len(each["sent"]) for name, each in again.items()} == {"aws": 0, "google": 0, "azure": 5, "folder": 0}
    night().update_latest(list(again.values()))
    assert [live(each) for each in read.values()] == ["v1.0.0"] * 4


def test_a_cloud_down_in_phase_two_leaves_the_others_moved_and_is_healed_by_the_retry(
    night: Callable[..., Nightly], azure_door: Proxy, three: Clouds, tmp_path: Path
) -> None:
    uploaded = [night().upload(each) for each in up_to_gate(night())]
    azure_door.spoil = closed
    with pytest.raises(ModelReleaseError):
        night().update_latest(uploaded)
    azure_door.spoil = opened
    read = readers(three, tmp_path)
    assert [live(each) for each in read.values()] == ["v1.0.0", "v1.0.0", None, "v1.0.0"]
    done = night().update_latest(uploaded)
    assert (done["promoted"], done["epoch"]) == (True, 1)
    assert [live(each) for each in read.values()] == ["v1.0.0"] * 4


def test_a_destination_that_is_not_required_lags_and_is_mended_by_the_next_night(
    night: Callable[..., Nightly], azure_door: Proxy, three: Clouds, tmp_path: Path
) -> None:
    orders = up_to_gate(night(azure_required=False))
    azure_door.spoil = closed
    uploaded = [night(azure_required=False).upload(each) for each in orders]
    assert "lagging" in uploaded[2]
    done = night(azure_required=False).update_latest(uploaded)
    assert done["promoted"]
    assert len(done["lagging"]) == 1
    assert "wasb://" in done["lagging"][0]
    azure_door.spoil = opened
    read = readers(three, tmp_path)
    assert [live(each) for each in read.values()] == ["v1.0.0", "v1.0.0", None, "v1.0.0"]
    mended = night(day=23, run_id="two", azure_required=False).reconcile()
    assert mended["lagging"] == []
    assert [live(each) for each in read.values()] == ["v1.0.0"] * 4
