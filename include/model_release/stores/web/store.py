"""The read-only store of a dataset source on the web: `https://host/folder`, and `http://` on this machine alone.

The web cannot list a folder. A source says what it has in `SHA256SUMS`, as `sha256sum dt=*/* > SHA256SUMS` writes it,
beside its partitions. That file is asked for by its ETag at every listing. What it lists is fetched once, checked
against its digest, and not asked for again while that stays: a night without news is one request.

Opened by `stores.open_store`. A user, a password or a query in the URL goes with the requests, and appears in no
message, no log and no cache.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from model_release.documents import limits
from model_release.documents.base import sha256_of
from model_release.documents.layout import check_name
from model_release.errors import Corrupt, NotFound, Refused, UnsafeKey, UsageError
from model_release.spec.transfer import TransferSettings
from model_release.stores.base import OCTETS, Entry, Outcome, Stored
from model_release.stores.web.cache import WebCache
from model_release.stores.web.http import Fetcher, Response

SUMS = "SHA256SUMS"

UNKNOWN_SIZE = -1
"""Of every entry of a listing: `SHA256SUMS` tells digests and no sizes, and asking would be a request for each file."""

_SUMS_LIMIT = 64 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINE = re.compile(r"(?P<escaped>\\?)(?P<sha256>[0-9A-Fa-f]{64}) [ *](?:\./)?(?P<name>.+)")
_ESCAPED = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
_ESCAPE = re.compile(r"\\[\\nr]")


@dataclass(frozen=True, slots=True)
class _Sums:
    """`SHA256SUMS` as it was read: digests by key, and when it was written, by the server."""

    digests: dict[str, str]
    modified: datetime


class WebStore:
    """A folder on the web as a `Store` that refuses every write.

    Args:
        uri: `https://[user:password@]host[:port]/folder[?query]`; `http://` for a host on loopback.
        settings: time-outs and attempts.
        cache: of files that this machine has fetched.

    Raises:
        UsageError: the URI is malformed.
    """

    def __init__(self, uri: str, *, settings: TransferSettings | None = None, cache: WebCache | None = None) -> None:
        self._fetcher = Fetcher(uri, settings or TransferSettings())
        self._cache = cache or WebCache()
        self._sums: _Sums | None = None
        self.uri = self._fetcher.uri

    def get(self, key: str) -> Stored | None:
        """Return a listed file whole, or None if `SHA256SUMS` does not list it. The token is its digest."""
        sums = self._ask_for_sums()
        if key not in sums.digests:
            return None
        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            path = Path(scratch) / "file"
            self.download(key, path, limit=limits.largest(key))
            body = path.read_bytes()
        return Stored(body, sha256_of(body), sums.modified)

    def download(self, key: str, path: Path, *, limit: int | None = None) -> None:
        """Write a listed file to `path`, from the cache if it has the bytes.

        Raises:
            NotFound: `SHA256SUMS` does not list it, or the source does not have it.
            Corrupt: it has more than `limit` bytes, or another digest than `SHA256SUMS` says, and still has after that
                was read again.
        """
        try:
            found = self._bring(key, self._sums or self._ask_for_sums(), path, limit)
            if found is not None:  # the source may have published both anew since the listing
                found = self._bring(key, self._ask_for_sums(), path, limit)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if found is not None:
            path.unlink()
            raise Corrupt(
                f"has sha256 {found}, and the source's {SUMS} says otherwise",
                where=f"{self.uri}/{key}",
                hint=f"the source is damaged, or just being changed; its owner writes the files first and {SUMS} last",
            )

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the files that `SHA256SUMS` lists below `prefix`, in the order of keys; sizes are `UNKNOWN_SIZE`.

        Raises:
            NotFound: the source has no `SHA256SUMS`.
            Corrupt: it is no such file.
        """
        sums = self._ask_for_sums()
        for key in sorted(sums.digests):
            if key.startswith(prefix):
                yield Entry(key, UNKNOWN_SIZE, sums.modified)

    def now(self) -> datetime:
        """Return the server's clock, from the date of an answer."""
        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            date = self._fetcher.get(SUMS, Path(scratch) / SUMS, limit=_SUMS_LIMIT).date
        if date is None:
            raise Refused("the source does not tell the time: its answers have no Date", where=self.uri)
        return date

    def create(self, key: str, body: bytes, *, content_type: str = OCTETS, cache_control: str = "") -> Outcome:
        """Refuse: a web source can only be read."""
        self._refuse(key)

    def replace(
        self, key: str, body: bytes, token: str, *, content_type: str = OCTETS, cache_control: str = ""
    ) -> Outcome:
        """Refuse: a web source can only be read."""
        self._refuse(key)

    def upload(
        self, key: str, path: Path, *, content_type: str = OCTETS, cache_control: str = "", new: bool = False
    ) -> None:
        """Refuse: a web source can only be read."""
        self._refuse(key)

    def copy(self, source: str, target: str, *, cache_control: str = "", new: bool = False) -> None:
        """Refuse: a web source can only be read."""
        self._refuse(target)

    def unfinished(self, before: datetime, *, remove: bool) -> Iterator[str]:
        """Nothing: a web source can only be read."""
        return iter(())

    def delete(self, key: str) -> None:
        """Refuse: a web source can only be read."""
        self._refuse(key)

    def _refuse(self, key: str) -> NoReturn:
        raise UsageError(
            "a web source can only be read", where=f"{self.uri}/{key}", hint="release to a bucket or a folder"
        )

    def _ask_for_sums(self) -> _Sums:
        """Read `SHA256SUMS` as it is now; unchanged since, it comes out of the cache."""
        where = f"{self.uri}/{SUMS}"
        kept = self._cache.find(where, _SUMS_LIMIT)
        with tempfile.TemporaryDirectory(prefix="model-release-") as scratch:
            path = Path(scratch) / SUMS
            try:
                answer = self._fetcher.get(SUMS, path, etag=kept.etag if kept else "", limit=_SUMS_LIMIT)
            except NotFound:
                raise NotFound(
                    f"this source has no {SUMS}, which lists its files",
                    where=where,
                    hint=f"publish it beside the partitions: sha256sum dt=*/* > {SUMS}",
                ) from None
            if answer.sha256 is None and kept is not None:
                body = kept.body
            else:
                body = path.read_bytes()
                self._keep(where, answer, path)
        self._sums = _Sums(_digests(body, where), answer.modified or answer.date or _EPOCH)
        return self._sums

    def _bring(self, key: str, sums: _Sums, path: Path, limit: int | None) -> str | None:
        """Write a file to `path`; return its digest if that is not the listed one."""
        where, listed = f"{self.uri}/{key}", sums.digests.get(key)
        if listed is None:
            raise NotFound(f"the source's {SUMS} does not list it", where=where)
        if self._cache.copy(listed, path, limit):
            return None
        answer = self._fetcher.get(key, path, limit=limit)
        if answer.sha256 != listed:
            return answer.sha256
        self._keep(where, answer, path)
        return None

    def _keep(self, where: str, answer: Response, path: Path) -> None:
        if answer.sha256 is not None:
            self._cache.keep(where, sha256=answer.sha256, etag=answer.etag, source=path)


def _digests(body: bytes, where: str) -> dict[str, str]:
    """Read the lines of `SHA256SUMS`. A name that leads out of the folder is not the store's.

    In a line that begins with a backslash, the name has a backslash or a line break in it, which are escaped.
    """
    digests: dict[str, str] = {}
    for number, line in enumerate(body.decode("utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise Corrupt(
                f"line {number} is not `<sha256>  dt=…/<file>`",
                where=where,
                hint=f"write it anew: sha256sum dt=*/* > {SUMS}",
            )
        sha256, name = found["sha256"].lower(), found["name"]
        if found["escaped"]:
            name = _ESCAPE.sub(lambda escape: _ESCAPED[escape[0]], name)
        if not name.isprintable():
            raise UnsafeKey(
                f"line {number}: {name!r} is no name of an object", where=where, hint="rename it at the source"
            )
        if not _is_key(name):
            continue
        if digests.setdefault(name, sha256) != sha256:
            raise Corrupt(f"line {number} gives {name} a second digest", where=where, hint="write it anew")
    return digests


def _is_key(name: str) -> bool:
    try:
        return check_name(name) == name
    except UnsafeKey:
        return False
