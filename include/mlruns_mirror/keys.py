"""The keys of a mirror: files under their own names, the mirror's own documents under `mirror`.

mlruns/
    1/models/m-…/artifacts/MLmodel     a local file, by its path below the local mlruns/
    mirror.json                        the one object that changes: which files and which database belong together
    mirror/index/<sha256>.gz           which files there are, with size and SHA-256
    mirror/database/<sha256>.gz        a snapshot of the database
    mirror/replaced/<sha256>           the earlier content of a name, before a push wrote a newer one
"""

from __future__ import annotations

import re

from model_release.documents.layout import check_key

TOP = "mirror.json"

_OURS = "mirror"
_PLAIN = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_+@-]*(?:\.+[A-Za-z0-9_+@-]+)*(?:/|\Z))+", re.ASCII)
_LAST_DOTS = re.compile(rb"\.+\Z")
_ESCAPED = re.compile(rb"[^A-Za-z0-9._+@-]")
_FIRST = re.compile(rb"\A[^A-Za-z0-9_]")


def file(path: str) -> str:
    """Return the key of a local file, by its path below `mlruns/`. No two paths have the same.

    A character that no key may hold is written as `=` and two hex digits: `confusion=20matrix.png`; at the start
    of a name, after `_=`: `_==2Etrash`.

    Raises:
        UnsafeKey: the path is too long.
    """
    first, slash, rest = path.partition("/")
    if first in (TOP, _OURS):
        return check_key(f"_=={ord(first[0]):02X}{first[1:]}{slash}{file(rest) if rest else ''}")
    return check_key(path if _PLAIN.fullmatch(path) else "/".join(_segment(each) for each in path.split("/")))


def index(sha256: str) -> str:
    """`mirror/index/<sha256>.gz`."""
    return f"{_OURS}/index/{sha256}.gz"


def database(sha256: str) -> str:
    """`mirror/database/<sha256>.gz`."""
    return f"{_OURS}/database/{sha256}.gz"


def replaced(sha256: str) -> str:
    """`mirror/replaced/<sha256>`."""
    return f"{_OURS}/replaced/{sha256}"


def _segment(name: str) -> str:
    text = _ESCAPED.sub(_hex, name.encode("utf-8", "surrogateescape"))
    text = _FIRST.sub(lambda found: b"_=" + (found[0] if found[0] == b"=" else _hex(found)), text)
    return _LAST_DOTS.sub(_hex, text).decode()


def _hex(found: re.Match[bytes]) -> bytes:
    return b"".join(b"=%02X" % each for each in found[0])
