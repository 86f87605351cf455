"""How the command line speaks: data on stdout, as tables for people or one JSON document; words on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from model_release.errors import ModelReleaseError

DEBUG_VARIABLE = "MODEL_RELEASE_DEBUG"
"""Environment variable: `1` shows the traceback of an error."""

SetOut = Callable[[str, int, str], None]
"""Called as a file sets out: its path, its size in bytes, the URI that it goes to or comes from."""

GOOD, BAD, CALM = "green", "bold red", "dim"


@dataclass(frozen=True)
class Output:
    """What every command that shows something prints, and where: a group of options.

    Attributes:
        as_json: one JSON document on stdout instead of tables.
        quiet: no words and no progress on stderr; errors are always printed.
    """

    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout instead of tables.")] = False
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No words and no progress on stderr.")] = False

    def data(self, document: object, page: Sequence[RenderableType]) -> None:
        """Print what was asked for: the document with `--json`, else the page."""
        console = _console()
        if self.as_json:
            console.out(json.dumps(document, indent=2, ensure_ascii=False, default=_iso), highlight=False)
        else:
            console.print(Group(*page), crop=False)  # a line that may not be broken, to be copied, is not cut off

    def say(self, words: str, *, style: str = CALM) -> None:
        """Print a sentence about the progress."""
        if not self.quiet:
            _console(stderr=True).print(safe(words), style=style, soft_wrap=True)

    @property
    def console(self) -> Console:
        """The console for progress: stderr, or none if quiet."""
        return Console(quiet=True) if self.quiet else _console(stderr=True)

    def tell(self, words: str) -> None:
        """Print a sentence on stderr even if the command is quiet."""
        _console(stderr=True).print(safe(words), style=BAD, soft_wrap=True)

    @contextlib.contextmanager
    def count(self) -> Iterator[_Count | None]:
        """Show how far many small files are: a bar on a terminal, else nothing."""
        console = _console(stderr=True)
        if self.quiet or not console.is_terminal:
            yield None
            return
        files = TextColumn("{task.fields[files]:,} of {task.fields[of]:,} files")
        words = TextColumn("{task.description}", markup=False)
        columns = (SpinnerColumn(), words, BarColumn(bar_width=20), files, DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield _Count(progress)

    @contextlib.contextmanager
    def travel(self, total: int | None) -> Iterator[SetOut]:
        """Show files on their way: a bar that moves on a terminal, else a line for each.

        Args:
            total: bytes that will travel; None if it is unknown.
        """
        console = _console(stderr=True)
        if self.quiet or not console.is_terminal:
            yield lambda path, length, uri: self.say(f"{path}  {size(length)}  {uri}")
            return
        name = TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True))
        columns = (SpinnerColumn(), name, BarColumn(bar_width=20), DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True, expand=True) as progress:
            task, under_way = progress.add_task("", total=total), 0

            def set_out(path: str, length: int, uri: str) -> None:
                nonlocal under_way
                progress.update(task, advance=under_way, description=safe(f"{path}  {uri}"))
                under_way = length

            yield set_out
            progress.update(task, advance=under_way)


class _Count:
    """A bar that counts files; drawn at most ten times a second, as there may be many thousands."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", visible=False, files=0, of=0)
        self._files = self._size = 0
        self._shown = 0.0

    def begin(self, what: str, files: int, size: int) -> None:
        """Begin with so many files, of so many bytes together."""
        self._files = self._size = 0
        self._progress.reset(self._task, total=size, visible=True, description=what, files=0, of=files)

    def advance(self, size: int) -> None:
        """Count one file of so many bytes as done."""
        self._files, self._size = self._files + 1, self._size + size
        if (now := time.monotonic()) - self._shown > 0.1:
            self._shown = now
            self._progress.update(self._task, completed=self._size, files=self._files)


@contextlib.contextmanager
def bar() -> Iterator[Callable[[int, int], None]]:
    """Show one bar of bytes, moved by calls with how many are here and how many there will be."""
    columns = (SpinnerColumn(), BarColumn(bar_width=40), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda here, total: progress.update(task, completed=here, total=total)


def tell_error(error: ModelReleaseError, *, as_json: bool) -> None:
    """Print an error on stderr: what happened, to which object, what to do next."""
    console = _console(stderr=True)
    if as_json:
        facts = {"error": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}
        console.out(json.dumps({**facts, "exit_code": error.exit_code}, ensure_ascii=False), highlight=False)
        return
    console.print(Text("error: ", style=BAD) + Text(safe(str(error))), soft_wrap=True)


def debugging() -> bool:
    """Whether tracebacks are wanted."""
    return os.environ.get(DEBUG_VARIABLE) == "1"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[RenderableType | None]], *, right: Sequence[str] = ()
) -> Table:
    """Return a plain table that fits 80 columns: texts wrap, None is a dash.

    Args:
        columns: headings.
        rows: cells in the order of the headings.
        right: headings of the columns that hold numbers.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(cell) for cell in row))
    return made


def facts(pairs: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Return names and values, one below the other; a name without a value is left out."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        if value is not None:
            made.add_row(name, _cell(value))
    return made


def heading(text: str) -> Text:
    """Return the heading of a part of a page."""
    return Text(f"\n{safe(text)}", style="bold underline")


def safe(text: str) -> str:
    """Return a text from a store without the control characters that would steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)


def when(moment: datetime | None) -> str | None:
    """Return a time in UTC to the minute."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def day(moment: date | datetime | None) -> str | None:
    """Return a date."""
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC)
    return None if moment is None else f"{moment:%Y-%m-%d}"


def figure(value: float | None) -> str | None:
    """Return a figure with four digits, as the gate's own page has it."""
    return None if value is None else f"{value:.4f}"


def size(number: int) -> str:
    """Return a number of bytes for people."""
    return decimal(number)


def _iso(value: date) -> str:
    return value.isoformat()


def _cell(value: RenderableType | None) -> RenderableType:
    if value is None:
        return Text("–", style=CALM)
    return Text(safe(value)) if isinstance(value, str) else value


def _console(*, stderr: bool = False) -> Console:
    # Made anew for each use, so that it writes to the streams of now; it follows NO_COLOR, FORCE_COLOR and COLUMNS.
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)
