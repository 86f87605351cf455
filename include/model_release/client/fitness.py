"""Whether the Python and the scikit-learn that are here fit those that a pickled model was made with."""

from __future__ import annotations

import platform
from importlib.util import find_spec

from model_release.client.promises import Promised

LIBRARY = "scikit-learn"


def misfits(manifest: Promised) -> list[str]:
    """Return what of this process does not fit the pickles of a release, in words; empty where all does.

    What differs in the third number alone fits. Where scikit-learn is not installed nothing will unpickle, and nothing
    is said of it.
    """
    return [
        f"{name} {here} is here, and {manifest.version} was made with {name} {made}"
        for name, made in manifest.made_with.items()
        if (here := _here(name)) is not None and _series(made) != _series(here)
    ]


def _here(name: str) -> str | None:
    """Return the version that is here of Python or scikit-learn; None of what is not here, or of no consequence."""
    if name == "Python":
        return platform.python_version()
    if name == LIBRARY and find_spec("sklearn") is not None:
        from importlib.metadata import version

        return version(LIBRARY)
    return None


def _series(number: str) -> list[str]:
    return number.split(".")[:2]
