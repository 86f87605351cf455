"""Which stores a spec may name: the deployment's word, as a spec may come from anybody who may write a file.

Each address of a spec passes here before it is opened, in a run as in `lint`.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from model_release.errors import SpecError

STORES_VARIABLE = "MODEL_RELEASE_ALLOWED_STORES"
"""Environment variable: the URIs below which a spec may read and write, joined by blanks; unset or empty allows all."""


def check_allowed(uri: str, *, key: str, where: Path) -> str:
    """Return a URI whose store the deployment allows.

    Args:
        uri: an address of a spec, with its variables replaced.
        key: of the spec that names it, for errors.
        where: the spec's file, for errors.

    Raises:
        SpecError: the deployment allows other stores only.
    """
    allowed = os.environ.get(STORES_VARIABLE, "").split()
    if not allowed or any(_lies_below(uri, each) for each in allowed):
        return uri
    asked = _parts(uri)
    raise SpecError(
        f"{key}: {asked.scheme}://{_container(asked)[1]}{asked.path} lies in no store that this deployment allows",
        where=str(where),
        hint=f"{STORES_VARIABLE} in the environment of every Airflow component lists them: {', '.join(allowed)}",
    )


def _lies_below(uri: str, root: str) -> bool:
    asked, given = _parts(uri), _parts(root)
    connection, container = _container(given)
    if asked.scheme != given.scheme or _container(asked)[1] != container:
        return False
    if connection and _container(asked)[0] != connection:
        return False
    return f"{asked.path}/".startswith(f"{given.path.rstrip('/')}/")


def _parts(uri: str) -> SplitResult:
    """Return the parts of a URI, its path without `..`; of a folder, without links either. A bare path is a folder."""
    parts = urlsplit(uri if "://" in uri else Path(uri).absolute().as_uri())
    path = posixpath.normpath(f"/{unquote(parts.path).lstrip('/')}")
    if parts.scheme == "file":
        return parts._replace(netloc="", path=os.path.realpath(path))
    return parts._replace(path=path.rstrip("/"))


def _container(parts: SplitResult) -> tuple[str, str]:
    """Return Airflow's connection id, empty if there is none, and the bucket, container with account, or host."""
    first, mark, rest = parts.netloc.partition("@")
    is_account = parts.scheme == "wasb" and "." in rest and "@" not in rest
    return (first, rest) if mark and not is_account else ("", parts.netloc)
