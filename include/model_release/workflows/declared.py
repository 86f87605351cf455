"""What a hand-made release says of its model: a person's words as the columns and the answers of a manifest."""

from __future__ import annotations

from pathlib import Path

from model_release.modelling.dataset import input_schema
from model_release.releases.manual.describe import Interface
from model_release.spec.declared import read_declared


def interface_of(path: Path) -> Interface:
    """Return what a model takes and answers, as a file says in the words of a spec's dataset.

    Raises:
        SpecError: one clear error with every fault of the file, each with its line and key.
    """
    declared = read_declared(path)
    return Interface(input_schema(declared.dataset), declared.output)
