"""The consumer of releases, on a laptop, in CI or in a container; needs neither Airflow nor MLflow.

    from model_release import client

    model = client.load("s3://models/heart-disease-models")
    pulled = client.pull("s3://models/heart-disease-models", to="models")

Nothing is trusted before it is verified: `memory` decides which pointers are refused, `fetching` checks each byte while
it streams, `folder` keeps whole copies and swaps them, `pulling` orders these steps, `watching` repeats them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from model_release.client.fetching import Progress
from model_release.client.folder import CURRENT
from model_release.client.opened import load, open_folder
from model_release.client.pulling import Pulled, Puller
from model_release.client.reporting import Reporter
from model_release.client.watching import follow

__all__ = ["CURRENT", "Pulled", "Reporter", "Watcher", "load", "open_folder", "pull", "watch"]


def pull(
    uri: str,
    *,
    to: str | Path,
    version: str | None = None,
    sha256: str | None = None,
    trust: str | Path | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    shared: bool = False,
    max_age: timedelta | None = None,
    min_epoch: int | None = None,
    reporter: Reporter | None = None,
) -> Pulled:
    """Bring a folder to the version that `latest` names, and return the verified copy.

    Args:
        uri: the model's folder: `s3://`, `gs://`, `wasb://`, `file://`, `https://`, or a path.
        to: the consumer's folder, for this model alone; `current` in it links to the copy.
        version: pins a version, such as `v1.4.0`.
        sha256: pins the bytes of the release's `metadata.json`, and with them all others.
        trust: a public key or a certificate; a release that it did not sign is refused.
        strict: fail if the store cannot be reached, even if there is a copy.
        progress: called with the bytes that are here and the bytes in total.
        shared: use a folder that another user owns, or that every user may write to.
        max_age: the greatest age of a release, since it was trained; an older one is refused.
        min_epoch: the least epoch of the pointer, for a first start without a memory of one.
        reporter: is told of the copy, unless the store could not be reached.

    Raises:
        StoreUnavailable: the store cannot be reached, and there is no copy to fall back to.
        CredentialsRefused: the store does not permit this process to read.
        NotFound: nothing is released there, or there is no such version.
        Refused: the pointer goes back, is a fork or of another history, or the version is barred or not the pinned one.
        Corrupt: a manifest, a file or a signature is not right. The current copy stays.
    """
    pulled = Puller(
        uri,
        to,
        version=version,
        sha256=sha256,
        trust=trust,
        strict=strict,
        progress=progress,
        shared=shared,
        max_age=max_age,
        min_epoch=min_epoch,
    ).pull()
    if reporter is not None and not pulled.stale:
        pulled.tell(reporter)
    return pulled


class Watcher:
    """Follows `latest`; an unchanged poll is one conditional request.

    Args:
        uri: as for `pull`.
        to: as for `pull`.
        trust: as for `pull`.
        shared: as for `pull`.
        max_age: as for `pull`.
        min_epoch: as for `pull`.
        reporter: is told of each copy that `follow` yields, and again while it stays.
    """

    def __init__(
        self,
        uri: str,
        to: str | Path,
        *,
        trust: str | Path | None = None,
        shared: bool = False,
        max_age: timedelta | None = None,
        min_epoch: int | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self._reporter = reporter
        self._puller = Puller(uri, to, trust=trust, shared=shared, max_age=max_age, min_epoch=min_epoch)
        self._stopped = threading.Event()

    def poll(self) -> Pulled | None:
        """Pull at the first call and after a change of the pointer, and return the copy; else return None.

        A change need not be of the model: a hold changes the pointer too, and then `changed` is false.
        """
        return self._puller.poll()

    def follow(self, every: float = 30.0) -> Iterator[Pulled]:
        """Yield the first copy, and then each other one, until `stop`; failures are logged and tried again.

        Args:
            every: seconds between two polls, give or take a fifth; more while the store cannot be reached.
        """
        yield from follow(self._puller, every=every, stopped=self._stopped, reporter=self._reporter)

    def stop(self) -> None:
        """End `follow`, from any thread; at once while it waits."""
        self._stopped.set()


def watch(
    uri: str,
    *,
    to: str | Path,
    every: float = 30.0,
    trust: str | Path | None = None,
    shared: bool = False,
    max_age: timedelta | None = None,
    min_epoch: int | None = None,
    reporter: Reporter | None = None,
) -> Iterator[Pulled]:
    """Yield the first copy, and then each other one, for ever; `Watcher` can be stopped."""
    watcher = Watcher(uri, to, trust=trust, shared=shared, max_age=max_age, min_epoch=min_epoch, reporter=reporter)
    return watcher.follow(every)
