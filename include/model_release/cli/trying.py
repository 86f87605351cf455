"""The command that runs a spec's whole chain on this machine, without Airflow: `try`."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from model_release.cli import output as out
from model_release.cli.app import app
from model_release.cli.destinations import open_without_airflow
from model_release.cli.released import read_live
from model_release.cli.run_page import Tasks, result_page, story
from model_release.errors import EXIT_DONE, NotFound, UsageError
from model_release.spec.load import load_spec


@app.command("try")
def try_(
    *,
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The file that describes the model.")],
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The folder for releases and data, laid out like a bucket.")
    ] = Path("try"),
    force: Annotated[bool, typer.Option("--force", help="Train although nothing is new.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Show each task and each check of the gate.")] = False,
    output: out.Output,
) -> None:
    """Run the whole chain here, without Airflow: ingest, train, judge and release to a folder.

    Nothing outside the folder is written. The spec's destinations, MLflow, signing and approval have no part in it.
    """
    if find_spec("sklearn") is None:
        raise UsageError("scikit-learn is not installed", hint="install model-release with its extra train")
    from model_release.workflows.local_run import at_folder, run_here
    from model_release.workflows.run import Run
    from model_release.workflows.sources import today_of

    here, left_out = at_folder(load_spec(spec), to)
    output.say(f"not part of a try: {', '.join(left_out)}")
    run_id = f"try__{datetime.now(UTC).isoformat()}"
    run = Run(run_id=run_id, as_of=today_of(here), by="model-release try", force=force)
    with Tasks(output.console) as shown:
        done = run_here(here, run, opener=open_without_airflow, watch=shown.show)
    try:
        live = read_live(to.resolve() / f"{here.name}-models")
    except NotFound:
        live = None
    words, status = story("success", done.outcome, done.verdict, live, run.run_id)
    document = {
        "summary": words,
        "exit_status": status,
        "store": to.resolve().as_uri(),
        "live": live.version if live else None,
        "model_card": str(live.card) if live and live.card else None,
        "tasks": [{"task": each.label, "state": each.state, "seconds": each.seconds} for each in done.tasks],
        "outcome": done.outcome.facts(),
        "verdict": done.verdict.facts() if done.verdict else None,
        "report": done.result.facts(),
    }
    good = status == EXIT_DONE
    page = result_page(
        words, tasks=done.tasks, live=live, verdict=done.verdict, store=to.resolve(), good=good, full=full
    )
    output.data(document, page)
    if status != EXIT_DONE:
        raise typer.Exit(status)
