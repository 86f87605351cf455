"""What a consumer remembers of the pointer, and which pointers it therefore refuses (rule 14). Pure."""

from __future__ import annotations

from model_release.documents import sha256_of
from model_release.errors import Refused
from model_release.release.catalog import Live


def check_follows(known: Live | None, found: Live, *, where: str, memory: str) -> None:
    """Check that a pointer may follow the one that was last verified.

    Args:
        known: the last one; None for a consumer without a past.
        found: what the store has now.
        where: the store's pointer.
        memory: the file that holds `known`, for the words of a refusal.

    Raises:
        Refused: it goes back, is a fork, or is of a history that does not continue the remembered one.
    """
    if known is None or known.body == found.body:
        return
    before, now = known.pointer, found.pointer
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
            f"latest.json is a fork: epoch {now.epoch} has sha256 {sha256_of(found.body)[:12]}…, "
            f"and had {sha256_of(known.body)[:12]}…",
            where=where,
            hint=f"two writers decided apart from each other: see `model-release doctor`; {meant}",
        )
