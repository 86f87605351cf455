"""Inputs near right ones: bytes of a sample that are cut, repeated, swapped, or have hostile pieces put in. Seeded."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

HOSTILE: Sequence[bytes] = (
    b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"null", b"NaN", b"-1", b"1e999", b"9" * 400, b"[" * 3000,
    b'"', b"{}", b"../../etc/passwd", b"%2e%2e%2f", b"con", b"\xe2\x80\xae", b"!!python/object/apply:os.system [id]",
    b"&a [*a, *a]", b"${HOME}", b"{{ 7*7 }}", b"<script>", b"'; --", b"\x1b[2J", b"2026-13-45", b"true",
    b"\\ud800", b"v1.0.0", b": ", b"- ", b"\t", b"=", b"--help",
)  # fmt: skip


def mutant(random: Random, samples: Sequence[bytes]) -> bytes:
    """Return one of the samples after one to four changes."""
    body = bytearray(random.choice(samples))
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(body))
        end = min(len(body), at + random.randint(0, 40))
        match random.randrange(6):
            case 0:
                body[at:end] = random.choice(HOSTILE)
            case 1:
                del body[at:end]
            case 2:
                body[at:at] = body[at:end] * random.randint(1, 3)
            case 3 if body:
                body[at % len(body)] = random.randrange(256)
            case 4:
                other = random.choice(samples)
                start = random.randint(0, len(other))
                body[at:end] = other[start : start + random.randint(0, 60)]
            case _:
                del body[at:]
    return bytes(body)
