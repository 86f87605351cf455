"""The chart of the newest versions: the headline figure with its interval, and the rows that it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from model_release.documents.manifest import Manifest
from model_release.releases.overview import Headline, Numbered

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 640, 30, 165


class Point(NamedTuple):
    """A version on the chart, in the chart's own units.

    Attributes:
        interval: the ends of the figure's interval; None if it has none.
        rows: that it was trained on, in words.
        words: version, state and figure.
    """

    version: str
    x: float
    y: float
    interval: tuple[float, float] | None
    is_live: bool
    rows: str
    words: str


def chart(versions: Sequence[Numbered]) -> dict[str, Any]:
    """Return what the chart's template needs; the oldest version comes first."""
    shown = [(each, each.headline) for each in reversed(versions) if each.headline is not None]
    values = [value for _, found in shown for value in _values(found)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return round(_BOTTOM - (value - low) / span * (_BOTTOM - _TOP), 1)

    step = (_RIGHT - _LEFT) / max(len(shown), 1)
    points = [
        _point(each, found, round(_LEFT + (place + 0.5) * step, 1), y) for place, (each, found) in enumerate(shown)
    ]
    called = shown[-1][1].called if shown else "no figure yet"
    return {"points": points, "called": called, "low": low, "high": high, "top": _TOP, "bottom": _BOTTOM}


def _values(found: Headline) -> list[float]:
    measured = found.measured
    return [each for each in (measured.value, measured.low, measured.high) if each is not None]


def _point(each: Numbered, found: Headline, x: float, y: Any) -> Point:
    measured = found.measured
    has_interval = measured.low is not None and measured.high is not None
    rows = each.decided.dataset.rows if isinstance(each.decided, Manifest) and each.decided.dataset else None
    words = f"{each.version}, {each.state}: {measured.value:.4g}"
    return Point(
        version=str(each.version),
        x=x,
        y=y(measured.value),
        interval=(y(measured.low), y(measured.high)) if has_interval else None,
        is_live=each.state == "live",
        rows=f"{rows:,}" if rows is not None else "–",
        words=f"{words} ({measured.low:.4g} to {measured.high:.4g})" if has_interval else words,
    )
