"""The doors in Airflow: the routes of the Releases page, and the conf of each kind of run as its form and task read it.

Airflow reads its environment at its first import, so this module imports it in functions alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote

from fuzz.doors import Door, check_words
from model_release.errors import ModelReleaseError
from model_release.releases import acts
from model_release.releases.store import ReleaseStore
from model_release.stores.local import LocalStore
from support.dag_runs import load, sync
from support.quick_specs import quick_spec
from support.release_builder import Chain, act, make

MODEL = "heart_disease"
_PAGE = "/model-releases"
_RETRAIN = f"retrain_{MODEL}"

_GETS = [
    "/", f"/{_RETRAIN}/", f"/{_RETRAIN}/moves/2", f"/{_RETRAIN}/versions/?below=v1.1.0", f"/{_RETRAIN}/versions/v1.0.0",
    f"/{_RETRAIN}/decisions/?after=0", f"/{_RETRAIN}/cards/v1.0.0", f"/{_RETRAIN}/compare/?a=v1.0.0&b=v1.1.0",
    f"/{_RETRAIN}/chart.svg", f"/{_RETRAIN}/act/?action=rollback&version=v1.0.0", f"/{_RETRAIN}/runs/page__hold__1",
]  # fmt: skip
_FORMS = [
    "action=hold&epoch=4&run_id=page__hold__1&reason=why",
    "action=rollback&epoch=4&run_id=page__rollback__2&reason=why&version=v1.0.0&overrule=true",
]
_CONFS: dict[str, Sequence[dict[str, Any]]] = {
    "retrain": [
        {"as_of": "2026-11-30", "candidates": ["logistic_regression"], "accuracy_floor": 0.8, "promote": "never"},
        {"as_of": None, "bump": "major", "force": True, "promote": "auto"},
    ],
    "operate": [
        {"action": "rollback", "reason": "worse", "version": None, "epoch": None, "overrule": False},
        {"action": "quarantine", "reason": "wrong", "version": "v1.0.0", "epoch": 3},
    ],
    "housekeeping": [{"dry_run": True, "repair": False, "read_data": False}, {"repair": True}],
}


@contextmanager
def an_airflow(folder: Path) -> Iterator[dict[str, Door]]:
    """Give the doors of an Airflow that is made in a folder: its database, a spec, and three releases, one live.

    Only for a process that has not imported Airflow.
    """
    from scripts.airflow_home import AirflowHome

    specs = folder / "specs"
    specs.mkdir(parents=True)
    home = AirflowHome(var=folder / "var", extra={"MODEL_RELEASE_SPECS": str(specs)})
    home.prepare()
    before = dict(os.environ)
    os.environ.update(home.environment(port=0), AIRFLOW__LOGGING__LOGGING_LEVEL="CRITICAL")
    try:
        quick_spec(specs, MODEL)
        release_three(home.store, folder / "made")
        yield {"the page": page_door(), **conf_doors()}
    finally:
        os.environ.clear()
        os.environ.update(before)


def release_three(store: Path, scratch: Path) -> None:
    """Release three versions of the model below a folder, and go back from the third to the second."""
    home, since = LocalStore(store / "heart-disease-models"), None
    for name in ("a", "b", "c"):
        done = Chain(home).release(make(scratch, name, since=since), since=since)
        if done.pointer is not None:
            since = done.pointer.since
    acts.rollback(ReleaseStore(home), act("back"))


def page_door() -> Door:
    """The page's routes, asked by a user who may do everything. A body is an address, or below it a form.

    The form's token is made for it, as the page itself would, so that what lies behind it is reached.
    """
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    sync(f"operate_{MODEL}")
    app = create_app(apps="core")
    asking = TestClient(app, follow_redirects=False, raise_server_exceptions=True)
    asking.cookies.set("_token", get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ann", role="admin")))
    from model_releases.acts import form_token

    def enter(body: bytes) -> bool:
        head, below, form = body.partition(b"\n")
        address = _PAGE + quote(head, safe="/?&=%.~-_:;,+")
        if below:
            sent = dict(parse_qsl(form.decode(errors="replace"), keep_blank_values=True))
            sent.setdefault("token", form_token("ann", f"operate_{MODEL}", sent.get("run_id", "")))
            answer = asking.post(address, data=sent)
        else:
            answer = asking.get(address)
        if answer.status_code >= 400:
            check_words(answer.text)
        if answer.status_code >= 500:
            raise AssertionError(f"status {answer.status_code}: {answer.text[-300:]}")
        return answer.status_code < 400

    forms = [f"/{_RETRAIN}/act/\n{each}" for each in _FORMS]
    return Door([each.encode() for each in [*_GETS, *forms]], enter, slow=5)


def conf_doors() -> dict[str, Door]:
    """The conf of a run of each DAG: Airflow checks it by the form, then the task's first step reads it."""
    from airflow.utils.types import DagRunType

    from model_release.airflow_glue import housekeeping_run, operate_run, retrain_run
    from model_release.spec.summary import Summary, summaries
    from support.dag_runs import DAGS

    (spec,) = [each for each in summaries(DAGS / "retrain.py") if isinstance(each, Summary)]
    starts: dict[str, Callable[[Summary], object]] = {
        "retrain": retrain_run,
        "operate": operate_run,
        "housekeeping": housekeeping_run,
    }
    return {
        f"conf of {kind}": Door(
            [_lines(each) for each in _CONFS[kind]],
            _conf(load(f"{kind}_{MODEL}"), lambda start=start: start(spec), DagRunType.MANUAL),  # type: ignore[misc]
            slow=2,
        )
        for kind, start in starts.items()
    }


def _lines(conf: dict[str, Any]) -> bytes:
    """Return a conf as a line for each field, so that one that is changed anywhere is a conf still."""
    return "\n".join(f"{name} {json.dumps(value)}" for name, value in conf.items()).encode()


def _field(line: str) -> tuple[str, Any]:
    name, _, value = line.partition(" ")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _conf(dag: Any, start: Callable[[], object], run_type: Any) -> Callable[[bytes], bool]:
    from airflow.sdk.definitions.param import process_params
    from airflow.sdk.exceptions import ParamValidationError
    from airflow.sdk.execution_time.context import set_current_context

    def enter(body: bytes) -> bool:
        conf = dict(map(_field, body.decode(errors="replace").splitlines()))
        run = SimpleNamespace(
            run_id="manual__1", dag_id=dag.dag_id, conf=conf, run_type=run_type, run_after=datetime.now(UTC),
            data_interval_end=None, triggering_user_name="ann",
        )  # fmt: skip
        try:
            params = process_params(dag, dag.get_task(dag.task_ids[0]), conf, suppress_exception=False)
        except ParamValidationError as error:
            check_words(str(error))
            return False
        context: Any = {"dag_run": run, "dag": dag, "params": params, "ti": None}
        try:
            with set_current_context(context):
                start()
        except ModelReleaseError as error:
            check_words(error.what)
            return False
        return True

    return enter
