"""Release numbers `vX.Y.Z`: their one spelling, their order, and their successors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from model_release.errors import UsageError

_SPELLING = re.compile(r"v(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", re.ASCII)


class Bump(StrEnum):
    """Which of the three numbers grows."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """A release number, ordered as numbers are: v1.10.0 comes after v1.9.0.

    Law: `Version.parse(str(v)) == v`, and only that one spelling parses.
    """

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `vX.Y.Z`.

        Raises:
            UsageError: any other spelling, leading zeros included.
        """
        found = _SPELLING.fullmatch(text)
        if found is None:
            raise UsageError(
                f"{text!r} is not a version", hint="versions look like v1.4.0: a v and three plain numbers"
            )
        return cls(*(int(part) for part in found.groups()))

    @classmethod
    def is_version(cls, text: str) -> bool:
        """Whether `text` is the one spelling of a version."""
        return _SPELLING.fullmatch(text) is not None

    def next(self, bump: Bump, steps: int = 1) -> Version:
        """Return the smallest version of that kind after this one, or the one so many steps ahead."""
        match bump:
            case Bump.MAJOR:
                return Version(self.major + steps, 0, 0)
            case Bump.MINOR:
                return Version(self.major, self.minor + steps, 0)
            case Bump.PATCH:
                return Version(self.major, self.minor, self.patch + steps)

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


FIRST = Version(1, 0, 0)
