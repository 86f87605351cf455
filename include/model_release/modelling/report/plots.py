"""The model card's plots of the candidates and of the comparison with the champion. For `report`."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from model_release.documents.evaluation import Interval
from model_release.documents.verdict import Comparison
from model_release.modelling.plots.svg import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    LINE,
    MUTED,
    WIDE,
    Plot,
    lying,
    style,
    whisker,
)


def difference(comparison: Comparison, called: str) -> Markup:
    """Draw how much better the candidate is than the champion, with its interval, against what was needed.

    Args:
        comparison: of the two.
        called: what people call the loss that they are compared by.
    """
    with style():
        words = f"Difference in {called} to {comparison.champion}"
        plot = Plot("difference", words, width=WIDE, height=1.5)
        axes, interval, passed = plot.axes, comparison.difference, comparison.lower_bound > comparison.needed
        reach = max(abs(interval.low), abs(interval.high), abs(comparison.needed), 1e-4) * 1.2
        axes.axvspan(comparison.needed, reach, color=GOOD, alpha=0.10, linewidth=0)
        axes.axvline(0, color=LINE, linewidth=1)
        axes.axvline(comparison.needed, color=GOOD, linewidth=1.2, linestyle=(0, (4, 2)))
        whisker(axes, 0, interval, GOOD if passed else BAD)
        axes.plot([comparison.lower_bound] * 2, [-0.22, 0.22], color=INK, linewidth=1.6)
        axes.set_xlim(-reach, reach)
        axes.set_ylim(-0.8, 0.8)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"← worse · difference in {called} · better →")
        return plot.svg()


def candidates(intervals: dict[str, Interval], called: str, *, chosen: str) -> Markup:
    """Draw each candidate's mean loss with its interval; the first stands on top.

    Args:
        intervals: by candidate.
        called: what people call the loss.
        chosen: the candidate that is drawn in colour.
    """
    with style():
        words = f"{called[0].upper()}{called[1:]} of each candidate, with its interval"
        plot = Plot("candidates", words, width=WIDE, height=0.9 + 0.36 * len(intervals))
        for place, (name, interval) in enumerate(reversed(intervals.items())):
            whisker(plot.axes, place, interval, ACCENT if name == chosen else MUTED)
        lying(plot.axes, list(intervals), f"{called} (less is better)")
        return plot.svg()
