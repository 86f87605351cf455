"""The stored form of a verdict: the decision of the gate, with each check that led to it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_release.documents.base import Document, Value, VersionText
from model_release.documents.evaluation import Interval, UnitKind
from model_release.documents.metric import Metric


class Check(Value):
    """One check of the gate.

    Attributes:
        warning: it passed, and a person should look at it nevertheless.
    """

    name: str
    passed: bool
    words: str
    value: float | None = None
    threshold: float | None = None
    warning: bool = False


class Comparison(Value):
    """The paired comparison with the champion: the champion's loss minus the candidate's, on the same rows.

    Attributes:
        independent: what of the rows was taken to be so; empty: the folds, corrected for their overlap.
    """

    champion: VersionText
    rule: Literal["superior", "non_inferior"]
    difference: Interval
    lower_bound: float
    needed: float
    loss: Metric = "brier"
    independent: list[UnitKind] = []


class Decision(Document):
    """The verdict, with every check that led to it."""

    accepted: bool
    chosen: str
    reasons: list[str]
    checks: list[Check]
    intervals: dict[Metric, Interval]
    comparison: Comparison | None
    anchor: VersionText | None = Field(
        default=None, description="the version that its successors are compared with beside it; null: itself"
    )
    anchor_comparison: Comparison | None = None
