"""The chain over four destinations at once, through the real provider hooks, with clouds that go down in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from emulators.clouds import Clouds, clouds, connections, destinations, live
from emulators.proxy import Proxy, proxied
from model_release.errors import ModelReleaseError
from model_release.workflows.messages import UploadOrder
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from support.retrain_steps import SIMPLE, hurry

MODEL = "heart-disease-models"
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
def night(
    specs: Callable[..., Path], azure_door: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., RetrainRun]:
    """A run of a model that goes to S3 first, then to Google, Azure and a folder; a prefix of its own for each test."""
    from model_release.airflow_glue import open_through_hooks
    from model_release.spec.load import load_spec

    hurry(monkeypatch)

    def run(day: int = 22, *, run_id: str = "one", azure_required: bool = True) -> RetrainRun:
        wanted = [{**each, "transfer": QUICK} for each in destinations(tmp_path.name)]
        wanted[2]["required"] = azure_required
        changes = {"name": "heart-disease", "candidates": SIMPLE, "destinations": wanted, "tracking": None}
        path = specs("heart_disease_four_sites", **changes)
        facts = Run(run_id=run_id, as_of=date(2026, 10, day), by="test")
        return RetrainRun(load_spec(path), facts, opener=open_through_hooks)

    return run


def up_to_gate(night: RetrainRun) -> list[UploadOrder]:
    night.reconcile()
    _, work = night.ingest()
    _, gated = night.gate(night.evaluate([night.train(each) for each in work]))
    orders = [each for each in gated if isinstance(each, UploadOrder)]
    assert [each.destination for each in orders] == [
        "aws",
        "google",
        "azure",
        "folder",
    ]
    return orders


def closed(_request: bytes, _answer: bytes) -> bytes | None:
    return None


def opened(_request: bytes, answer: bytes) -> bytes | None:
    return answer


def readers(three: Clouds, tmp_path: Path) -> dict[str, Callable[[str], bytes]]:
    """Each destination, read with its own plain SDK."""
    folder = f"{tmp_path.name}/{MODEL}"
    return {**three.readers(folder), "folder": lambda key: (tmp_path / "store" / folder / key).read_bytes()}


def test_one_release_lies_on_four_destinations_byte_for_byte(
    night: Callable[..., RetrainRun], three: Clouds, tmp_path: Path
) -> None:
    uploaded = [night().upload(each) for each in up_to_gate(night())]
    assert night().update_latest(uploaded).promoted
    read = readers(three, tmp_path)
    assert {name: live(each) for name, each in read.items()} == dict.fromkeys(read, "v1.0.0")
    for key in ("latest.json", "v1.0.0/metadata.json", "v1.0.0/claim.json", "v1.0.0/best_model.pkl"):
        assert len({each(key) for each in read.values()}) == 1, key
    assert all(night().upload(each.order).sent == [] for each in uploaded)


def test_a_cloud_down_in_phase_one_moves_no_pointer_and_only_what_is_missing_is_sent_again(
    night: Callable[..., RetrainRun], azure_door: Proxy, three: Clouds, tmp_path: Path
) -> None:
    orders = {each.destination: each for each in up_to_gate(night())}
    azure_door.spoil = closed
    for name in ("aws", "google", "folder"):
        assert len(night().upload(orders[name]).sent) == 7
    with pytest.raises(ModelReleaseError):
        night().upload(orders["azure"])
    read = readers(three, tmp_path)
    assert [live(each) for each in read.values()] == [None] * 4
    azure_door.spoil = opened
    again = {name: night().upload(order) for name, order in orders.items()}
    assert {name: len(each.sent) for name, each in again.items()} == {"aws": 0, "google": 0, "azure": 7, "folder": 0}
    night().update_latest(list(again.values()))
    assert [live(each) for each in read.values()] == ["v1.0.0"] * 4


def test_a_cloud_down_in_phase_two_leaves_the_others_moved_and_is_healed_by_the_retry(
    night: Callable[..., RetrainRun], azure_door: Proxy, three: Clouds, tmp_path: Path
) -> None:
    uploaded = [night().upload(each) for each in up_to_gate(night())]
    azure_door.spoil = closed
    with pytest.raises(ModelReleaseError):
        night().update_latest(uploaded)
    azure_door.spoil = opened
    read = readers(three, tmp_path)
    assert [live(each) for each in read.values()] == ["v1.0.0", "v1.0.0", None, "v1.0.0"]
    done = night().update_latest(uploaded)
    assert (done.promoted, done.epoch) == (True, 1)
    assert [live(each) for each in read.values()] == ["v1.0.0"] * 4


def test_a_destination_that_is_not_required_lags_and_is_mended_by_the_next_night(
    night: Callable[..., RetrainRun], azure_door: Proxy, three: Clouds, tmp_path: Path
) -> None:
    orders = up_to_gate(night(azure_required=False))
    azure_door.spoil = closed
    uploaded = [night(azure_required=False).upload(each) for each in orders]
    assert uploaded[2].lagging
    done = night(azure_required=False).update_latest(uploaded)
    assert done.promoted
    assert len(done.lagging) == 1
    assert "wasb://" in done.lagging[0]
    azure_door.spoil = opened
    read = readers(three, tmp_path)
    assert [live(each) for each in read.values()] == ["v1.0.0", "v1.0.0", None, "v1.0.0"]
    mended = night(day=23, run_id="two", azure_required=False).reconcile()
    assert mended.lagging == []
    assert [live(each) for each in read.values()] == ["v1.0.0"] * 4
