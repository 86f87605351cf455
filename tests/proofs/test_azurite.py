"""A killed process and a lost answer, on Azure."""

from __future__ import annotations

from emulators.azurite import azurite
from proofs.clouds import Cloud


class TestAzurite(Cloud):
    """The suite."""

    name = "azurite"
    kind = "azure"
    serve = staticmethod(azurite)
