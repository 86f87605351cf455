"""What a DAG file declares from a spec: the readable specs, the timetable, the asset, the retry policy, a pod.

Runs at every parse, so it imports nothing heavy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow.sdk import CronTriggerTimetable, get_parsing_context
from airflow.sdk.definitions.asset import Model
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule

from model_release.errors import SpecError, Stop
from model_release.spec.summary import Starts, Summary, summaries

TRAIN_POD_VARIABLE = "MODEL_RELEASE_TRAIN_POD"
"""Environment variable: a file with what a pod that trains has beyond the others, for KubernetesExecutor."""

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


def latest_asset(spec: Summary) -> Model:
    """Return the asset that stands for a model's `latest`. Its events carry version, epoch and digest."""
    return Model(name=spec.name, uri=f"x-model://{spec.name}/latest")


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
