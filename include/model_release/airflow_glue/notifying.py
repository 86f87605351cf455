"""Who is told of the end of a run: the task *Notify*, which the DAGs of a spec with channels end in.

It runs whatever became of the tasks before it, and a receiver that does not answer fails no run: the run's note says
so. What was sent is kept in the task's state, which outlives a retry and a cleared run, so that nothing is told twice.
A task that is killed between the sending and that note is the exception.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from model_release.airflow_glue.reporting import NOTE, failures_of_run, outcomes_of_run
from model_release.airflow_glue.running import page_url, run_url, show

if TYPE_CHECKING:
    from model_release.spec.notify import Channel
    from model_release.spec.summary import Summary
    from model_release.workflows.notices import Notice, Told

log = logging.getLogger(__name__)

SENT = "sent"
"""Key of the task's state: the digests of channel and notice that went out."""

_TRIES = 3


def notify_of_retrain(spec: Summary, result: Mapping[str, Any] | None) -> None:
    """Tell of the end of a retrain run.

    Args:
        spec: the model's.
        result: of *Report*, as JSON; None if it has left none.

    Raises:
        AirflowFailException: a task of the run has failed, so the run has.
    """
    from model_release.workflows.notices import of_result
    from model_release.workflows.result import RunResult, run_result

    found = RunResult.model_validate_json(json.dumps(result)) if result else run_result(outcomes_of_run(), None)
    _tell(spec, of_result(_of_run(spec), found))


def notify_of_act(spec: Summary, outcome: Mapping[str, Any] | None) -> None:
    """Tell of a person's act; the arguments and errors as for a retrain run."""
    from model_release.releases.request import Action
    from model_release.workflows.messages import OperateOutcome
    from model_release.workflows.notices import of_act, of_failures

    context = get_current_context()
    told, params = _of_run(spec), context["params"]
    notices = [*of_failures(told, failures_of_run())]
    if outcome:
        by = context["dag_run"].triggering_user_name or "airflow"
        done = OperateOutcome.model_validate(outcome)
        notices += of_act(told, Action(params["action"]), done, by=by, reason=params["reason"])
    _tell(spec, notices)


def notify_of_housekeeping(spec: Summary) -> None:
    """Tell of what a round of housekeeping has found; the errors as for a retrain run."""
    from model_release.workflows.notices import of_failures

    _tell(spec, of_failures(_of_run(spec), failures_of_run(), doctor="doctor"))


async def tell_of_late_run(
    channels: list[dict[str, Any]], model: str, title: str, hours: float, context: Mapping[str, Any]
) -> None:
    """Tell of a run that has not ended in time; called by Airflow's triggerer at the run's deadline.

    Args:
        channels: of the spec, as JSON; those that tell of late runs are used.
        model: the name of the model.
        title: of the model, for people.
        hours: that the run had.
        context: of the run, as Airflow hands it to a deadline's callback.
    """
    from model_release.airflow_glue.channels import in_words, notifier_of
    from model_release.spec.notify import Channel
    from model_release.workflows.notices import of_deadline

    run = context["dag_run"]
    notice = of_deadline(_told(model, title, run["dag_id"], run["dag_run_id"]), hours)
    for each in channels:
        channel = Channel.model_validate(each)
        if notice.event not in channel.on:
            continue
        try:
            await notifier_of(channel, notice).async_notify({})
        except Exception as error:  # the other channels are told all the same
            log.error("%s was not told that %s is late: %s", channel.name, notice.run, in_words(error))  # noqa: TRY400


def _of_run(spec: Summary) -> Told:
    run = get_current_context()["dag_run"]
    return _told(spec.name, spec.title, run.dag_id, run.run_id)


def _told(model: str, title: str, dag_id: str, run_id: str) -> Told:
    from model_release.workflows.notices import Told

    pages = {"run": run_url(dag_id, run_id), "releases": page_url(dag_id.partition("_")[2])}
    links = {name: url for name, url in pages.items() if url}
    return Told(model=model, title=title, run=f"{dag_id}/{run_id}", links=links)


def _tell(spec: Summary, notices: Iterable[Notice]) -> None:
    """Send each notice through each channel that has its event; leave in the run's note whom it did not reach.

    Raises:
        AirflowFailException: a task of the run has failed.
    """
    from airflow.sdk.exceptions import AirflowFailException

    from model_release.spec.notify import Channel

    channels = [Channel.model_validate(each) for each in spec.channels]
    missed = [words for each in notices for words in _send(each, channels)]
    for each in missed:
        log.error("%s", each)
    if missed:
        show(NOTE, _noted(missed))
    if failed := failures_of_run():
        raise AirflowFailException(f"the run has failed: {failed[0].task} did")


def _send(notice: Notice, channels: Iterable[Channel]) -> Iterator[str]:
    """Send a notice where it was not sent before; yield in words where it could not be."""
    from tenacity import Retrying, stop_after_attempt, wait_exponential

    from model_release.airflow_glue.channels import in_words, notifier_of

    state = get_current_context()["task_state_store"]
    for channel in channels:
        if notice.event not in channel.on:
            continue
        sent: Any = state.get(SENT) or []
        mark = f"{channel.name} {notice.digest}"
        if mark in sent:
            log.info("%s was told before: %s", channel.name, notice.subject)
            continue
        try:
            for attempt in Retrying(stop=stop_after_attempt(_TRIES), wait=wait_exponential(max=10), reraise=True):
                with attempt:
                    notifier_of(channel, notice).notify({})
        except Exception as error:
            yield f"{channel.name} was not told that the event is {notice.event!r}: {in_words(error)}"
        else:
            state.set(SENT, [*sent, mark])
            log.info("%s was told: %s", channel.name, notice.subject)


def _noted(missed: list[str]) -> str:
    """Return the run's note, as the tasks before have left it, with whom it did not reach."""
    from model_release.workflows.result import MOST_OF_A_NOTE, noted

    ti: Any = get_current_context()["ti"]
    left = [each for each in ti.xcom_pull(task_ids=["report", "spread"], key=NOTE) if each]
    if not left:
        return noted("not told", missed[0], missed[1:])
    lines = "".join(f"\n- {each}" for each in missed)
    return f"{left[0][: MOST_OF_A_NOTE - len(lines)]}{lines}"[:MOST_OF_A_NOTE]
