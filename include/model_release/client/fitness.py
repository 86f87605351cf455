"""Whether the Python and the scikit-learn of this process fit those that made a pickled model."""

from __future__ import annotations

import platform
from importlib.util import find_spec

from model_release.client.promises import Promised

LIBRARY = "scikit-learn"


def misfits(manifest: Promised) -> list[str]:
    """Return the versions of this process that do not fit the pickles of a release, in words; empty if all fit.

    A version that differs in its third number alone fits. Without scikit-learn nothing is unpickled, so nothing is said
    of it.
    """
    return [
        f"{name} {here} is here, and {manifest.version} was made with {name} {made}"
        for name, made in manifest.made_with.items()
        if (here := _here(name)) is not None and _series(made) != _series(here)
    ]


def _here(name: str) -> str | None:
    """Return the installed version of Python or scikit-learn; None if it is not installed, or for any other name."""
    if name == "Python":
        return platform.python_version()
    if name == LIBRARY and find_spec("sklearn") is not None:
        from importlib.metadata import version

        return version(LIBRARY)
    return None


def _series(number: str) -> list[str]:
    return number.split(".")[:2]
