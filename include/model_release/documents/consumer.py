"""`consumers/<label>/<version>@<epoch>.json`: what one consumer says that it serves.

The name says all that a reader needs, and the store's clock says when: a listing is enough, and a forged time is none.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final, Literal, NamedTuple

from model_release.documents.base import Document, Sha256, VersionText
from model_release.documents.version import Version

FORMAT: Final = 1

Via = Literal["pull", "watch", "serve"]

_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", re.ASCII)
_NAME = re.compile(r"(v\d+\.\d+\.\d+)(?:@(\d{1,18}))?\.json", re.ASCII)


class ConsumerReport(Document):
    """What a consumer reports. It holds nothing of a request, and no address.

    Attributes:
        consumer: its label.
        epoch, lineage: of the pointer that it followed; None for a pinned version in a store without one.
        metadata_sha256: of the manifest of its copy.
        via: the command that reports.
        at: when, by the consumer's clock.
    """

    format: Literal[1] = FORMAT
    consumer: str
    version: VersionText
    epoch: int | None
    lineage: str | None
    metadata_sha256: Sha256
    via: Via
    at: datetime


class Served(NamedTuple):
    """What the name of a report says."""

    consumer: str
    version: Version
    epoch: int | None


def is_label(text: str) -> bool:
    """Whether a text may be the label of a consumer: letters, digits and `._-`, at most a hundred."""
    return _LABEL.fullmatch(text) is not None


def key_of(report: ConsumerReport) -> str:
    """Return the key of a report below the folder of reports."""
    epoch = "" if report.epoch is None else f"@{report.epoch}"
    return f"{report.consumer}/{report.version}{epoch}.json"


def read_key(key: str) -> Served | None:
    """Return what the name of a report says; None if it is no report's name.

    Args:
        key: below the folder of reports.
    """
    label, _, name = key.partition("/")
    found = _NAME.fullmatch(name)
    if found is None or not is_label(label) or not Version.is_version(found[1]):
        return None
    return Served(label, Version.parse(found[1]), int(found[2]) if found[2] else None)
