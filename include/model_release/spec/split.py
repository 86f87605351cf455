"""The spec's `split` and `validation`: which rows are set apart, and which rows each fold measures on.

Both follow from the columns that say how rows depend on each other: `dataset.group` and `dataset.time`. A method that
would break the promise of one of them is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from model_release.documents.base import Strict
from model_release.documents.evaluation import SplitMethod, ValidationMethod
from model_release.spec.dataset import Dataset
from model_release.spec.gate import Fraction


class Split(Strict):
    """How the holdout is set apart.

    Attributes:
        method: None: `time` if the dataset has a time, else `group` if it has a group, else `content_hash`.

            - `content_hash` goes by the row's content: a holdout row stays one as the data grows.
            - `stratified` is scikit-learn's shuffled split with `random_state=seed`.
            - `group` goes by the hash of the group alone: its rows are on one side, for ever.
            - `time` holds out the last days. With a group, the rows of one group are also on one side.
        holdout: share of the rows that is held out.
        seed: of the hash, or of the shuffle.
    """

    method: SplitMethod | None = None
    holdout: Fraction = 0.2
    seed: int = Field(42, ge=0)

    def method_for(self, dataset: Dataset) -> SplitMethod:
        """Return the method, which by default follows from the dataset."""
        default: SplitMethod = "time" if dataset.time else "group" if dataset.group else "content_hash"
        return self.method or default

    def fault(self, dataset: Dataset) -> str | None:
        """Return in words what the method cannot promise of this dataset; None if it can."""
        return _fault(self.method, dataset, "group or time")


class Validation(Strict):
    """How recipes are measured on the rows outside the holdout: the same folds for every recipe.

    Attributes:
        method: None: `forward` after a split by time, `group` if the dataset has a group, else `repeated_stratified`.

            - `repeated_stratified`: shuffled folds, repeated; they keep the shares of classes.
            - `group`: the same, and all rows of one group are in one fold.
            - `forward`: each of `folds` blocks of days is predicted by a model of the days before it. With a group, the
              rows of one group are not on both sides.
            - `single`: one fit and one measurement, on the first fold of the method that would be the default.
        folds: into which the rows are divided.
        repeats: how often, each time with other folds; `forward` and `single` measure once.
        gap: days between the rows that a model is fitted to and those that it is measured on, holdout included; in the
            unit of `dataset.time` if that is a number. For targets that are known only some time after the row.
        seed: of the folds.
    """

    method: ValidationMethod | None = None
    folds: int = Field(5, ge=2, le=20)
    repeats: int = Field(10, ge=1, le=50)
    gap: float = Field(0, ge=0)
    seed: int = Field(0, ge=0)

    def method_for(self, dataset: Dataset, split: Split) -> ValidationMethod:
        """Return the method, which by default follows from the split and the dataset."""
        return self.method or self.folds_for(dataset, split)

    def folds_for(self, dataset: Dataset, split: Split) -> ValidationMethod:
        """Return the method that divides the rows into folds; `single` takes the first of them."""
        if self.method not in (None, "single"):
            return self.method
        if split.method_for(dataset) == "time":
            return "forward"
        return "group" if dataset.group else "repeated_stratified"

    def fault(self, dataset: Dataset, split: Split) -> str | None:
        """Return in words what the method cannot promise of this dataset; None if it can."""
        if self.gap and split.method_for(dataset) != "time" and self.method != "forward":
            return "a gap lies between days: it needs split.method: time, or validation.method: forward"
        return _fault(self.method, dataset, "group, forward or single")


def disagreements(dataset: Dataset, split: Split, validation: Validation) -> Iterator[str]:
    """Yield in words where split, validation and dataset are allowed together and answer different questions."""
    by, folds = split.method_for(dataset), validation.folds_for(dataset, split)
    if by == "time" and folds != "forward":
        yield (
            f"validation.method: {folds} measures rows by models that saw later ones, and split.method: time holds the "
            "last days out: the folds promise more than the holdout can keep; forward agrees with it"
        )
    elif folds == "forward" and by != "time":
        yield (
            f"split.method: {by} holds out rows of any day, and validation.method: forward measures on later days "
            "alone: time agrees with it"
        )
    elif dataset.time is not None and by != "time":
        yield f"dataset.time: neither split.method: {by} nor validation.method: {folds} goes by it"


def _fault(method: SplitMethod | ValidationMethod | None, dataset: Dataset, others: str) -> str | None:
    if method == "group" and dataset.group is None:
        return "method: group needs dataset.group, the column that says which rows belong together"
    if method in ("time", "forward") and dataset.time is None:
        return f"method: {method} needs dataset.time, the column that says when a row is from"
    if dataset.group is not None and method in ("content_hash", "stratified", "repeated_stratified"):
        return (
            f"method: {method} puts rows of one {dataset.group} on both sides, and dataset.group says that they "
            f"belong together: write {others}"
        )
    return None
