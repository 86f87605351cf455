"""The served release, which changes by one assignment; the header and the metrics that follow it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_fastapi_instrumentator.metrics import Info
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model_release.serving.endpoint import answer_problem
from model_release.serving.problems import Problem
from model_release.serving.served import Served

logger = logging.getLogger(__name__)


@dataclass
class Live:
    """The release that answers new requests, and its freshness.

    Attributes:
        served: replaced whole by the watcher's thread; a request takes it once and keeps it.
        stale: whether the store could not be reached at the last attempt; then the last good copy is served.
        polled: when the store last answered, in seconds since 1970; None for a folder without a store.
        trouble: why the newest release, or the store's pointer, could not be taken; None if it was.
        draining: the service is about to end and wants no more requests.
    """

    served: Served
    stale: bool = False
    polled: float | None = field(default_factory=time.time)
    trouble: str | None = None
    draining: bool = False


class WithVersion:
    """Middleware: gives each request the release that answers it, and each response that release's version.

    It is the one place where a request gets a release, so no request sees two.
    """

    def __init__(self, app: ASGIApp, live: Live) -> None:
        self._app = app
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        served = scope["served"] = self._live.served
        version = (b"x-model-version", served.version.encode())
        started = False

        async def send_with_version(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], version]
            await send(message)

        try:
            await self._app(scope, receive, send_with_version)
        except Exception:
            logger.exception("a request failed", extra={"path": scope["path"], "version": served.version})
            if started:
                raise
            await answer_problem(Problem(500, "the service failed; its log says where"), send_with_version)


_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""The buckets of a request's duration, in seconds: one row takes 0.25 ms."""


class Metrics(Collector):
    """The metrics of the service; those of HTTP have the names that common dashboards use.

    Args:
        live: the served release.
        registry: of Prometheus.
    """

    def __init__(self, live: Live, registry: CollectorRegistry) -> None:
        self._live = live
        self.predictions = Counter(
            "model_release_predictions", "Rows that were answered.", ["version"], registry=registry
        )
        self.swaps = Counter("model_release_swaps", "Releases that replaced another while serving.", registry=registry)
        self.failed_swaps = Counter(
            "model_release_failed_swaps", "Releases that became live and could not be served.", registry=registry
        )
        self.failed_polls = Counter(
            "model_release_failed_polls", "Attempts to ask the store that failed.", registry=registry
        )
        self._requests = Counter(
            "http_requests",
            "Requests, by the class of their status.",
            ["handler", "method", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Until the answer was sent.",
            ["handler", "method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._counted: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        registry.register(self)

    def count(self, info: Info) -> None:
        """Count a request that was answered."""
        place = (info.modified_handler, info.method, info.modified_status)
        counted = self._counted.get(place)
        if counted is None:
            counted = self._counted[place] = (self._requests.labels(*place), self._seconds.labels(*place[:2]))
        counted[0].inc()
        counted[1].observe(info.modified_duration)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the served release."""
        live, served = self._live, self._live.served
        labels = {"model": served.name, "version": served.version, "digest": served.digest, "form": served.model.form}
        info = GaugeMetricFamily("model_release_info", "The release that is served; always 1.", labels=[*labels])
        info.add_metric([*labels.values()], 1)
        yield info
        epoch = served.pointer.epoch if served.pointer else 0
        yield GaugeMetricFamily("model_release_epoch", "The pointer's epoch; 0 where none is known.", epoch)
        if live.polled is not None:
            yield GaugeMetricFamily(
                "model_release_stale_seconds",
                "Since the store last answered: the served release is at most so far behind.",
                max(0.0, time.time() - live.polled),
            )
        trained = served.trained
        if trained is not None:
            yield GaugeMetricFamily(
                "model_release_age_seconds",
                "Since the release that is served was trained.",
                max(0.0, time.time() - trained.timestamp()),
            )
        yield GaugeMetricFamily(
            "model_release_trouble", "1 while the newest release could not be taken; see /model.", bool(live.trouble)
        )
