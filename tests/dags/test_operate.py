"""The DAG `operate_<model>`: its graph and form, and acts of a person on made-up releases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_release.documents.pointer import Pointer
from model_release.releases.catalog import live_pointer
from model_release.releases.request import Action
from model_release.stores.local import LocalStore
from support.dag_runs import load, run, states, xcom
from support.release_builder import Chain, make

DAG = "operate_heart_disease"
CHAIN = ["look", "act", "spread", "announce"]
DONE = {name: ["success"] for name in CHAIN}
REFUSED = DONE | {"act": ["failed"], "spread": ["upstream_failed"], "announce": ["upstream_failed"]}


@pytest.fixture
def home(specs: Callable[..., Path], tmp_path: Path) -> LocalStore:
    """Two releases of a model one after the other; neither has a form that loads."""
    specs(tracking=None)
    store = LocalStore(tmp_path / "store" / "heart-disease-models")
    chain = Chain(store)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    return store


def told() -> list[dict[str, Any]]:
    """What consumers were told, oldest first."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        events = session.scalars(select(AssetEvent).where(AssetEvent.source_dag_id == DAG).order_by(AssetEvent.id))
        return [dict(each.extra) for each in events]


def test_the_graph_is_one_sentence(specs: Callable[..., Path]) -> None:
    specs()
    dag = load(DAG)
    assert [task.task_id for task in dag.topological_sort()] == CHAIN
    assert (dag.schedule, dag.is_paused_upon_creation) == (None, False)
    assert dag.get_task("spread").returns_dag_result
    assert all(action.value in load(DAG).params.get_param("action").schema["enum"] for action in Action)


@pytest.mark.usefixtures("airflow_database")
def test_an_event_that_somebody_forged_silences_no_announcement(home: LocalStore) -> None:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    assert states(run(DAG, action="hold", reason="audit"))["announce"] == ["success"]
    with create_session() as session:
        asset = session.scalars(select(AssetModel).where(AssetModel.name == "heart-disease")).one()
        extra = {"lineage": live_pointer(home).lineage, "since": 4}
        session.add(AssetEvent(asset_id=asset.id, extra=extra, source_dag_id="theirs", source_task_id="announce"))
    assert states(run(DAG, action="rollback", reason="worse", overrule=True)) == DONE
    assert told()[-1]["since"] == 4


@pytest.mark.parametrize(
    ("field", "value"),
    [("action", "delete"), ("version", "1.0.0"), ("version", "latest"), ("reason", ""), ("epoch", 0), ("epoch", "1")],
)
def test_the_form_refuses(specs: Callable[..., Path], field: str, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    specs()
    with pytest.raises(ParamValidationError):
        load(DAG).params.get_param(field).resolve(value)


@pytest.mark.usefixtures("airflow_database")
def test_acts_in_a_row(home: LocalStore) -> None:
    """A hold, a rollback that does not load and one that need not, each with the states a person sees in the grid."""
    held = run(DAG, action="hold", reason="audit")
    assert states(held) == DONE | {"announce": ["success"]}  # consumers were never told of these releases
    assert xcom(held, "spread")["summary"] == "latest is held at v1.1.0: runs publish and do not promote (epoch 3)"
    assert states(run(DAG, action="hold", reason="audit, too")) == DONE | {"announce": ["skipped"]}

    assert states(run(DAG, action="rollback", reason="worse on Mondays")) == REFUSED
    assert live_pointer(home).epoch == 4

    back = run(DAG, action="rollback", reason="worse on Mondays", overrule=True)
    assert (str(back.state), states(back)) == ("success", DONE)
    now = live_pointer(home)
    assert (str(now.version), now.change.reason) == ("v1.0.0", "worse on Mondays")
    assert now.change.operation.startswith("manual-")
    assert [each["version"] for each in told()[-2:]] == ["v1.1.0", "v1.0.0"]
    assert told()[-1]["since"] == now.since == 5


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"action": "promote"}, "promote: no version is given"),
        ({"action": "hold", "version": "v1.0.0"}, "whatever version is live"),
        ({"action": "rollback", "verison": "v1.0.0"}, "unknown keys: verison"),
    ],
)
def test_a_request_without_sense_fails_at_the_first_look(
    home: LocalStore, conf: dict[str, Any], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    before = live_pointer(home)
    done = run(DAG, reason="r", **conf)
    assert str(done.state) == "failed"
    assert states(done) == REFUSED | {"look": ["failed"], "act": ["upstream_failed"]}
    assert words in "".join(capfd.readouterr())
    assert live_pointer(home) == before


@pytest.mark.usefixtures("airflow_database")
def test_an_epoch_that_has_passed_is_refused(home: LocalStore, capfd: pytest.CaptureFixture[str]) -> None:
    before: Pointer = live_pointer(home)
    assert states(run(DAG, action="hold", reason="r", epoch=1)) == REFUSED
    assert "latest has moved from epoch 1 to 2 since it was looked at" in "".join(capfd.readouterr())
    assert live_pointer(home) == before
