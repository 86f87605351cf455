"""Whether obstore can be used: a fork does not have its threads, and a request there waits for them for ever."""

from __future__ import annotations

import os

_PROCESS = os.getpid()


def forked() -> bool:
    """Whether this process is a fork of the one that imported this module."""
    return os.getpid() != _PROCESS
