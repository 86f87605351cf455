"""Which specs there are, and what a DAG file needs of each: its summary. Tasks read the whole spec.

DAG files are parsed all day, and specs seldom change. So a summary is kept under a digest of all that it follows from:
the spec's bytes, the environment variables that it names (their digest, never their values), and the code that reads
it. A summary that was kept costs neither YAML nor pydantic. What is wrong with a broken spec is found anew each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec as find_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from model_release.errors import SpecError
from model_release.local_cache import LocalCache
from model_release.spec.file import read_spec

if TYPE_CHECKING:
    from model_release.spec.model import Spec
    from model_release.spec.schedule import Schedule

SPECS_VARIABLE = "MODEL_RELEASE_SPECS"
"""Environment variable: a spec file, a folder of them, or several joined by the system's path separator."""

_PACKAGE = Path(__file__).parent.parent

_CODE = (
    "__init__",
    "documents/__init__",
    "documents/base",
    "documents/evaluation",
    "documents/layout",
    "documents/limits",
    "documents/metric",
    "documents/output",
    "documents/readings",
    "documents/strict_json",
    "documents/suggest",
    "documents/version",
    "errors",
    "spec/__init__",
    "spec/allowed_stores",
    "spec/candidate",
    "spec/dataset",
    "spec/environment",
    "spec/estimators",
    "spec/file",
    "spec/forms",
    "spec/gate",
    "spec/load",
    "spec/metrics",
    "spec/misread",
    "spec/model",
    "spec/notify",
    "spec/retention",
    "spec/rows",
    "spec/schedule",
    "spec/search",
    "spec/source",
    "spec/split",
    "spec/summary",
    "spec/tasks",
    "spec/tracking",
    "spec/tracking_uri",
    "spec/transfer",
)
"""The modules of this package that decide what becomes of a spec's text."""

_LIBRARIES = ("yaml", "pydantic.version")
"""The same of others: the module of each that has its version."""

_VARIABLE = re.compile(rb"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


class Starts(NamedTuple):
    """When a DAG's runs start: five cron fields in a time zone, and the span of one data interval."""

    cron: str
    timezone: str
    interval_hours: int

    @property
    def interval(self) -> timedelta:
        """The span of one data interval."""
        return timedelta(hours=self.interval_hours)


class Summary(NamedTuple):
    """What a DAG file needs of a spec.

    Attributes:
        path: the spec's file.
        schedule, housekeeping: None: only by hand.
        candidates: their names.
        approvers: the names by which those who may answer log in; empty: each user who may answer in Airflow.
        hours_to_answer: unanswered for so long, it is a rejection.
        has_mlflow_pages: whether people can open the page of a run of MLflow.
        has_accuracy: whether its task measures an accuracy.
        channels: through which people are told, each as JSON.
        deadline_hours: after so many hours a run that has not ended is late; None: no run is.
        on_new_data: whether an event of the data's asset starts a run.
        watched: the source that is looked at for new data, as `airflow_glue.watching.NewData` takes it; None: none is.
    """

    path: Path
    name: str
    title: str
    owner: str
    schedule: Starts | None
    housekeeping: Starts | None
    candidates: list[str]
    approval: str
    approvers: list[str]
    hours_to_answer: float
    has_mlflow_pages: bool
    has_accuracy: bool
    channels: list[dict[str, Any]]
    deadline_hours: float | None
    on_new_data: bool
    watched: dict[str, Any] | None

    @property
    def identifier(self) -> str:
        """The name as it stands in DAG ids: `heart_disease`."""
        return self.name.replace("-", "_")


def summaries(beside: Path) -> Iterator[Summary | SpecError]:
    """Yield the summary of each spec that `find_specs` finds; in place of one that cannot be read, what is wrong.

    Args:
        beside: a DAG file.

    Raises:
        SpecError: `MODEL_RELEASE_SPECS` names something that is not there.
    """
    paths = find_specs(beside)
    with LocalCache("summaries") as cache:
        code = _code_on_disk()
        reader = _Reader(cache, code if code == _LOADED else None)
        for path in paths:
            try:
                summary = reader.summary(path)
            except SpecError as error:
                yield error
            else:
                yield summary
        reader.keep()


def find_specs(beside: Path) -> list[Path]:
    """Return the spec files that `MODEL_RELEASE_SPECS` names, else `include/models/*.yaml` next to the DAGs' folder.

    Args:
        beside: a DAG file.

    Raises:
        SpecError: the variable names something that is not there.
    """
    named = os.environ.get(SPECS_VARIABLE)
    if not named:
        return _in_folder(beside.resolve().parent.parent / "include" / "models")
    found: list[Path] = []
    for each in named.split(os.pathsep):
        path = Path(each).expanduser()
        if path.is_dir():
            found += _in_folder(path)
        elif path.is_file():
            found.append(path)
        else:
            raise SpecError(f"{SPECS_VARIABLE} names {each}, and there is no such file or folder")
    return found


def _in_folder(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])


class _Reader:
    """Reads summaries from the cache, and from the specs what is not there.

    Args:
        code: digest of the code that this process reads specs by; None where nobody can tell: the cache is not used.
    """

    def __init__(self, cache: LocalCache, code: str | None) -> None:
        self._cache = cache
        self._code = code
        self._new: dict[str, Any] = {}

    def summary(self, path: Path) -> Summary:
        """Return the summary of a spec.

        Raises:
            SpecError: the spec cannot be read.
        """
        content = read_spec(path)
        key = _key(content, self._code) if self._code else None
        needed = self._cache.find(key) if key else None
        if needed is None:
            from model_release.spec.load import parse_spec

            spec = parse_spec(content, path)
            needed = _needed(spec)
            if key and _named(spec.model_dump_json().encode()) <= _named(content):  # none is hidden by YAML's escapes
                self._new[key] = needed
        starts = {each: needed[each] and Starts(*needed[each]) for each in ("schedule", "housekeeping")}
        return Summary(path=path.resolve(), **needed | starts)

    def keep(self) -> None:
        """Keep what was not in the cache, unless the code on disk has changed since: by which was it read?"""
        if self._new and _code_on_disk() == self._code:
            self._cache.keep(self._new)


def _needed(spec: Spec) -> dict[str, Any]:
    """What a summary has beside the path, as JSON has it."""
    return {
        "name": spec.name,
        "title": spec.title,
        "owner": spec.owner,
        "schedule": _starts(spec.schedule),
        "housekeeping": _starts(spec.housekeeping),
        "candidates": [*spec.candidates],
        "approval": spec.approval,
        "approvers": spec.approvers.users,
        "hours_to_answer": spec.approvers.hours,
        "has_mlflow_pages": spec.tracking is not None and spec.tracking.has_pages,
        "has_accuracy": spec.task_kind.measure("accuracy") is not None,
        "channels": [each.model_dump(mode="json") for each in spec.notify],
        "deadline_hours": spec.deadline_hours,
        "on_new_data": spec.schedule is not None and spec.schedule.on_new_data is not None,
        "watched": _watched(spec),
    }


def _watched(spec: Spec) -> dict[str, Any] | None:
    if spec.schedule is None or not spec.watches_source:
        return None
    transfer = spec.home.transfer.model_dump(mode="json", exclude_defaults=True)
    return {"model": spec.name, "uri": spec.source_uri(), "transfer": transfer, "minutes": spec.schedule.watch_minutes}


def _starts(schedule: Schedule | None) -> Starts | None:
    return None if schedule is None else Starts(schedule.cron, schedule.timezone, schedule.interval_hours)


def _key(content: bytes, code: str) -> str:
    """The digest of all that a summary follows from."""
    environment = {name: os.environ.get(name) for name in sorted(_named(content))}
    inputs = [code, hashlib.sha256(content).hexdigest(), environment]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _named(content: bytes) -> set[str]:
    """The environment variables that a text names, `${NAME}` or `$NAME`."""
    return {name.decode() for name in _VARIABLE.findall(content)}


def _code_on_disk() -> str | None:
    """The digest of the code that reads specs, as it lies on disk; None where it is not there as files."""
    digest = hashlib.sha256(sys.version.encode())
    ours = (f"{_PACKAGE}/{name}.py" for name in _CODE)
    others = (getattr(find_module(name), "origin", None) or "" for name in _LIBRARIES)
    try:
        for name in (*ours, *others):
            with open(name, "rb") as file:  # noqa: PTH123 - half the price, and this is each parse's
                digest.update(hashlib.sha256(file.read()).digest())
    except OSError:
        return None
    return digest.hexdigest()


_LOADED = _code_on_disk()
"""The same when this process, or the one that it is a fork of, has loaded this module; perhaps long ago."""
