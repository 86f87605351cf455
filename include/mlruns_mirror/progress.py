"""The progress of a push or a pull, for a display."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called from one thread."""

    def begin(self, what: str, files: int, size: int) -> None:
        """Begin with so many files, of so many bytes together."""
        ...

    def advance(self, size: int) -> None:
        """Count one file of so many bytes as done."""
        ...


class Silent:
    """Shows nothing."""

    def begin(self, what: str, files: int, size: int) -> None:
        """Show nothing."""

    def advance(self, size: int) -> None:
        """Show nothing."""
