"""DAG files read and run in the tests' own process, by tests whose conftest has set Airflow up before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DAGS = Path(__file__).resolve().parents[2] / "dags"


def load(dag_id: str) -> Any:
    """Return a DAG, from a file that can be imported."""
    bag = _bag(dag_id)
    assert not bag.import_errors
    return bag.dags[dag_id]


def run(dag_id: str, **conf: Any) -> Any:
    """Run a DAG as a manual run and return the run."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    bag = _bag(dag_id)
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags[dag_id].test(run_conf=conf)


def states(done: Any) -> dict[str, list[str]]:
    """Return the states of a run's tasks, by task in the order of the graph, by map index."""
    found: dict[str, list[str]] = {}
    for each in sorted(done.get_task_instances(), key=lambda each: each.map_index):
        found.setdefault(each.task_id, []).append(str(each.state))
    return found


def xcom(done: Any, task_id: str, key: str = "return_value") -> Any:
    """Return a value that a task of a run handed on."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.scalars(
            XComModel.get_many(run_id=done.run_id, dag_ids=done.dag_id, task_ids=task_id, key=key)
        ).one()
        return XComModel.deserialize_value(found)


def _bag(dag_id: str) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(DAGS / f"{dag_id.partition('_')[0]}.py"))
