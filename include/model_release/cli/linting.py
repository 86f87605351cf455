"""The command that says what is wrong with specs, and with the data that they read, before a night does: `lint`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from model_release.cli import output as out
from model_release.cli.app import app
from model_release.cli.destinations import open_without_airflow
from model_release.errors import EXIT_USAGE


@app.command()
def lint(
    *,
    specs: Annotated[list[Path], typer.Argument(metavar="SPEC...", help="Files that describe models.")],
    data: Annotated[
        bool | None,
        typer.Option("--data/--no-data", help="Read the data too. By itself if the source is a folder."),
    ] = None,
    output: out.Output,
) -> None:
    """Check model specs, and the data that they read, without writing anything.

    A fault stops a run, and ends with status 2. A warning does not. Where scikit-learn is installed, each candidate is
    tried on made-up rows too.
    """
    from model_release.workflows.linting import findings

    if find_spec("sklearn") is None:
        output.say("scikit-learn is not installed: neither candidates nor data are tried")
    documents: list[dict[str, object]] = []
    lines: list[Text] = []
    for path in specs:
        found = findings(path, specs, data=data, opener=open_without_airflow)
        documents.append({"spec": str(path), "fault": found.fault, "warnings": found.warnings, "rows": found.rows})
        mark = Text("✗ ", style=out.BAD) if found.fault else Text("✓ ", style=out.GOOD)
        read = f" ({found.rows:,} rows)" if found.rows is not None else ""
        lines.append(mark + Text(out.safe(f"{path}: {found.fault}" if found.fault else f"{path}{read}")))
        lines += [Text("! ", style="yellow") + Text(out.safe(each)) for each in found.warnings]
    failed = any(each["fault"] for each in documents)
    output.data({"valid": not failed, "specs": documents}, lines)
    if failed:
        raise typer.Exit(EXIT_USAGE)
