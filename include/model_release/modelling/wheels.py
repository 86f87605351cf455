"""A team's own packages as wheels, which travel with a release: the same files give the same bytes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from model_release.documents.base import sha256_of
from model_release.modelling.packages import Packages, files_of, packages_of
from model_release.spec.candidate import Candidate

_PROJECT = """\
[project]
name = "{name}"
version = "{version}"
requires-python = ">=3.11"
[tool.hatch.build.targets.wheel]
only-include = ["{name}", "{name}.py"]
ignore-vcs = true
"""


def wheels_of(packages: Packages) -> dict[str, bytes]:
    """Return a wheel for each own package, by file name. Its version is a number made of its files' digest.

    Raises:
        SpecError: a package is too large to travel with a release.
    """
    built: dict[str, bytes] = {}
    for name, digest in packages.digests().items():
        built |= [_built(name, files_of(name, packages.own[name]), version=f"0.{int(digest[:12], 16)}")]
    return built


def wheels_here(recipe: Candidate) -> frozenset[str]:
    """Return the SHA-256 of each wheel of the code that a recipe would be fitted by here."""
    return frozenset(sha256_of(body) for body in wheels_of(packages_of([recipe])).values())


def _built(name: str, files: Mapping[str, Path], *, version: str) -> tuple[str, bytes]:
    from hatchling.builders.wheel import WheelBuilder

    with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
        root = Path(scratch)
        for place, file in files.items():
            target = root / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        (root / "pyproject.toml").write_text(_PROJECT.format(name=name, version=version))
        wheel = Path(next(WheelBuilder(str(root)).build(directory=str(root / "dist"), versions=["standard"])))
        return wheel.name, wheel.read_bytes()
