"""Which rows each model of cross-validation is fitted to, and which rows it is measured on.

The plan depends on the rows and the spec alone, so that recipes are compared on the same folds. It is made by the
spec's `validation`; a task says whether the folds keep the shares of classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from model_release.documents.evaluation import Design, Evaluation, UnitKind, ValidationMethod
from model_release.errors import DataInvalid
from model_release.modelling.dataset import Positions, Rows, groups_of, one_side, times_of, weights_of
from model_release.modelling.tasks.base import GROUPS, Sample, Weight
from model_release.spec.model import Spec
from model_release.spec.tasks import kind_of

Fold = tuple[Positions, Positions]
"""Positions among the training rows: those that a fold's model is fitted to, and those that it is measured on."""

_BATCHES = 200
"""So many independent ones tell a variance within a tenth, and a verdict's record stays small."""

_FEWER = "add data, or lower validation.folds in the spec"


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """The plan of cross-validation.

    Attributes:
        pairs: `repeats x folds` of them, one repeat after the other.
        repeats: how often each measured row is measured.
        measured: positions among the training rows of those that are measured, ascending: in each repeat the same.
        batches: by what of the rows is independent, the number of each measured row's batch; empty: the folds are.
        weight: of each measured row.
    """

    pairs: list[Fold]
    repeats: int
    measured: Positions
    batches: dict[UnitKind, NDArray[np.intp]]
    weight: Weight

    @property
    def folds(self) -> int:
        """How many models each repeat has."""
        return len(self.pairs) // self.repeats

    @property
    def overlap(self) -> float:
        """Rows that models are measured on over rows that they are fitted to, all models together."""
        return sum(len(test) for _, test in self.pairs) / sum(len(fit) for fit, _ in self.pairs)


def folds_of(spec: Spec, rows: Rows, training_rows: Positions) -> Folds:
    """Return the folds of the rows outside the holdout.

    Raises:
        DataInvalid: there are too few rows, groups or days, or a class has no row that counts in some fit.
    """
    some = rows.take(training_rows)
    validation = spec.validation
    method = validation.folds_for(spec.dataset, spec.split)
    made = {"repeated_stratified": _shuffled, "group": _grouped, "forward": _forward}[method](spec, some)
    once = method == "forward" or spec.validation_method == "single"
    repeats = 1 if once else validation.repeats
    pairs = [*islice(made, 1 if spec.validation_method == "single" else validation.folds * repeats)]
    _check(spec, some, pairs)
    measured = np.unique(np.concatenate([test for _, test in pairs]))
    weights = weights_of(some, spec.dataset)
    weight = np.ones(len(measured)) if weights is None else weights[measured]
    return Folds(pairs, repeats, measured, _batches(spec, some.take(measured)), weight)


def inner_folds(spec: Spec, rows: Rows, fitted_rows: Positions) -> Folds:
    """Return folds among the rows that one model is fitted to, for what is decided within them.

    They measure once, and are as many as these rows allow. Where days in order do not allow it, since there are too few
    or a class is not there from the beginning, the rows are shuffled, by groups if there are any.

    Raises:
        DataInvalid: a class, or all rows, are in one group.
    """
    some, dataset = rows.take(fitted_rows), spec.dataset
    days, groups = (len(np.unique(of(some, dataset))) for of in (times_of, groups_of))
    shuffled: ValidationMethod = "group" if dataset.group else "repeated_stratified"
    rarest = int(np.bincount(some.target).min()) if dataset.target.words else len(some)

    def plan(by: ValidationMethod, most: int) -> Folds:
        folds = max(2, min(spec.validation.folds, most))
        within = spec.validation.model_copy(update={"method": by, "repeats": 1, "folds": folds, "gap": 0})
        return folds_of(spec.model_copy(update={"validation": within}), rows, fitted_rows)

    if spec.validation.folds_for(dataset, spec.split) == "forward":
        with suppress(DataInvalid):
            return plan("forward", days - 1)
    return plan(shuffled, min(groups, rarest))


def sums(batches: NDArray[np.intp], values: NDArray[np.float64]) -> list[float]:
    """Return the sum of the values in each batch."""
    return [float(each) for each in np.bincount(batches, weights=values)]


def sample_of(spec: Spec, rows: Rows) -> Sample:
    """Return how all rows count, and the jackknife's groups of them if they are not independent."""
    weight = weights_of(rows, spec.dataset)
    if spec.dataset.group is not None:
        return Sample(weight, _drawn(groups_of(rows, spec.dataset)) % GROUPS)
    if spec.split_method == "time" or spec.validation.folds_for(spec.dataset, spec.split) == "forward":
        return Sample(weight, _in_order(times_of(rows, spec.dataset), GROUPS))
    return Sample(weight)


def design_of(spec: Spec, folds: Folds, *, rows: int, training: int, holdout: int) -> Design:
    """Return what a run's evidence says about how rows were split and measured.

    Args:
        spec: the model's spec.
        folds: the plan.
        rows: how many there are.
        training: how many are outside the holdout and may be fitted to.
        holdout: how many are held out.
    """
    return Design(
        split=spec.split_method,
        validation=spec.validation_method,
        by=spec.validation.folds_for(spec.dataset, spec.split),
        group=spec.dataset.group,
        time=spec.dataset.time,
        weight=spec.dataset.weight,
        gap=spec.validation.gap,
        left_out=rows - training - holdout,
        folds=folds.folds,
        repeats=folds.repeats,
        measured=len(folds.measured),
        overlap=folds.overlap,
        batches={kind: sums(of, folds.weight) for kind, of in folds.batches.items()},
    )


def folds_in_words(evaluation: Evaluation) -> str:
    """Return what figures of cross-validation are means over."""
    design, folds, rows = evaluation.design, evaluation.folds, evaluation.rows
    if design is None or (design.by == "repeated_stratified" and design.validation != "single"):
        return f"mean over {evaluation.repeats} times {folds}-fold {kind_of(evaluation.task).folds} of {rows} rows"
    measured = f"{design.measured} of {rows} rows"
    if design.validation == "single":
        before = {"forward": "from those before them", "group": f"from those of another {design.group}"}
        return f"{measured}, predicted {before.get(design.by, 'from the others')}"
    if design.by == "group":
        return f"mean over {evaluation.repeats} times {folds}-fold cross-validation of {rows} rows by {design.group}"
    apart = f" of another {design.group}" if design.group else ""
    return f"mean over {folds} blocks of {design.time}, each predicted from the rows before it{apart}: {measured}"


def holdout_in_words(evaluation: Evaluation, seed: int) -> str:
    """Return what figures on the holdout were measured on."""
    design = evaluation.design
    match design.split if design else "content_hash":
        case "stratified":
            how = f"stratified split, seed {seed}"
        case "group" if design:
            how = f"split by {design.group}"
        case "time" if design:
            how = f"the last by {design.time}{f', of another {design.group}' if design.group else ''}"
        case _:
            how = "content-hash split"
    return f"holdout of {evaluation.holdout_rows} rows, {how}"


def _batches(spec: Spec, rows: Rows) -> dict[UnitKind, NDArray[np.intp]]:
    """Divide the measured rows into batches of what is independent: groups, days, or rows that are measured once.

    Several groups, or rows, may be drawn into one batch, and consecutive days joined: batches of what is independent
    are so as well.
    """
    by, found = spec.validation.folds_for(spec.dataset, spec.split), dict[UnitKind, NDArray[np.intp]]()
    if spec.dataset.group is not None:
        found["groups"] = _drawn(groups_of(rows, spec.dataset))
    if by == "forward":
        found["days"] = _in_order(times_of(rows, spec.dataset), _BATCHES)
    if not found and spec.validation_method == "single":
        found["rows"] = _drawn(np.arange(len(rows)))
    return found


def _in_order(times: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Divide rows by their days, in order, into so many batches at most."""
    known, ranks = np.unique(times, return_inverse=True)
    batches: NDArray[np.intp] = ranks * min(len(known), most) // len(known)
    return batches


def _drawn(units: NDArray[np.intp]) -> NDArray[np.intp]:
    known, numbers = np.unique(units, return_inverse=True)
    batches: NDArray[np.intp] = np.random.default_rng(0).permutation(len(known)) % _BATCHES
    return batches[numbers]


def _shuffled(spec: Spec, rows: Rows) -> Iterator[Fold]:
    from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

    how, words = spec.validation, spec.dataset.target.words
    if words:
        _check_classes(spec, rows)
    elif len(rows) < 2 * how.folds:
        raise DataInvalid(f"there are {len(rows)} rows outside the holdout, too few for {how.folds} folds", hint=_FEWER)
    kind = RepeatedStratifiedKFold if words else RepeatedKFold
    plan = kind(n_splits=how.folds, n_repeats=how.repeats, random_state=how.seed)
    yield from plan.split(np.zeros((len(rows), 1)), rows.target if words else None)


def _grouped(spec: Spec, rows: Rows) -> Iterator[Fold]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    how, groups = spec.validation, groups_of(rows, spec.dataset)
    known = len(np.unique(groups))
    if known < how.folds:
        raise DataInvalid(
            f"{spec.dataset.group}: there are {known} groups outside the holdout, too few for {how.folds} folds",
            hint=_FEWER,
        )
    _check_classes(spec, rows)
    kind = StratifiedGroupKFold if spec.dataset.target.words else GroupKFold
    for repeat in range(how.repeats):
        plan = kind(n_splits=how.folds, shuffle=True, random_state=how.seed + repeat)
        yield from plan.split(np.zeros((len(rows), 1)), rows.target, groups)


def _forward(spec: Spec, rows: Rows) -> Iterator[Fold]:
    """Yield blocks of days, each after the days that its model is fitted to.

    The first block has half of the rows, so that every model is fitted to about as many as the released one, and is
    never measured; the others have about as many rows each. All are of whole days. With a group, a block is measured on
    the groups that are new in it, and on the part of the others that no other block is measured on: of each model,
    `1 / folds` of the groups that go on.
    """
    how, times = spec.validation, times_of(rows, spec.dataset)
    known, counts = np.unique(times, return_counts=True)
    if len(known) <= how.folds:
        raise DataInvalid(
            f"{spec.dataset.time}: the rows outside the holdout are of {len(known)} times, too few for {how.folds} "
            "blocks after the first",
            hint=_FEWER,
        )
    for number, (start, end) in enumerate(_blocks(known, counts, how.folds)):
        before, block = times < start - how.gap, (times >= start) & (times < end)
        part = number / how.folds, (number + 1) / how.folds
        before, block = one_side(spec, rows, before, block, part=part, salt=f"{how.seed}:")
        if not before.any() or not block.any():
            lacks = "to fit to before it" if not before.any() else "to measure on in it"
            raise DataInvalid(
                f"{spec.dataset.time}: the block of days that begins at {start:g} has no rows {lacks}",
                hint=f"lower validation.gap, which is {how.gap:g}" if how.gap else _FEWER,
            )
        yield np.flatnonzero(before), np.flatnonzero(block)


def _blocks(known: NDArray[np.float64], counts: NDArray[np.intp], folds: int) -> Iterator[tuple[float, float]]:
    """Yield first time and end of each block but the first; every block has a time of its own."""
    ends = counts.cumsum() / counts.sum()
    cuts: list[int] = []
    for number in range(1, folds + 1):
        nearest = int(np.abs(ends - (1 + (number - 1) / folds) / 2).argmin()) + 1
        least = cuts[-1] + 1 if cuts else 1
        cuts.append(min(max(nearest, least), len(known) - (folds + 1 - number)))
    starts = [float(known[cut]) for cut in cuts]
    yield from zip(starts, [*starts[1:], np.inf], strict=True)


def _check_classes(spec: Spec, rows: Rows) -> None:
    words, folds = spec.dataset.target.words, spec.validation.folds
    counts = np.bincount(rows.target, minlength=len(words)) if words else np.array([folds])
    if counts.min() < folds:
        raise DataInvalid(
            f"the rarest class, {words[counts.argmin()]}, has {counts.min()} rows outside the holdout, too few for "
            f"{folds} folds",
            hint=_FEWER,
        )


def _check(spec: Spec, rows: Rows, pairs: list[Fold]) -> None:
    """Check that a model can be fitted in each fold: to rows of every class, that count.

    Raises:
        DataInvalid: one cannot.
    """
    words, weights = spec.dataset.target.words, weights_of(rows, spec.dataset)
    counts = np.ones(len(rows), dtype=bool) if weights is None else weights > 0
    for number, (fit, test) in enumerate(pairs, 1):
        absent = sorted({*range(len(words))} - {*rows.target[fit[counts[fit]]].tolist()}) if words else []
        if absent:
            names = ", ".join(words[code] for code in absent)
            raise DataInvalid(
                f"fold {number} of {len(pairs)} has no row of class {names} to fit to", hint=f"{_FEWER}, or its method"
            )
        if not counts[fit].any() or not counts[test].any():
            raise DataInvalid(f"fold {number} of {len(pairs)} has no row whose weight is above 0", hint=_FEWER)
