"""The programs of `tests/programs.txt`, and the refusal to start any other.

A test that works only where somebody has installed something by hand fails on every machine alike: the PATH of a run
holds the listed programs alone, and a program of another path is missing as well, unless Python's environment, npm's
folder, the checkout or the test's own folder has it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
LIST = CHECKOUT / "tests" / "programs.txt"

_ADMINISTRATOR = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Folders with listed programs that a user's PATH often lacks."""


def listed() -> dict[str, str]:
    """Return the package of each listed program, by its name or the pattern of its path."""
    lines = (line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#"))
    return {program: package for program, package in lines}


def link(folder: Path) -> Path:
    """Make a folder of links to those listed programs that this machine has, and return it."""
    folder.mkdir()
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_ADMINISTRATOR])
    for program in listed():
        found = None if "/" in program else shutil.which(program, path=path)
        if found:
            (folder / program).symlink_to(found)
    return folder


def refuse_others() -> None:
    """From now on, answer a call of this process that starts an unlisted program as if the program were missing.

    Raises:
        FileNotFoundError: by that call; names the list.
    """
    sys.addaudithook(_check)


def _check(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        program = os.fsdecode(arguments[0])
        if not _is_known(program):
            raise FileNotFoundError(errno.ENOENT, "a test starts what is not listed in tests/programs.txt", program)


def _is_known(program: str) -> bool:
    if "/" not in program:
        return program in listed()
    return any(program.startswith(f"{each}/") for each in _folders()) or any(
        fnmatch(program, each if "/" in each else f"*bin/{each}") for each in listed()
    )


def _folders() -> Iterator[str]:
    yield from (sys.prefix, sys.base_prefix, str(CHECKOUT), tempfile.gettempdir())
    yield str(Path(sys.executable).parent)
    if "MODEL_RELEASE_TEST_NODE" in os.environ:
        yield os.environ["MODEL_RELEASE_TEST_NODE"]
