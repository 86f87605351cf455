"""Of which packages the code of a spec's recipes is made: a team's own by their files, others by their versions.

Nothing is imported to find out: a package is found as an import would find it, and its imports are read from its text.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from model_release.documents.base import sha256_of
from model_release.errors import SpecError
from model_release.spec.candidate import Candidate
from model_release.spec.estimators import import_path
from model_release.spec.metrics import OwnMetric

LARGEST = 16 * 1024 * 1024
"""Bytes of a team's own package: it is code, and travels with every release."""

_OURS = {"model_release", "sklearn"}
_CACHES = {"__pycache__", ".git", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints"}
_COMPILED = {".pyc", ".pyo"}


@dataclass(frozen=True)
class Packages:
    """What recipes import, beside scikit-learn and this package.

    Attributes:
        own: by name, the folder of a package, or the file of a module, that no distribution has brought.
        versions: of the distributions that they name, or that their own code imports.
    """

    own: Mapping[str, Path] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        """Return by name the SHA-256 over the files of each own package: each one's path and digest, in order.

        Raises:
            SpecError: a package is too large to travel with a release.
        """
        return {name: sha256_of(b"".join(_lines(name, path))) for name, path in self.own.items()}


def packages_of(candidates: Iterable[Candidate], metrics: Iterable[OwnMetric] = ()) -> Packages:
    """Return the packages that recipes and metrics are made of, directly or by what their own code imports."""
    functions = {each.function.partition(":")[0].partition(".")[0] for each in metrics if each.function is not None}
    return packages_named(functions | {name for each in candidates for name in _names(each)})


def packages_named(names: Iterable[str]) -> Packages:
    """Return the packages behind top-level names of modules, and those that their own code imports."""
    waiting, seen = sorted(names), set(_OURS)
    own: dict[str, Path] = {}
    versions: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in seen or name in sys.stdlib_module_names:
            continue
        seen.add(name)
        path = _location(name)
        if path is None:
            continue
        distribution = _distribution(name, path)
        if distribution is None:
            own[name] = path
            waiting += sorted(_imports(path))
        else:
            versions[distribution.name] = distribution.version
    return Packages(dict(sorted(own.items())), dict(sorted(versions.items())))


def files_of(name: str, path: Path) -> dict[str, Path]:
    """Return the files of an own package, data included, by their path in a wheel.

    Raises:
        SpecError: they are too large to travel with a release.
    """
    if path.is_file():
        return {path.name: path}
    found = {
        f"{name}/{each.relative_to(path).as_posix()}": each
        for each in sorted(path.rglob("*"))
        if each.is_file()
        and each.suffix not in _COMPILED
        and not any(part in _CACHES or part.startswith(".") for part in each.relative_to(path).parts)
    }
    size = sum(each.stat().st_size for each in found.values())
    if size > LARGEST:
        raise SpecError(
            f"the package {name} has {size:,} bytes of files, and its code travels with every release",
            where=str(path),
            hint=f"keep data elsewhere; at most {LARGEST:,} bytes",
        )
    return found


def _lines(name: str, path: Path) -> Iterator[bytes]:
    for place, file in files_of(name, path).items():
        yield f"{place}\0{sha256_of(file.read_bytes())}\n".encode()


def _names(candidate: Candidate) -> Iterator[str]:
    """Yield the top-level names that a recipe mentions."""
    for each in (candidate.pipeline, candidate.preprocessor):
        if each is not None:
            yield each.replace(":", ".").partition(".")[0]
    space = candidate.search.model_dump()["space"] if candidate.search else {}
    yield from _estimators({"estimator": candidate.estimator, "parameters": candidate.parameters, "space": space})


def _estimators(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        name = value.get("estimator")
        if isinstance(name, str):
            yield import_path(name).partition(".")[0]
        for each in value.values():
            yield from _estimators(each)
    elif isinstance(value, list):
        for each in value:
            yield from _estimators(each)


def _location(name: str) -> Path | None:
    """Return the folder of a package or the file of a module; None if there is none, or it is part of Python."""
    try:
        found = find_spec(name)
    except (ImportError, ValueError):
        return None
    if found is None:
        return None
    if found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations)))
    return Path(found.origin) if found.origin and found.has_location else None


def _distribution(name: str, path: Path) -> metadata.Distribution | None:
    """Return the distribution that a package came with; None if it is a team's own.

    What was installed from a folder, a file or a repository is on no index, so that nobody could install it by its
    version (PEP 610): it counts as own.
    """
    if not {"site-packages", "dist-packages"} & set(path.parts):
        return None
    for each in _likely(name):
        if (found := _installed(each)) and any(file.parts[0] in (name, f"{name}.py") for file in found.files or ()):
            return None if found.read_text("direct_url.json") else found
    return None


def _likely(name: str) -> Iterator[str]:
    """Yield names of distributions that may hold a package, the likely one first: to look at all takes a while."""
    yield name.replace("_", "-")
    yield from brought_by().get(name, ())


def _installed(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def brought_by() -> Mapping[str, list[str]]:
    """Return by top-level package the distributions that hold it; to look through all takes two seconds, once."""
    return metadata.packages_distributions()


def _imports(path: Path) -> set[str]:
    """Return the top-level names that the modules of a package import from elsewhere."""
    found: set[str] = set()
    for file in [path] if path.is_file() else path.rglob("*.py"):
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):  # an import of it says so
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found
