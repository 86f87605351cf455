"""What a spec asks of a candidate: floors, ceilings, and what follows where the data drifts. For `gate` and `spec`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from model_release.documents.base import Strict
from model_release.documents.metric import Metric
from model_release.documents.suggest import did_you_mean
from model_release.spec.metrics import FUNCTION, OwnMetric
from model_release.spec.tasks import Measure, TaskKind

_LARGEST_MARGIN = 0.1
_OWN_MARGIN = "1 %"

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Choice(StrEnum):
    """How one candidate is chosen."""

    SIMPLEST_NOT_WORSE = "simplest_not_worse"
    BEST_HOLDOUT_ACCURACY = "best_holdout_accuracy"


def _without_nulls(floors: object) -> object:
    """Take the floors that are set: specs that earlier releases hold have a null for each that is not."""
    return {name: floor for name, floor in floors.items() if floor is not None} if isinstance(floors, dict) else floors


Floors = dict[Metric, float]
"""Least acceptable figures by name; of an error, such as `brier` or `rmse`, the highest acceptable one."""

_Floors = Annotated[Floors, BeforeValidator(_without_nulls)]

Margin = Annotated[float, Field(ge=0)] | Annotated[str, Field(pattern=r"^\d+(\.\d+)? ?%$")]
"""How much worse than the champion counts as not worse: in the loss's unit, or as a share of the champion's loss."""


class SlicePolicy(Strict):
    """Groups of rows that are measured apart: one per value of a categorical column, or per bin of a numeric one.

    Attributes:
        column: of the data; it need not be an input of the model.
        bins: borders between the groups of a numeric column, ascending; a border belongs to the group above it.
        floors: for every group of the column; none if the groups are only to be shown.
        min_rows: a group with fewer rows is reported and not judged.
    """

    column: str
    bins: list[float] | None = Field(None, min_length=1)
    floors: _Floors = {}
    min_rows: int = Field(30, ge=2)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(low >= high for low, high in pairwise(self.bins or [])):
            raise ValueError(f"the bins of {self.column} do not ascend")
        return self


class Ceilings(Strict):
    """What a released model may cost.

    Attributes:
        latency_p95_ms: 95th percentile of the time for one row, in milliseconds, of the form that loaders take first.
        artifact_bytes: of all files that training makes for a release, together.
    """

    latency_p95_ms: float | None = Field(None, gt=0)
    artifact_bytes: int | None = Field(None, gt=0)


class DriftPolicy(Strict):
    """When the new data counts as drifted from the champion's, and what follows.

    A column has drifted where the two-sample test, corrected for the number of columns, falls below `significance`, so
    that the change is no accident, and where the change is also large: its population stability index reaches `psi`; or
    its missing share, or for the target the positive class's share, changed by more than its limit; or it has values
    that the champion's data had not.

    Attributes:
        policy: `warn` says so in the verdict, `stop` rejects, `ignore` does not measure.
        psi: 0.1 is commonly called a moderate change and 0.25 a large one.
        significance: of all columns' tests together.
        missing: change of a column's missing share, as a part of one.
        target: change of the positive class's share, as a part of one.
    """

    policy: Literal["warn", "stop", "ignore"] = "warn"
    psi: float = Field(0.2, gt=0)
    significance: Fraction = 0.01
    missing: Fraction = 0.1
    target: Fraction = 0.1


class MistakeCosts(Strict):
    """What each mistake about two classes costs, in any one unit.

    Attributes:
        false_positive: of a row that is called positive and is not.
        false_negative: of a row that is positive and is not called so.
    """

    false_positive: float = Field(gt=0)
    false_negative: float = Field(gt=0)


def _fault(words: str, value: object, *place: str | int) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("figure", "{words}", {"words": words}), loc=place, input=value)


class GatePolicy(Strict):
    """What a candidate must show before it may be released.

    Attributes:
        loss: the figure by which candidates are chosen and compared; None: the task's own. It may be one of `metrics`,
            or `package.module:function`, of which less is better.
        metrics: figures beside the task's own, by the name that floors know them by.
        cross_validation: floors on the means over all folds.
        holdout: floors on the rows that were set apart.
        slices: floors on groups of the rows outside the holdout.
        ceilings: on what the model costs.
        margin: how much worse than the champion still counts as not worse; None: what the task takes for it.
        confidence: of the one-sided comparison with the champion.
        compare: whether the champion is compared at all; `never` is for specs that repeat a published procedure.
        beat_dummy: the candidate's loss must be below that of the best constant answer.
        drift: of the data against the champion's.
        threshold: of two classes, the probability above which a row is called positive; `tuned`: by predictions of rows
            that were left out of training.
        tuned_for: what a tuned threshold is best for: a figure by name, or the costs of the two mistakes.
    """

    loss: Metric | None = None
    metrics: dict[Metric, OwnMetric] = {}
    cross_validation: _Floors = {}
    holdout: _Floors = {}
    slices: list[SlicePolicy] = []
    ceilings: Ceilings = Ceilings()
    margin: Margin | None = None
    confidence: Fraction = 0.95
    compare: Literal["always", "never"] = "always"
    beat_dummy: bool = True
    drift: DriftPolicy = DriftPolicy()
    threshold: Fraction | Literal["tuned"] = 0.5
    tuned_for: Metric | MistakeCosts | None = None

    @property
    def own(self) -> dict[Metric, OwnMetric]:
        """The figures beside the task's own; a loss that is a function is one of them."""
        if self.loss is None or self.loss in self.metrics or re.match(FUNCTION, self.loss) is None:
            return self.metrics
        return {**self.metrics, self.loss: OwnMetric(function=self.loss, better="lower")}

    def extended(self, kind: TaskKind) -> TaskKind:
        """Return a kind of task with the figures that this policy brings."""
        own = self.own
        measures = [
            Measure(name, less_is_better=each.less_is_better, share=False, own=True) for name, each in own.items()
        ]
        losses = [name for name, each in own.items() if each.less_is_better]
        return replace(
            kind,
            measures=(*kind.measures, *measures),
            losses=(*kind.losses, *losses),
            margin=_OWN_MARGIN if self.loss in own else kind.margin,
        )

    def faults(self, kind: TaskKind, classes: Sequence[str]) -> Iterator[InitErrorDetails]:
        """Yield what is wrong with loss, floors, margin and threshold for a kind of task, each with its place.

        Args:
            kind: of the task.
            classes: in words.
        """
        if self.loss is not None and self.loss.partition("/")[0] not in kind.losses:
            words = f"not a loss that a {kind.name} model is compared by; those are {', '.join(kind.losses)}"
            yield _fault(words, self.loss, "loss")
        elif self.loss is not None and (fault := kind.fault(self.loss, classes)):
            yield _fault(fault, self.loss, "loss")
        placed: list[tuple[tuple[str | int, ...], Floors]] = [
            (("cross_validation",), self.cross_validation),
            (("holdout",), self.holdout),
            *((("slices", place, "floors"), each.floors) for place, each in enumerate(self.slices)),
        ]
        for place, floors in placed:
            for metric, floor in floors.items():
                measure = kind.measure(metric)
                if fault := kind.fault(metric, classes, floor):
                    yield _fault(fault, floor, *place, metric)
                elif place == ("cross_validation",) and measure is not None and not measure.folds:
                    yield _fault("is not measured on folds: write its floor below holdout", floor, *place, metric)
        share = kind.measure(self.loss or kind.losses[0])
        if isinstance(self.margin, float | int) and share is not None and share.share and self.margin > _LARGEST_MARGIN:
            yield _fault(f"must be at most {_LARGEST_MARGIN} of a loss between 0 and 1", self.margin, "margin")
        for name in self.metrics:
            if "/" in name or sum(each.name == name for each in kind.measures) > 1:
                yield _fault("is no name for a metric: it has a slash, or the task has it", name, "metrics", name)
        yield from self._threshold_faults(kind)

    def _threshold_faults(self, kind: TaskKind) -> Iterator[InitErrorDetails]:
        figures = ", ".join(kind.tunes)
        if not kind.tunes and (self.threshold, self.tuned_for) != (0.5, None):
            yield _fault(f"a {kind.name} model has no threshold; one of two classes has", self.threshold, "threshold")
        elif self.threshold == "tuned" and self.tuned_for is None:
            words = f"say what for: tuned_for: {figures}, or {{false_positive: 1, false_negative: 10}}, their costs"
            yield _fault(words, self.threshold, "threshold")
        elif self.threshold != "tuned" and self.tuned_for is not None:
            yield _fault("is for threshold: tuned", self.tuned_for, "tuned_for")
        elif isinstance(self.tuned_for, str) and self.tuned_for not in kind.tunes:
            words = f"no figure that a threshold is tuned for{did_you_mean(self.tuned_for, kind.tunes)}; those are "
            yield _fault(f"{words}{figures}, or the costs of both mistakes", self.tuned_for, "tuned_for")

    @model_validator(mode="after")
    def _one_slicing_each(self) -> Self:
        columns = [each.column for each in self.slices]
        if len(set(columns)) != len(columns):
            raise ValueError(f"two slices have the same column: {', '.join(columns)}")
        return self
