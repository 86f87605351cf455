"""Reports of a consumer about itself: which version it serves. Off unless it is asked for.

A report is a small object in a folder of the store, or a POST to an address. One that fails is logged and disturbs
nothing; nothing that was asked of the model is in it.
"""

from __future__ import annotations

import logging
import re
import socket
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from model_release.documents import layout
from model_release.errors import ModelReleaseError, UsageError

if TYPE_CHECKING:
    from model_release.documents.consumer import ConsumerReport, Via

log = logging.getLogger(__name__)

STORE = "store"
"""In place of an address: the folder `consumers/` of the model that is pulled."""

RENEWED = 600.0
"""Seconds after which an unchanged report is sent again, so that others see that the consumer is there."""

_SECONDS = 5.0


class Reporter:
    """Reports what one consumer serves.

    Args:
        to: `store`, the URI of a folder, or an address `https://…` that takes a POST.
        uri: of the model's folder, which is pulled.
        via: the command that reports.
        label: of the consumer; None: the name of this host.

    Raises:
        UsageError: a malformed label, or no place that takes reports.
    """

    def __init__(self, to: str, *, uri: str, via: Via, label: str | None = None) -> None:
        from model_release.documents.consumer import is_label

        self._to = layout.join(uri, layout.CONSUMERS) if to == STORE else to
        self._posts = urlsplit(self._to).scheme in ("http", "https")
        if not self._posts:
            _check_folder(self._to)
        self._via: Via = via
        self._label = label if label is not None else _host()
        self._last: tuple[object, ...] = ()
        self._sent = 0.0
        if not is_label(self._label):
            raise UsageError(
                "is no label of a consumer", where=self._label, hint="letters, digits, dots, dashes; at most a hundred"
            )

    def report(self, version: object, epoch: int | None, lineage: str | None, sha256: str) -> None:
        """Report what is served, unless that was reported within the last minutes. Never raises.

        Args:
            version: that is served.
            epoch: of the pointer that was followed; `lineage` is its lineage.
            lineage: None without a pointer.
            sha256: of the release's manifest.
        """
        facts = (str(version), epoch, lineage, sha256)
        if facts == self._last and time.monotonic() - self._sent < RENEWED:
            return
        try:
            self._send(*facts)
        except ModelReleaseError as error:
            log.warning("it could not be reported what is served here: %s", error)
        except Exception as error:
            log.warning("it could not be reported what is served here: %s", type(error).__name__)
        self._last, self._sent = facts, time.monotonic()

    def _send(self, version: str, epoch: int | None, lineage: str | None, sha256: str) -> None:
        from model_release.documents.consumer import ConsumerReport
        from model_release.documents.version import Version

        report = ConsumerReport(
            consumer=self._label,
            version=Version.parse(version),
            epoch=epoch,
            lineage=lineage,
            metadata_sha256=sha256,
            via=self._via,
            at=datetime.now(UTC),
        )
        if self._posts:
            _post(self._to, report)
        else:
            _put(self._to, report)


def _check_folder(uri: str) -> None:
    from model_release.stores.uris import SCHEMES, parse

    scheme = urlsplit(uri).scheme
    if scheme in SCHEMES:
        parse(uri)
    elif scheme != "file" and not (scheme == "" and uri.startswith(("/", "."))):
        raise UsageError("takes no reports", where=uri, hint=f"{STORE!r}, the URI of a folder in a store, or https://…")


def _post(url: str, report: ConsumerReport) -> None:
    body, kind = report.to_bytes(), {"content-type": "application/json"}
    request = urllib.request.Request(url, body, kind, method="POST")  # noqa: S310 - http or https
    with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
        pass


def _put(uri: str, report: ConsumerReport) -> None:
    from model_release.documents.base import JSON_TYPE
    from model_release.documents.consumer import key_of
    from model_release.spec.transfer import TransferSettings
    from model_release.stores import open_store

    bounds = TransferSettings(connect_timeout=2, read_timeout=_SECONDS, deadline=2 * _SECONDS, attempts=1)
    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        body = Path(scratch) / "report.json"
        body.write_bytes(report.to_bytes())
        open_store(uri, bounds).upload(key_of(report), body, content_type=JSON_TYPE)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("-.")[:100] or "host"
