"""Names of objects that others write and that no key of this package has: a source is read by them all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_release.errors import UnsafeKey
from model_release.stores.base import Store

FOREIGN_NAMES = [
    "dt=2026-11-02/x y.csv",
    "dt=2026-11-02/a (1).csv",
    "dt=2026-11-02/[2].csv",
    "dt=2026-11-02/2026-11-01T02:00:00.csv",
    "dt=2026-11-02/k\u00e4fer+100%.csv",
    "dt=2026-11-02/-first#?.csv",
]


def check_foreign_names(own: Store, others: Store, scratch: Path) -> None:
    """Check that a store of others lists its objects and gives their bytes, and that one's own refuses such names.

    Args:
        own: the store as it is opened for releases.
        others: the same, opened as a source; it holds `FOREIGN_NAMES`, each with its own name as content.
        scratch: a folder.
    """
    listed = [entry.key for entry in others.list("dt=")]
    assert sorted(listed) == sorted(FOREIGN_NAMES)
    for number, name in enumerate(listed):
        others.download(name, scratch / str(number))
        assert (scratch / str(number)).read_text(encoding="utf-8") == name
        with pytest.raises(UnsafeKey):
            own.download(name, scratch / "own")
    for name in ("dt=2026-11-02/../secret.csv", "/dt=2026-11-02/a.csv", "dt=2026-11-02//a.csv"):
        with pytest.raises(UnsafeKey):
            others.download(name, scratch / "unsafe")
