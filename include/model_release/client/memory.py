"""The pointer that a consumer remembers, and the pointers that it therefore refuses (rule 14). Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from model_release.client.promises import Resolved
from model_release.documents.version import Version
from model_release.errors import Refused, UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST = 36_500


def check_floor(epoch: int | None, floor: int | None, *, where: str) -> None:
    """Check that a pointer is not older than a consumer was told, which may have no memory to go by.

    Args:
        epoch: of the pointer; None if there is none.
        floor: the least that is taken; None for any.
        where: the store's pointer.

    Raises:
        Refused: it is older, or there is none.
    """
    if floor is not None and (epoch is None or epoch < floor):
        found = "there is no latest.json" if epoch is None else f"latest.json is of epoch {epoch}"
        raise Refused(
            f"{found}, and epoch {floor} or a later one is asked for",
            where=where,
            hint="the store has been set back, or this is another model's; `model-release status` shows what is there",
        )


def check_age(version: Version, trained: datetime | None, most: timedelta | None, *, now: datetime, where: str) -> None:
    """Check that a release is not older than a consumer takes.

    Args:
        version: of the release.
        trained: when it was trained; None if its manifest does not say.
        most: the greatest age; None for any.
        now: by this machine's clock.
        where: the store.

    Raises:
        Refused: it is older, or does not say.
    """
    if most is None:
        return
    hint = "look why nothing newer was released, or allow a greater age"
    if trained is None:
        raise Refused(f"{version} does not say when it was trained, and an age is asked for", where=where, hint=hint)
    if now - trained > most:
        raise Refused(
            f"{version} was trained {in_words(now - trained)} ago, and at most {in_words(most)} are asked for",
            where=where,
            hint=hint,
        )


def age(text: str) -> timedelta:
    """Read a span as a person writes it: `90s`, `30m`, `36h`, `7d`.

    Raises:
        UsageError: it is none.
    """
    number, unit = text[:-1], _UNITS.get(text[-1:])
    if unit is None or not number.isdecimal() or not 0 < int(number) <= _MOST:
        raise UsageError(f"{text!r} is no age", hint="a whole number and a unit: 90s, 30m, 36h, 7d")
    return timedelta(**{unit: int(number)})


def in_words(span: timedelta) -> str:
    """Return a span in the unit that fits it: `9.5 days`, `36.0 hours`, `90 s`."""
    seconds = span.total_seconds()
    if seconds >= 2 * 86_400:
        return f"{seconds / 86_400:.1f} days"
    return f"{seconds / 3600:.1f} hours" if seconds >= 7200 else f"{seconds:.0f} s"


def check_follows(before: Resolved | None, now: Resolved, *, where: str, memory: str) -> None:
    """Check that a pointer may follow the one that was last verified.

    Args:
        before: the last one; None for a consumer without memory.
        now: the pointer that the store has now.
        where: the URI of the store's pointer, for errors.
        memory: the file that holds `before`, for errors.

    Raises:
        Refused: it goes back, is a fork, or is of a history that does not continue the remembered one.
    """
    if before is None or before.body == now.body:
        return
    meant = f"if that is meant, remove {memory}: then nothing is remembered"
    if now.lineage != before.lineage and before.lineage not in now.ancestors:
        raise Refused(
            f"latest.json is of another history, {now.lineage}, which does not say that it continues {before.lineage}",
            where=where,
            hint=f"is this the same model? {meant}",
        )
    if now.epoch < before.epoch:
        raise Refused(
            f"latest.json went back: epoch {now.epoch} ({now.version}) after epoch {before.epoch} ({before.version})",
            where=where,
            hint=f"a destination that lags behind catches up with the next run; {meant}",
        )
    if now.epoch == before.epoch:
        raise Refused(
            f"latest.json is a fork: epoch {now.epoch} has sha256 {_digest(now)}…, and had {_digest(before)}…",
            where=where,
            hint=f"two writers decided apart from each other: see `model-release doctor`; {meant}",
        )


def _digest(pointer: Resolved) -> str:
    return hashlib.sha256(pointer.body).hexdigest()[:12]
