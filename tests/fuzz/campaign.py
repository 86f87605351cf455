"""A bounded, seeded round at each door: how many inputs were tried, and what went wrong."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz.doors import Door, Unclear
from fuzz.mutations import mutant


@dataclass
class Tally:
    """What became of the inputs at one door.

    Attributes:
        taken, refused: numbers of inputs.
        crashes, unclear: a line for each input that went wrong.
    """

    taken: int = 0
    refused: int = 0
    crashes: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Return the number of all inputs."""
        return self.taken + self.refused + len(self.crashes) + len(self.unclear)


def attack(door: Door, name: str, *, inputs: int, seed: int) -> Tally:
    """Try the samples as they are, and then that many changed ones; the same seed tries the same."""
    random, tally = Random(f"{seed} {name}"), Tally()  # noqa: S311 - no secret
    for number in range(len(door.samples) + max(1, inputs // door.slow)):
        body = door.samples[number] if number < len(door.samples) else mutant(random, door.samples)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                taken = door.enter(body)
        except Unclear as error:
            tally.unclear.append(f"{body[:200]!r}: {error}")
        except Exception as error:  # noqa: BLE001 - whatever is no error of the package is what is looked for
            tally.crashes.append(f"{body[:200]!r}: {type(error).__name__}: {str(error)[:300]}")
        else:
            tally.taken += taken
            tally.refused += not taken
    return tally


@contextlib.contextmanager
def watched(root: Path) -> Iterator[list[str]]:
    """Work in a folder below `root`; give the files that were written beside that folder, once it is over."""
    outside: list[str] = []
    inside = root / "inside"
    inside.mkdir()
    before = Path.cwd()
    os.chdir(inside)
    try:
        yield outside
    finally:
        os.chdir(before)
        outside += [str(each) for each in root.rglob("*") if not each.is_relative_to(inside)]
