"""Waiting for an Airflow, with a deadline: until it has parsed a DAG, until a run has ended.

Used through `LocalAirflow`, and directly for an Airflow that another program has started.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime

from model_release.errors import NotFound, Retry, Stop
from model_release.workflows.task_state import TaskState
from scripts.airflow_rest import RUN_ENDED, AirflowRest, ImportProblem

PARSE_SECONDS = 120.0
RUN_SECONDS = 1800.0
_ASK_SECONDS = 0.4  # an answer costs the API server as much of a processor as a step costs the scheduler
_OTHER_FILES_SECONDS = 5.0  # a broken file does not speak for the others, which may not be parsed yet


def wait_for_dag(
    rest: AirflowRest,
    dag_id: str,
    *,
    since: datetime | None = None,
    seconds: float = PARSE_SECONDS,
    check: Callable[[], object] = lambda: None,
) -> None:
    """Wait until the DAG is parsed; with `since`, until it is parsed after that.

    Args:
        rest: the Airflow.
        dag_id: of the DAG.
        since: what was parsed or failed to be imported earlier does not count.
        seconds: how long to wait.
        check: called while waiting; what it raises ends the wait.

    Raises:
        Stop: the DAG is not there and files could not be imported; the tracebacks are in the message.
        NotFound: no file has it.
    """
    given_up = None
    for _ in ticks(seconds, pause=_ASK_SECONDS):
        check()
        parsed = rest.parsed_at(dag_id)
        if parsed and (since is None or parsed >= since):
            return
        problems = [each for each in rest.import_problems() if since is None or each.at >= since]
        if problems and time.monotonic() > (given_up := given_up or time.monotonic() + _OTHER_FILES_SECONDS):
            raise Stop(describe(problems), where=dag_id, hint="mend the file and run again")
    raise NotFound(f"Airflow found no such DAG within {seconds:.0f} s", where=dag_id, hint="look into the DAGs folder")


def wait_for_run(
    rest: AirflowRest,
    dag_id: str,
    run_id: str,
    *,
    seconds: float = RUN_SECONDS,
    show: Callable[[list[TaskState]], object] | None = None,
    check: Callable[[], object] = lambda: None,
) -> str:
    """Wait until a run has ended and return its state, `success` or `failed`.

    Args:
        rest: the Airflow.
        dag_id: of the DAG.
        run_id: of the run.
        seconds: how long to wait.
        show: called with the tasks about twice a second, and once after the end.
        check: called as often; what it raises ends the wait.

    Raises:
        Retry: the run has not ended in time.
    """
    for _ in ticks(seconds, pause=_ASK_SECONDS):
        check()
        state = rest.run_state(dag_id, run_id)
        if show is not None:
            show(rest.tasks(dag_id, run_id))
        if state in RUN_ENDED:
            return state
    raise Retry(f"the run has not ended within {seconds:.0f} s", where=f"{dag_id} {run_id}")


def describe(problems: list[ImportProblem]) -> str:
    """Return import errors as text, a traceback for each file."""
    parts = [f"── {each.file}\n{each.trace.strip()}" for each in problems]
    return "\n".join([f"{len(problems)} DAG file(s) could not be imported", *parts])


def ticks(seconds: float, *, pause: float = 0.1) -> Iterator[None]:
    """Yield every `pause` seconds until `seconds` have passed, at least once."""
    deadline = time.monotonic() + seconds
    while True:
        yield
        if time.monotonic() >= deadline:
            return
        time.sleep(pause)
