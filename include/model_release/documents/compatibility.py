"""Whether consumers of one release can send the same rows to the next one: what a rise of `schema_revision` is for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from model_release.documents.manifest import InputColumn
from model_release.documents.readings import label

_WIDER = {("integer", "numeric")}
"""Changes of a kind by which a column takes all that it took before."""


def breaking_changes(before: Sequence[InputColumn], after: Sequence[InputColumn]) -> list[str]:
    """Return, in words, each change of the columns after which a row that was taken may be refused or read otherwise.

    Categories that are learned follow the data, and are no change of the columns.
    """
    old, new = ({column.name: column for column in columns} for columns in (before, after))
    return [
        *(f"{name} is gone" for name in old if name not in new),
        *(f"{name} is new" for name in new if name not in old),
        *(f"{name} {words}" for name in old if name in new for words in _narrowed(old[name], new[name])),
    ]


def _narrowed(old: InputColumn, new: InputColumn) -> Iterator[str]:
    if new.kind not in (old.kind, *_written_before(old)) and (old.kind, new.kind) not in _WIDER:
        yield f"was {old.kind} and is {new.kind}"
        return
    if old.nullable and not new.nullable:
        yield "may no longer be missing"
    if _bound(new.minimum, -math.inf) > _bound(old.minimum, -math.inf):
        yield f"must be {new.minimum:g} or more"
    if _bound(new.maximum, math.inf) < _bound(old.maximum, math.inf):
        yield f"must be {new.maximum:g} or less"
    if old.unknown == "allow" and new.unknown == "refuse":
        yield "refuses unknown categories"
    elif new.unknown == "refuse" and not new.learned and new.kind == "categorical":
        known = {label(value) for value in new.values or ()}
        gone = [str(value) for value in old.values or () if label(value) not in known]
        if gone and not old.learned:
            yield f"no longer takes {', '.join(gone)}"
    if (old.form, old.timezone) != (new.form, new.timezone) and "form" in old.model_fields_set:
        yield "reads dates in another form or time zone"
    if old.parts != new.parts:
        yield f"becomes {', '.join(new.parts)} to the model"


def _written_before(old: InputColumn) -> tuple[str, ...]:
    """Return the kinds that a release calls by another name if it was written before there were such names."""
    if "unknown" in old.model_fields_set:
        return ()
    return ("integer",) if old.kind == "numeric" else ("boolean",) if old.values == [0, 1] else ()


def _bound(value: float | None, absent: float) -> float:
    return absent if value is None else value
