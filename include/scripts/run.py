"""`make run`: one retrain run on a real Airflow, from nothing to a verified release.

Starts an Airflow, or uses the one that `make up` runs; triggers the DAG through the REST API; shows the
tasks; looks at the store for what was released. Exit status 0 only if the release is really there, else that
of the error tree.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from model_release.cli.released import read_live
from model_release.cli.run_page import Tasks, result_page, story
from model_release.errors import EXIT_DONE, EXIT_INTERRUPTED, ModelReleaseError, NotFound, UsageError
from model_release.spec.load import load_spec
from model_release.spec.model import Spec
from model_release.spec.summary import SPECS_VARIABLE
from model_release.workflows.messages import IngestOutcome, Verdict, parse
from scripts import sessions, waits
from scripts.airflow_home import CHECKOUT, OF_CHECKOUT, USER, AirflowHome
from scripts.airflow_rest import AirflowRest
from scripts.display import log_tail, plain_console, progress
from scripts.local_airflow import LocalAirflow
from scripts.tenant import standing_url

MODELS = CHECKOUT / "include" / "models"
STORE = "${MODEL_RELEASE_STORE}"

app = typer.Typer(add_completion=False)


@app.command()
def run(
    *,
    spec: Annotated[Path, typer.Option(help="The model's spec.")] = MODELS / "heart_disease.yaml",
    force: Annotated[bool, typer.Option(help="Train although nothing is new.")] = False,
    full: Annotated[bool, typer.Option(help="Show each task and each check of the gate.")] = False,
    var: Annotated[Path, typer.Option(help="The folder for all that a run leaves.")] = OF_CHECKOUT.var,
    dags: Annotated[Path, typer.Option(help="The folder of DAG files.")] = OF_CHECKOUT.dags,
) -> None:
    """Retrain one model once, and check what was released."""
    sessions.stop_when_told()
    console = plain_console()
    try:
        model = _model(spec)
        home = AirflowHome(var=var.resolve(), dags=dags.resolve(), extra=_found_by(model))
        raise SystemExit(_night(home, model, console, force=force, full=full))
    except ModelReleaseError as error:
        console.print(Text(str(error), "red"))
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started is stopped")
        raise SystemExit(EXIT_INTERRUPTED) from None


def _model(path: Path) -> Spec:
    """Return the spec, if this Airflow can run it to its end.

    Raises:
        SpecError: the spec is broken.
        UsageError: its first destination is not this Airflow's store, or it asks a person.
    """
    spec = load_spec(path)
    if spec.home.uri != STORE:
        raise UsageError(
            f"the first destination is {spec.home.uri}, and this Airflow's store is {STORE}",
            where=str(path),
            hint=f"write {STORE} for this run; make up runs any spec",
        )
    if spec.approval == "required":
        raise UsageError(
            "the spec asks a person for approval, and nobody is there to answer",
            where=str(path),
            hint="write approval: never for this run; or make up, and answer in the UI",
        )
    return spec


def _found_by(spec: Spec) -> dict[str, str]:
    """Return what lets the DAG files find a spec that is not among the checkout's, and those of the checkout too."""
    if spec.path.parent == MODELS:
        return {}
    return {SPECS_VARIABLE: os.pathsep.join([os.environ.get(SPECS_VARIABLE) or str(MODELS), str(spec.path)])}


def _night(home: AirflowHome, spec: Spec, console: Console, *, force: bool, full: bool) -> int:
    dag_id = f"retrain_{spec.identifier}"
    with ExitStack() as until_the_end:
        rest, check = _airflow(home, dag_id, console, until_the_end)
        rest.unpause(dag_id)
        run_id = rest.trigger(dag_id, conf={"force": True} if force else {})
        console.print(f"{dag_id} {run_id}", style="dim")
        tasks = until_the_end.enter_context(Tasks(console))
        try:
            state = waits.wait_for_run(rest, dag_id, run_id, show=tasks.show, check=check)
        except (KeyboardInterrupt, SystemExit):
            with suppress(ModelReleaseError):
                rest.fail_run(dag_id, run_id, note="interrupted")
            raise
        shown = [rest.xcom(dag_id, run_id, "ingest", key="outcome"), rest.xcom(dag_id, run_id, "gate", key="verdict")]
    reported = [parse(each) for each in shown if each is not None]
    outcome = next((each for each in reported if isinstance(each, IngestOutcome)), None)
    verdict = next((each for each in reported if isinstance(each, Verdict)), None)
    for task in tasks.last:
        if task.state == "failed":
            log = home.task_log(dag_id, run_id, task)
            console.print(Text(f"{task.label} failed. The end of {log}:", "red"), soft_wrap=True)
            console.print(Text(log_tail(log), "dim"), soft_wrap=True)
    try:
        live = read_live(home.store / f"{spec.name}-models")
    except NotFound:
        live = None
    words, status = story(state, outcome, verdict, live, run_id)
    good = status == EXIT_DONE
    page = result_page(words, tasks=tasks.last, live=live, verdict=verdict, store=home.store, good=good, full=full)
    for each in page:
        console.print(each)
    return status


def _airflow(
    home: AirflowHome, dag_id: str, console: Console, until_the_end: ExitStack
) -> tuple[AirflowRest, Callable[[], object]]:
    """Return an Airflow that has parsed the DAG, and a check that it still lives."""
    url = standing_url(home)
    if url is not None:
        console.print(f"using the Airflow that stands at {url}", style="dim")
        rest = until_the_end.enter_context(AirflowRest(url, user=USER, password=home.password))
        waits.wait_for_dag(rest, dag_id)
        return rest, lambda: None
    with progress(console) as say:
        airflow = until_the_end.enter_context(LocalAirflow(home, say=say))
        say("parsing the DAGs")
        airflow.wait_for_dag(dag_id)
    for left in airflow.rest.open_runs(dag_id):
        airflow.rest.fail_run(dag_id, left, note="given up: the Airflow that ran it was stopped")
    return airflow.rest, airflow.check


if __name__ == "__main__":
    app()
