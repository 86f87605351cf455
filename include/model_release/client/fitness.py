"""Whether the Python and the scikit-learn that are here fit those that a pickled model was made with."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from model_release.metadata import Manifest

LIBRARY = "scikit-learn"


def misfits(manifest: Manifest) -> list[str]:
    """Return what of this process does not fit the pickles of a release, in words; empty where all does.

    What differs in the third number alone fits. Where scikit-learn is not installed nothing will unpickle, and nothing
    is said of it.
    """
    if manifest.model_file is None:
        return []
    here = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    pairs = [("Python", manifest.python_version, here)]
    with suppress(PackageNotFoundError):
        pairs.append((LIBRARY, manifest.dependencies.get(LIBRARY), version(LIBRARY)))
    return [
        f"{name} {found} is here, and {manifest.version} was made with {name} {made}"
        for name, made, found in pairs
        if made is not None and _series(made) != _series(found)
    ]


def _series(number: str) -> list[str]:
    return number.split(".")[:2]
