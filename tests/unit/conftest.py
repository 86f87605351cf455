"""One module's behaviour in this process: no process is started, nothing is waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.tiny_dataset import Farm


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    """A source without files, an empty store, and the spec of the beetles."""
    return Farm(tmp_path)
