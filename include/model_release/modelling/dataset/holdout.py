"""Which rows are set apart as the holdout. For every task that needs to know: the answer is a function of the rows."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_release.modelling.dataset.encoding import canonical
from model_release.modelling.dataset.roles import groups_of, times_of
from model_release.modelling.dataset.rows import Positions, Rows
from model_release.spec.model import Spec

_FEWEST = 5

Mask = NDArray[np.bool_]
"""Of rows."""


def rows_apart(spec: Spec, rows: Rows) -> tuple[Positions, Positions]:
    """Return the positions of the training rows and of the holdout: the same ones for every caller.

    - `content_hash`: a row is held out where the SHA-256 of the seed, of what the row is known by, and of its ordinal
      among the rows that are known by the same, read as a fraction of one, lies below `split.holdout`. So a row stays
      on its side as the data grows, its label has no part in it, and of equal rows some may be held out and others not.
      A row is known by the spec's `rows.key`, else by the model's inputs.
    - `group`: the same by the group alone, whose rows are all on one side.
    - `time`: the last days are held out, as many as come nearest to `split.holdout`; the rows of the `validation.gap`
      before them are on neither side. With a group, no group is on both sides: of those that have rows on both, the
      share `split.holdout` keeps its later rows, by the group's hash, and the others keep their earlier ones.
    - `stratified`: scikit-learn's `train_test_split`, whose order of the training rows is kept, since a forest's
      bootstrap depends on it.
    """
    match spec.split_method:
        case "stratified":
            from sklearn.model_selection import train_test_split

            training, holdout = train_test_split(
                np.arange(len(rows)), test_size=spec.split.holdout, stratify=rows.target, random_state=spec.split.seed
            )
            return training, holdout
        case "content_hash":
            held = _by_content(spec, rows)
            return np.flatnonzero(~held), np.flatnonzero(held)
        case "group":
            held = _drawn_groups(spec, rows, (0, spec.split.holdout))
            return np.flatnonzero(~held), np.flatnonzero(held)
        case "time":
            times = times_of(rows, spec.dataset)
            first = _first_held(times, spec.split.holdout)
            before, after = times < first - spec.validation.gap, times >= first
            before, after = one_side(spec, rows, before, after, part=(0, spec.split.holdout))
            return np.flatnonzero(before), np.flatnonzero(after)


def one_side(
    spec: Spec, rows: Rows, before: Mask, after: Mask, *, part: tuple[float, float], salt: str = ""
) -> tuple[Mask, Mask]:
    """Leave out rows so that no group has rows before and after; without a group, all rows stay.

    Args:
        spec: the model's spec.
        rows: all rows.
        before: the earlier ones.
        after: the later ones.
        part: of the groups with rows on both sides, those whose hash lies in it keep their later rows, the others their
            earlier ones.
        salt: another one gives the groups other hashes.
    """
    groups = groups_of(rows, spec.dataset)
    divided = np.isin(groups, np.intersect1d(groups[before], groups[after]))
    later = _drawn_groups(spec, rows, part, salt) if divided.any() else divided
    return before & ~(divided & later), after & ~(divided & ~later)


def far_from_asked(spec: Spec, rows: Rows, training: Positions, holdout: Positions) -> str | None:
    """Return in words how the holdout differs from what the spec asks for; None if it does not.

    A share counts as different if it is less than half or more than twice what is asked, and more than three standard
    deviations of a random draw away from it; of fewer than five rows, or groups, that are expected, nothing can be
    said. Classes are looked at where rows are drawn one by one.
    """
    asked = spec.split.holdout
    if spec.split_method in ("group", "time") and not (len(training) and len(holdout)):
        side = "held out" if not len(holdout) else "left to train on"
        return f"of {len(rows)} rows, none is {side} by split.method: {spec.split_method}"
    wanted = f"split.holdout asks for {asked:.0%}"
    if spec.split_method == "group":
        numbers = groups_of(rows, spec.dataset)
        held, known = len(np.unique(numbers[holdout])), len(np.unique(numbers))
        return f"{held} of {known} groups are held out, and {wanted}" if _differs(held, known, asked) else None
    if spec.split_method == "time":
        share = len(holdout) / (len(training) + len(holdout))
        coarse = spec.dataset.group is None and not asked / 2 <= share <= asked * 2
        return f"the last days are {share:.0%} of the rows, and {wanted}: there are too few days" if coarse else None
    if _differs(len(holdout), len(rows), asked):
        return f"{len(holdout)} of {len(rows)} rows are held out, and {wanted}"
    for code, name in enumerate(spec.dataset.target.words):
        share, held = float((rows.target == code).mean()), int((rows.target[holdout] == code).sum())
        if _differs(held, len(holdout), share):
            return f"{held} of {len(holdout)} rows of the holdout are of class {name}, and {share:.0%} of all rows"
    return None


def _by_content(spec: Spec, rows: Rows) -> Mask:
    known_by: Sequence[str] = spec.dataset.rows.key_columns or list(spec.dataset.inputs)
    salt, met = f"{spec.split.seed}:".encode(), Counter[bytes]()
    held = np.zeros(len(rows), dtype=bool)
    for place, row in enumerate(canonical(rows.frame[[*known_by]])):
        held[place] = _share(salt + row + str(met[row]).encode()) < spec.split.holdout
        met[row] += 1
    return held


def _drawn_groups(spec: Spec, rows: Rows, part: tuple[float, float], salt: str = "") -> Mask:
    """Return the rows whose group is drawn: the hash of its value, as a fraction of one, lies in the part."""
    groups = groups_of(rows, spec.dataset)
    _, places = np.unique(groups, return_index=True)
    values = canonical(rows.frame[[spec.dataset.group]].iloc[places])
    seed = f"{spec.split.seed}:{salt}".encode()
    drawn = np.array([part[0] <= _share(seed + value) < part[1] for value in values])
    return drawn[groups]


def _first_held(times: NDArray[np.float64], share: float) -> float:
    """Return the time from which on the rows are held out; of one time alone, nothing is."""
    known, counts = np.unique(times, return_counts=True)
    if len(known) < 2:
        return math.inf
    from_here = counts[::-1].cumsum()[::-1] / len(times)
    return float(known[1:][np.abs(from_here[1:] - share).argmin()])


def _differs(found: int, of: int, asked: float) -> bool:
    expected = of * asked
    by_chance = 3 * math.sqrt(expected * (1 - asked))
    return expected >= _FEWEST and not expected / 2 <= found <= expected * 2 and abs(found - expected) > by_chance


def _share(content: bytes) -> float:
    """Map bytes evenly to [0, 1) by the first 53 bits of their SHA-256, which a float holds exactly."""
    return (int.from_bytes(hashlib.sha256(content).digest()[:8]) >> 11) / 2**53
