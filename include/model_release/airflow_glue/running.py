"""What a task needs of Airflow while it runs: the run, the messages of other tasks, a way to show and to announce.

The door between Airflow and the workflows: here, and nowhere else, XComs become messages and a form's params a run.
DAG files import this at every parse; a task imports the workflow that it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from airflow.sdk import conf, get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from model_release.airflow_glue.forms import APPROVE, ids_are_names
from model_release.airflow_glue.hooks import (
    database_of_connection,
    key_of_connection,
    mlflow_at,
    open_through_hooks,
)
from model_release.airflow_glue.links import MlflowRun
from model_release.errors import UsageError

if TYPE_CHECKING:
    from airflow.sdk import Context, Metadata
    from airflow.sdk.definitions.asset import Model

    from model_release.spec.model import Spec
    from model_release.spec.summary import Summary
    from model_release.workflows.destinations import Announcement
    from model_release.workflows.housekeeping import Housekeeping, MirrorOutcome
    from model_release.workflows.messages import ApprovalResponse, Message
    from model_release.workflows.operate import Operation
    from model_release.workflows.retrain import RetrainRun
    from model_release.workflows.run import Run


_EVENTS = 50
"""Events of an asset among which the last announcement is looked for; if it is not there, it is made again."""


def retrain_run(spec: Summary) -> RetrainRun:
    """Return the retrain run whose task is running."""
    from model_release.workflows.retrain import RetrainRun

    context = get_current_context()
    asked = _as_asked(_whole(spec), context["params"])
    zone = asked.schedule.timezone if asked.schedule else "UTC"
    return RetrainRun(
        asked,
        run_facts(context, timezone=zone),
        opener=open_through_hooks,
        keys=key_of_connection,
        databases=database_of_connection,
    )


def check_approvers(spec: Summary) -> None:
    """Check that users of Airflow have the names that the spec gives its approvers, where Airflow's settings list them.

    Other auth managers keep their users where no task can look.

    Raises:
        SpecError: nobody logs in by such a name.
    """
    from model_release.documents.suggest import did_you_mean
    from model_release.errors import SpecError

    if spec.approval != "required" or not ids_are_names():
        return
    known = [each.partition(":")[0].strip() for each in conf.get("core", "simple_auth_manager_users").split(",")]
    for name in spec.approvers:
        if name not in known:
            raise SpecError(
                f"approvers.users: nobody logs in to this Airflow as {name!r}{did_you_mean(name, known)}",
                where=str(spec.path),
                hint=f"known: {', '.join(known)}",
            )


def operate_run(spec: Summary) -> Operation:
    """Return what the person asked for whose run's task is running."""
    from model_release.documents.layout import run_token
    from model_release.documents.version import Version
    from model_release.releases.request import Action, Request
    from model_release.workflows.destinations import Destinations
    from model_release.workflows.operate import Operation

    context = get_current_context()
    run, params = _known(context), context["params"]
    action, version, overrule = Action(params["action"]), params["version"], params["overrule"]
    request = Request(
        action=action,
        reason=params["reason"],
        by=_by(run),
        operation=run_token(run.run_id),
        asked=run.run_after,
        version=Version.parse(version) if version else None,
        epoch=params["epoch"],
        overrule=overrule and action is not Action.ROLLBACK,
        unopened=overrule and action is Action.ROLLBACK,
    )
    return Operation(Destinations.of(_whole(spec), open_through_hooks), request)


def housekeeping_run(spec: Summary) -> Housekeeping:
    """Return the round of housekeeping of the run whose task is running."""
    from model_release.documents.layout import run_token
    from model_release.workflows.destinations import Destinations
    from model_release.workflows.housekeeping import Housekeeping

    context = get_current_context()
    run, whole = _known(context), _whole(spec)
    asked = {name: context["params"][name] for name in ("dry_run", "repair", "read_data")}
    if run.run_type.value == "scheduled":
        asked["dry_run"] = False  # what the form proposes to a person is no order to the timetable
    return Housekeeping(
        Destinations.of(whole, open_through_hooks),
        mlruns=lambda: open_through_hooks(whole.mlruns_uri(), whole.home.transfer),
        by=run.dag_id,
        operation=run_token(run.run_id),
        **asked,
    )


def receive(value: object, *kinds: str) -> Any:
    """Return the message that another task handed on.

    Args:
        value: as Airflow hands it over.
        kinds: that the running task acts on.

    Raises:
        Corrupt: it holds no message of such a kind.
    """
    from model_release.errors import Corrupt
    from model_release.workflows.messages import parse

    message = parse(value)
    if message.kind not in kinds:
        raise Corrupt(
            f"another task handed on a message of kind {message.kind}, and this one acts on {', '.join(kinds)}"
        )
    return message


def show(key: str, value: Message | str) -> None:
    """Put a message, or a text, on the running task's page, under XCom."""
    shown = value if isinstance(value, str) else value.to_json()
    get_current_context()["ti"].xcom_push(key=key, value=shown)


def link_mlflow(page: str | None) -> None:
    """Let the button *MLflow run* on the running task's page lead there."""
    if page is not None:
        show(MlflowRun.xcom_key, page)


def show_or_skip(key: str, outcome: MirrorOutcome) -> None:
    """Put an outcome on the running task's page; skip the task if the outcome says why there was nothing to do.

    Raises:
        AirflowSkipException: it does.
    """
    show(key, outcome)
    if outcome.skipped:
        raise AirflowSkipException(outcome.skipped)


def approval_response(response: Mapping[str, Any] | None) -> ApprovalResponse:
    """Return what a person answered to `forms.approval_task`; no response, or none by a person, approves of nothing."""
    from model_release.workflows.messages import ApprovalResponse

    given = response or {}
    user = given.get("responded_by_user") or {}
    by = user.get("name") or user.get("id")
    comment = str((given.get("params_input") or {}).get("comment") or "")
    approved = bool(by) and list(given.get("chosen_options", [])) == [APPROVE]
    return ApprovalResponse(approved=approved, by=by, comment=comment)


def announcing(
    latest: Model, announcement: Callable[[Mapping[str, Any] | None], Announcement | None]
) -> Iterator[Metadata]:
    """Tell consumers through the asset.

    What was told before say the events of this model's own DAGs: whoever may create events can forge others.

    Args:
        latest: the asset, an inlet and an outlet of the running task.
        announcement: from the last announcement to the next one; None if there is nothing to tell.

    Raises:
        AirflowSkipException: they know already.
    """
    from airflow.sdk import Metadata

    context = get_current_context()
    model = context["dag"].dag_id.partition("_")[2]
    ours = {(f"{verb}_{model}", context["ti"].task_id) for verb in ("retrain", "operate")}
    newest = context["inlet_events"][latest].ascending(False).limit(_EVENTS)
    told = [dict(each.extra or {}) for each in newest if (each.source_dag_id, each.source_task_id) in ours]
    news = announcement(told[0] if told else None)
    if news is None:
        raise AirflowSkipException("consumers know what is live")
    yield Metadata(latest, news.model_dump(mode="json"))


def run_facts(context: Context, *, timezone: str = "UTC") -> Run:
    """Return the facts of a run from a task's context, whatever triggered it.

    Args:
        context: the task's.
        timezone: of the spec's schedule: where the day of the run is taken.

    Raises:
        UsageError: the trigger's conf has a key that no parameter has.
    """
    from model_release.documents.version import Bump
    from model_release.workflows.run import Run

    run, params = _known(context), context["params"]
    run_type = run.run_type.value  # str() of the enum that tasks see is its Python name
    promote = params["promote"]
    if run_type == "backfill" and (run.conf or {}).get("promote") is None:
        promote = "never"
    bump = params["bump"]
    return Run(
        run_id=run.run_id,
        as_of=_as_of(run, params["as_of"], ZoneInfo(timezone)),
        by=_by(run),
        dag_id=run.dag_id,
        run_type=run_type,
        promote=promote,
        force=params["force"],
        bump=None if bump == "auto" else Bump(bump),
        bundle_version=_bundle_version(context["ti"]),
        url=run_url(run.dag_id, run.run_id),
    )


def _known(context: Context) -> Any:
    """Return the run; its conf has no key that the form does not have. Airflow itself takes any key."""
    run = context["dag_run"]
    form = context["dag"].params  # the task's own params hold the conf's keys as well
    unknown = sorted(set(run.conf or {}) - set(form))
    if unknown:
        raise UsageError(
            f"the run's conf has unknown keys: {', '.join(unknown)}",
            hint=f"known: {', '.join(sorted(form))}",
        )
    return run


def _by(run: Any) -> str:
    return run.triggering_user_name or "airflow"


def run_url(dag_id: str, run_id: str) -> str | None:
    """Return the address of a run's page; None if Airflow's own address is not configured."""
    base = _base()
    return f"{base}/dags/{dag_id}/runs/{quote(run_id, safe='')}" if base else None


def page_url(identifier: str) -> str | None:
    """Return the address of a model's Releases page; None if Airflow's own address is not configured.

    Args:
        identifier: of the model, as DAG ids have it.
    """
    base = _base()
    return f"{base}/model-releases/retrain_{identifier}/" if base else None


def _base() -> str:
    return str(conf.get("api", "base_url", fallback="").rstrip("/"))


def _bundle_version(ti: Any) -> str | None:
    version: str | None = getattr(getattr(ti, "bundle_instance", None), "version", None)  # `dag.test()` has no bundle
    return version


def _as_of(run: Any, asked: str | None, zone: ZoneInfo) -> date:
    """Return the day as of which data is taken, though it may not be over: as asked, else of the end of the interval.

    A run without an interval takes the day on which it runs.
    """
    if asked:
        return date.fromisoformat(asked)
    moment: datetime = run.data_interval_end or run.run_after
    return moment.astimezone(zone).date()


def _whole(summary: Summary) -> Spec:
    """Return the whole spec; Airflow's connections tell where its MLflow is."""
    from model_release.spec.load import load_spec

    spec = load_spec(summary.path)
    if spec.tracking is None:
        return spec
    return spec.model_copy(update={"tracking": spec.tracking.reached_by(mlflow_at)})


def _as_asked(spec: Spec, params: Any) -> Spec:
    changes: dict[str, Any] = {
        "candidates": {name: spec.candidates[name] for name in spec.candidates if name in params["candidates"]}
    }
    floor = params["accuracy_floor"]
    if floor is not None:
        floors = {**spec.gate.cross_validation, "accuracy": floor}
        changes["gate"] = spec.gate.model_copy(update={"cross_validation": floors})
    return spec.model_copy(update=changes)
