"""What a DAG file declares from a spec: the readable specs, the DAG, its timetable, the assets, the retries, a pod.

Runs at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, Param, dag, get_parsing_context
from airflow.sdk.definitions.asset import Dataset, Model
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from model_release.errors import SpecError, Stop
from model_release.spec.summary import Starts, Summary, summaries

TRAIN_POD_VARIABLE = "MODEL_RELEASE_TRAIN_POD"
"""Environment variable: a file with what a pod that trains has beyond the others, for KubernetesExecutor."""

Declare = Callable[[Callable[[], None]], Callable[[], DAG]]
"""From a function that calls the tasks to the function that makes the DAG."""

FOLLOW_THE_ERRORS = ExceptionRetryPolicy(
    rules=[RetryRule(exception=Stop, action=RetryAction.FAIL, reason="the same call will fail for ever")]
)
"""Stops at once on what will never pass; everything else is retried as the DAG says."""


def readable_specs(dag_file: str) -> Iterator[Summary]:
    """Yield the summary of each model's spec that can be read; `refuse_unreadable_specs` speaks of the others.

    Where the file is parsed for one of its tasks, that task's model is enough.

    Args:
        dag_file: the caller's `__file__`; specs lie beside its bundle unless `MODEL_RELEASE_SPECS` says otherwise.
    """
    wanted = get_parsing_context().dag_id
    for spec in summaries(Path(dag_file)):
        if isinstance(spec, Summary) and (wanted is None or wanted.endswith(f"_{spec.identifier}")):
            yield spec


def refuse_unreadable_specs(dag_file: str) -> None:
    """Fail for the specs that cannot be read, each with its faults.

    Raises:
        SpecError: there are such specs.
    """
    faults = [str(each) for each in summaries(Path(dag_file)) if isinstance(each, SpecError)]
    if faults:
        raise SpecError("\n".join(faults))


def timetable(starts: Starts | None) -> CronTriggerTimetable | None:
    """Return when a DAG's runs start; None: only by hand."""
    if starts is None:
        return None
    return CronTriggerTimetable(starts.cron, timezone=starts.timezone, interval=starts.interval)


def retrain_timetable(spec: Summary) -> CronTriggerTimetable | AssetOrTimeSchedule | None:
    """Return when a model is retrained: at the times of its spec, and when new data has come if the spec says so."""
    times = timetable(spec.schedule)
    return AssetOrTimeSchedule(timetable=times, assets=data_asset(spec)) if times and spec.on_new_data else times


def deadline(spec: Summary) -> DeadlineAlert | None:
    """Return when a retrain run is late, and who is told then; None: no run is."""
    if spec.deadline_hours is None:
        return None
    from model_release.airflow_glue.notifying import tell_of_late_run

    facts = {"channels": spec.channels, "model": spec.name, "title": spec.title, "hours": spec.deadline_hours}
    return DeadlineAlert(
        name=f"{spec.title}: retrained in time",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=spec.deadline_hours),
        callback=AsyncCallback(tell_of_late_run, facts),
    )


def dag_of(spec: Summary, verb: str, *, does: str, doc: str, retry_delay: timedelta, **settings: Any) -> Declare:
    """Return the decorator of one of a model's DAGs, with the arguments that all of them share.

    Args:
        spec: the model's.
        verb: what the DAG id begins with.
        does: what the DAG does, for its description.
        doc: the DAG's page, in Markdown; `{title}`, `{name}`, `{owner}` and `{spec}` are filled in.
        retry_delay: before a task's next try.
        settings: other arguments of `dag`; `default_args` among them go beside the shared ones.
    """
    default_args = {
        "owner": spec.owner,
        "retries": 2,
        "retry_delay": retry_delay,
        "retry_policy": FOLLOW_THE_ERRORS,
        **settings.pop("default_args", {}),
    }
    declare: Declare = dag(
        dag_id=f"{verb}_{spec.identifier}",
        dag_display_name=f"{spec.title} · {verb}",
        description=f"{spec.title}: {does}",
        doc_md=doc.format(title=spec.title, name=spec.name, owner=spec.owner, spec=spec.path.name),
        tags=["model-release", spec.name],
        default_args=default_args,
        **settings,
    )
    return declare


def with_form(made: DAG, params: Mapping[str, Param]) -> None:
    """Give a DAG its form once its tasks are declared: before, each task would get a copy, validated at every parse."""
    made.params.update(params)


def latest_asset(spec: Summary) -> Model:
    """Return the asset of a model's `latest`. Its events carry version, epoch, digest and the day of the data."""
    return Model(name=spec.name, uri=f"x-model://{spec.name}/latest")


def data_asset(spec: Summary) -> Dataset:
    """Return the asset that stands for a model's data. An event of it says that new data has come."""
    watchers = []
    if spec.watched is not None:
        from model_release.airflow_glue.watching import NewData

        watchers = [AssetWatcher(name=f"{spec.name}-source", trigger=NewData(**spec.watched))]
    return Dataset(name=f"{spec.name}-data", uri=f"x-dataset://{spec.name}/data", watchers=watchers)


def pod_of_training() -> dict[str, Any] | None:
    """Return how the pod of a task that trains differs, for executors that make pods; None: it does not.

    Raises:
        SpecError: `MODEL_RELEASE_TRAIN_POD` names no file.
    """
    path = os.environ.get(TRAIN_POD_VARIABLE)
    if not path:
        return None
    if not Path(path).is_file():
        raise SpecError(f"{TRAIN_POD_VARIABLE} names {path}, and there is no such file")
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    return {"pod_override": PodGenerator.deserialize_model_file(path)}
