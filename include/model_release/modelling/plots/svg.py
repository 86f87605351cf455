"""How the card draws: inline SVG in the colours of the page, equal figures in equal bytes. For the plots.

Colours are placeholders while matplotlib draws; in the SVG they become the page's CSS variables, so that a
plot follows light, dark and print like the text around it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from model_release.documents.evaluation import Interval

INK, MUTED, LINE, ACCENT, GOOD, BAD = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
}
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 10,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}
WIDE, SQUARE = 4.3, 3.3
"""Widths in inches; small, so that letters stay readable where a phone or a column shrinks the plot."""

_LETTERS = 30
_INSIDE = re.compile(r'<svg data-plot="([^"]+)"(.*?</svg>)', re.DOTALL)
_ALONE = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" style="background: #fff; '
    "font-family: sans-serif; --ink: #17202b; --muted: #5c6875; --line: #d5dbe1; --accent: #1f6feb; --good: #1a7f4b; "
    '--bad: #c0362c"'
)
_OPENING = re.compile(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>')
_ID = re.compile(r' id="([^"]+)"')
_REFERENCE = re.compile(r'(?:url\(#|href="#)([^)"]+)')


class Plot:
    """One plot under way: `axes` to draw on, and then `svg`.

    Args:
        name: unique in a page; ids begin with it.
        words: what the plot shows, for whoever does not see it.
        width, height: in inches.
    """

    def __init__(self, name: str, words: str, *, width: float, height: float) -> None:
        self.name = name
        self.words = words
        self.figure = Figure(figsize=(width, height), layout="constrained")
        self.axes: Axes = self.figure.add_subplot()

    def svg(self) -> Markup:
        """Return the plot as an `<svg>` inside a page: no ids but those in use, scaled by the page."""
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": self.name}):
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        text = buffer.getvalue()
        text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
        used = set(_REFERENCE.findall(text))
        text = _ID.sub(lambda found: f' id="{self.name}-{found[1]}"' if found[1] in used else "", text)
        text = _REFERENCE.sub(lambda found: found[0].replace("#", f"#{self.name}-"), text)
        opening = f'<svg data-plot="{self.name}" role="img" aria-label="{escape(self.words)}" '
        text = _OPENING.sub(lambda found: f"{opening}{found[1]}>", text, count=1)
        for color, variable in _VARIABLES.items():
            text = text.replace(color, variable)
        return Markup(text)  # noqa: S704 - drawn here; names in it were escaped by matplotlib's XML writer


def figures(card: bytes) -> dict[str, bytes]:
    """Return the plots of a card as files of their own, by name, in the card's light colours."""
    return {f"{name}.svg": f"{_ALONE}{rest}\n".encode() for name, rest in _INSIDE.findall(card.decode())}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the card's style; `Plot.svg` belongs inside as well."""
    with mpl.rc_context(_STYLE):
        yield


def whisker(axes: Axes, place: float, interval: Interval, color: str) -> None:
    """Draw an interval lying at height `place`, with its mean as a point."""
    axes.plot([interval.low, interval.high], [place, place], color=color, linewidth=2, solid_capstyle="round")
    axes.plot([interval.mean], [place], color=color, marker="o", markersize=6)


def lying(axes: Axes, names: list[str], across: str) -> None:
    """Make a chart of lying intervals: the first name on top, no more than a few ticks across."""
    axes.set_yticks(range(len(names)), [shortened(name) for name in reversed(names)])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.grid(visible=True, axis="x")
    axes.set_xlabel(across)


def shortened(name: str, letters: int = _LETTERS) -> str:
    """Return a name that leaves room for the plot beside it."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"
