"""What a task needs of Airflow while it runs: the facts of its run from the context, and a way to show a value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.definitions.asset import Model

from model_release.airflow_glue.hooks import open_through_hooks
from model_release.errors import UsageError
from model_release.nightly import Json, Nightly, Run
from model_release.spec import Spec
from model_release.version import Bump

if TYPE_CHECKING:
    from airflow.sdk import Context


def tonight(spec: Spec) -> Nightly:
    """Return the chain of the run whose task is running."""
    context = get_current_context()
    return Nightly(_as_asked(spec, context["params"]), run_facts(context), opener=open_through_hooks)


def show(key: str, value: Json) -> None:
    """Put a value on the running task's page, under XCom."""
    get_current_context()["ti"].xcom_push(key=key, value=value)


def last_announced(latest: Model) -> Json | None:
    """Return what the newest event of the asset said; None where there was never one."""
    events = get_current_context()["inlet_events"][latest].ascending(False).limit(1)
    return dict(events[0].extra or {}) if len(events) else None


def run_facts(context: Context) -> Run:
    """Return the facts of a run from a task's context, for every kind of trigger.

    Raises:
        UsageError: the trigger's conf has a key that no parameter has.
    """
    run, params = context["dag_run"], context["params"]
    conf, form = run.conf or {}, context["dag"].params  # the task's own params hold the conf's keys as well
    unknown = sorted(set(conf) - set(form))
    if unknown:
        raise UsageError(
            f"the run's conf has unknown keys: {', '.join(unknown)}",
            hint=f"known: {', '.join(sorted(form))}",
        )
    run_type = run.run_type.value  # str() of the enum that tasks see is its Python name
    promote = params["promote"]
    if run_type == "backfill" and conf.get("promote") is None:
        promote = "never"
    bump = params["bump"]
    return Run(
        run_id=run.run_id,
        as_of=_as_of(run, params["as_of"]),
        by=run.triggering_user_name or "airflow",
        dag_id=run.dag_id,
        run_type=run_type,
        promote=promote,
        force=params["force"],
        bump=None if bump == "auto" else Bump(bump),
        bundle_version=_bundle_version(context["ti"]),
    )


def _bundle_version(ti: Any) -> str | None:
    version: str | None = getattr(getattr(ti, "bundle_instance", None), "version", None)  # `dag.test()` has no bundle
    return version


def _as_of(run: Any, asked: str | None) -> date:
    """The day that a run's data is taken as of: as asked, else the interval's end, else the day it may start."""
    if asked:
        return date.fromisoformat(asked)
    moment: datetime = run.data_interval_end or run.run_after
    return moment.astimezone(UTC).date()


def _as_asked(spec: Spec, params: Any) -> Spec:
    changes: dict[str, Any] = {
        "candidates": {name: spec.candidates[name] for name in spec.candidates if name in params["candidates"]}
    }
    floor = params["accuracy_floor"]
    if floor is not None:
        floors = spec.gate.cross_validation.model_copy(update={"accuracy": floor})
        changes["gate"] = spec.gate.model_copy(update={"cross_validation": floors})
    return spec.model_copy(update=changes)
