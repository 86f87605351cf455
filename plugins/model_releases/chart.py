"""The charts of the newest versions and verdicts: the headline figure with its interval, and the rows behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from model_release.documents.manifest import Manifest
from model_release.releases.overview import Headline, Judged, Numbered, headline_of_verdict

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 640, 30, 165


class Mark(NamedTuple):
    """What stands at one place of a chart.

    Attributes:
        label: below it.
        headline: the figure.
        full: whether its point is full: of the live version, of an accepted verdict.
        rows: that it was measured on; None if nobody knows.
        words: beside the figure, for a reader who points at it.
    """

    label: str
    headline: Headline
    full: bool
    rows: int | None
    words: str


class Point(NamedTuple):
    """A mark in the chart's own units.

    Attributes:
        interval: the ends of the figure's interval; None if it has none.
        rows: in words.
        words: label, state and figure.
    """

    label: str
    x: float
    y: float
    interval: tuple[float, float] | None
    full: bool
    rows: str
    words: str


def of_versions(versions: Sequence[Numbered]) -> dict[str, Any]:
    """Return the chart of versions, the oldest first; the live one is full."""
    marks = []
    for each in reversed(versions):
        if each.headline is not None:
            rows = each.decided.dataset.rows if isinstance(each.decided, Manifest) and each.decided.dataset else None
            words = f"{each.version}, {each.state}"
            marks.append(Mark(str(each.version), each.headline, each.state == "live", rows, words))
    return _chart(marks, "the newest versions")


def of_verdicts(verdicts: Sequence[Judged]) -> dict[str, Any]:
    """Return the chart of verdicts, the oldest first; the accepted ones are full."""
    marks = []
    for each in reversed(verdicts):
        found = headline_of_verdict(each.record) if each.record else None
        if each.record is not None and found is not None:
            word = "accepted" if each.record.decision.accepted else "rejected"
            words = f"{each.record.decision.chosen}, {word}"
            rows = each.record.evaluation.rows
            marks.append(Mark(f"{each.record.judged_at:%d %b}", found, each.record.decision.accepted, rows, words))
    return _chart(marks, "the newest verdicts")


def _chart(shown: Sequence[Mark], what: str) -> dict[str, Any]:
    """Return what the template needs."""
    values = [value for each in shown for value in _values(each.headline)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return round(_BOTTOM - (value - low) / span * (_BOTTOM - _TOP), 1)

    step = (_RIGHT - _LEFT) / max(len(shown), 1)
    points = [_point(each, round(_LEFT + (place + 0.5) * step, 1), y) for place, each in enumerate(shown)]
    called = shown[-1].headline.called if shown else "no figure yet"
    return {"points": points, "called": called, "what": what, "low": low, "high": high, "top": _TOP, "bottom": _BOTTOM}


def _values(found: Headline) -> list[float]:
    measured = found.measured
    return [each for each in (measured.value, measured.low, measured.high) if each is not None]


def _point(each: Mark, x: float, y: Any) -> Point:
    measured = each.headline.measured
    has_interval = measured.low is not None and measured.high is not None
    words = f"{each.words}: {measured.value:.4g}"
    return Point(
        label=each.label,
        x=x,
        y=y(measured.value),
        interval=(y(measured.low), y(measured.high)) if has_interval else None,
        full=each.full,
        rows=f"{each.rows:,}" if each.rows is not None else "–",
        words=f"{words} ({measured.low:.4g} to {measured.high:.4g})" if has_interval else words,
    )
