"""Plots of predictions against what was observed: how well classes are told apart, and how far numbers are off."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from model_release.modelling.plots.svg import ACCENT, INK, LINE, MUTED, SQUARE, Plot, style

Floats = NDArray[np.float64]

_DOTS = 800
"""Points of a scatter plot at most, taken in equal steps."""


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


def rocs(sides: Mapping[str, tuple[NDArray[np.int64], Floats]]) -> Markup:
    """Draw a receiver operating characteristic per class, each against all others.

    Args:
        sides: by class, which rows are of it, and its probability.
    """
    with style():
        plot = Plot("roc", "Receiver operating characteristic of each class", width=SQUARE, height=SQUARE)
        plot.axes.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        for number, (words, (of_class, probability)) in enumerate(sides.items()):
            false_positive, true_positive, _ = roc_curve(of_class, probability)
            looks = {"color": INK, "linestyle": (0, (number + 1, number))} if number else {"color": ACCENT}
            plot.axes.plot(false_positive, true_positive, label=words, **looks)
        plot.axes.legend(loc="lower right")
        _unit_square(plot.axes, "false positive rate", "true positive rate (recall)")
        return plot.svg()


def predicted_over_observed(target: Floats, predictions: Floats, unit: str) -> Markup:
    """Draw predicted over observed numbers; on the line they are equal."""
    with style():
        plot = Plot("predicted", "Predicted over observed", width=SQUARE, height=SQUARE)
        shown = _steps(len(target))
        low = float(min(target.min(), predictions.min()))
        high = float(max(target.max(), predictions.max()))
        plot.axes.plot([low, high], [low, high], color=LINE, linewidth=1)
        plot.axes.plot(target[shown], predictions[shown], ".", color=ACCENT, markersize=4, alpha=0.4)
        plot.axes.set(xlabel=_with_unit("observed", unit), ylabel=_with_unit("predicted", unit))
        plot.axes.grid(visible=True)
        return plot.svg()


def errors(target: Floats, predictions: Floats, unit: str) -> Markup:
    """Draw how often an error, predicted minus observed, is how large."""
    with style():
        plot = Plot("errors", "Predicted minus observed", width=SQUARE, height=SQUARE)
        counts, edges = np.histogram(predictions - target, bins=30)
        plot.axes.bar(edges[:-1], counts / counts.sum(), width=np.diff(edges), align="edge", color=MUTED, alpha=0.5)
        plot.axes.axvline(0, color=LINE, linewidth=1)
        plot.axes.set(xlabel=_with_unit("predicted minus observed", unit), ylabel="share of the rows")
        return plot.svg()


def _steps(rows: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, rows - 1, min(rows, _DOTS)).astype(np.int64))


def _with_unit(words: str, unit: str) -> str:
    return f"{words} ({unit})" if unit else words


def _unit_square(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=across, ylabel=up, aspect="equal")
    axes.grid(visible=True)
