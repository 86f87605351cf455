"""What the benchmarks have in common at the command line: their options, their tables, the file of their figures."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table


def parser(name: str, description: str | None, *, quick: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of a benchmark's options, with `--json` and, if there is a quick way, `--quick`.

    Args:
        name: of the module.
        description: what it measures.
        quick: what `--quick` makes smaller; whether it works is shown then, and not how fast.
    """
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    made.add_argument("--json", type=Path, metavar="FILE", help="keep what was measured in this file")
    if quick is not None:
        made.add_argument("--quick", action="store_true", help=f"{quick}: whether it works, not how fast")
    return made


def keep(options: argparse.Namespace, figures: Any) -> None:
    """Write figures to the file of `--json`, if it was given."""
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def table(title: str, *headings: str, words: int = 1) -> Table:
    """Return an empty table that is whole in a terminal of 80 columns: words go on in the next line, none is cut.

    Args:
        title: what the figures are, and their unit.
        headings: of the columns.
        words: how many columns hold words; those after them hold figures.
    """
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for number, heading in enumerate(headings):
        if number < words:
            made.add_column(heading, overflow="fold", vertical="bottom")
        else:  # as narrow as its figures and the words of its heading let it be
            made.add_column(heading.replace(" ", "\n"), no_wrap=True, justify="right")
    return made


def console() -> Console:
    """Return the console that tables and findings go to."""
    return Console(highlight=False)


def progress() -> Progress:
    """Return a bar on standard error that says how many of all steps are done."""
    columns = (*Progress.get_default_columns()[:2], TimeElapsedColumn(), TextColumn("{task.completed}/{task.total}"))
    return Progress(*columns, console=Console(stderr=True))
