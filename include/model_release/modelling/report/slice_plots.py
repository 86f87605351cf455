"""The model card's plots of how a model does on groups of the rows. For `report`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

from model_release.documents.evaluation import Interval
from model_release.documents.metric import Metric
from model_release.modelling.plots.svg import ACCENT, BAD, INK, MUTED, WIDE, Plot, lying, shortened, style, whisker
from model_release.modelling.report.sections import Group
from model_release.spec.tasks import TaskKind

_GROUPS = 24
"""How many groups a plot has at most; the table has them all."""


def slices(groups: Sequence[Group], kind: TaskKind) -> dict[Metric, Markup]:
    """Draw each group's figure with its interval, its floor as a tick; one plot per figure that has a floor.

    Without any floor, the figure that the card shows first is drawn.
    """
    wanted = kind.sorted(metric for each in groups for metric in each.floors) or [kind.headline[0]]
    return {metric: plot for metric in wanted if (plot := _one(metric, groups, kind)) is not None}


def _one(metric: Metric, groups: Sequence[Group], kind: TaskKind) -> Markup | None:
    shown = [(each, figure) for each in groups if (figure := each.figures.get(metric)) is not None][:_GROUPS]
    if not shown:
        return None
    with style():
        what = f"{kind.called(metric)}{' (less is better)' if kind.less_is_better(metric) else ''}"
        words = f"{what} on each group of the rows, with intervals"
        plot = Plot(
            f"slices-{re.sub(r'[^0-9a-z]', '-', metric.lower())}", words, width=WIDE, height=0.9 + 0.26 * len(shown)
        )
        for place, (group, figure) in enumerate(reversed(shown)):
            whisker(plot.axes, place, _within(figure, metric, kind), _color(group, metric))
            if metric in group.floors:
                floor = group.floors[metric]
                plot.axes.plot([floor, floor], [place - 0.3, place + 0.3], color=INK, linewidth=1.6)
        lying(plot.axes, [f"{shortened(group.name, 20)} ({group.rows:,})" for group, _ in shown], what)
        return plot.svg()


def _color(group: Group, metric: Metric) -> str:
    if group.passed(metric) is False:
        return BAD
    return ACCENT if group.judged else MUTED


def _within(figure: Interval, metric: Metric, kind: TaskKind) -> Interval:
    """The interval as far as the figure can go: an accuracy of 1.05 would only be confusing."""
    measure = kind.measure(metric)
    if measure is None or not measure.share:
        return figure
    return Interval(mean=figure.mean, low=max(0.0, figure.low), high=min(1.0, figure.high))
