"""What became of a retrain run, gathered from its tasks in Airflow: also from those that have failed.

A task leaves why it has failed when its last try is over. *Report* runs in any case, reads what the tasks have left,
and leaves two XComs for the plugin's listener: the run's note, which a task cannot set, and how `latest` stands, which
is sent as metrics.

*Report* is the last task, and a run has the state of its last task: so it fails if another one has failed. As a
teardown it need not, but then Airflow ends a run in success that a person has marked as failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import get_current_context

from model_release.airflow_glue.running import retrain_run, run_url, show

if TYPE_CHECKING:
    from airflow.sdk import Context

    from model_release.spec.summary import Summary
    from model_release.workflows.messages import Failure, OperateOutcome, RetrainOutcome, Standing

REPORTED = {
    "return_value": ("reconcile", "upload", "update_latest"),
    "outcome": ("ingest",),
    "verdict": ("gate",),
    "answer": ("consent",),
}
"""By XCom key, the tasks of a retrain run that report under it."""

FAILED, NOTE, STANDING = "failure", "note", "standing"
"""XCom keys: why a task has failed; the note of its run; how `latest` stands at each destination."""

_ENDS = frozenset({"report", "notify"})
"""The tasks that say how a run has ended. They fail because others have."""

_LONGEST = 2000
"""Characters of a failure's words; the log has them all."""


def remember_failure(context: Context) -> None:
    """Leave why a task has failed as its XCom, for *Report*; called by Airflow after the last try."""
    from model_release.errors import ModelReleaseError
    from model_release.workflows.messages import Failure

    error, ti = context.get("exception"), context["ti"]
    what, hint = f"{type(error).__name__}; its log has the message", "read its log, and clear the task to try again"
    if isinstance(error, ModelReleaseError):  # other errors may hold secrets in their words
        what, hint = f"{error.where}: {error.what}" if error.where else error.what, error.hint or hint
    name = getattr(ti, "rendered_map_index", None)
    failure = Failure(
        task=f"{ti.task_id} [{name}]" if name else ti.task_id,
        error=type(error).__name__,
        what=what[:_LONGEST],
        hint=hint,
        log=_task_url(context["dag_run"], ti.task_id, ti.map_index),
    )
    ti.xcom_push(key=FAILED, value=failure.to_json())


def report_on(spec: Summary) -> dict[str, Any]:
    """Say what became of the retrain run whose task is running, also if tasks before this one have failed.

    Returns:
        The run's result as JSON. Its XCom `note` is the run's note, which the plugin's listener sets.

    Raises:
        AirflowFailException: a task has failed. The result is the XCom `return_value` all the same.
        ModelReleaseError: what is live cannot be read, and no other task has failed.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from model_release.errors import ModelReleaseError
    from model_release.workflows.messages import Failure
    from model_release.workflows.result import run_result, say

    outcomes = outcomes_of_run()
    try:
        run = retrain_run(spec)
        result = run.report(outcomes)
        show(STANDING, run.destinations.standing())
    except ModelReleaseError:
        if not any(isinstance(each, Failure) for each in outcomes):
            raise
        result = run_result(outcomes, None)
        say(result)
    show(NOTE, result.note())
    if result.failures:
        show("return_value", result)
        raise AirflowFailException(result.summary)
    return result.to_json()


def report_on_act(outcome: OperateOutcome, standing: Standing) -> dict[str, Any]:
    """Leave the note of a person's act, and how `latest` stands after it; return the act's outcome as JSON."""
    from model_release.workflows.result import noted

    headline = "done, lagging" if outcome.lagging else "done"
    show(NOTE, noted(headline, outcome.summary, [f"lags behind: {each}" for each in outcome.lagging]))
    show(STANDING, standing)
    return outcome.to_json()


def outcomes_of_run() -> list[RetrainOutcome]:
    """Return what the tasks of the retrain run have reported, and why those failed that did."""
    from model_release.workflows.messages import parse

    ti = cast("Any", get_current_context()["ti"])  # Airflow's protocol lacks methods that tasks have
    found = [value for key, tasks in REPORTED.items() for value in ti.xcom_pull(task_ids=tasks, key=key)]
    return [*(cast("RetrainOutcome", parse(value)) for value in found if value is not None), *failures_of_run()]


def failures_of_run() -> list[Failure]:
    """Return why tasks of the run have failed, whatever its DAG."""
    from model_release.workflows.messages import Failure, parse

    context = get_current_context()
    run, ti = context["dag_run"], cast("Any", context["ti"])
    failures = []
    for each in ti.get_task_breadcrumbs(run.dag_id, run.run_id):
        if each["state"] != "failed" or each["task_id"] in _ENDS:
            continue
        task_id, index = each["task_id"], each["map_index"]
        (left,) = ti.xcom_pull(task_ids=[task_id], key=FAILED, map_indexes=index) or [None]
        failures.append(
            cast("Failure", parse(left))
            if left
            else Failure(
                task=task_id if index < 0 else f"{task_id} [{index}]",
                error=None,
                what="it ended without a word, as a process does that is killed, such as for lack of memory",
                hint="read the end of its log, and the node's; then clear the task to try again",
                log=_task_url(run, task_id, index),
            )
        )
    return failures


def _task_url(run: Any, task_id: str, map_index: int | None) -> str | None:
    """Return the address of a task's page; None if Airflow's own address is not configured."""
    page = run_url(run.dag_id, run.run_id)
    mapped = f"/mapped/{map_index}" if map_index is not None and map_index >= 0 else ""
    return f"{page}/tasks/{task_id}{mapped}" if page else None
