"""What a run that has ended has left in Airflow's database. For the plugin's listener, in the run's own session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

TAG = "model-release"
"""Of each DAG of this package. Another DAG may be called `retrain_…` as well."""


def is_in_session(dag_run: DagRun) -> bool:
    """Whether the run can be asked at all."""
    from sqlalchemy.orm import object_session

    return object_session(dag_run) is not None


def left_by(task_id: str, key: str, dag_run: DagRun) -> Any:
    """Return what a task of a run has left as an XCom; None if it has left nothing."""
    from airflow.models.xcom import XComModel

    found = (
        _session(dag_run)
        .scalars(XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id, key=key))
        .first()
    )
    return XComModel.deserialize_value(found) if found is not None else None


def is_of_this_package(dag_run: DagRun) -> bool:
    """Whether the run's DAG has the tag of this package."""
    from airflow.models.dag import DagTag
    from sqlalchemy import select

    return TAG in _session(dag_run).scalars(select(DagTag.name).where(DagTag.dag_id == dag_run.dag_id)).all()


def durations(dag_run: DagRun) -> dict[str, float]:
    """Return how long the tasks took that were not skipped, in seconds by task id; of a mapped one, the longest."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import func, select

    this = TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id
    longest = select(TaskInstance.task_id, func.max(TaskInstance.duration)).where(*this).group_by(TaskInstance.task_id)
    return {task: seconds for task, seconds in _session(dag_run).execute(longest) if seconds}


def _session(dag_run: DagRun) -> Session:
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        raise AssertionError("callers ask `is_in_session` first")
    return session
