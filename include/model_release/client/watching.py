"""Follows `latest` for ever: one conditional request a poll, with jitter, and slower while the store is away."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator

from model_release.client.pulling import Pulled, Puller
from model_release.client.reporting import Reporter
from model_release.errors import ModelReleaseError, Refused

log = logging.getLogger(__name__)

_SLOWEST = 600.0
"""Seconds between two polls of a store that stays away, unless `every` is more."""


def follow(
    puller: Puller, *, every: float, stopped: threading.Event, reporter: Reporter | None = None
) -> Iterator[Pulled]:
    """Yield the first copy, and then each other one, until `stopped` is set.

    A failure is logged and tried again; the current copy stays. So is, once, that the current copy has become older
    than the puller allows.

    Args:
        puller: of one model into one folder.
        every: seconds between two polls; each differs by up to a fifth.
        stopped: ends it, at once while it waits.
        reporter: is told of each copy once it was yielded, and again while it stays.
    """
    failures, last, reported = 0, None, None
    while not stopped.is_set():
        try:
            pulled = puller.poll()
        except ModelReleaseError as error:
            log.error("%s", error)  # noqa: TRY400 - the message is for people, the traceback is not
            failures += 1
        else:
            failures = failures + 1 if pulled is not None and pulled.stale else 0
            if pulled is not None and (last is None or pulled.folder != last.folder):
                last = pulled
                yield pulled
            if reporter is not None and last is not None:
                last.tell(reporter)
            if last is not None and last.folder != reported and _too_old(puller, last):
                reported = last.folder
        stopped.wait(pause(every, failures))


def _too_old(puller: Puller, pulled: Pulled) -> bool:
    try:
        puller.check_age(pulled.promised)
    except Refused as error:
        log.error("%s", error)  # noqa: TRY400 - as above
        return True
    return False


def pause(every: float, failures: int) -> float:
    """Return the seconds to wait: twice as many after each failure, with jitter."""
    slower = min(every * float(2 ** min(failures, 10)), max(every, _SLOWEST))
    return slower * random.uniform(0.8, 1.2)  # noqa: S311 - spreads polls over time, keeps no secret
