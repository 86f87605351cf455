"""What Airflow's scheduler does when a run of a model's DAG has ended: it sets the run's note, and sends metrics.

A task cannot set a note, a listener can. It runs in Airflow's scheduler, for every run of every DAG there: it imports
nothing heavy, never raises, and writes no more than fits. It works in the run's own session, which the scheduler
commits; a savepoint would count as a commit there, and the scheduler forbids those.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

from model_release.airflow_glue import metrics

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

REPORTS = {"retrain_": "report", "operate_": "spread"}
"""By the beginning of a DAG id, the task that leaves the note, and how `latest` stands, as its XComs."""

NOTE, STANDING, RESULT = "note", "standing", "return_value"
"""XCom keys of that task."""

TAG = "model-release"
"""Of each DAG of this package. Another DAG may be called `retrain_…` as well."""

BEGINS = "**Report: "
"""How each note of ours begins; a note with another beginning is a person's, and stays."""

_LONGEST = 1000
"""Characters. A longer note fails on PostgreSQL, and the scheduler's loop with it."""


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that has succeeded, and send what it measured."""
    _ended(dag_run, failed=False)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that has failed, and send what it measured."""
    _ended(dag_run, failed=True)


def _ended(dag_run: DagRun, *, failed: bool) -> None:
    task_id = next((task for begin, task in REPORTS.items() if dag_run.dag_id.startswith(begin)), None)
    if task_id is None:
        return
    try:
        _note(dag_run, task_id)
    except Exception:  # the scheduler goes on without the note
        log.exception("the note of %s %s could not be set", dag_run.dag_id, dag_run.run_id)
    try:
        _measure(dag_run, task_id, failed=failed)
    except Exception:  # and without the metrics
        log.exception("the metrics of %s %s could not be sent", dag_run.dag_id, dag_run.run_id)


def _note(dag_run: DagRun, task_id: str) -> None:
    session = _session(dag_run)
    text = _left(session, dag_run, task_id, NOTE) if session else None
    if not isinstance(text, str) or not text.startswith(BEGINS):
        return
    if dag_run.note is None or dag_run.note.startswith(BEGINS):
        dag_run.note = text[:_LONGEST]


def _measure(dag_run: DagRun, task_id: str, *, failed: bool) -> None:
    session = _session(dag_run)
    if session is None or not _is_ours(session, dag_run):
        return
    model = dag_run.dag_id.partition("_")[2].replace("_", "-")
    samples: list[metrics.Sample] = []
    if task_id == REPORTS["retrain_"] and dag_run.end_date is not None:
        result = _left(session, dag_run, task_id, RESULT)
        ending = result["ending"] if result else "failed" if failed else "unreported"
        samples += metrics.of_run(model, ending, dag_run.start_date, dag_run.end_date)
        samples += metrics.of_tasks(model, _durations(session, dag_run))
    standing = _left(session, dag_run, task_id, STANDING)
    samples += metrics.of_standing(model, standing) if standing else []
    for each in samples:
        metrics.send(each)


def _session(dag_run: DagRun) -> Session | None:
    from sqlalchemy.orm import object_session

    return object_session(dag_run)


def _left(session: Session, dag_run: DagRun, task_id: str, key: str) -> Any:
    """Return what a task of the run has left as an XCom; None if it has left nothing."""
    from airflow.models.xcom import XComModel

    found = session.scalars(
        XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id, key=key)
    ).first()
    return XComModel.deserialize_value(found) if found is not None else None


def _is_ours(session: Session, dag_run: DagRun) -> bool:
    from airflow.models.dag import DagTag
    from sqlalchemy import select

    return TAG in session.scalars(select(DagTag.name).where(DagTag.dag_id == dag_run.dag_id)).all()


def _durations(session: Session, dag_run: DagRun) -> dict[str, float]:
    """Return how long the tasks took that were not skipped, in seconds by task id; of a mapped one, the longest."""
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy import func, select

    this = TaskInstance.dag_id == dag_run.dag_id, TaskInstance.run_id == dag_run.run_id
    longest = func.max(TaskInstance.duration)
    rows = session.execute(select(TaskInstance.task_id, longest).where(*this).group_by(TaskInstance.task_id))
    return {task: seconds for task, seconds in rows if seconds}
