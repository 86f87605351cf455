"""Follows `latest` beside the requests: a thread of its own opens a release that became live, and swaps it in.

What is served stays so while the new release is fetched, verified, opened and asked about its golden rows. A release
that fails at any of these is told of loudly and replaces nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from prometheus_client import Counter

from model_release.client import Pulled, Reporter, Watcher
from model_release.client.memory import check_age
from model_release.client.watching import pause
from model_release.errors import Corrupt, ModelReleaseError, Refused, Retry
from model_release.serving.live import Live, Metrics
from model_release.serving.served import open_release

log = logging.getLogger(__name__)


class Following(threading.Thread):
    """Keeps the served release at the version that `latest` names, until `stop`.

    Args:
        live: the served release.
        watcher: of the store.
        metrics: count swaps and failures.
        every: seconds between two polls, give or take a fifth; more after a failure.
        allow_pickle: as for `open_release`.
        max_age: the age from which on what is served is trouble; None for any.
        reporter: is told what is served, after each poll that the store answered.
    """

    def __init__(
        self,
        live: Live,
        watcher: Watcher,
        metrics: Metrics,
        *,
        every: float,
        allow_pickle: bool,
        max_age: timedelta | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        super().__init__(name="following-latest", daemon=True)
        self._live = live
        self._watcher = watcher
        self._metrics = metrics
        self._every = every
        self._allow_pickle = allow_pickle
        self._max_age = max_age
        self._reporter = reporter
        self._latest = live.served.digest
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End it, at once while it waits."""
        self._stopped.set()

    def run(self) -> None:
        """Follow."""
        failures = 0
        self._report()
        while not self._stopped.wait(pause(self._every, failures)):
            failures = 0 if self.step() else failures + 1
            if not failures:
                self._report()

    def step(self) -> bool:
        """Poll once, and take a release that became live; return whether the store gave a valid answer."""
        live = self._live
        try:
            pulled = self._watcher.poll()
        except Retry as error:
            self._metrics.failed_polls.inc()
            live.stale = True
            log.warning("the store did not answer; %s is served on: %s", live.served.version, error)
            return False
        except Exception as error:
            taken = isinstance(error, (Corrupt, Refused))
            self._failed(error, self._metrics.failed_swaps if taken else self._metrics.failed_polls)
            return False
        if pulled is not None and pulled.stale:
            self._metrics.failed_polls.inc()
            live.stale = True
            return False
        live.stale, live.polled = False, time.time()
        try:
            self._take(pulled)
        except Exception as error:
            self._failed(error, self._metrics.failed_swaps)
        return True

    def _report(self) -> None:
        """Report what is served, which is not what is live where that cannot be served."""
        served = self._live.served
        if self._reporter is not None:
            pointer = served.pointer
            epoch, lineage = (pointer.epoch, pointer.lineage) if pointer else (None, None)
            self._reporter.report(served.version, epoch, lineage, served.digest)

    def _take(self, pulled: Pulled | None) -> None:
        live, before = self._live, self._live.served
        if pulled is not None:
            self._latest = pulled.promised.sha256
            if self._latest == before.digest:  # such as a hold: the pointer changed, and not the model
                live.served = replace(before, pointer=pulled.pointer)
            else:
                live.served = open_release(
                    pulled.folder, pulled.manifest, pulled.pointer, allow_pickle=self._allow_pickle
                )
                self._metrics.swaps.inc()
                log.info("swapped", extra={"from": before.version, "to": live.served.version})
        if self._latest == live.served.digest:
            live.trouble = self._too_old()

    def _too_old(self) -> str | None:
        """Return that the release that is served has grown too old, in words; None if it has not."""
        served = self._live.served
        now = datetime.now(UTC)
        try:
            check_age(served.manifest.version, served.trained, self._max_age, now=now, where=served.name)
        except Refused as error:
            return error.what
        return None

    def _failed(self, error: Exception, counter: Counter) -> None:
        live = self._live
        counter.inc()
        known = isinstance(error, ModelReleaseError)
        live.trouble = str(error) if known else type(error).__name__
        log.error(
            "latest cannot be followed, and %s is served on: %s",
            live.served.version,
            live.trouble,
            exc_info=None if known else error,
        )
