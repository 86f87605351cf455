"""Which rows are set apart as the holdout. For every task that needs to know: the answer is a function of the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from model_release.modelling.dataset.encoding import canonical
from model_release.modelling.dataset.rows import Positions, Rows
from model_release.spec.model import Spec, Split


def split(rows: Rows, how: Split, *, inputs: Sequence[str] | None = None) -> tuple[Positions, Positions]:
    """Set the holdout apart.

    `content_hash`: a row is held out where the SHA-256 of the seed, its inputs and its target, read as a
    fraction of one, lies below `how.holdout`. So it stays on its side as the data grows, and equal rows are
    on one side. `stratified`: scikit-learn's `train_test_split`, whose order of the training rows is kept,
    since a forest's bootstrap depends on it.

    Args:
        rows: as `load` returns them.
        how: the spec's `split`.
        inputs: the columns that make the content; by default, all of them.

    Returns:
        Positions in `rows` of the training rows and of the holdout rows.
    """
    if how.method == "stratified":
        from sklearn.model_selection import train_test_split

        training, holdout = train_test_split(
            np.arange(len(rows)), test_size=how.holdout, stratify=rows.target, random_state=how.seed
        )
        return training, holdout
    content = rows.frame[[*(inputs or rows.frame.columns)]].assign(**{"": rows.target})
    salt = f"{how.seed}:".encode()
    held = np.array([_share(salt + row) < how.holdout for row in canonical(content)], dtype=bool)
    return np.flatnonzero(~held), np.flatnonzero(held)


def rows_apart(spec: Spec, rows: Rows) -> tuple[Positions, Positions]:
    """Return the positions of the training rows and of the holdout: the same ones for every caller."""
    return split(rows, spec.split, inputs=list(spec.dataset.inputs))


def _share(content: bytes) -> float:
    """Map bytes evenly to [0, 1) by the first 53 bits of their SHA-256, which a float holds exactly."""
    return (int.from_bytes(hashlib.sha256(content).digest()[:8]) >> 11) / 2**53
