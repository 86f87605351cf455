"""`make up`: an Airflow that stands until Ctrl-C, for a person with a browser.

It lives in the same folder as that of `make run`, which uses this one while it stands. Timetables are on.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from model_release.errors import ModelReleaseError
from scripts import sessions
from scripts.airflow_home import OF_CHECKOUT, USER, AirflowHome
from scripts.display import plain_console, progress
from scripts.local_airflow import LocalAirflow
from scripts.waits import describe

_WATCH_SECONDS = 2

app = typer.Typer(add_completion=False)


@app.command()
def up(
    *,
    port: Annotated[int | None, typer.Option(help="Of the UI; a free one by default.")] = None,
    var: Annotated[Path, typer.Option(help="The folder for all that it leaves.")] = OF_CHECKOUT.var,
    dags: Annotated[Path, typer.Option(help="The folder of DAG files.")] = OF_CHECKOUT.dags,
) -> None:
    """Run an Airflow until Ctrl-C."""
    sessions.stop_when_told()
    console = plain_console()
    home = AirflowHome(var=var.resolve(), dags=dags.resolve())
    try:
        with ExitStack() as until_the_end:
            with progress(console) as say:
                airflow = LocalAirflow(home, triggerer=True, schedule=True, standing=True, port=port, say=say)
                until_the_end.enter_context(airflow)
            console.print(f"Airflow stands at [bold]{airflow.rest.url}[/bold]; Ctrl-C stops it")
            console.print(f"user [bold]{USER}[/bold], password [bold]{home.password}[/bold]")
            console.print(f"logs in {home.logs}", style="dim")
            _watch(airflow, console)
    except ModelReleaseError as error:
        console.print(Text(str(error), "red"))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        console.print("stopped")


def _watch(airflow: LocalAirflow, console: Console) -> None:
    """Tell of DAG files that cannot be imported, each time that one changes, until a component ends."""
    shown: set[tuple[str, str]] = set()
    while True:
        airflow.check()
        problems = [each for each in airflow.rest.import_problems() if (each.file, each.trace) not in shown]
        if problems:
            shown |= {(each.file, each.trace) for each in problems}
            console.print(Text(describe(problems), "red"))
        time.sleep(_WATCH_SECONDS)


if __name__ == "__main__":
    app()
