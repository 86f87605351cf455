"""`operate_<model>`: a person's acts on a model's releases, from a form; one DAG for each spec in include/models/."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow.sdk import Metadata, result, task

from model_release.airflow_glue import (
    announcing,
    dag_of,
    latest_asset,
    notify_of_act,
    operate_params,
    operate_run,
    readable_specs,
    receive,
    remember_failure,
    report_on_act,
    with_form,
)
from model_release.spec.summary import Summary

DOC = """
### {title}: roll back, promote, hold, quarantine

Press **Trigger** for a form. Who did what and why stays in the log of `latest`. What cannot be done fails, says why,
and changes nothing.

| action | what it does | version |
|---|---|---|
| Roll back | makes an earlier version live and holds `latest` there; what it leaves is quarantined | may be named |
| Promote | makes a published version live; holds, quarantine and the order of data stand | must be named |
| Hold | runs publish and do not move `latest` | |
| Unhold | lifts every hold; the next run may move `latest` | |
| Quarantine | the version, which is not live now, will never be live nor a baseline | must be named |
| Lift quarantine | takes a version out, where it was put by mistake | must be named |

Whatever becomes live is read byte for byte and loaded first. A roll back without a version goes to the newest one that
was live before and may be live again.

| task | what it does |
|---|---|
| Look | reads `latest`: what the person saw |
| Act | does it at home, unless `latest` has moved since; a second click finds that it has |
| Spread | brings the other destinations, `latest/` and the registry to home's pointer; its return value is the result |
| Announce | tells consumers through the asset `{name}`; skipped where what is live has not changed |
| Notify | tells people through the channels of the spec's `notify`, if there are any |

Owner: {owner}. Spec: `{spec}`.
"""


def operate(spec: Summary) -> None:
    """Declare the DAG of one model."""
    latest = latest_asset(spec)

    @task(task_display_name="Look")
    def look() -> dict[str, Any]:
        """Read `latest` as the person saw it."""
        return operate_run(spec).look().to_json()

    @task(task_display_name="Act")
    def act(looked: dict[str, Any]) -> dict[str, Any]:
        """Verify and load what is to be live, and move home's pointer at once."""
        return operate_run(spec).act(receive(looked, "look")).to_json()

    @result
    @task(task_display_name="Spread", retries=5, show_return_value_in_logs=False)
    def spread(acted: dict[str, Any]) -> dict[str, Any]:
        """Bring every destination, `latest/` and the registry to home's pointer."""
        run = operate_run(spec)
        return report_on_act(run.reconcile(receive(acted, "act")), run.destinations.standing())

    @task(task_display_name="Announce", inlets=[latest], outlets=[latest])
    def announce(_: dict[str, Any]) -> Iterator[Metadata]:
        """Tell consumers through the asset, unless what is live has not changed."""
        yield from announcing(latest, operate_run(spec).destinations.announcement)

    @task(task_display_name="Notify", trigger_rule="all_done")
    def notify(outcome: dict[str, Any] | None) -> None:
        """Tell people what was done; fail if a task has failed, so that the run has failed."""
        notify_of_act(spec, outcome)

    @dag_of(
        spec,
        "operate",
        does="roll back, promote, hold, quarantine",
        doc=DOC,
        schedule=None,
        is_paused_upon_creation=False,  # runs only when a person triggers it, and then at once
        retry_delay=timedelta(seconds=10),
        default_args={
            "priority_weight": 100,  # before any training that waits for a slot
            "on_failure_callback": remember_failure,
        },
    )
    def acts() -> None:
        done = spread(act(look()))
        told = announce(done)
        if spec.channels:
            told >> notify(done)

    with_form(acts(), operate_params())


for each in readable_specs(__file__):
    operate(each)
