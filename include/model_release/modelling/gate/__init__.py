"""The gate: figures and a policy in, a decision out. Pure; it reads no store, no clock and no model.

Accuracy on one small holdout is a coin toss, so the gate goes by repeated cross-validation: floors on its means and on
slices of the rows, and a paired comparison with the live champion on the same rows and folds, by the task's own loss.
A figure that a floor or the choice needs and that is not a finite number rejects, and so does a policy without floors.
"""

from model_release.documents.evaluation import (
    Champion,
    ColumnDrift,
    Costs,
    Drift,
    Evaluation,
    Interval,
    Scores,
    SliceScores,
)
from model_release.documents.verdict import Check, Comparison, Decision
from model_release.modelling.gate.checks import drifted
from model_release.modelling.gate.statistics import corrected_error, corrected_interval, intervals_of
from model_release.modelling.gate.verdict import choose, judge
from model_release.spec.gate import Ceilings, Choice, DriftPolicy, Floors, Fraction, GatePolicy, SlicePolicy

__all__ = [
    "Ceilings",
    "Champion",
    "Check",
    "Choice",
    "ColumnDrift",
    "Comparison",
    "Costs",
    "Decision",
    "Drift",
    "DriftPolicy",
    "Evaluation",
    "Floors",
    "Fraction",
    "GatePolicy",
    "Interval",
    "Scores",
    "SlicePolicy",
    "SliceScores",
    "choose",
    "corrected_error",
    "corrected_interval",
    "drifted",
    "intervals_of",
    "judge",
]
