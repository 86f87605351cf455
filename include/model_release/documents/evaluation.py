"""The evidence that the gate judges: figures of the candidates, the champion and the data, measured elsewhere.

None stands for a figure that was not a finite number; the gate rejects it if a floor or the choice needs it. A figure
that cannot exist, such as the AUC of a group that has one class only, is left out instead.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_release.documents.base import Document, Value, VersionText
from model_release.documents.metric import Metric
from model_release.documents.output import Output

SplitMethod = Literal["content_hash", "stratified", "group", "time"]
ValidationMethod = Literal["repeated_stratified", "group", "forward", "single"]
UnitKind = Literal["rows", "groups", "days"]


class Interval(Value):
    """A figure with its two-sided 95 % confidence interval."""

    mean: float
    low: float
    high: float


class SliceScores(Value):
    """One recipe's figures on one group of the rows outside the holdout, each row predicted while it was left out.

    Attributes:
        column: the one that groups the rows.
        group: the group in words: `sex = 0`, `age < 50`, `50 ≤ age < 60`, `ca missing`.
        figures: by metric, the mean over the repeats.
    """

    column: str
    group: str
    rows: int
    figures: dict[Metric, Interval | None]


class Scores(Value):
    """One recipe's figures.

    Attributes:
        folds: by metric, one value per fold, in the order of the folds (repeats x folds values).
        intervals: of the figures of one fold alone, over its rows; empty if there are more.
        losses: by what of the rows is independent, the compared loss added up over each batch of `Design.batches`, mean
            over the repeats; of an RMSE the squared errors. Empty: the folds are compared.
        holdout: by metric, on the rows that were set apart; empty for a recipe that was not fitted for release.
        holdout_intervals: of those figures.
        slices: in the policy's order, small groups included.
    """

    folds: dict[Metric, list[float | None]]
    intervals: dict[Metric, Interval] = {}
    losses: dict[UnitKind, list[float]] = {}
    holdout: dict[Metric, float | None] = {}
    holdout_intervals: dict[Metric, Interval | None] = {}
    slices: list[SliceScores] = []


class Costs(Value):
    """The cost of serving a candidate. Measured, so it differs between machines and runs; kept apart from `Scores`.

    Attributes:
        latency_p95_ms: by form, in the order in which loaders prefer them, 95th percentile over one-row calls in ms.
        artifact_bytes: of all files that training made for a release.
    """

    latency_p95_ms: dict[str, float | None]
    artifact_bytes: int


class Champion(Value):
    """The live version's recipe, fitted on the same rows and folds as the candidates.

    Attributes:
        since: the epoch at which it became live; a verdict holds against that baseline only.
        same_data: whether it was trained on the very snapshot of this run.
        candidate: the candidate that has the same recipe.
        quarantined: why it is no baseline, in words, though it is live.
        task: what it was trained for; a version of another task is no baseline either.
        released_by: how its rows were split and measured when it was released, in words, if otherwise than now.
    """

    version: VersionText
    since: int
    recipe: str
    same_data: bool
    scores: Scores
    candidate: str | None = None
    quarantined: str | None = None
    task: str = "binary"
    released_by: str | None = None


class ColumnDrift(Value):
    """One column of the new data against the champion's.

    Attributes:
        psi: population stability index; missing values are a bin of their own.
        p_value: of the two-sample test, corrected for the number of columns.
        missing_before, missing_now: shares of the rows.
        new_values: values of a categorical column that the champion's data did not have.
    """

    column: str
    test: Literal["kolmogorov-smirnov", "chi-square"]
    psi: float | None
    p_value: float | None
    missing_before: float
    missing_now: float
    new_values: list[str]


class Drift(Value):
    """The data of this run against that of the champion.

    Attributes:
        champion: the version whose data it is compared with.
        unmeasured: why nothing was compared, in words; then all fields below are empty.
        rows_before: of the champion's snapshot; `rows_now`, of this run's.
        columns: the model's inputs.
        target: what is predicted, and `target_before` and `target_now` the positive class's share of two; else None.
    """

    champion: VersionText
    unmeasured: str | None
    rows_before: int = 0
    rows_now: int = 0
    columns: list[ColumnDrift] = []
    target: ColumnDrift | None = None
    target_before: float | None = None
    target_now: float | None = None


class Design(Value):
    """How the rows of one run were split and measured.

    Attributes:
        split: how the holdout was set apart.
        validation: how recipes were measured, and `by`, how the rows were divided into folds for it.
        group, time, weight: the columns that say which rows belong together, when each is from, and how much it counts.
        gap: days, or the time's unit, between rows that a model is fitted to and those that it is measured on.
        left_out: rows that are neither in training nor in the holdout, so that a gap or a group is kept.
        folds: models in each of the `repeats`.
        measured: rows that cross-validation measures in each repeat.
        batches: by what of the rows is independent, the weight of each of at most 200 batches of the measured rows: how
            many rows, if all count the same. Days stand in order. Empty: the folds are compared.
        overlap: rows that the folds measure over rows that their models are fitted to, all folds together.
    """

    split: SplitMethod
    validation: ValidationMethod
    by: ValidationMethod
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    gap: float = 0
    left_out: int = 0
    folds: int
    repeats: int
    measured: int
    overlap: float
    batches: dict[UnitKind, list[float]] = {}


class Evaluation(Document):
    """The evidence of one run. The candidates stand in order of simplicity, simplest first."""

    candidates: dict[str, Scores] = Field(min_length=1)
    champion: Champion | None
    rows: int = Field(description="rows in cross-validation")
    holdout_rows: int
    folds: int
    repeats: int
    dummy_brier: float | None = Field(
        default=None, description="the dummy's loss, if that is the Brier score of always answering the positive share"
    )
    costs: dict[str, Costs] = Field(default={}, description="by candidate")
    without_onnx: dict[str, str] = Field(
        default={}, description="why a candidate has no ONNX form, in words, by candidate"
    )
    needs_onnx: str | None = Field(default=None, description="why a release must have that form, in words; null: not")
    outputs: dict[str, Output] = Field(default={}, description="what each candidate answers, by its own threshold")
    drift: Drift | None = Field(default=None, description="None if there is nothing to compare")
    task: str = "binary"
    loss: Metric = Field(default="brier", description="the figure that candidates are chosen and compared by")
    dummy_loss: float | None = Field(default=None, description="the dummy's loss, if that is another one")
    anchor: Champion | None = Field(
        default=None,
        description="the last version that was superior when it was judged, or the first; null: the champion",
    )

    design: Design | None = Field(default=None, description="how rows were split and measured; null: not recorded")
    schema_changes: list[str] = Field(
        default=[], description="changes of the columns that consumers of the live version must follow, in words"
    )

    @property
    def dummy(self) -> float | None:
        """The loss of the best constant answer; None if it was not measured."""
        return self.dummy_brier if self.loss == "brier" and self.task == "binary" else self.dummy_loss

    @property
    def test_over_train(self) -> float:
        """Rows in a test fold over rows that the fold's model was fitted on."""
        return self.design.overlap if self.design else 1 / (self.folds - 1)
