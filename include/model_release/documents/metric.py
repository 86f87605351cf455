"""The names of the figures that candidates are measured by."""

from __future__ import annotations

from enum import StrEnum


class Metric(StrEnum):
    """The figures that candidates are measured by; `brier` is the one where less is better."""

    ACCURACY = "accuracy"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    ROC_AUC = "roc_auc"
    BRIER = "brier"
