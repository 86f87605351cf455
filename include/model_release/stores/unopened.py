"""A store that could not be opened: it has an address, and every call of it fails for the same reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from model_release.errors import ModelReleaseError
from model_release.stores.base import OCTETS, Entry


class Unopened:
    """Takes the place of a destination that is not required, so that it is reported wherever it is asked for.

    Args:
        uri: of the store.
        error: why it could not be opened.
    """

    def __init__(self, uri: str, error: ModelReleaseError) -> None:
        self.uri = uri
        self._error = error

    def get(self, key: str) -> NoReturn:
        """Fail."""
        raise self._error

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> NoReturn:
        """Fail."""
        raise self._error

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> NoReturn:
        """Fail."""
        raise self._error

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> NoReturn:
        """Fail."""
        raise self._error

    def download(self, key: str, path: Path, *, limit: int | None = None) -> NoReturn:
        """Fail."""
        raise self._error

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> NoReturn:
        """Fail."""
        raise self._error

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Fail."""
        raise self._error

    def delete(self, key: str) -> NoReturn:
        """Fail."""
        raise self._error

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Fail."""
        raise self._error

    def now(self) -> datetime:
        """Fail."""
        raise self._error
