"""What a column holds, told from its cells: numbers or categories, what is missing, and whether it names a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from model_release.documents.readings import moment, number

LISTED = 50
"""A text column with more different values than this is no list of categories."""

_MARKS = frozenset({"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "-", "--", "."})
_MARKS_AMONG_WORDS = _MARKS - {"-", "--", "."}
_TRUTHS = frozenset({"true", "false", "t", "f", "yes", "no", "y", "n"})
_CODE = re.compile(r"0\d+", re.ASCII)
_ID = re.compile(
    r"(^|[_\W])(id|uuid|guid|key|index|number|no|nr|customer|client|patient|subject|user|member|account)$|Id$|ID$",
    re.ASCII,
)
_EXACT = 2**53
"""From here on not every integer is a number of its own to a float."""

_FORMS = (None, "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")
"""Usual forms of dates; None: ISO 8601."""

_REPEATED = 4
"""Rows of each category, on average, from which on categories can be learned."""

_LEARNED = 1000

_SENTINELS = frozenset({-1.0, -9.0, -99.0, -999.0, -9999.0, 999.0, 9999.0})


@dataclass(frozen=True, slots=True)
class Described:
    """What a column holds.

    Attributes:
        kind: as in a spec; `integer` for ids alone. What no model takes: `text` of too many values, `empty`.
        rows, missing: counts.
        marks: the texts that stand for what is missing; they are no values.
        values: the categories, sorted; of a numeric column none.
        low, high: the range of the numbers.
        distinct: how many different values there are.
        names_rows: whether each row seems to have a value of its own, as an id has.
        groups_rows: whether it seems to be an id that several rows share.
        suspect: a reading that may mean "not measured", such as -999; None if there is none.
        form: of dates, as `strptime` takes it; None: ISO 8601.
        is_ambiguous: whether days and months could as well be the other way round.
        is_learned: whether the categories are too many for a list, and few enough to be learned.
    """

    kind: Literal["numeric", "integer", "boolean", "categorical", "datetime", "text", "empty"]
    rows: int
    missing: int
    marks: tuple[str, ...]
    values: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    distinct: int = 0
    names_rows: bool = False
    groups_rows: bool = False
    suspect: float | None = None
    form: str | None = None
    is_ambiguous: bool = False
    is_learned: bool = False

    @property
    def words(self) -> str:
        """What was seen, in one line."""
        missing = f", {self.missing:,} missing" if self.missing else ""
        if self.kind in ("numeric", "integer"):
            return f"seen: {self.low:g} to {self.high:g}, {self.distinct:,} different{missing}"
        return f"seen: {self.distinct:,} different values{missing}"


def describe(name: str, cells: Sequence[str]) -> Described:
    """Return what a column holds.

    Args:
        name: of the column.
        cells: as text, with a decimal point where they are numbers.
    """
    counts = Counter(cells)
    numbers = {text: value for text in counts if (value := number(text)) is not None}
    words = set(counts) - set(numbers)
    as_numbers = bool(numbers) and words <= _MARKS and not any(_CODE.fullmatch(text) for text in numbers)
    marks = tuple(sorted(words if as_numbers else words & _MARKS_AMONG_WORDS))
    missing = sum(counts[mark] for mark in marks)
    values = [text for text in counts if text not in marks]
    present = len(cells) - missing
    made = partial(Described, rows=len(cells), missing=missing, marks=marks)
    if not values:
        return made("empty")
    if as_numbers:
        found = sorted(set(numbers.values()))
        whole = all(value.is_integer() for value in found)
        in_order = whole and found[-1] - found[0] == len(found) - 1
        long = whole and max(abs(found[0]), abs(found[-1])) >= _EXACT
        named = _ID.search(name) is not None
        own = long or (whole and len(found) == present > 20 and (named or in_order))
        shared = named and whole and not own and 20 < len(found) < present
        return made(
            "integer" if own or shared else "numeric",
            low=found[0],
            high=found[-1],
            distinct=len(found),
            names_rows=own,
            groups_rows=shared,
            suspect=_sentinel(found),
        )
    distinct = len(values)
    if len(lower := {text.lower() for text in values}) == 2 and lower <= _TRUTHS:
        return made("boolean", distinct=distinct)
    if forms := [form for form in _FORMS if all(moment(text, form, "UTC") for text in values)]:
        return made("datetime", distinct=distinct, form=forms[0], is_ambiguous=len(forms) > 1)
    if distinct > LISTED or (name and distinct == present > 20):
        named = _ID.search(name) is not None
        own = distinct == present
        if not named and LISTED < distinct <= min(present / _REPEATED, _LEARNED):
            return made("categorical", distinct=distinct, is_learned=True)
        return made("text", distinct=distinct, names_rows=own, groups_rows=named and not own)
    return made("categorical", values=tuple(sorted(values)), distinct=distinct)


def _sentinel(found: Sequence[float]) -> float | None:
    """A usual stand-in for "not measured" at an end of the range, apart from all other numbers."""
    if len(found) < 3:
        return None
    low, high = found[0], found[-1]
    if low in _SENTINELS and found[1] >= 0:
        return low
    return high if high in _SENTINELS and found[-2] < high / 2 else None
