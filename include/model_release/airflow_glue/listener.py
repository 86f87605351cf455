"""The run's note: what *Report* or an act's *Spread* says, on the first screen of the run. For the plugin.

A task cannot set a note, a listener can. It runs in Airflow's scheduler, for every run of every DAG there: it imports
nothing heavy, never raises, and writes no more than fits. It works in the run's own session, which the scheduler
commits; a savepoint would count as a commit there, and the scheduler forbids those.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)

NOTED_BY = {
    "retrain_": ("notify", "report"),
    "operate_": ("notify", "spread"),
    "housekeeping_": ("notify",),
}
"""By the beginning of a DAG id, the tasks that leave the note as their XCom, the last one first."""

KEY = "note"
BEGINS = "**Report: "
"""How each note of ours begins; a note with another beginning is a person's, and stays."""

_LONGEST = 1000
"""Characters. A longer note fails on PostgreSQL, and the scheduler's loop with it."""


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that has succeeded."""
    _note(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that has failed."""
    _note(dag_run)


def _note(dag_run: DagRun) -> None:
    tasks = next((tasks for begin, tasks in NOTED_BY.items() if dag_run.dag_id.startswith(begin)), ())
    try:
        for task_id in tasks:
            if _set(dag_run, task_id):
                return
    except Exception:  # the scheduler goes on without the note
        log.exception("the note of %s %s could not be set", dag_run.dag_id, dag_run.run_id)


def _set(dag_run: DagRun, task_id: str) -> bool:
    """Set the note that a task has left; return whether it has left one."""
    from airflow.models.xcom import XComModel
    from sqlalchemy.orm import object_session

    session = object_session(dag_run)
    if session is None:
        return False
    left = session.scalars(
        XComModel.get_many(run_id=dag_run.run_id, dag_ids=dag_run.dag_id, task_ids=task_id, key=KEY)
    ).first()
    text = XComModel.deserialize_value(left) if left is not None else None
    if not isinstance(text, str) or not text.startswith(BEGINS):
        return False
    if dag_run.note is None or dag_run.note.startswith(BEGINS):
        dag_run.note = text[:_LONGEST]
    return True
