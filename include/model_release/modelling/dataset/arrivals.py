"""What has arrived at a dataset's source: dated partitions, taken once and kept as they came.

For `dataset.ingest` alone. A partition is a folder `dt=YYYY-MM-DD/`, by the day on which it arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

from model_release.errors import Corrupt, DataInvalid, NotFound, SpecError
from model_release.spec.model import Spec
from model_release.stores.base import Store

_PREFIX = "dt="


@dataclass(frozen=True, slots=True)
class Delivery:
    """A file of the source: path below it, where it lies on this disk, SHA-256 of its bytes."""

    path: str
    local: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a run finds at the source.

    Attributes:
        due: the paths that are read, ordered by day and name.
        left_out: the due paths that are not read, each with the reason.
    """

    due: list[str]
    left_out: dict[str, str]


def arrived(spec: Spec, source: Store, as_of: date) -> Arrived:
    """Find the files of every partition up to `as_of` in one listing.

    Raises:
        NotFound: there are none, or one whose digest the spec lists is gone.
        DataInvalid: a partition's folder is not named after a day.
        SpecError: the spec lists the digest of something that is no file of a partition, or leaves out no known file.
    """
    days = {
        entry.key: _day(entry.key, source)
        for entry in source.list(_PREFIX)
        if entry.key.count("/") == 1 and fnmatchcase(entry.key.rpartition("/")[2], spec.dataset.file)
    }
    due = sorted((path for path, day in days.items() if day <= as_of), key=lambda path: (days[path], path))
    if not due:
        known = f"the earliest is of {min(days.values())}" if days else f"there is no dt=YYYY-MM-DD/{spec.dataset.file}"
        raise NotFound(
            f"no data had arrived by {as_of}; {known}",
            where=source.uri,
            hint="choose a later as-of date" if days else "put the data there, or mend dataset.source in the spec",
        )
    gone = sorted(path for path in set(spec.dataset.sha256) - set(due) if _listed_day(path, spec) <= as_of)
    if gone:
        raise NotFound(
            f"the spec lists the sha256 of {', '.join(gone)}, and the source has no such file",
            where=source.uri,
            hint="bring it back, or take it out of dataset.sha256 if it is meant to be gone",
        )
    left_out = _left_out(due, days, spec, as_of)
    return Arrived([path for path in due if path not in left_out], left_out)


def partition_of(path: str) -> str:
    """Return the name of the partition that a file of the source is in."""
    return path.partition("/")[0]


def _left_out(due: list[str], days: dict[str, date], spec: Spec, as_of: date) -> dict[str, str]:
    """Return the due paths that the spec takes no rows from, with the reason."""
    window, newest = spec.dataset.window_days, max(days[path] for path in due)
    unknown = sorted(set(spec.dataset.leave_out) - set(days))
    if unknown:
        raise SpecError(
            f"leaves out {', '.join(unknown)}, and the source has no such file",
            where=f"{spec.path}: dataset.leave_out",
        )
    reasons = {}
    for path in due:
        if path in spec.dataset.leave_out:
            reasons[path] = f"the spec leaves it out: {spec.dataset.leave_out[path]}"
        elif window is not None and days[path] <= as_of - timedelta(days=window):
            reasons[path] = f"outside the window of {window} days"
        elif spec.dataset.partitions == "snapshots" and days[path] < newest:
            reasons[path] = f"superseded by the snapshot of {newest}"
    return reasons


def receive(path: str, spec: Spec, source: Store, local: Path) -> Delivery:
    """Download a file of the source to `local`.

    Raises:
        Corrupt: its digest is not the one that the spec lists.
    """
    source.download(path, local)
    found, listed = sha256_of_file(local), spec.dataset.sha256.get(path)
    if listed not in (None, found):
        raise Corrupt(
            f"has sha256 {found}, and the spec lists {listed}",
            where=f"{source.uri}/{path}",
            hint="fetch the file again; if the new content is meant, write its sha256 into dataset.sha256",
        )
    return Delivery(path, local, found)


def keep_raw(deliveries: Iterable[Delivery], data: Store) -> None:
    """Keep files as received: `raw/dt=…/<12 digits of the SHA-256>-<name>`.

    The content is in the name, so a partition that is delivered again with other content keeps both, and
    what is there already is not sent again.
    """
    kept = {entry.key for entry in data.list("raw/")}
    for delivery in deliveries:
        folder, _, name = delivery.path.rpartition("/")
        key = f"raw/{folder}/{delivery.sha256[:12]}-{name}"
        if key not in kept:
            data.create(key, delivery.local.read_bytes(), content_type="text/csv")


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _day(path: str, source: Store) -> date:
    day = _parsed(path)
    if day is None:
        raise DataInvalid(
            f"{partition_of(path)!r} is not named after a day",
            where=f"{source.uri}/{path}",
            hint="partitions are folders dt=YYYY-MM-DD",
        )
    return day


def _listed_day(path: str, spec: Spec) -> date:
    day = _parsed(path)
    if day is None:
        raise SpecError(
            f"{path!r} is not a path dt=YYYY-MM-DD/<file> below the source",
            where=f"{spec.path}: dataset.sha256",
        )
    return day


def _parsed(path: str) -> date | None:
    folder, mark, name = path.partition("/")
    text = folder.removeprefix(_PREFIX)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if folder == f"{_PREFIX}{day.isoformat()}" and mark and name else None
