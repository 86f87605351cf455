"""The pointer that a consumer remembers, and the pointers that it therefore refuses (rule 14). Pure."""

from __future__ import annotations

import hashlib

from model_release.client.promises import Resolved
from model_release.errors import Refused


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
