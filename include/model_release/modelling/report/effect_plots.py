"""The model card's plots of what a model makes of each column. For `report`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from model_release.modelling.plots.svg import ACCENT, LINE, MUTED, WIDE, Plot, lying, shortened, style, whisker
from model_release.modelling.trained import Effect
from model_release.spec.dataset import Column

_COLUMNS = 20
"""How many columns the plot of importances has at most; the rest count for less."""


def importance(effects: Sequence[Effect], loss: str) -> Markup:
    """Draw how much worse the model gets without each column, with intervals; the one that counts most on top.

    Args:
        effects: of the model, the one that counts most first.
        loss: what rises, in words.
    """
    shown = effects[:_COLUMNS]
    with style():
        words = f"Rise of the {loss} when a column is shuffled, with intervals"
        plot = Plot("importance", words, width=WIDE, height=0.8 + 0.22 * len(shown))
        plot.axes.axvline(0, color=LINE, linewidth=1)
        for place, effect in enumerate(reversed(shown)):
            whisker(plot.axes, place, effect.importance, ACCENT if effect.importance.low > 0 else MUTED)
        lying(plot.axes, [effect.column for effect in shown], f"rise of the {loss}")
        return plot.svg()


def dependence(
    effects: Sequence[Effect], columns: Mapping[str, Column], frame: pd.DataFrame, answer: str
) -> dict[str, Markup]:
    """Draw for each column that has a partial dependence the mean prediction over its values.

    All have the same height of the prediction's axis, so that they can be compared. Bars tell how often the data has
    which values.

    Args:
        effects: of the model, the one that counts most first.
        columns: of the spec, for units.
        frame: the snapshot's rows.
        answer: what is predicted, in words: `probability`, whose axis ends at 0 and 1.
    """
    shown = [effect for effect in effects if effect.response]
    if not shown:
        return {}
    every = [each for effect in shown for each in effect.response]
    low, high = _height(every, answer)
    drawn = {}
    with style():
        for place, effect in enumerate(shown):
            unit = columns[effect.column].unit
            words = f"Mean predicted {answer} over {effect.column}"
            plot = Plot(f"effect-{place}", words, width=3.3, height=2.3)
            plot.axes.set_ylim(low, high)
            if columns[effect.column].role == "categorical":
                _marks(plot.axes, effect, frame[effect.column], (high - low) * 0.25)
            else:
                _amounts(plot.axes, effect, frame[effect.column], (high - low) * 0.25)
            plot.axes.grid(visible=True, axis="y")
            plot.axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            plot.axes.set(xlabel=f"{shortened(effect.column)} ({unit})" if unit else shortened(effect.column))
            plot.axes.set_ylabel(f"mean {answer}")
            drawn[effect.column] = plot.svg()
    return drawn


def _height(values: Sequence[float], answer: str) -> tuple[float, float]:
    if answer == "probability":
        return max(0.0, min(values) - 0.1), min(1.0, max(values) + 0.05)
    room = (max(values) - min(values) or 1.0) / 10
    return min(values) - 3 * room, max(values) + room


def _amounts(axes: Axes, effect: Effect, observed: pd.Series, tallest: float) -> None:
    at = [float(each) for each in effect.at]
    values = observed.dropna().to_numpy(np.float64)
    span = max(at) - min(at) or 1.0
    if np.isin(values, at).all():
        _bars(axes, np.array(at), np.array([int((values == each).sum()) for each in at]), span / 12, tallest)
    else:
        counts, edges = np.histogram(values, bins=20, range=(min(at), min(at) + span))
        _bars(axes, edges[:-1] + span / 40, counts, span / 20, tallest)
    axes.plot(at, effect.response, color=ACCENT, marker="o", markersize=3)
    axes.set_xlim(min(at) - span / 15, min(at) + span * 16 / 15)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=all(each.is_integer() for each in at)))


def _marks(axes: Axes, effect: Effect, observed: pd.Series, tallest: float) -> None:
    marks = [str(each) for each in effect.at]
    spelled = observed.dropna().map(lambda value: str(value) if isinstance(value, str) else f"{value:g}")
    counts = np.array([int((spelled == mark).sum()) for mark in marks])
    places = np.arange(len(marks))
    _bars(axes, places, counts, 0.5, tallest)
    axes.plot(places, effect.response, color=ACCENT, linestyle="none", marker="o", markersize=6)
    axes.set_xticks(places, [shortened(mark, 8) for mark in marks])
    axes.set_xlim(-0.6, len(marks) - 0.4)


def _bars(axes: Axes, places: np.ndarray, counts: np.ndarray, width: float, tallest: float) -> None:
    heights = tallest * counts / max(1, counts.max())
    axes.bar(places, heights, width=width, bottom=axes.get_ylim()[0], color=MUTED, alpha=0.25, linewidth=0)
