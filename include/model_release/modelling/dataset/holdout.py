"""Which rows are set apart as the holdout. For every task that needs to know: the answer is a function of the rows."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from model_release.modelling.dataset.encoding import canonical
from model_release.modelling.dataset.rows import Positions, Rows
from model_release.spec.model import Spec, Split

_FEWEST = 5


def split(rows: Rows, how: Split, *, known_by: Sequence[str]) -> tuple[Positions, Positions]:
    """Set the holdout apart.

    `content_hash`: a row is held out where the SHA-256 of the seed, of what the row is known by, and of its ordinal
    among the rows that are known by the same, read as a fraction of one, lies below `how.holdout`. So a row stays on
    its side as the data grows, its label has no part in it, and of equal rows some may be held out and others not.

    `stratified`: scikit-learn's `train_test_split`, whose order of the training rows is kept, since a forest's
    bootstrap depends on it.

    Args:
        rows: as `load` returns them.
        how: the spec's `split`.
        known_by: the columns that `content_hash` goes by.

    Returns:
        Positions in `rows` of the training rows and of the holdout rows.
    """
    if how.method == "stratified":
        from sklearn.model_selection import train_test_split

        training, holdout = train_test_split(
            np.arange(len(rows)), test_size=how.holdout, stratify=rows.target, random_state=how.seed
        )
        return training, holdout
    salt, met = f"{how.seed}:".encode(), Counter[bytes]()
    held = np.zeros(len(rows), dtype=bool)
    for place, row in enumerate(canonical(rows.frame[[*known_by]])):
        held[place] = _share(salt + row + str(met[row]).encode()) < how.holdout
        met[row] += 1
    return np.flatnonzero(~held), np.flatnonzero(held)


def rows_apart(spec: Spec, rows: Rows) -> tuple[Positions, Positions]:
    """Return the positions of the training rows and of the holdout: the same ones for every caller."""
    return split(rows, spec.split, known_by=spec.dataset.rows.key_columns or list(spec.dataset.inputs))


def far_from_asked(rows: Rows, holdout: Positions, how: Split, words: Sequence[str]) -> str | None:
    """Return in words how the holdout differs from what the spec asks for; None if it does not.

    A share counts as different if it is less than half or more than twice what is asked, and more than three standard
    deviations of a random draw away from it; of fewer than five rows that are expected, nothing can be said.

    Args:
        rows: all rows.
        holdout: the positions of those that are held out.
        how: the spec's `split`.
        words: the classes in words, in the order of their codes; empty if the target is a number.
    """
    if _differs(len(holdout), len(rows), how.holdout):
        return f"{len(holdout)} of {len(rows)} rows are held out, and split.holdout asks for {how.holdout:.0%}"
    for code, name in enumerate(words):
        share, held = float((rows.target == code).mean()), int((rows.target[holdout] == code).sum())
        if _differs(held, len(holdout), share):
            return f"{held} of {len(holdout)} rows of the holdout are of class {name}, and {share:.0%} of all rows"
    return None


def _differs(found: int, of: int, asked: float) -> bool:
    expected = of * asked
    by_chance = 3 * math.sqrt(expected * (1 - asked))
    return expected >= _FEWEST and not expected / 2 <= found <= expected * 2 and abs(found - expected) > by_chance


def _share(content: bytes) -> float:
    """Map bytes evenly to [0, 1) by the first 53 bits of their SHA-256, which a float holds exactly."""
    return (int.from_bytes(hashlib.sha256(content).digest()[:8]) >> 11) / 2**53
