"""Files fetched from the web, kept on this machine under their digests. For `web` alone.

    <cache>/web/<sha256 of the URL>.json    which bytes the URL had last, and the ETag that the server gave them
    <cache>/web/<sha256 of the bytes>       the bytes

Nothing here is trusted: bytes count only if they have the digest that they are kept under. The folder may be removed at
any time. One that cannot be used costs requests and a warning, and nothing else.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import platformdirs
from pydantic import ValidationError

from model_release.documents import limits
from model_release.documents.base import Sha256, Strict, sha256_of
from model_release.errors import Corrupt
from model_release.local_cache import CACHE_VARIABLE

log = logging.getLogger(__name__)

_RECORD = 64 * 1024
"""Bytes of a record; a server's ETag is the longest part of one."""


class Kept(NamedTuple):
    """The digest of a URL's file when it was fetched last, and the server's ETag, empty if there is none."""

    body: bytes
    etag: str


class _Record(Strict):
    sha256: Sha256
    etag: str


class WebCache:
    """The folder; made when something is kept.

    Args:
        root: its path; by default `MODEL_RELEASE_CACHE` or the platform's folder for caches.
    """

    def __init__(self, root: Path | None = None) -> None:
        named = os.environ.get(CACHE_VARIABLE)
        own = Path(named).expanduser() if named else platformdirs.user_cache_path("model-release")
        self._folder = (root or own) / "web"

    def find(self, url: str, limit: int) -> Kept | None:
        """Return the last state of the URL; None if its file is missing here, damaged, or larger than `limit` bytes."""
        record = self._record(url)
        if record is None:
            return None
        try:
            body = limits.read_bounded(self._folder / record.sha256, limit)
        except Corrupt:
            return None
        except OSError as error:
            self._warn(error)
            return None
        return Kept(body, record.etag) if sha256_of(body) == record.sha256 else None

    def copy(self, sha256: str, path: Path, limit: int | None) -> bool:
        """Write the bytes with this digest to `path`, from any URL; False if they are not here, or beyond `limit`."""
        kept = self._folder / sha256
        try:
            if limit is not None and kept.stat().st_size > limit:
                return False
            shutil.copyfile(kept, path)
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == sha256
        except OSError as error:
            self._warn(error)
            return False

    def keep(self, url: str, *, sha256: str, etag: str, source: Path) -> None:
        """Keep a file that was fetched from the URL. The file before it is removed."""
        before = self._record(url)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self._folder, prefix="new-") as scratch:
                body, record = Path(scratch) / "body", Path(scratch) / "record"
                shutil.copyfile(source, body)
                record.write_bytes(_Record(sha256=sha256, etag=etag).model_dump_json().encode())
                body.replace(self._folder / sha256)
                record.replace(self._record_of(url))
            if before is not None and before.sha256 != sha256:
                (self._folder / before.sha256).unlink(missing_ok=True)
        except OSError as error:
            self._warn(error)

    def _record(self, url: str) -> _Record | None:
        try:
            return _Record.model_validate_json(limits.read_bounded(self._record_of(url), _RECORD))
        except (ValidationError, Corrupt):
            return None
        except OSError as error:
            self._warn(error)
            return None

    def _record_of(self, url: str) -> Path:
        return self._folder / f"{sha256_of(url.encode())}.json"

    def _warn(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            log.warning("the cache %s is of no use: %s; %s names another", self._folder, error.strerror, CACHE_VARIABLE)
