"""What a cell means: numbers, truths, categories and dates, read alike from files and from requests.

One text has one meaning in files, categories, labels and marks: a number is a plain decimal, and two spellings of one
number are equal; beyond 2^53, where a float no longer tells neighbours apart, only equal digits are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

EXACT: Final = 2**53
"""Up to here a float tells every whole number from its neighbours."""

LARGEST: Final = 3.4e38
"""Of single precision, to which forests and ONNX cast what they are given."""

Part = Literal["age_days", "year", "month", "day", "weekday", "hour"]
"""What a date becomes: whole days before the reference day, and parts of the calendar; Monday is weekday 1."""

PART_VALUES: Final[dict[Part, tuple[int, ...]]] = {"month": tuple(range(1, 13)), "weekday": tuple(range(1, 8))}
"""The parts that are marks and no amounts, with all of their values."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CODE = re.compile(r"[+-]?0\d+", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ].+)?", re.ASCII)
_TRUTHS = {"true": 1.0, "t": 1.0, "yes": 1.0, "y": 1.0, "1": 1.0, "false": 0.0, "f": 0.0, "no": 0.0, "n": 0.0, "0": 0.0}


@lru_cache(maxsize=4096)  # each rule of a column asks about the same cell
def number(text: str) -> float | None:
    """Return the finite decimal number that `text` spells, else None: no `nan`, no `inf`, no `1_000`."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text) + 0.0  # there is no negative zero
    return value if math.isfinite(value) else None


def truth(text: str) -> float | None:
    """Return 1 or 0 for a text that says true or false in a usual spelling, else None."""
    return _TRUTHS.get(text.lower())


def label(value: Any) -> Any:
    """Return the one spelling of a category or class that is text, a number or a boolean: `yes`, `1`, `true`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) <= EXACT else repr(value)
    return value.strip() if isinstance(value, str) else value


def canonical(text: str) -> str:
    """Return the one spelling of a category that no list names: `1` for `1.0`, `true` for `True`, `007` as it is."""
    if text.lower() in ("true", "false"):
        return text.lower()
    value = number(text)
    if value is None or abs(value) >= EXACT or _CODE.fullmatch(text) is not None:
        return text
    return str(label(value))


def finder(labels: Sequence[str]) -> Callable[[str], str | None]:
    """Return what finds the label that a cell spells: the same text, number, or `true` or `false` in any case."""
    known = frozenset(labels)
    numbers = {value: each for each in reversed(labels) if (value := number(each)) is not None}

    def find(text: str) -> str | None:
        if text in known:
            return text
        if text.lower() in ("true", "false"):
            return text.lower() if text.lower() in known else None
        value = number(text)
        return None if value is None or abs(value) >= EXACT else numbers.get(value)

    return find


@lru_cache(maxsize=4096)
def moment(text: str, form: str | None, zone: str) -> datetime | None:
    """Return the time on the clocks of `zone` that a text names, without its zone; None if it names none.

    Args:
        text: a day, or a time with or without a zone of its own.
        form: as `datetime.strptime` takes it; None: ISO 8601 with dashes, `2026-11-30` or `2026-11-30T14:00:00+01:00`.
        zone: in which a time is meant that names no zone, by its IANA name.
    """
    try:
        if form is None:
            found = datetime.fromisoformat(text) if _ISO.fullmatch(text) else None
        else:
            found = datetime.strptime(text, form)  # noqa: DTZ007 - a time without a zone is one on the zone's clocks
        return found and on_clocks(found, zone)
    except (ValueError, OverflowError):
        return None


def on_clocks(when: datetime, zone: str) -> datetime:
    """Return a time as the clocks of `zone` show it, without its zone.

    Raises:
        OverflowError: it lies outside the years 1 to 9999 there.
    """
    if when.tzinfo is None:
        return when
    return when.astimezone(zone_of(zone)).replace(tzinfo=None)


def zone_of(name: str | None) -> tzinfo:
    """Return a time zone by its IANA name, UTC for None; UTC needs no database of zones."""
    return UTC if name in (None, "UTC") else ZoneInfo(str(name))


def spelled(when: datetime) -> str:
    """Return the one spelling of a time: a day alone if it is midnight."""
    return when.date().isoformat() if when.time() == datetime.min.time() else when.isoformat()


def age_days(when: datetime, day: date) -> int:
    """Return the whole days from a time's day to `day`; negative if it lies after it."""
    return (day - when.date()).days


def parts_of(when: datetime, parts: Sequence[Part], day: date) -> tuple[float, ...]:
    """Return what a time becomes at the reference day: a number for each part."""
    every = {
        "age_days": age_days(when, day),
        "year": when.year,
        "month": when.month,
        "day": when.day,
        "weekday": when.isoweekday(),
        "hour": when.hour,
    }
    return tuple(float(every[part]) for part in parts)


def part_name(column: str, part: Part) -> str:
    """Return the name of the model's column that holds a part of a date: `signup_age_days`."""
    return f"{column}_{part}"
