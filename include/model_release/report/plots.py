"""The model card's plots: inline SVG in the colours of the page, equal figures in equal bytes. For `report`.

Colours are placeholders while matplotlib draws; in the SVG they become the page's CSS variables, so that a
plot follows light, dark and print like the text around it.
"""

from __future__ import annotations

import io
import re
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from model_release.gate import Comparison, Interval

Floats = NDArray[np.float64]

_INK, _MUTED, _LINE, _ACCENT, _GOOD, _BAD = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    _INK: "var(--ink)",
    _MUTED: "var(--muted)",
    _LINE: "var(--line)",
    _ACCENT: "var(--accent)",
    _GOOD: "var(--good)",
    _BAD: "var(--bad)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "grid.color": _LINE,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
_WIDE, _SQUARE = 4.3, 3.3
"""Widths in inches; small, so that letters stay readable where a phone or a column shrinks the plot."""

_OPENING = re.compile(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>')
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^)"]+)')


def difference(comparison: Comparison) -> Markup:
    """Draw how much better the candidate is than the champion, with its interval, against what was needed."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(_WIDE, 1.5)
        interval, passed = comparison.difference, comparison.lower_bound > comparison.needed
        axes.axvspan(comparison.needed, 10, color=_GOOD, alpha=0.10, linewidth=0)
        axes.axvline(0, color=_LINE, linewidth=1)
        axes.axvline(comparison.needed, color=_GOOD, linewidth=1.2, linestyle=(0, (4, 2)))
        _whisker(axes, 0, interval, _GOOD if passed else _BAD)
        axes.plot([comparison.lower_bound] * 2, [-0.22, 0.22], color=_INK, linewidth=1.6)
        reach = max(abs(interval.low), abs(interval.high), abs(comparison.needed), 1e-4) * 1.2
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-0.8, 0.8)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("← worse · difference in Brier score · better →")
        return _svg(figure, "difference", f"Difference in Brier score to {comparison.champion}")


def candidates(intervals: dict[str, Interval], *, chosen: str) -> Markup:
    """Draw each candidate's mean Brier score with its interval; the first stands on top."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(_WIDE, 0.9 + 0.36 * len(intervals))
        for place, (name, interval) in enumerate(reversed(intervals.items())):
            _whisker(axes, place, interval, _ACCENT if name == chosen else _MUTED)
        axes.set_yticks(range(len(intervals)), list(reversed(intervals)))
        axes.set_ylim(-0.6, len(intervals) - 0.4)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(visible=True, axis="x", linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel("Brier score (less is better)")
        return _svg(figure, "candidates", "Brier score of each candidate, with its interval")


def roc(target: Floats, probability: Floats) -> Markup:
    """Draw the receiver operating characteristic."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(_SQUARE, _SQUARE)
        false_positive, true_positive, _ = roc_curve(target, probability)
        axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        axes.plot(false_positive, true_positive, color=_ACCENT)
        _unit_square(axes, "false positive rate", "true positive rate (recall)")
        return _svg(figure, "roc", "Receiver operating characteristic")


def precision_recall(target: Floats, probability: Floats) -> Markup:
    """Draw precision over recall, and the positive class's share."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(_SQUARE, _SQUARE)
        precision, recall, _ = precision_recall_curve(target, probability, drop_intermediate=True)
        axes.axhline(float(target.mean()), color=_LINE, linewidth=1)
        axes.plot(recall, precision, color=_ACCENT)
        _unit_square(axes, "recall", "precision")
        return _svg(figure, "precision-recall", "Precision over recall")


def calibration(target: Floats, probability: Floats, *, bins: int = 10) -> Markup:
    """Draw the observed share of positives over the predicted probability, in bins of equal size."""
    with mpl.rc_context(_STYLE):
        figure, axes = _figure(_SQUARE, _SQUARE)
        groups = np.array_split(np.argsort(probability, kind="stable"), bins)
        predicted = [float(probability[group].mean()) for group in groups if len(group)]
        observed = [float(target[group].mean()) for group in groups if len(group)]
        counts, edges = np.histogram(probability, bins=20, range=(0, 1))
        axes.bar(edges[:-1], 0.2 * counts / counts.max(), width=0.05, align="edge", color=_MUTED, alpha=0.25)
        axes.plot([0, 1], [0, 1], color=_LINE, linewidth=1)
        axes.plot(predicted, observed, color=_ACCENT, marker="o", markersize=4)
        _unit_square(axes, "predicted probability", "observed share")
        return _svg(figure, "calibration", "Observed share of positives over predicted probability")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _whisker(axes: Axes, place: float, interval: Interval, color: str) -> None:
    axes.plot([interval.low, interval.high], [place, place], color=color, linewidth=2, solid_capstyle="round")
    axes.plot([interval.mean], [place], color=color, marker="o", markersize=6)


def _unit_square(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), xlabel=across, ylabel=up, aspect="equal")
    axes.grid(visible=True, linewidth=0.4)
    axes.set_axisbelow(True)


def _svg(figure: Figure, name: str, words: str) -> Markup:
    """Return the figure as an `<svg>` inside a page: no ids but those in use, scaled by the page."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    used = set(_REFERENCE.findall(text))
    text = _ID.sub(lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = _REFERENCE.sub(lambda found: found[0].replace("#", f"#{name}-"), text)
    text = _OPENING.sub(rf'<svg role="img" aria-label="{escape(words)}" \1>', text, count=1)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, variable)
    return Markup(text)  # noqa: S704 - drawn here; names in it were escaped by matplotlib's XML writer
