"""`${NAME}` in a spec's texts: the environment's value."""

from __future__ import annotations

import os
import re
from string import Template

from model_release.errors import SpecError


def expand(text: str, *, where: str) -> str:
    """Replace `${NAME}` by the environment's value.

    Raises:
        SpecError: the environment has no such variable.
    """
    try:
        return Template(text).substitute(os.environ)
    except (KeyError, ValueError) as error:
        missing = re.sub(r"^'|'$", "", str(error))
        raise SpecError(
            f"{text!r} needs the environment variable {missing}, which is not set",
            where=where,
            hint=f"set {missing} for every Airflow component, or write the value into the spec",
        ) from error
