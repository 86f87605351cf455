"""How the project's JSON documents are written and read: one spelling in bytes, strict values, one digest."""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from model_release.documents import limits
from model_release.documents.strict_json import read_json
from model_release.documents.version import Version
from model_release.errors import Corrupt, UnknownFormat, UnsafeKey, UsageError

JSON_TYPE = "application/json"

_READING: Final = {"reading": True}
"""The validation context while a document is read: its parts then keep track of the fields that it lacks."""


def sha256_of(body: bytes) -> str:
    """Return the SHA-256 of `body` in lower-case hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def canonical_json(value: Any) -> bytes:
    """Return the one byte form of a JSON value: UTF-8, two spaces, one newline at the end.

    Raises:
        ValueError: a NaN or an infinity, which JSON does not have.
    """
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read_version(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return Version.parse(value)
    except UsageError as error:
        raise ValueError(error.what) from error


VersionText = Annotated[
    Version,
    BeforeValidator(_read_version),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"}),
]
"""A `Version` that is the string `vX.Y.Z` in JSON."""


def _read_bare_version(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return Version.parse(f"v{value}")
    except UsageError:
        raise ValueError(f"{value!r} is not a version such as 1.4.0") from None


BareVersion = Annotated[
    Version,
    BeforeValidator(_read_bare_version),
    PlainSerializer(lambda version: str(version).removeprefix("v"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$"}),
]
"""A `Version` that is the string `X.Y.Z` in JSON, as the reference's `metadata.json` has it."""

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

Epoch = Annotated[int, Field(ge=1, le=limits.EPOCH)]
Size = Annotated[int, Field(ge=0, le=limits.SIZE)]
Rows = Annotated[int, Field(ge=0, le=limits.ROWS)]


D = TypeVar("D", bound=date)


def _plausible(when: D) -> D:
    day = when.date() if isinstance(when, datetime) else when
    if not limits.FIRST_DAY <= day <= limits.LAST_DAY:
        raise ValueError(f"it should lie between {limits.FIRST_DAY} and {limits.LAST_DAY}")
    return when


def _read_day(value: object) -> object:
    """Read `YYYY-MM-DD` alone: pydantic takes a string of digits as seconds since 1970."""
    if not isinstance(value, str):
        return value
    day = date.fromisoformat(value)
    if day.isoformat() != value:
        raise ValueError("it should be written as YYYY-MM-DD")
    return day


Day = Annotated[date, BeforeValidator(_read_day), AfterValidator(_plausible)]
"""A date that data can be of."""

Instant = Annotated[datetime, AfterValidator(_plausible)]
"""A time at which a document can have been written."""


class Value(BaseModel):
    """A part of a document: frozen, no NaN.

    Releases outlive the package that wrote them, and digests are of bytes. So reading a document of an older or newer
    version of its format and writing it again must give the same bytes: a field that the document lacks is left out
    again, and a field that this version does not know is kept. A new field goes last in its class.
    """

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    @model_validator(mode="after")
    def _whole_unless_read(self, info: ValidationInfo) -> Self:
        if info.context is not _READING:
            self.model_fields_set.update(type(self).model_fields)
        return self


class Strict(BaseModel):
    """A part of a file that a person writes: frozen, no unknown key, no NaN, no text that becomes a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Document(Value):
    """A whole document in the store. Laws: `D.read(d.to_bytes()) == d`, and `D.read(body).to_bytes() == body`.

    Attributes:
        most_bytes: the largest size of such a document; a larger one is neither written nor read.
    """

    most_bytes: ClassVar[int] = limits.SMALL

    def to_json(self) -> dict[str, Any]:
        """Return this document as the JSON object that is stored."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    def to_bytes(self) -> bytes:
        """Return the one byte form of this document.

        Raises:
            UsageError: it is larger than any reader takes.
        """
        body = canonical_json(self.to_json())
        if len(body) > self.most_bytes:
            raise UsageError(
                f"this {type(self).__name__.lower()} would have {len(body):,} bytes, and readers take "
                f"{self.most_bytes:,}",
                hint="shorten what was written into it by hand, such as a reason or a description",
            )
        return body

    def sha256(self) -> str:
        """Return the SHA-256 of `to_bytes()`."""
        return sha256_of(self.to_bytes())

    @classmethod
    def as_current(cls, body: bytes) -> bytes:
        """Return a document of an older format with the names and types of the current one.

        Raises:
            ValueError: it is no document of any format; the message says why.
        """
        return body

    @classmethod
    def read(cls, body: bytes, *, where: str) -> Self:
        """Read a document.

        Raises:
            UnknownFormat: this version of the package does not know its format.
            Corrupt: too large, not JSON, or not this kind of document; names each field that is wrong.
        """
        if len(body) > cls.most_bytes:
            raise limits.too_large(cls.most_bytes, where)
        try:
            document = cls.model_validate_json(cls.as_current(body), strict=True, context=_READING)
            read_json(body)  # pydantic takes a repeated key
        except UnsafeKey as error:
            raise Corrupt(f"not a readable {cls.__name__.lower()}: {error.what}", where=where) from error
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            if any(fault["loc"] == ("format",) for fault in faults):
                raise UnknownFormat(
                    f"this {cls.__name__.lower()} has a format that this version of model-release does not know",
                    where=where,
                    hint="use a newer version, such as the one that wrote it",
                ) from error
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'the document'}: {fault['msg']}"
                for fault in faults[:5]
            )
            raise Corrupt(f"not a readable {cls.__name__.lower()}: {wrong}", where=where) from error
        except ValueError as error:
            raise Corrupt(f"not a readable {cls.__name__.lower()}: {error}", where=where) from error
        return document
