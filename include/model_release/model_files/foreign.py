"""Files of other formats under the name of a pickle: told by their first bytes, so that a person learns what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_COMPRESSED: Final = {
    b"\x78\x01": "zlib",
    b"\x78\x5e": "zlib",
    b"\x78\x9c": "zlib",
    b"\x78\xda": "zlib",
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x5d\x00\x00": "lzma",
    b"\x04\x22\x4d\x18": "lz4",
}
"""By first bytes, how joblib compresses."""

_HEAD = 64 * 1024


def named(path: Path) -> str | None:
    """Return of what other format a file is, and how a plain pickle is made of it, in words; None if it may be one."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(b"PK\x03\x04"):
        return f"{path.name} is a file of skops: load it with skops.io.load, and write the object with pickle.dump"
    compressed = next((how for magic, how in _COMPRESSED.items() if head.startswith(magic)), None)
    if compressed is not None:
        words = f"{path.name} is compressed by {compressed}, as joblib.dump(…, compress=…) does"
    elif b"joblib.numpy_pickle" in head:
        words = f"{path.name} is a file of joblib, which pickle cannot load"
    else:
        return None
    return f"{words}: load it with joblib.load, and write the object with pickle.dump"
