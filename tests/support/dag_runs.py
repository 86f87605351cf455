"""DAG files read and run in the tests' own process, by tests whose conftest has set Airflow up before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DAGS = Path(__file__).resolve().parents[2] / "dags"


def load(dag_id: str) -> Any:
    """Return a DAG, from a file that can be imported."""
    bag = bag_of(dag_id)
    assert not bag.import_errors
    return bag.dags[dag_id]


def run(dag_id: str, *, folder: Path = DAGS, **conf: Any) -> Any:
    """Run a DAG as a manual run and return the run.

    Args:
        dag_id: of the DAG.
        folder: of its file.
        conf: of the run.
    """
    return sync(dag_id, folder=folder).test(run_conf=conf)


def sync(dag_id: str, *, folder: Path = DAGS) -> Any:
    """Let Airflow's database know a DAG, as the DAG processor does; return the DAG.

    Args:
        dag_id: of the DAG.
        folder: of its file.
    """
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db

    bag = bag_of(dag_id, folder)
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags[dag_id]


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


def note(done: Any) -> str | None:
    """Return the note of a run, once the listeners have heard of its end as the scheduler tells them.

    `dag.test()` hands them a run without a session, and a scheduler the run's own, in which nobody else may commit.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.sqlalchemy import prohibit_commit
    from sqlalchemy import select

    this = select(DagRun).where(DagRun.dag_id == done.dag_id, DagRun.run_id == done.run_id)
    with create_session() as session, prohibit_commit(session) as guard:  # type: ignore[no-untyped-call]
        session.scalars(this).one().notify_dagrun_state_changed(msg="")
        guard.commit()
    with create_session() as session:
        found = session.scalars(this).one().note
        return str(found) if found is not None else None


def bag_of(dag_id: str, folder: Path = DAGS) -> Any:
    """Return what Airflow finds in the file of a DAG."""
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(str(folder / f"{dag_id.partition('_')[0]}.py") if folder == DAGS else str(folder))
