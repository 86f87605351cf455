"""What made a model: which code, which Python, which packages, and the one fingerprint of a run.

For the tasks that record it. Nothing here imports a package to ask for its version.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from model_release import __version__
from model_release.documents.base import sha256_of
from model_release.documents.manifest import CodeFacts, MachineFacts
from model_release.documents.suggest import did_you_mean
from model_release.errors import UsageError
from model_release.modelling.packages import packages_of
from model_release.spec.model import Spec

PACKAGE = Path(__file__).resolve().parent.parent

CODE_OF_A_MODEL = ("documents", "spec", "model_files", "modelling")
"""The rooms of this package that can change a model's bytes or a verdict; a command's words are in none of them."""

MODELLING_PACKAGES = (
    "scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl", "pandas", "pyarrow", "pandera", "skl2onnx", "onnx",
    "onnxruntime",
)  # fmt: skip
"""What can change a model's bytes or a verdict."""


def python_version() -> str:
    """Return this interpreter's version, `3.11.7`."""
    return platform.python_version()


def package_versions(*more: str) -> dict[str, str]:
    """Return the exact versions of the modelling packages that are installed, and of more distributions by name."""
    versions = {}
    for name in (*MODELLING_PACKAGES, *more):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def code_digest(package: Path = PACKAGE) -> str:
    """Return the SHA-256 over the Python files of `CODE_OF_A_MODEL`: each one's path and digest, in order of the paths.

    A wheel and a checkout of the same code have the same digest.
    """
    digest = hashlib.sha256()
    found = [path for room in CODE_OF_A_MODEL for path in (package / room).rglob("*.py")]
    files = {path.relative_to(package).as_posix(): path for path in found}
    for name in sorted(files):
        digest.update(f"{name}\0{sha256_of(files[name].read_bytes())}\n".encode())
    return digest.hexdigest()


def code_facts(*, bundle_version: str | None = None) -> CodeFacts:
    """Return which code this is.

    Args:
        bundle_version: the version of the DAG bundle that the run was started from, where Airflow tells one.
    """
    return CodeFacts(
        package=__version__,
        digest=code_digest(),
        revision=git_revision(PACKAGE),
        bundle_version=bundle_version,
    )


def machine_facts() -> MachineFacts:
    """Return on what this process computes. Libraries count once they are loaded, so ask after a fit."""
    from threadpoolctl import threadpool_info

    kernels = {
        " ".join(str(each[key]) for key in ("internal_api", "version", "architecture") if each.get(key))
        for each in threadpool_info()
        if each["user_api"] == "blas"
    }
    return MachineFacts(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        blas=", ".join(sorted(kernels)) or None,
    )


def spec_facts(spec: Spec) -> dict[str, Any]:
    """Return the spec as the manifest keeps it, so that the model can be trained again.

    Tracking has no part in training, and of a source on the web only host and path are kept: such addresses may hold a
    password, and a manifest goes to every destination.
    """
    facts = spec.model_dump(mode="json", exclude={"tracking"})
    source = spec.dataset.source
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        parts = urlsplit(source)
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="")
        facts["dataset"]["source"] = bare.geturl()
    return facts


def _processor() -> str | None:
    """Return the processor's name, which Linux alone tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or None


def git_revision(folder: Path) -> str | None:
    """Return the revision that the checkout around `folder` is at, read without git; None outside a checkout.

    An installed package is not the checkout that its environment happens to lie in.
    """
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return None
    for parent in [folder, *folder.parents]:
        mark = parent / ".git"
        try:
            if mark.is_file():  # a worktree or a submodule: the file says where its data lies
                mark = parent / mark.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            if mark.is_dir():
                return _head(mark)
        except (OSError, UnicodeDecodeError):
            return None
    return None


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head or None
    branch = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = git / common.read_text(encoding="utf-8").strip() if common.is_file() else git
    loose, packed = shared / branch, shared / "packed-refs"
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip() or None
    lines = packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {branch}")), None)


def fingerprint(*, snapshot: str, spec: Spec, candidates: list[str]) -> str:
    """Return the SHA-256 over everything that can change the model or the verdict, and nothing else.

    Data, code, Python, packages, the team's own code, and of the spec: task, columns with group, time and weight,
    target, split, validation, the candidates, choice, gate, forms and schema revision. Titles, words, owner, schedule,
    destinations and tracking have no part in it.

    Args:
        snapshot: the fingerprint of the rows.
        spec: the model, as this run was asked to train it.
        candidates: names of those that this run trains, in any order.

    Raises:
        UsageError: no candidate, or one that the spec does not have.
        SpecError: a team's own package is too large.
    """
    chosen = _chosen(spec, candidates)
    theirs = packages_of([spec.candidates[name] for name in chosen], spec.gate.own.values())
    described = spec.model_dump(mode="json")
    columns: dict[str, dict[str, Any]] = described["dataset"]["columns"]
    facts = {
        "snapshot": snapshot,
        "code": code_digest(),
        "python": python_version(),
        "packages": package_versions(*theirs.versions),
        "own": theirs.digests(),
        "columns": [[name, _without(column, "unit", "description")] for name, column in columns.items()],
        "key": described["dataset"]["rows"]["key"],
        **{role: described["dataset"][role] for role in ("group", "time", "weight")},
        "target": _target(described["dataset"]["target"]),
        "candidates": [[name, described["candidates"][name]] for name in chosen],
        **{key: described[key] for key in ("task", "split", "validation", "choose", "gate", "forms")},
        "schema_revision": spec.schema_revision,
    }
    return sha256_of(json.dumps(facts, sort_keys=True, allow_nan=False).encode())


def _chosen(spec: Spec, candidates: list[str]) -> list[str]:
    """Return the candidates in the spec's order, which is their order of simplicity."""
    for name in candidates:
        if name not in spec.candidates:
            raise UsageError(
                f"no candidate is called {name!r}{did_you_mean(name, spec.candidates)}",
                where=str(spec.path),
                hint=f"known: {', '.join(spec.candidates)}",
            )
    if not candidates:
        raise UsageError("no candidate is chosen", where=str(spec.path), hint=f"known: {', '.join(spec.candidates)}")
    return [name for name in spec.candidates if name in candidates]


def _target(described: dict[str, Any]) -> dict[str, Any]:
    """Return what decides a target's values, without the classes' words."""
    if described["classes"] is None:
        return _without(described, "positive", "negative")
    return {**described, "classes": list(described["classes"])}


def _without(described: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in described.items() if key not in keys}
