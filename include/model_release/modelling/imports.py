"""What a spec names by import path, as an object: only of packages that the deployment allows.

A spec may come from anybody who may trigger a run or write a file; which packages run is the deployment's word.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from model_release.errors import SpecError

PACKAGES_VARIABLE = "MODEL_RELEASE_ALLOWED_PACKAGES"
"""Environment variable: packages that a spec may name, beside scikit-learn, joined by commas."""


def allowed_packages() -> set[str]:
    """Return the packages that a spec may name."""
    named = os.environ.get(PACKAGES_VARIABLE, "")
    return {"sklearn", *(each.strip() for each in named.split(",") if each.strip())}


def imported(name: str, *, where: str | None = None) -> Any:
    """Return the object that a name leads to. Nothing is imported of a package that is not allowed.

    Args:
        name: `package.module.Class`, or `package.module:function`.
        where: the place in the spec, for errors.

    Raises:
        SpecError: its package, or the one that the object itself is of, is not allowed; or there is no such object.
    """
    module, _, attribute = name.replace(":", ".").rpartition(".")
    allowed = allowed_packages()
    _check_allowed(name, module, allowed, where)
    try:
        found = import_module(module)
    except Exception as error:  # of whatever kind: the module may be anybody's
        said = " ".join(str(error).split())[:300]
        kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
        raise SpecError(f"{name} cannot be imported: {kind}{said}", where=where, hint=_hint(error)) from error
    if not hasattr(found, attribute):
        raise SpecError(f"{name} is missing: the module {module} has no {attribute}", where=where)
    thing = getattr(found, attribute)
    its_own = getattr(thing, "__module__", None) or getattr(thing, "__name__", None)
    if isinstance(its_own, str):
        _check_allowed(name, its_own, allowed, where)
    return thing


def _check_allowed(name: str, module: str, allowed: set[str], where: str | None) -> None:
    package = module.partition(".")[0]
    if package not in allowed:
        raise SpecError(
            f"{name} is of the package {package}, which this deployment does not allow",
            where=where,
            hint=f"{PACKAGES_VARIABLE}={package} in the environment of every Airflow component allows it",
        )


def _hint(error: Exception) -> str:
    return "install its package" if isinstance(error, ImportError) else "mend the module, or name another one"
