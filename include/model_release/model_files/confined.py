"""A Python process of its own in which a model's code may run: what it is started with, and how it goes behind walls.

It gets no secret of the environment, an empty home, and the walls that `isolation` can put up on this machine.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from model_release.model_files import isolation

_KEPT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT")
_PACKAGES = Path(__file__).resolve().parent.parent.parent


def start(
    module: str, *arguments: str, home: Path, stdout: int | IO[bytes], stderr: IO[bytes], kept: Iterable[str] = ()
) -> subprocess.Popen[bytes]:
    """Start a module of this package in a session of its own; its last argument is for `enter`. It reads a pipe.

    Args:
        module: that calls `enter` before it does anything else.
        arguments: before the last one.
        home: an empty folder, its home and its working directory.
        stdout: of the process.
        stderr: of the process.
        kept: names of further variables of the environment that it needs.
    """
    environment = {name: os.environ[name] for name in (*_KEPT, *kept) if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_PACKAGES), environment.get("PYTHONPATH")]))
    environment |= {"HOME": str(home), "TMPDIR": str(home)}
    if site.ENABLE_USER_SITE:
        environment["PYTHONUSERBASE"] = site.getuserbase()
    walls = ",".join(isolation.available())
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments, walls],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        cwd=home,
        env=environment,
        start_new_session=True,
    )


def enter(walls: str) -> None:
    """Go behind the walls, or end this process if one of those that the machine gave before cannot be put up.

    Args:
        walls: the last argument of this process.
    """
    lacking = isolation.missing({*filter(None, walls.split(","))}, isolation.enclose())
    if lacking:
        sys.exit(f"this machine gave it no process with {', '.join(lacking)}, and did so before")


def last_words(said: bytes) -> str:
    """Return the last line that a process wrote, which says why it ended; nothing if it wrote none."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
