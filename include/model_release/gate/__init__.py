"""The gate: figures and a policy in, a decision out. Pure; it reads no store, no clock and no model.

Accuracy on one small holdout is a coin toss, so the gate goes by repeated cross-validation: floors on its means and on
slices of the rows, and a paired comparison with the live champion on the same rows and folds. Whatever is not a finite
number rejects, and so does a policy without floors.
"""

from model_release.gate.checks import Check, drifted
from model_release.gate.evidence import (
    Champion,
    ColumnDrift,
    Costs,
    Drift,
    Evaluation,
    Interval,
    Scores,
    SliceScores,
)
from model_release.gate.statistics import corrected_error, corrected_interval
from model_release.gate.verdict import Comparison, Decision, choose, judge
from model_release.policy import (
    Ceilings,
    Choice,
    DriftPolicy,
    Floors,
    Fraction,
    GatePolicy,
    Metric,
    SlicePolicy,
)

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
    "Metric",
    "Scores",
    "SlicePolicy",
    "SliceScores",
    "choose",
    "corrected_error",
    "corrected_interval",
    "drifted",
    "judge",
]
