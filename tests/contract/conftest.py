"""What every store must do, against servers that stand for the clouds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulators.process import Server
from emulators.proxy import Proxy, proxied


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A way to the module's server on which answers can be spoiled."""
    with proxied(server.url) as running:
        yield running
