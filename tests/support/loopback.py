"""A network that has loopback and nothing else, so that no test depends on what a machine can reach."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
_SET_FLAGS = 0x8914
_UP = 0x1


def enter() -> None:
    """Leave this machine's network, with every process that is started from now on. Call it before any thread begins.

    Raises:
        OSError: the machine allows it neither to this user nor in a user namespace.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEWNET) != 0:
        user, group = os.geteuid(), os.getegid()
        if libc.unshare(_NEWUSER | _NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace can be made")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
