"""The command that describes a file in a first spec: `init`."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import app
from model_release.errors import UsageError


@app.command()
def init(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A table: CSV in any usual form, or Parquet.")],
    target: Annotated[str, typer.Option("--target", metavar="COLUMN", help="The column that is to be predicted.")],
    name: Annotated[str | None, typer.Option("--name", help="The model's name; else the file's.")] = None,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The folder for the spec and its data.")] = Path(),
    output: out.Output,
) -> None:
    """Describe a file in a first spec that runs at once, and lay the file out as the spec's first partition.

    What is guessed is said, and stands in the spec to be corrected. An existing file is never overwritten.
    """
    if find_spec("pandas") is None:
        raise UsageError("pandas is not installed", hint="install model-release with its extra train")
    from model_release.workflows.drafting.draft import draft
    from model_release.workflows.drafting.table import read_table
    from model_release.workflows.drafting.writing import arrival, write

    table = read_table(file)
    made = draft(table, target=target, name=name or file.name.partition(".")[0])
    day = arrival(file, today=datetime.now(UTC).date())
    spec, partition = write(made, table, file, day=day, folder=to)
    commands = [f"model-release {verb} {shlex.quote(str(spec))}" for verb in ("lint", "try")]
    document = {
        "spec": str(spec),
        "partition": str(partition),
        "rows": table.rows,
        "columns": made.kept,
        "guesses": made.guesses,
        "next": commands,
    }
    page: list[RenderableType] = [
        out.facts([("spec", str(spec)), ("partition", f"{partition} ({table.rows:,} rows)")]),
        out.heading("What was guessed"),
        *(Text(f"- {out.safe(each)}") for each in made.guesses),
        out.heading("Next"),
        *(Text(each) for each in commands),
    ]
    output.data(document, page)
