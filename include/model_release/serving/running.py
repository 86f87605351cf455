"""The process: the first release, the server, and an end that fails no request."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from model_release import client, signing
from model_release.client.folder import CURRENT, Folder, checked_copy
from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.model_files import isolation
from model_release.serving.application import application
from model_release.serving.live import Live
from model_release.serving.logs import log_as_json
from model_release.serving.served import Served, open_release
from model_release.serving.watching import Following

log = logging.getLogger(__name__)

FINISH_SECONDS = 7
"""Seconds that running requests may take after the drain; together less than the ten that Docker waits."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of the service.

    Attributes:
        host: address to listen on.
        port: to listen on; 0 for a free one.
        every: seconds between two polls of the store.
        trust: a public key or a certificate; a release that it did not sign is not served.
        allow_pickle: open the pickled pipeline of a release that has no ONNX form.
        strict: fail at the start if the store cannot be reached, even if there is a copy.
        max_body: of a request, in bytes.
        shared: use a folder for copies that another user owns, or that every user may write to.
        max_age: the greatest age of a release, since it was trained.
        min_epoch: the least epoch of the pointer.
        report_to: where it reports which version it serves, as `client.Reporter` takes it; None: nowhere.
        label: of the service in its reports; None: the name of this host.
        drain: seconds between SIGTERM and the end, in which /readyz sends new requests elsewhere.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    every: float = 15.0
    trust: Path | None = None
    allow_pickle: bool = False
    strict: bool = False
    max_body: int = 10_000_000
    drain: float = 2.0
    shared: bool = False
    max_age: timedelta | None = None
    min_epoch: int | None = None
    report_to: str | None = None
    label: str | None = None


def serve_store(uri: str, to: Path, settings: Settings) -> None:
    """Pull the live release, serve it, and follow `latest` until SIGTERM.

    Raises:
        ModelReleaseError: the live version cannot be pulled, or cannot be served.
    """
    log_as_json()
    bounds: Any = {"shared": settings.shared, "max_age": settings.max_age, "min_epoch": settings.min_epoch}
    pulled = client.pull(uri, to=to, trust=settings.trust, strict=settings.strict, **bounds)
    served = open_release(pulled.folder, pulled.manifest, pulled.pointer, allow_pickle=settings.allow_pickle)
    live = Live(served, stale=pulled.stale)
    reporter = None
    if settings.report_to:
        reporter = client.Reporter(settings.report_to, uri=uri, via="serve", label=settings.label)
    _run(live, settings, client.Watcher(uri, to, trust=settings.trust, **bounds), reporter)


def serve_folder(folder: Path, settings: Settings) -> None:
    """Serve a release from a folder that does not change: one that `pull` filled, or a version's folder.

    Raises:
        ModelReleaseError: it does not verify, or cannot be served.
    """
    log_as_json()
    _run(Live(_released(folder, settings), polled=None), settings, None)


def is_release(folder: Path) -> bool:
    """Whether a folder was filled by `pull`, or is a version's folder."""
    return (folder / CURRENT / layout.MANIFEST).is_file() or (folder / layout.MANIFEST).is_file()


def _released(folder: Path, settings: Settings) -> Served:
    pulled = (folder / CURRENT).is_dir()
    copy = (folder / CURRENT).resolve() if pulled else folder
    manifest = Manifest.read(checked_copy(copy).body, where=str(copy / layout.MANIFEST))
    if settings.trust is not None:
        signing.verify(copy, settings.trust, model=None, version=manifest.version)  # the folder may have any name
    known = Folder(folder).remembered() if pulled else None
    follows = known is not None and known.version == manifest.version
    pointer = Pointer.read(known.body, where=str(folder / layout.POINTER)) if known is not None and follows else None
    return open_release(copy, manifest, pointer, allow_pickle=settings.allow_pickle)


def _run(
    live: Live, settings: Settings, watcher: client.Watcher | None, reporter: client.Reporter | None = None
) -> None:
    app = application(live, limit=settings.max_body)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )
    following = None
    if watcher is not None:
        following = Following(
            live,
            watcher,
            app.state.metrics,
            every=settings.every,
            allow_pickle=settings.allow_pickle,
            max_age=settings.max_age,
            reporter=reporter,
        )
        following.start()
    facts = {
        "model": live.served.name,
        "version": live.served.version,
        "stale": live.stale,
        "tried_in": isolation.in_words(),
    }
    log.info("serving", extra=facts)
    try:
        _Server(config, live, settings.drain).run()
    finally:
        if following is not None:
            following.stop()
            following.join(1.0)


class _Server(uvicorn.Server):
    """Ends in two steps at SIGTERM: first /readyz says so, then no connection is accepted; at Ctrl-C, in one."""

    def __init__(self, config: uvicorn.Config, live: Live, drain: float) -> None:
        super().__init__(config)
        self._live = live
        self._drain = drain

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        del frame
        if sig == signal.SIGINT or self._drain <= 0:
            self.force_exit = self.should_exit
            self.should_exit = True
        elif not self._live.draining:
            ending = threading.Timer(self._drain, self._end)
            ending.daemon = True
            ending.start()
        self._live.draining = True

    def _end(self) -> None:
        self.should_exit = True
