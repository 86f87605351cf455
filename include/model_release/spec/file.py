"""The bytes of a model's spec, as its file has them; what parses a DAG reads them without YAML and pydantic."""

from __future__ import annotations

from pathlib import Path

from model_release.documents import limits
from model_release.errors import Corrupt, SpecError


def read_spec(path: Path) -> bytes:
    """Return the bytes of a model's spec.

    Raises:
        SpecError: the file cannot be read, or is larger than a spec may be.
    """
    try:
        return limits.read_bounded(path, limits.SPEC)
    except OSError as error:
        raise SpecError(f"cannot be read: {error}", where=str(path)) from error
    except Corrupt as error:
        raise SpecError(error.what, where=str(path)) from error
