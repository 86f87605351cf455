"""The headers that say how to read a body: Content-Type with its parameters (RFC 9110), and Content-Encoding."""

from __future__ import annotations

import zlib
from email.message import Message
from typing import NamedTuple

from model_release.serving.problems import Problem

_UTF8 = ("", "utf-8", "utf8", "us-ascii", "ascii")
"""The names of UTF-8, and of the part of it that US-ASCII is."""

_GZIP = zlib.MAX_WBITS | 16
"""zlib's mode for gzip's header and checksum."""


class MediaType(NamedTuple):
    """A content type in lower case, `""` if the request has none, and whether its first line is data (RFC 4180)."""

    name: str
    headless: bool


def media_type(content_type: str) -> MediaType:
    """Read a Content-Type.

    Raises:
        Problem: 415, its text is not in UTF-8 or US-ASCII.
    """
    if not content_type.strip(" \t;"):
        return MediaType("", headless=False)
    header = Message()
    header["Content-Type"] = content_type
    if str(header.get_param("charset", "")).lower() not in _UTF8:
        raise Problem(415, "only UTF-8 is read")
    name = content_type.partition(";")[0].strip().lower()
    return MediaType(name, headless=str(header.get_param("header", "")).lower() == "absent")


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Return a body without its Content-Encoding.

    Args:
        body: as it was sent.
        encoding: the header.
        limit: of the result, in bytes; no more than one of them more is made.

    Raises:
        Problem: 415, the encoding is not read here; 400, the body is not in it; 413, the result is too long.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _unzipped(body, limit)
    raise Problem(415, "this content encoding is not read here; send the body plain, or as gzip")


def _unzipped(body: bytes, limit: int) -> bytes:
    """Return the content of a gzip file, which may have several members."""
    parts, length = list[bytes](), 0
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            parts.append(member.decompress(body, limit - length + 1))
        except zlib.error:
            raise Problem(400, "the body is not gzip, as its content encoding says") from None
        length += len(parts[-1])
        if length > limit:
            raise too_long(limit)
        if not member.eof:
            raise Problem(400, "the body ends before its gzip data does")
        body = member.unused_data
    return b"".join(parts)


def too_long(limit: int) -> Problem:
    """Return the error for a body beyond the limit."""
    return Problem(413, f"the body is longer than {limit:,} bytes; send fewer rows at a time")
