"""A store that is opened only to read."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import obstore.store

from model_release.stores.base import Stored
from model_release.stores.local import LocalStore
from model_release.stores.reader.reader import Reader


def test_a_fork_reads_what_its_parent_has_read(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"body")
    reader = Reader("file:///", "", lambda: LocalStore(tmp_path), lambda: obstore.store.LocalStore(tmp_path))

    def reads() -> bool:
        found = reader.get("key")
        return isinstance(found, Stored) and found.body == b"body"

    assert reads()
    child = os.fork()
    if child == 0:
        signal.alarm(10)  # it would wait for ever
        try:
            os._exit(0 if reads() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
