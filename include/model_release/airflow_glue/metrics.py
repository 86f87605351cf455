"""What monitoring is told of each model when a run has ended, through the metrics that Airflow is configured to send.

Sent by the listener in Airflow's scheduler, since OpenTelemetry counts within a process, and a task's process ends with
the task. A moment is sent in place of an age, and an epoch in place of a lag: both only grow, so a value that was sent
long ago, or by another scheduler, is not mistaken for a newer one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Literal, NamedTuple

ENDINGS = ("released", "published", "reproduced", "rejected", "refused", "nothing new", "failed", "unreported")
"""How a run ends, as its result says it. `unreported`: it has succeeded without a result: a person has marked it."""


class Metric(NamedTuple):
    """A metric. Airflow puts its own prefix before the name, `airflow` unless configured otherwise.

    Attributes:
        labels: the names of its labels.
        meaning: for people.
    """

    name: str
    kind: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    meaning: str


RUNS = Metric("model_release.runs", "counter", ("model", "ending"), "runs that have ended so")
ENDED = Metric(
    "model_release.run.ended_timestamp_seconds", "gauge", ("model", "ending"), "when the last run that ended so ended"
)
RUN_SECONDS = Metric("model_release.run.duration_seconds", "gauge", ("model",), "how long the last run took")
TASK_SECONDS = Metric(
    "model_release.task.duration_seconds",
    "gauge",
    ("model", "task"),
    "how long a task of the last run took; of a mapped one, the longest",
)
SINCE = Metric("model_release.latest.since_timestamp_seconds", "gauge", ("model",), "when the live version became live")
DATA = Metric(
    "model_release.latest.data_timestamp_seconds",
    "gauge",
    ("model",),
    "the day of the live version's data, its midnight",
)
HOLDS = Metric("model_release.latest.holds", "gauge", ("model",), "how many holds keep latest where it is")
EPOCH = Metric(
    "model_release.destination.epoch",
    "gauge",
    ("model", "destination"),
    "of a destination's pointer; it lags behind by what it is less than home's",
)

METRICS = (RUNS, ENDED, RUN_SECONDS, TASK_SECONDS, SINCE, DATA, HOLDS, EPOCH)


class Sample(NamedTuple):
    """A value of a metric, with a value for each of its labels."""

    metric: Metric
    value: float
    labels: tuple[str, ...]


def of_run(model: str, ending: str, began: datetime | None, ended: datetime) -> Iterator[Sample]:
    """Yield what a retrain run says by its end. Each ending's counter is sent, so that a first one shows as a rise."""
    for each in ENDINGS:
        yield Sample(RUNS, int(each == ending), (model, _label(each)))
    yield Sample(ENDED, ended.timestamp(), (model, _label(ending)))
    if began is not None:
        yield Sample(RUN_SECONDS, (ended - began).total_seconds(), (model,))


def of_tasks(model: str, durations: Mapping[str, float]) -> Iterator[Sample]:
    """Yield how long a run's tasks took, in seconds by task id."""
    for task, seconds in durations.items():
        yield Sample(TASK_SECONDS, seconds, (model, task))


def of_standing(model: str, standing: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield how `latest` stands, from the JSON value of a `workflows.messages.Standing`."""
    if standing["since"] is not None:
        yield Sample(SINCE, datetime.fromisoformat(standing["since"]).timestamp(), (model,))
    if standing["data_as_of"] is not None:
        midnight = datetime.combine(date.fromisoformat(standing["data_as_of"]), time(), UTC)
        yield Sample(DATA, midnight.timestamp(), (model,))
    yield Sample(HOLDS, standing["holds"], (model,))
    for destination, epoch in standing["epochs"].items():
        yield Sample(EPOCH, epoch, (model, destination))


def send(samples: Iterable[Sample]) -> None:
    """Send samples as Airflow is configured: by StatsD, OpenTelemetry, or not at all.

    Plain StatsD has no labels and would drop them, so they become a part of the name there.
    """
    from airflow.configuration import conf
    from airflow.observability.stats import Stats

    tagged = (conf.getboolean("metrics", f"statsd_{each}_enabled") for each in ("influxdb", "datadog"))
    plain = conf.getboolean("metrics", "statsd_on") and not any(tagged)
    for each in samples:
        name, tags = each.metric.name, dict(zip(each.metric.labels, each.labels, strict=True))
        if plain:
            name, tags = ".".join([name, *each.labels]), {}
        if each.metric.kind == "counter":
            Stats.incr(name, int(each.value), tags=tags)
        else:
            Stats.gauge(name, each.value, tags=tags)


def _label(ending: str) -> str:
    return ending.replace(" ", "_")
