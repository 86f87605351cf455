"""`retrain_<model>`: the chain of a retrain run, one DAG for each spec in include/models/."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Metadata, result, task
from airflow.sdk.exceptions import AirflowSkipException

from model_release.airflow_glue import (
    announcing,
    approval_response,
    approval_task,
    check_approvers,
    dag_of,
    data_asset,
    deadline,
    latest_asset,
    link_mlflow,
    notify_of_retrain,
    pod_of_training,
    readable_specs,
    receive,
    remember_failure,
    report_on,
    retrain_params,
    retrain_run,
    retrain_timetable,
    show,
    with_form,
    with_mlflow_link,
)
from model_release.spec.summary import Summary

DOC = """
### {title}: retrained, judged, and released if it deserves it

Press **Trigger** for a form: data as of a day, candidates, accuracy floor, whether `latest` may move. A backfill
publishes versions and leaves `latest` alone.

| task | what it does | skipped when |
|---|---|---|
| Reconcile | makes good what an earlier run left undone | |
| Ingest | checks the data and freezes a snapshot of it | |
| Train | fits each candidate in a task of its own | nothing is new |
| Evaluate | measures candidates and the live champion on the same folds | nothing is new |
| Gate | decides, and says why | nothing is new |
{approval}| Upload | puts the version at every destination and reads it back | the gate rejected |
| Update latest | publishes the version and moves `latest` | the gate rejected |
| Announce | tells consumers through the asset `{name}` | they know already |
| Report | says in the run's result and note what became of it, and why; fails if a task has failed | |
{notify}
Whether anything is new says *Ingest* in its XCom `outcome`; the decision with its numbers is *Gate*'s XCom `verdict`
(both on the task's *Storage* tab). Owner: {owner}. Spec: `{spec}`.
"""


APPROVAL = """\
| Propose | puts the evidence before a person | the gate rejected, or `latest` is left alone |
| Approve | waits for a person's answer (**Required Actions**); none in time is a rejection | no person is to be asked |
| Consent | claims a version for what was approved; XCom `answer` has who answered what | nothing is new |
"""

NOTIFY = """\
| Notify | tells people through the channels of the spec's `notify`; fails if a task has failed | |
"""


def retrain(spec: Summary) -> None:
    """Declare the DAG of one model."""
    latest, data = latest_asset(spec), data_asset(spec)

    @task(task_display_name="Reconcile")
    def reconcile() -> dict[str, Any]:
        """Make good whatever an earlier run left undone: log, followers, `latest/`, registry."""
        check_approvers(spec)
        return retrain_run(spec).reconcile().to_json()

    @task(task_display_name="Ingest", inlets=[data])
    def ingest(_: dict[str, Any]) -> list[dict[str, Any]]:
        """Validate what has arrived and freeze it as a snapshot. What was found stands in the XCom `outcome`."""
        outcome, work = retrain_run(spec).ingest()
        show("outcome", outcome)
        link_mlflow(outcome.mlflow)
        return [each.to_json() for each in work]

    @task(
        task_display_name="Train",
        map_index_template="{{ task.op_kwargs['work']['candidate'] }}",
        executor_config=pod_of_training(),
    )
    def train(work: dict[str, Any]) -> dict[str, Any]:
        """Fit one candidate on every fold and for release, and keep it in staging."""
        trained = retrain_run(spec).train(receive(work, "work"))
        link_mlflow(trained.mlflow)
        return trained.to_json()

    @task(task_display_name="Evaluate")
    def evaluate(trained: list[dict[str, Any]]) -> dict[str, Any]:
        """Measure the candidates and the live champion on the same rows and folds."""
        if not len(trained):  # a cleared run that finds nothing new: its old candidates are removed, not skipped
            raise AirflowSkipException("nothing is new")
        return retrain_run(spec).evaluate([receive(each, "trained") for each in trained]).to_json()

    @task(task_display_name="Gate")
    def gate(evaluated: dict[str, Any]) -> list[dict[str, Any]]:
        """Decide, and say why in the XCom `verdict`. What is accepted gets a version."""
        verdict, orders = retrain_run(spec).gate(receive(evaluated, "evaluated"))
        show("verdict", verdict)
        link_mlflow(verdict.mlflow)
        return [each.to_json() for each in orders]

    @task(task_display_name="Propose")
    def propose(gated: list[dict[str, Any]]) -> dict[str, Any]:
        """Put the evidence before a person."""
        if not len(gated) or gated[0]["kind"] != "proposal":
            raise AirflowSkipException("no person is asked: the gate rejected, or this run leaves latest alone")
        return dict(gated[0])

    @task(task_display_name="Consent", trigger_rule="none_failed")
    def consent(gated: list[dict[str, Any]] | None, response: dict[str, Any] | None) -> list[dict[str, Any]]:
        """Claim a version for what was approved. The answer stands in the XCom `answer`."""
        if gated is None:
            raise AirflowSkipException("nothing is new")
        answer, orders = retrain_run(spec).consent(
            [receive(each, "proposal", "upload_order") for each in gated], approval_response(response)
        )
        show("answer", answer)
        return [each.to_json() for each in orders]

    @task(task_display_name="Upload", map_index_template="{{ task.op_kwargs['order']['destination'] }}")
    def upload(order: dict[str, Any]) -> dict[str, Any]:
        """Put the version at one destination and read it back, byte for byte."""
        return retrain_run(spec).upload(receive(order, "upload_order")).to_json()

    @task(task_display_name="Update latest")
    def update_latest(uploaded: list[dict[str, Any]]) -> dict[str, Any]:
        """Publish the version, and move `latest` to it where the rules allow."""
        if not len(uploaded):  # the same, for a cleared run whose gate rejects now
            raise AirflowSkipException("nothing was uploaded")
        done = retrain_run(spec).update_latest([receive(each, "uploaded") for each in uploaded])
        link_mlflow(done.mlflow)
        return done.to_json()

    @task(task_display_name="Announce", trigger_rule="none_failed", inlets=[data, latest], outlets=[latest])
    def announce(_: dict[str, Any] | None) -> Iterator[Metadata]:
        """Tell consumers through the asset, unless they know already."""
        yield from announcing(latest, retrain_run(spec).announcement)

    @result
    @task(task_display_name="Report", trigger_rule="all_done", show_return_value_in_logs=False)
    def report(_: None) -> dict[str, Any]:
        """Say in the run's result what became of it, and why; fail if a task has failed, so that the run has failed."""
        return report_on(spec)

    @task(task_display_name="Notify", trigger_rule="all_done")
    def notify(result: dict[str, Any] | None) -> None:
        """Tell people what became of the run; fail if a task has failed, so that the run has failed."""
        notify_of_retrain(spec, result)

    @dag_of(
        spec,
        "retrain",
        does="retrain, judge and release, so that latest can be trusted",
        doc=DOC.replace("{approval}", APPROVAL if spec.approval == "required" else "").replace(
            "{notify}", NOTIFY if spec.channels else ""
        ),
        schedule=retrain_timetable(spec),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        deadline=deadline(spec),
        retry_delay=timedelta(seconds=30),
        max_active_runs=1,
        default_args={"on_failure_callback": remember_failure},
    )
    def chain() -> None:
        work = ingest(reconcile())
        trained = train.expand(work=work)
        orders = gated = gate(evaluate(trained))
        if spec.approval == "required":
            orders = consent(gated, approval_task(spec, propose(gated)))
        released = update_latest(upload.expand(order=orders))
        ended = report(announce(released))
        if spec.channels:
            notify(ended)
        with_mlflow_link(spec, work, trained, gated, released)

    with_form(chain(), retrain_params(spec))


for each in readable_specs(__file__):
    retrain(each)
