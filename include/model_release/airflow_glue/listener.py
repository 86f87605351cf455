"""What Airflow's scheduler does when a run of a model's DAG has ended: it sets the run's note, and sends metrics.

A task cannot set a note, a listener can. It runs in Airflow's scheduler, for every run of every DAG there: it imports
nothing heavy, never raises, and writes no more than fits. It works in the run's own session, which the scheduler
commits; a savepoint would count as a commit there, and the scheduler forbids those.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow.listeners import hookimpl

from model_release.airflow_glue import ended_run, metrics

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

log = logging.getLogger(__name__)

NOTED_BY = {
    "retrain_": ("notify", "report"),
    "operate_": ("notify", "spread"),
    "housekeeping_": ("notify",),
}
"""By the beginning of a DAG id, the tasks that leave the note as their XCom, the last one first."""

MEASURED_BY = {"retrain_": "report", "operate_": "spread"}
"""By the beginning of a DAG id, the task that leaves as its XComs the run's result and how `latest` stands."""

NOTE, RESULT, STANDING = "note", "return_value", "standing"
"""XCom keys."""

BEGINS = "**Report: "
"""How each note of ours begins; a note with another beginning is a person's, and stays."""

LONGEST = 1000
"""Characters. A longer note fails on PostgreSQL, and the scheduler's loop with it."""


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that has succeeded, and send its metrics."""
    _ended(dag_run, unless_reported="unreported")


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    """Set the note of a run that has failed, and send its metrics."""
    _ended(dag_run, unless_reported="failed")


def _ended(dag_run: DagRun, *, unless_reported: str) -> None:
    if ended_run.is_in_session(dag_run):  # one of `dag.test()` is not
        _note(dag_run)
        _measure(dag_run, unless_reported)


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
    text = ended_run.left_by(task_id, NOTE, dag_run)
    if not isinstance(text, str) or not text.startswith(BEGINS):
        return False
    if dag_run.note is None or dag_run.note.startswith(BEGINS):
        dag_run.note = text[:LONGEST]
    return True


def _measure(dag_run: DagRun, unless_reported: str) -> None:
    kind, _, identifier = dag_run.dag_id.partition("_")
    task_id = MEASURED_BY.get(f"{kind}_")
    try:
        if task_id is not None and ended_run.is_of_this_package(dag_run):
            _send(dag_run, identifier.replace("_", "-"), task_id, unless_reported)
    except Exception:  # the scheduler goes on without the metrics
        log.exception("the metrics of %s %s could not be sent", dag_run.dag_id, dag_run.run_id)


def _send(dag_run: DagRun, model: str, task_id: str, unless_reported: str) -> None:
    if task_id == MEASURED_BY["retrain_"] and dag_run.end_date is not None:
        result = ended_run.left_by(task_id, RESULT, dag_run)
        ending = result["ending"] if result else unless_reported
        metrics.send(metrics.of_run(model, ending, dag_run.start_date, dag_run.end_date))
        metrics.send(metrics.of_tasks(model, ended_run.durations(dag_run)))
    standing = ended_run.left_by(task_id, STANDING, dag_run)
    if standing:
        metrics.send(metrics.of_standing(model, standing))
