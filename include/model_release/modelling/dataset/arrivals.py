"""What has arrived at a dataset's source: dated partitions, taken once and kept as they came.

For `dataset.ingest` alone. A partition is a folder `dt=YYYY-MM-DD/`, by the day on which it arrived, with files at any
depth. Every object in it is read, or stands in the run's result with the reason why it is not; only what says itself
that it is no data (folder markers, names that begin with a dot or an underscore) is passed over.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol

from model_release.errors import Corrupt, DataInvalid, NotFound, SpecError
from model_release.modelling.dataset.form import CONVERT, Kind
from model_release.spec.dataset import Dataset
from model_release.spec.model import Spec
from model_release.stores.base import Entry, Store

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
"""How a file is compressed, by the end of its name."""

_KINDS: dict[str, Kind] = {
    "json": "json", "jsonl": "json", "ndjson": "json", "xls": "excel", "xlsx": "excel", "xlsm": "excel", "zip": "zip",
}  # fmt: skip
_UNSAFE = re.compile(rb"[^A-Za-z0-9._=+-]|^[.-]|\.$")


class Source(Protocol):
    """A folder of partitions, of which only names and bytes are read: a store, or the results of a query."""

    uri: str

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the files whose path begins with `prefix`."""
        ...

    def download(self, key: str, path: Path) -> None:
        """Write a file's bytes to `path`."""
        ...


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
        without_data: the due partitions, of those that count, in which no file is read.
    """

    due: list[str]
    left_out: dict[str, str]
    without_data: list[str]


def arrived(spec: Spec, source: Source, as_of: date) -> Arrived:
    """Find the files of every partition up to `as_of` in one listing.

    Raises:
        NotFound: there are none, or one whose digest the spec lists is gone.
        DataInvalid: a partition's folder is not named after a day.
        SpecError: the spec lists the digest of something that is no file of a partition, or leaves out no known file.
    """
    key = spec.dataset.partition
    days = {entry.key: _day(entry.key, key, source) for entry in source.list(f"{key}=")}
    due = sorted((path for path, day in days.items() if day <= as_of), key=lambda path: (days[path], path))
    left_out = _left_out(due, days, spec, as_of)
    files = [path for path in due if path not in left_out and not _is_no_data(path)]
    if not files:
        later = [day for path, day in days.items() if day > as_of and _is_data(path, spec.dataset)]
        known = f"the earliest is of {min(later)}" if later else f"there is no {key}=YYYY-MM-DD/{spec.dataset.pattern}"
        reasons = "; ".join(f"{path}: {why}" for path, why in left_out.items())
        raise NotFound(
            f"no data had arrived by {as_of}; {reasons or known}",
            where=source.uri,
            hint="choose a later as-of date" if later else "put the data there, or mend dataset.source in the spec",
        )
    gone = sorted(path for path in set(spec.dataset.sha256) - set(due) if _listed_day(path, spec) <= as_of)
    if gone:
        raise NotFound(
            f"the spec lists the sha256 of {', '.join(gone)}, and the source has no such file",
            where=source.uri,
            hint="bring it back, or take it out of dataset.sha256 if it is meant to be gone",
        )
    newest = max(days[path] for path in files)
    counted = {partition_of(path) for path in due if _not_counted(days[path], newest, spec.dataset, as_of) is None}
    return Arrived(files, left_out, sorted(counted - {partition_of(path) for path in files}))


def partition_of(path: str) -> str:
    """Return the name of the partition that a file of the source is in."""
    return path.partition("/")[0]


def day_of(path: str) -> date:
    """Return the day of the partition that a file of the source is in."""
    return date.fromisoformat(partition_of(path).partition("=")[2])


def compression_of(path: str, dataset: Dataset) -> str | None:
    """Return how a file is compressed: as the spec says, else by the end of its name; None if it is not."""
    if dataset.compression != "infer":
        return None if dataset.compression == "none" else dataset.compression
    return COMPRESSIONS.get(path[path.rfind(".") :].lower())


def receive(path: str, spec: Spec, source: Source, local: Path) -> Delivery:
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
        key = raw_key(delivery)
        if key not in kept:
            data.create(key, delivery.local.read_bytes())


def raw_key(delivery: Delivery) -> str:
    """Return where a file is kept; of its name, bytes that no key has are written as `@` and two hexadecimal digits."""
    *folders, name = delivery.path.split("/")
    return "/".join(["raw", *map(_escaped, folders), f"{delivery.sha256[:12]}-{_escaped(name)}"])


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _left_out(due: list[str], days: dict[str, date], spec: Spec, as_of: date) -> dict[str, str]:
    """Return the due paths that no rows are taken from, with the reason."""
    unknown = sorted(set(spec.dataset.leave_out) - set(days))
    if unknown:
        raise SpecError(
            f"leaves out {', '.join(unknown)}, and the source has no such file",
            where=f"{spec.path}: dataset.leave_out",
        )
    newest = max((days[path] for path in due if _is_data(path, spec.dataset)), default=as_of)
    found = {}
    for path in due:
        if _is_no_data(path):
            continue
        if path in spec.dataset.leave_out:
            found[path] = f"the spec leaves it out: {spec.dataset.leave_out[path]}"
        elif why := _not_counted(days[path], newest, spec.dataset, as_of):
            found[path] = why
        elif not _is_data(path, spec.dataset):
            found[path] = f"its name does not match dataset.file, {spec.dataset.pattern}{_remedy(path, spec.dataset)}"
    return found


def _not_counted(day: date, newest: date, dataset: Dataset, as_of: date) -> str | None:
    """Return why no partition of a day counts; None if it does."""
    if dataset.window_days is not None and day <= as_of - timedelta(days=dataset.window_days):
        return f"outside the window of {dataset.window_days} days"
    if dataset.partitions == "snapshots" and day < newest:
        return f"superseded by the snapshot of {newest}"
    return None


def _is_no_data(path: str) -> bool:
    """Whether a name says so itself: a folder marker, `_SUCCESS`, `_temporary/…`, a dot file."""
    return path.endswith("/") or any(each.startswith((".", "_")) for each in path.split("/")[1:])


def _is_data(path: str, dataset: Dataset) -> bool:
    """Whether a file's name matches the spec's pattern, in capitals or not, with what says how it is compressed."""
    name = path.rpartition("/")[2].lower()
    stem, dot, end = name.rpartition(".")
    names = [name, stem] if f"{dot}{end}" in COMPRESSIONS else [name]
    return not _is_no_data(path) and any(fnmatchcase(each, dataset.pattern.lower()) for each in names)


def _remedy(path: str, dataset: Dataset) -> str:
    """Return what to do with a file of another kind, by the end of its name; empty if that says nothing."""
    ending = path.rpartition(".")[2].lower()
    if ending in ("csv", "parquet") and ending != dataset.file_format:
        return f"; if the partitions are of {ending.upper()} files, write format: {ending}"
    kind = _KINDS.get(ending)
    return f"; {CONVERT[kind]}" if kind else ""


def _escaped(segment: str) -> str:
    return _UNSAFE.sub(lambda found: b"@%02X" % found[0][0], segment.encode()).decode()


def _day(path: str, key: str, source: Source) -> date:
    day = _parsed(path, key)
    if day is None:
        raise DataInvalid(
            f"{partition_of(path)!r} is not named after a day",
            where=f"{source.uri}/{path}",
            hint=f"partitions are folders {key}=YYYY-MM-DD",
        )
    return day


def _listed_day(path: str, spec: Spec) -> date:
    day = _parsed(path, spec.dataset.partition)
    if day is None:
        raise SpecError(
            f"{path!r} is not a path {spec.dataset.partition}=YYYY-MM-DD/<file> below the source",
            where=f"{spec.path}: dataset.sha256",
        )
    return day


def _parsed(path: str, key: str) -> date | None:
    folder, mark, _ = path.partition("/")
    text = folder.removeprefix(f"{key}=")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if folder == f"{key}={day.isoformat()}" and mark else None
