"""The packages that the pickles of a release need, pinned as they are installed here, and the file that says so.

`pip install -r requirements.txt` gives an environment that unpickles the release and answers with it. No package of the
deployment beside them is in it: what a pickle names decides, and what those packages require.
"""

from __future__ import annotations

import io
import json
import pickle
import platform
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from model_release.modelling.packages import brought_by

_OF_THE_INPUT = "pandas"
"""A preprocessor takes a table whose columns it knows by name, which no pickle says."""

_DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Packages whose distribution has another name; to look through all that is installed takes two seconds."""


class _Names(pickle.Unpickler):
    """Unpickles, and keeps the top-level packages that the pickle names."""

    def __init__(self, body: bytes) -> None:
        super().__init__(io.BytesIO(body))
        self.packages: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.packages.add(module.partition(".")[0])
        return super().find_class(module, name)


def packages_in(pickles: Iterable[bytes]) -> set[str]:
    """Return the top-level packages whose objects are in the pickles, which this process made: they are loaded."""
    found: set[str] = set()
    for body in pickles:
        names = _Names(body)
        names.load()
        found |= names.packages
    return found


def pins(packages: Iterable[str]) -> dict[str, str]:
    """Return the distributions of the packages, and of what they require here, in order of the names.

    Modules of the standard library and modules without a distribution have none.
    """
    names = {_distribution_of(each) for each in {*packages, _OF_THE_INPUT} - sys.stdlib_module_names}
    return dict(_closure(frozenset(name for name in names if name is not None)))


@cache
def _closure(names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return distributions and what they require here, each with its version, in order of the names."""
    found: dict[str, str] = {}
    waiting, seen = [Requirement(name) for name in names], set[tuple[str, str]]()
    while waiting:
        asked = waiting.pop()
        name = canonicalize_name(asked.name)
        distribution = metadata.distribution(name)
        found[name] = distribution.version
        for extra in {"", *asked.extras} - {extra for known, extra in seen if known == name}:
            seen.add((name, extra))
            required = [Requirement(each) for each in distribution.requires or []]
            waiting += [each for each in required if each.marker is None or each.marker.evaluate({"extra": extra})]
    return tuple(sorted(found.items()))


def requirements_file(pinned: dict[str, str]) -> bytes:
    """Return the pins as a file for `pip install -r`.

    A distribution that was installed from a folder or an address is named in a comment: no index has it.
    """
    lines = [f"# What the pickles of this release need, with Python {platform.python_version()}."]
    for name, version in pinned.items():
        elsewhere = _source_of(name)
        lines.append(
            f"# {name} {version} came from {elsewhere}, not from an index" if elsewhere else f"{name}=={version}"
        )
    return ("\n".join(lines) + "\n").encode()


def _distribution_of(package: str) -> str | None:
    """Return the distribution that a top-level package is of; None if it is of none."""
    name = _DISTRIBUTIONS.get(package, package)
    try:
        return metadata.distribution(name).name
    except metadata.PackageNotFoundError:
        return next(iter(brought_by().get(package, [])), None)


def _source_of(name: str) -> str | None:
    """Return the kind of place that a distribution was installed from, by PEP 610; None if it was an index."""
    told = metadata.distribution(name).read_text("direct_url.json")
    if told is None:
        return None
    source = json.loads(told)
    return "a folder" if "dir_info" in source else "a file" if "archive_info" in source else "version control"
