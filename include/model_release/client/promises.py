"""The fields of `latest.json` and `metadata.json` that a consumer uses, each one checked, and no others.

The whole documents are `Pulled.pointer` and `Pulled.manifest`. Their classes are pydantic's, which takes longer to
import than a release takes to arrive, and most pulls end without them.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from model_release.documents import limits
from model_release.documents.layout import check_key, check_paths
from model_release.documents.strict_json import read_json
from model_release.documents.version import Version
from model_release.errors import Corrupt, NotFound, UnknownFormat, UnsafeKey, UsageError

T = TypeVar("T")

POINTERS = (1,)
MANIFESTS = (1, 2)
"""The formats of either document that this reader knows; a document that names none is of the first."""

_SHA256 = re.compile("[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The pointer, as far as a consumer uses it.

    Attributes:
        body: all of its bytes.
        lineage: id of its history.
        ancestors: of the histories that it continues.
        epoch: grows with each change.
        version: the live one.
        metadata_sha256: of that version's manifest.
        barred: why some versions may not be used, by version.
    """

    body: bytes
    lineage: str
    ancestors: frozenset[str]
    epoch: int
    version: Version
    metadata_sha256: str
    barred: Mapping[str, str]

    @classmethod
    def read(cls, body: bytes, *, where: str) -> Resolved:
        """Read `latest.json`.

        Raises:
            UnknownFormat: a newer version of the package wrote it, in another format.
            Corrupt: it is no valid pointer.
        """
        limits.check_size(len(body), limits.POINTER, where)
        told = _Fields.of(body, where, POINTERS)
        epoch = told.number("epoch", 1, limits.EPOCH)
        told.number("since", 1, epoch)
        told.day("data_as_of", required=True)
        barred = {
            name: f"{name} is retired: its files are removed, or soon will be" for name in told.versions("retired")
        }
        for name, entry in told.take("quarantined", dict, {}).items():
            by, reason = (_Fields(entry, where).take(each, str) for each in ("by", "reason"))
            barred[name] = f"{name} is quarantined by {by}: {reason}"
        return cls(
            body=body,
            lineage=told.take("lineage", str),
            ancestors=frozenset(told.texts("ancestors")),
            epoch=epoch,
            version=told.version(),
            metadata_sha256=told.sha256("metadata_sha256"),
            barred=barred,
        )


@dataclass(frozen=True, slots=True)
class File:
    """One file that a manifest promises: its path, size in bytes and SHA-256."""

    path: str
    size: int
    sha256: str

    def check(self, path: Path) -> None:
        """Check a file on the disk.

        Raises:
            Corrupt: it is missing, or has another size or SHA-256.
        """
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                found = hashlib.file_digest(file, "sha256").hexdigest() if size == self.size else ""
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise Corrupt("is missing", where=str(path)) from None
        if size != self.size:
            raise Corrupt(f"has {size:,} bytes and not {self.size:,}", where=str(path))
        if found != self.sha256:
            raise Corrupt(f"has SHA-256 {found[:12]}… and not {self.sha256[:12]}…", where=str(path))


@dataclass(frozen=True, slots=True)
class Promised:
    """A manifest, as far as a consumer uses it.

    Attributes:
        body: all of its bytes.
        version: of the release.
        files: of the release.
        trained: when the model was trained, with time zone; None if the manifest does not say.
        made_with: versions of Python and packages that pickles of it need, by name; empty if it has no pickles.
    """

    body: bytes
    version: Version
    files: tuple[File, ...]
    trained: datetime | None
    made_with: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """The digest of the bytes."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @classmethod
    def read(cls, body: bytes, *, where: str, version: Version | None = None, sha256: str | None = None) -> Promised:
        """Read `metadata.json`.

        Args:
            body: its bytes.
            where: its URI, for errors.
            version: the one that it must be of; None for any.
            sha256: the digest that its bytes must have; None for any.

        Raises:
            NotFound: it says that this number was given up.
            UnknownFormat: a newer version of the package wrote it, in another format.
            Corrupt: it is no valid manifest, or not the one that is named.
        """
        limits.check_size(len(body), limits.MANIFEST, where)
        found = hashlib.sha256(body).hexdigest()
        if sha256 is not None and found != sha256:
            raise Corrupt(f"the manifest has SHA-256 {found}, and {sha256} is promised", where=where)
        told = _Fields.of(body, where, MANIFESTS)
        first = told.document.get("format", MANIFESTS[0]) == MANIFESTS[0]
        number = told.version("" if first else "v")
        if version is not None and number != version:
            raise Corrupt(f"the manifest says that it is of {number}", where=where)
        if "abandoned" in told.document:
            reason = _Fields(told.take("abandoned", dict), where).take("reason", str)
            raise NotFound(f"the number {number} was given up: {reason}", where=where)
        packages = told.take("dependencies" if first else "requirements", dict, {})
        python = told.document.get("python_version")
        dataset = _Fields(told.document.get("dataset") or {}, where)
        dataset.number("rows", 0, limits.ROWS, default=0)
        dataset.day("as_of")
        files = tuple(_file(_Fields(each, where)) for each in told.take("files", list))
        try:
            check_paths(file.path for file in files)
        except UnsafeKey as error:
            raise Corrupt(f"not what it should be: {error.what}", where=where) from None
        made_with = {"Python": python, **packages} if told.document.get("model_file") else {}
        return cls(
            body=body,
            version=number,
            files=files,
            trained=told.instant("trained_at") or told.instant("trained_date"),
            made_with={name: number for name, number in made_with.items() if isinstance(number, str)},
        )


def _file(told: _Fields) -> File:
    try:
        path = check_key(told.take("path", str))
    except UnsafeKey:
        raise told.wrong("path") from None
    return File(path, told.number("size", 0, limits.SIZE), told.sha256("sha256"))


class _Fields:
    """A JSON object whose fields are taken with a check of their type."""

    def __init__(self, document: object, where: str) -> None:
        if not isinstance(document, dict):
            raise Corrupt("not what it should be: no JSON object", where=where)
        self.document: dict[str, Any] = document
        self._where = where

    @classmethod
    def of(cls, body: bytes, where: str, formats: tuple[int, ...]) -> _Fields:
        try:
            fields = cls(read_json(body), where)
        except ValueError as error:
            raise Corrupt(f"not what it should be: {error}", where=where) from None
        if fields.document.get("format", formats[0]) not in formats:
            raise UnknownFormat(
                "this has a format that this version of model-release does not know",
                where=where,
                hint="use a newer version, such as the one that wrote it",
            )
        return fields

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        value = self.document.get(name, default)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.wrong(name)
        return value

    def texts(self, name: str) -> list[str]:
        found = self.take(name, list, [])
        if not all(isinstance(each, str) for each in found):
            raise self.wrong(name)
        return found

    def versions(self, name: str) -> list[str]:
        found = self.texts(name)
        try:
            return [str(Version.parse(each)) for each in found]
        except UsageError:
            raise self.wrong(name) from None

    def number(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """Return a whole number in a range; the default if the field is null or missing."""
        if default is not None and self.document.get(name) is None:
            return default
        number = self.take(name, int)
        if not least <= number <= most:
            raise Corrupt(f"not what it should be: {name} is {number}, and not {least} to {most}", where=self._where)
        return number

    def day(self, name: str, *, required: bool = False) -> date | None:
        """Return a date in the range of plausible ones; None if the field is null, or missing and not required."""
        if required and name not in self.document:
            raise self.wrong(name)
        text = self.document.get(name)
        if text is None:
            return None
        try:
            day = date.fromisoformat(text)
        except (TypeError, ValueError):
            raise self.wrong(name) from None
        if day.isoformat() != text:  # the other spellings of ISO 8601 are no document's
            raise self.wrong(name)
        if not limits.FIRST_DAY <= day <= limits.LAST_DAY:
            what = f"not what it should be: {name} is {day}, and not {limits.FIRST_DAY} to {limits.LAST_DAY}"
            raise Corrupt(what, where=self._where)
        return day

    def instant(self, name: str) -> datetime | None:
        """Return a time, in UTC if it names no zone; a date counts as its first moment. None if it is missing."""
        text = self.document.get(name)
        if text is None:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except (TypeError, ValueError):
            raise self.wrong(name) from None
        if not limits.FIRST_DAY <= instant.date() <= limits.LAST_DAY:
            raise Corrupt(f"not what it should be: {name} is {text}", where=self._where)
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)

    def version(self, before: str = "") -> Version:
        """Return the version; `before` stands for what the document leaves out of its spelling."""
        try:
            return Version.parse(before + self.take("version", str))
        except UsageError:
            raise self.wrong("version") from None

    def sha256(self, name: str) -> str:
        text = self.take(name, str)
        if _SHA256.fullmatch(text) is None:
            raise self.wrong(name)
        return text

    def wrong(self, name: str) -> Corrupt:
        return Corrupt(f"not what it should be: {name} is missing or wrong", where=self._where)
