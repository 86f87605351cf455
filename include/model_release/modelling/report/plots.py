"""The model card's plots of how well a model does. For `report`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from model_release.documents.evaluation import Interval
from model_release.documents.verdict import Comparison
from model_release.modelling.report.svg import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    LINE,
    MUTED,
    SQUARE,
    WIDE,
    Plot,
    lying,
    style,
    whisker,
)

Floats = NDArray[np.float64]


def difference(comparison: Comparison) -> Markup:
    """Draw how much better the candidate is than the champion, with its interval, against what was needed."""
    with style():
        words = f"Difference in Brier score to {comparison.champion}"
        plot = Plot("difference", words, width=WIDE, height=1.5)
        axes, interval, passed = plot.axes, comparison.difference, comparison.lower_bound > comparison.needed
        axes.axvspan(comparison.needed, 10, color=GOOD, alpha=0.10, linewidth=0)
        axes.axvline(0, color=LINE, linewidth=1)
        axes.axvline(comparison.needed, color=GOOD, linewidth=1.2, linestyle=(0, (4, 2)))
        whisker(axes, 0, interval, GOOD if passed else BAD)
        axes.plot([comparison.lower_bound] * 2, [-0.22, 0.22], color=INK, linewidth=1.6)
        reach = max(abs(interval.low), abs(interval.high), abs(comparison.needed), 1e-4) * 1.2
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-0.8, 0.8)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("← worse · difference in Brier score · better →")
        return plot.svg()


def candidates(intervals: dict[str, Interval], *, chosen: str) -> Markup:
    """Draw each candidate's mean Brier score with its interval; the first stands on top."""
    with style():
        words = "Brier score of each candidate, with its interval"
        plot = Plot("candidates", words, width=WIDE, height=0.9 + 0.36 * len(intervals))
        for place, (name, interval) in enumerate(reversed(intervals.items())):
            whisker(plot.axes, place, interval, ACCENT if name == chosen else MUTED)
        lying(plot.axes, list(intervals), "Brier score (less is better)")
        return plot.svg()


def curves(target: Floats, predictions: pd.DataFrame) -> dict[str, Markup]:
    """Draw the curves of out-of-fold probabilities, all repeats pooled, by their titles.

    Returns:
        Nothing where there are no probabilities, or one is not finite.
    """
    pooled = predictions.to_numpy(dtype=np.float64).ravel(order="F")
    if not len(pooled) or not np.isfinite(pooled).all():
        return {}
    truth = np.tile(target, predictions.shape[1])
    return {
        "Receiver operating characteristic": roc(truth, pooled),
        "Precision and recall": precision_recall(truth, pooled),
        "Calibration": calibration(truth, pooled),
    }


def roc(target: Floats, probability: Floats) -> Markup:
    """Draw the receiver operating characteristic."""
    with style():
        plot = Plot("roc", "Receiver operating characteristic", width=SQUARE, height=SQUARE)
        false_positive, true_positive, _ = roc_curve(target, probability)
        plot.axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        plot.axes.plot(false_positive, true_positive, color=ACCENT)
        _unit_square(plot.axes, "false positive rate", "true positive rate (recall)")
        return plot.svg()


def precision_recall(target: Floats, probability: Floats) -> Markup:
    """Draw precision over recall, and the positive class's share."""
    with style():
        plot = Plot("precision-recall", "Precision over recall", width=SQUARE, height=SQUARE)
        precision, recall, _ = precision_recall_curve(target, probability, drop_intermediate=True)
        plot.axes.axhline(float(target.mean()), color=LINE, linewidth=1)
        plot.axes.plot(recall, precision, color=ACCENT)
        _unit_square(plot.axes, "recall", "precision")
        return plot.svg()


def calibration(target: Floats, probability: Floats, *, bins: int = 10) -> Markup:
    """Draw the observed share of positives over the predicted probability, in bins of equal size."""
    with style():
        words = "Observed share of positives over predicted probability"
        plot = Plot("calibration", words, width=SQUARE, height=SQUARE)
        groups = np.array_split(np.argsort(probability, kind="stable"), bins)
        predicted = [float(probability[group].mean()) for group in groups if len(group)]
        observed = [float(target[group].mean()) for group in groups if len(group)]
        counts, edges = np.histogram(probability, bins=20, range=(0, 1))
        plot.axes.bar(edges[:-1], 0.2 * counts / counts.max(), width=0.05, align="edge", color=MUTED, alpha=0.25)
        plot.axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        plot.axes.plot(predicted, observed, color=ACCENT, marker="o", markersize=4)
        _unit_square(plot.axes, "predicted probability", "observed share")
        return plot.svg()


def _unit_square(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=across, ylabel=up, aspect="equal")
    axes.grid(visible=True)
