"""The command `doctor`: what is wrong anywhere, what mends it, and what is a person's to decide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import app
from model_release.cli.destinations import Model
from model_release.errors import EXIT_DOCTOR, ModelReleaseError
from model_release.releases.catalog import live_pointer
from model_release.releases.doctor.findings import Finding
from model_release.workflows.checkup import Checkup, checkup
from model_release.workflows.destinations import Destinations


@app.command()
def doctor(
    *,
    model: Model,
    read_data: Annotated[
        bool, typer.Option("--read-data", help="Read and hash every file; else sizes are compared.")
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what has one right answer.")] = False,
    output: out.Output,
) -> None:
    """Look for damage at every destination. Exit status 6 if any is there, or is left after --repair.

    What needs no act is noted, and leaves the status 0.

    Nothing is elected: where latest.json is lost or forked, or the live version is damaged everywhere, the choices are
    laid out for a person.
    """
    destinations = model.destinations()
    output.say(f"looking at {', '.join(store.uri for store in destinations.releases.stores)} …")
    done = checkup(destinations, read_data=read_data, repair=repair, tell=output.say)
    if not done.wrong and not done.failures:
        live_pointer(destinations.home)  # a folder without a model is not healthy
    output.data(_document(destinations, done), [*_page(done, read_data=read_data)])
    if done.wrong or done.failures:
        raise typer.Exit(EXIT_DOCTOR)


def _document(destinations: Destinations, done: Checkup) -> dict[str, object]:
    return {
        "uri": destinations.home.uri,
        "destinations": [store.uri for store in destinations.releases.stores],
        "healthy": not done.wrong and not done.failures,
        "looked": done.looked,
        "found": [_told(each) for each in done.left],
        "mended": [_told(each) for each in done.mended],
        "failures": [_failure(each) for each in done.failures],
    }


def _told(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "destination": finding.destination,
        "where": finding.where,
        "what": finding.what,
        "repairable": finding.repairable,
        "note": finding.note,
        "remedy": finding.remedy,
        "choices": finding.choices,
    }


def _failure(error: ModelReleaseError) -> dict[str, object]:
    return {"error": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}


def _page(done: Checkup, *, read_data: bool) -> Iterator[RenderableType]:
    for words in done.looked:
        yield Text(out.safe(words), style=out.CALM)
    noted = [each for each in done.left if each.note]
    for title, findings in (("Mended", done.mended), ("Noted", noted), ("Found", done.wrong)):
        for destination, there in groupby(findings, key=lambda each: each.destination):
            yield out.heading(f"{title} at {destination}")
            group = [*there]
            yield _table(group, mended=title == "Mended")
            for each in group:
                yield from _choices(each)
    for error in done.failures:
        yield Text(out.safe(f"could not be mended: {error}"), style=out.BAD)
    if done.failures and not done.wrong:
        yield Text("no difference is left, and a destination could not be brought up to date", style=out.BAD)
        return
    if not done.wrong:
        looked = "every byte was read" if read_data else "files were compared by size; --read-data reads them"
        yield Text(f"{'everything is right now' if done.mended else 'nothing is wrong'} ({looked})", style=out.GOOD)
        return
    waiting = sum(each.repairable for each in done.wrong)
    counts = [f"{len(done.wrong)} found"]
    if waiting:
        counts.append(f"{waiting} of them can be mended by --repair")
    if waiting < len(done.wrong):
        counts.append(f"{len(done.wrong) - waiting} need a person")
    yield Text(f"\n{', '.join(counts)}", style=out.BAD)


def _table(findings: Sequence[Finding], *, mended: bool) -> RenderableType:
    def rows() -> Iterator[Iterable[RenderableType]]:
        for each in findings:
            style = out.GOOD if mended else out.CALM if each.note else "yellow" if each.repairable else out.BAD
            found = Text(str(each.kind), style=style) + Text(out.safe(f"\n{each.what}"), style="")
            yield _name(each), found, "mended" if mended else each.remedy

    return out.table(("Object", "Found", "What to do"), [[*row] for row in rows()])


def _choices(finding: Finding) -> Iterator[RenderableType]:
    """What a person may do, one line each, never broken, so that it can be copied."""
    if finding.choices:
        yield Text(out.safe(f"\nWhat may be done about {_name(finding)}:"), style="bold")
    for each in finding.choices:
        yield Text(out.safe(f"• {each}"), no_wrap=True, overflow="ignore")


def _name(finding: Finding) -> str:
    return finding.where.removeprefix(finding.destination).lstrip("/") or finding.where
