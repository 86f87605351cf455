"""`housekeeping_<model>`: what is not kept any more goes, weekly; one DAG for each spec in include/models/."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import task

from model_release.airflow_glue import (
    dag_of,
    housekeeping_params,
    housekeeping_run,
    notify_of_housekeeping,
    readable_specs,
    remember_failure,
    show,
    show_or_skip,
    timetable,
    with_form,
)
from model_release.spec.summary import Summary

DOC = """
### {title}: old releases and the remains of dead runs

Press **Trigger**: the run says what would go, and removes nothing. With *Dry run* unticked, it removes. The weekly runs
remove.

| task | what it does |
|---|---|
| Prune | retires the versions that the spec's `retention` does not keep; a grace period later their files go |
| Sweep | gives up the numbers of dead runs; removes their files, old staging, unfinished uploads |
| Mirror MLflow | brings `mlruns/` at home to the MLflow data of this machine; skipped where that lies on a server |
| Doctor | looks for damage at every destination; fails if any is there, and says what mends it |
| Notify | tells people of both through the channels of the spec's `notify`, if there are any |

Kept are the version that is live at any destination, the one before it, every manifest, and every file younger than a
day. What went, and why, says each task in its XCom `outcome` (on its *Storage* tab) and in its log. Owner: {owner}.
Spec: `{spec}`.
"""


def housekeeping(spec: Summary) -> None:
    """Declare the DAG of one model."""

    @task(task_display_name="Prune")
    def prune() -> None:
        """Retire what the spec does not keep, and remove the files of what was retired long enough ago."""
        show("outcome", housekeeping_run(spec).prune())

    @task(task_display_name="Sweep")
    def sweep() -> None:
        """Remove what runs that died have left, at every destination."""
        show("outcome", housekeeping_run(spec).sweep())

    @task(task_display_name="Mirror MLflow")
    def mirror() -> None:
        """Bring the mirror at home to the state of the MLflow data here; nothing is removed from the mirror."""
        show_or_skip("outcome", housekeeping_run(spec).mirror())

    @task(task_display_name="Doctor")
    def doctor() -> None:
        """Look for damage at every destination; fail if any is there."""
        show("outcome", housekeeping_run(spec).doctor())

    @task(task_display_name="Notify", trigger_rule="all_done")
    def notify() -> None:
        """Tell people what doctor found and what failed; fail if a task has failed, so that the run has failed."""
        notify_of_housekeeping(spec)

    @dag_of(
        spec,
        "housekeeping",
        does="removes old releases and the remains of dead runs",
        doc=DOC,
        schedule=timetable(spec.housekeeping),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        retry_delay=timedelta(minutes=5),
        max_active_runs=1,
        default_args={"on_failure_callback": remember_failure},
    )
    def round_() -> None:
        mirrored, checked = mirror(), doctor()
        prune() >> sweep() >> checked
        if spec.channels:
            [mirrored, checked] >> notify()

    with_form(round_(), housekeeping_params())


for each in readable_specs(__file__):
    housekeeping(each)
