"""How values become HTML: the templates, and the words and figures that they share."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model_release.documents.pointer import Kind
from model_release.releases.overview import Headline, Move
from model_releases.airflow_api import Night

_WORDS = {
    Kind.FIRST: ("first release", "good"),
    Kind.PROMOTE: ("release", "good"),
    Kind.ROLLBACK: ("rollback", "bad"),
    Kind.HOLD: ("hold", "warn"),
    Kind.UNHOLD: ("hold lifted", "calm"),
    Kind.QUARANTINE: ("quarantine", "bad"),
    Kind.LIFT: ("quarantine lifted", "calm"),
    Kind.RETIRE: ("retirement", "calm"),
    Kind.RECOVER: ("recovery", "warn"),
    Kind.REHOME: ("new home", "warn"),
}
_MARKS = {"good": "●", "bad": "▲", "warn": "◆", "calm": "○"}
MOST_CONSUMERS = 50
"""Consumers that the first look lists."""

_ENDING = re.compile(r"\*\*Report: (.+)\*\*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_STATES = {
    **dict.fromkeys(["released", "done", "live", "success"], "good"),
    **dict.fromkeys(["rejected", "refused", "lagging", "in flight", "running", "queued"], "warn"),
    **dict.fromkeys(["failed", "quarantined"], "bad"),
}


def render(request: Request, template: str, **values: Any) -> str:
    """Return a page.

    Args:
        request: tells how deep the page's address is, since links are relative: a proxy's prefix may stand before it.
        template: its file.
        **values: for it.
    """
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    up = "../" * (path.count("/") - 1)
    return _templates().get_template(template).render(up=up, **values)


@cache
def _templates() -> Environment:
    folder = Path(__file__).parent / "templates"
    found = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    found.filters.update(
        time=time, day=day, ago=ago, figure=figure, spread=spread, signed=signed, size=size, plain=plain
    )
    found.globals.update(kind=kind, mark=mark, verdict=verdict, night_words=night_words, most_consumers=MOST_CONSUMERS)
    return found


def ago(moment: datetime | str) -> str:
    """Return how long ago a moment is: `12 minutes ago`."""
    then = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    seconds = max(0.0, (datetime.now(UTC) - then).total_seconds())
    for name, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def time(moment: datetime | str | None) -> str:
    """Return a time in UTC: `30 Nov 2026 20:47 UTC`."""
    if not moment:
        return "–"
    found = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{found.astimezone(UTC):%d %b %Y %H:%M} UTC"


def day(moment: date | None) -> str:
    """Return a day."""
    return "–" if moment is None else f"{moment:%d %b %Y}"


def figure(value: float | None) -> str:
    """Return a figure with four digits."""
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def spread(headline: Headline | None) -> str:
    """Return the interval of a figure."""
    if headline is None or headline.measured.low is None or headline.measured.high is None:
        return ""
    return f"{figure(headline.measured.low)} to {figure(headline.measured.high)}"


def signed(difference: float | None) -> str:
    """Return a difference with its sign."""
    return "–" if difference is None else f"{difference:+.3g}"


def size(entries: Any) -> str:
    """Return the size of files together."""
    total = float(sum(entry.size for entry in entries))
    for unit in ("B", "kB", "MB"):
        if total < 1000:
            return f"{total:.3g} {unit}"
        total /= 1000
    return f"{total:.3g} GB"


def plain(value: Any) -> str:
    """Return a fact of a manifest as a reader has it: a figure by its value, a list by its items."""
    match value:
        case None:
            return "–"
        case {"value": float() | int() as number, "low": low, "high": high}:
            interval = "" if low is None or high is None else f" ({figure(low)} to {figure(high)})"
            return figure(number) + interval
        case float():
            return figure(value)
        case str() if _DIGEST.fullmatch(value):
            return f"{value[:12]}…"
        case list():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)


def kind(move: Move) -> tuple[str, str, str]:
    """Return a move's kind in a word, its colour, and the mark that says the same without colour."""
    words, colour = _WORDS[move.change.kind]
    return words, colour, _MARKS[colour]


def night_words(night: Night) -> tuple[str, str, str, list[str]]:
    """Return how a night ended in a word, its colour and mark, and what the run's note says beside it, a line each.

    Airflow's own state is green for each night that ran, whatever was decided.
    """
    first, *rest = night.note.splitlines() or [""]
    found = _ENDING.fullmatch(first)
    if found is None:
        return night.state, *mark(night.state), [line for line in [first, *rest] if line]
    words = found[1]
    return words, *mark(words.partition(",")[0] if "," not in words else "lagging"), [line for line in rest if line]


def mark(state: str) -> tuple[str, str]:
    """Return the colour of a state, and the mark that says the same without colour."""
    colour = _STATES.get(state, "calm")
    return colour, _MARKS[colour]


def verdict(move: Move) -> str:
    """Return what the gate said of the version that became live; empty if nothing became live."""
    if move.change.kind not in (Kind.FIRST, Kind.PROMOTE) or move.manifest is None or move.manifest.gate is None:
        return ""
    gate = move.manifest.gate
    if gate.overruled:
        return f"rejected, overruled by {gate.overruled}"
    return "accepted" + (f" against {gate.baseline}" if gate.baseline else ", nothing was live")
