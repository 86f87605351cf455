"""The walls around a process that opens a model: those that Linux allows this user, found out once, and in words.

A pickle runs what it says, in Python or in the kernel's own terms, so no check inside its process holds it. Namespaces
do: without a network it reaches no listener, and without the processes of others it reads nobody's environment. Not
every machine allows them; a container without a profile of its own may not. Where processes have
no list of their own, what the model starts in a session of its own outlives it. Files that this user may read stay
within reach everywhere.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Set
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path

MEMORY = 8 * 1024**3
"""Bytes of address space, beside eight times the model's own files."""

SECONDS = 120.0
"""For one form, as a clock and as a processor count them. A forest of a gigabyte takes a tenth of it."""

WRITTEN = 64 * 1024**2
"""Bytes of any file that is written."""

SIGNALLED = 128
"""Added to the number of a signal, it is the exit status of the process that saw another one end by it."""

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
_NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE = 2, 4, 8, 0x4000, 0x40000
_CAPABILITIES_V3 = 0x20080522
_SET_PDEATHSIG, _SET_NO_NEW_PRIVS = 1, 38


class Wall(StrEnum):
    """A wall between a process and the machine."""

    NETWORK = "a network of its own"
    PROCESSES = "a list of processes of its own"
    RIGHTS = "no way to more rights"


@cache
def available() -> frozenset[Wall]:
    """Return the walls that this machine allows; found out by a process that puts them up and ends."""
    asked = subprocess.run([sys.executable, "-I", "-S", __file__], capture_output=True, timeout=SECONDS, check=False)
    try:
        return frozenset(map(Wall, json.loads(asked.stdout)))
    except ValueError:
        return frozenset()


def in_words() -> str:
    """Describe the process that opens a model on this machine, with the walls that the machine does not allow."""
    walls = available()
    kept = ["no secret of the environment", "an empty home", *(wall for wall in Wall if wall in walls)]
    lacking = [wall for wall in Wall if wall not in walls]
    limits = f"at most {SECONDS:.0f} s and {MEMORY // 1024**3} GiB beside its files"
    words = f"a process of its own with {', '.join(kept)}, {limits}"
    return f"{words}; this machine does not give it {' or '.join(lacking)}" if lacking else words


def enclose() -> frozenset[Wall]:
    """Put up every wall that this machine allows, around this process alone; return them.

    The caller goes on in a process below the one that called, which ends as it does. Call it before any thread begins.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        return frozenset()
    walls = set[Wall]()
    owner, group = os.geteuid(), os.getegid()
    if libc.unshare(_NEWUSER) == 0:
        with suppress(OSError):
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{owner} {owner} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    if libc.unshare(_NEWNET | _NEWIPC) == 0:
        walls.add(Wall.NETWORK)
    apart = libc.unshare(_NEWNS) == 0 and libc.unshare(_NEWPID) == 0
    _go_on_below(libc)  # the first process of the namespace; it is not to be the model's, since no signal ends it
    if apart and _own_proc(libc):
        walls.add(Wall.PROCESSES)
    if libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 and _give_up_capabilities(libc):
        walls.add(Wall.RIGHTS)
    _go_on_below(libc)
    return frozenset(walls)


def limit(size: int, *, seconds: float | None = SECONDS) -> None:
    """Limit this process: address space, processor time, size of written files, no core.

    Args:
        size: bytes of the model's files.
        seconds: of processor time; None for a process that answers as long as it is asked.
    """
    wanted = {
        resource.RLIMIT_AS: MEMORY + 8 * size,
        resource.RLIMIT_FSIZE: WRITTEN,
        resource.RLIMIT_CORE: 0,
        **({} if seconds is None else {resource.RLIMIT_CPU: int(seconds)}),
    }
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def _own_proc(libc: ctypes.CDLL) -> bool:
    """Give this process a `/proc` of its own namespace; an empty one if the machine hides parts of its own."""
    if libc.mount(b"none", b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None) != 0:
        return False
    flags = ctypes.c_ulong(_NOSUID | _NODEV | _NOEXEC)
    return any(libc.mount(kind, b"/proc", kind, flags, None) == 0 for kind in (b"proc", b"tmpfs"))


def _give_up_capabilities(libc: ctypes.CDLL) -> bool:
    """Give up the rights in the new namespace, with which a process could uncover the machine's `/proc` again."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    return bool(libc.capset(header, (ctypes.c_uint32 * 6)()) == 0)


def _go_on_below(libc: ctypes.CDLL) -> None:
    """Go on in a new process. This one waits for it and ends as it does; if one above is killed, so are all below."""
    libc.prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)  # a fork does not pass it on
    process = os.fork()
    if process == 0:
        libc.prctl(_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        return
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else SIGNALLED - code)


def missing(expected: Set[str], found: frozenset[Wall]) -> list[str]:
    """Return the expected walls that are not up, in order."""
    return sorted(expected - {str(wall) for wall in found})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(sorted(enclose())))
    sys.stdout.flush()
