"""The routes of the page. Each but the static files needs a user of Airflow who may read the model's DAG.

Nothing changes by GET: a form is sent by POST with a token, and Airflow's own API then starts `operate_<model>` as that
user. What comes from a store is untrusted: templates escape it, and a model card is shown in a sandbox.
"""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI, Form, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.version import Version
from model_release.errors import ModelReleaseError, NotFound, UsageError
from model_release.releases import catalog
from model_release.releases.compare import Difference, compare
from model_release.releases.request import Action
from model_releases import acts, airflow_api, chart
from model_releases.models import BEGINS, VERBS, Model, known, model_of
from model_releases.views import render

HERE = Path(__file__).parent
CARD = "model_card.html"
_DECISIVE = {"metrics", "dataset", "parameters", "schema", "environment"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
)
_CARD_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


def page() -> FastAPI:
    """Return the app."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.middleware("http")(_with_headers)
    app.exception_handler(ModelReleaseError)(_said)
    app.exception_handler(HTTPException)(_refused)
    reads = [Depends(requires_authenticated()), Depends(requires_access_dag("GET"))]
    reads_runs = [*reads, Depends(requires_access_dag("GET", DagAccessEntity.RUN))]
    shown: dict[str, Any] = {"dependencies": reads, "response_class": HTMLResponse}
    app.get("/", dependencies=reads[:1], response_class=HTMLResponse)(index)
    app.get("/of/{dag_id}/", dependencies=reads)(tab)
    app.get("/{dag_id}/", dependencies=reads_runs, response_class=HTMLResponse)(glance)
    app.get("/{dag_id}/moves/{epoch}", **shown)(moves)
    app.get("/{dag_id}/versions/", **shown)(versions)
    app.get("/{dag_id}/versions/{version}", **shown)(one_version)
    app.get("/{dag_id}/decisions/", **shown)(decisions)
    app.get("/{dag_id}/cards/{version}", **shown)(card)
    app.get("/{dag_id}/compare/", **shown)(compared)
    app.get("/{dag_id}/chart.svg", **shown)(drawn)
    app.get("/{dag_id}/decisions.svg", **shown)(drawn_decisions)
    app.get("/{dag_id}/act/", **shown)(form)
    app.post("/{dag_id}/act/", dependencies=reads)(sent)
    app.get("/{dag_id}/runs/{run_id}", dependencies=reads_runs, response_class=HTMLResponse)(followed)
    return app


def index(request: Request, user: GetUserDep) -> str:
    """Show the models whose DAG the user may read."""
    manager = get_auth_manager()
    mine = {
        dag_id: each
        for dag_id, each in known().items()
        if manager.is_authorized_dag(method="GET", details=DagDetails(id=dag_id), user=user)
    }
    return render(request, "index.html", models=mine)


def tab(dag_id: str) -> Response:
    """Lead from the page of any of a model's three DAGs to the model. Airflow shows the tab at every DAG there."""
    verb, _, identifier = dag_id.partition("_")
    trained_by = f"{BEGINS}{identifier}"
    if verb not in VERBS or trained_by not in known():
        raise NotFound("this DAG belongs to no model whose releases are shown here", where=dag_id)
    return RedirectResponse(f"../../{trained_by}/")


async def glance(request: Request, dag_id: str) -> str:
    """Show what is live, since when, why and where, what the last nights decided, and the newest moves."""
    model = await run_in_threadpool(model_of, dag_id)
    found = await run_in_threadpool(model.overview.glance)
    nights = await airflow_api.nights(request, dag_id)
    checkup = await airflow_api.checkup(request, model.housekeeping)
    pointer = found.pointer
    back = await run_in_threadpool(model.overview.back, pointer) if pointer else None
    choices = acts.about_latest(pointer, back) if pointer else []
    return render(request, "glance.html", model=model, glance=found, nights=nights, checkup=checkup, choices=choices)


def moves(request: Request, dag_id: str, epoch: int) -> str:
    """Show the moves from an epoch on, newest first."""
    model = model_of(dag_id)
    return render(request, "moves.html", model=model, moves=model.overview.moves(epoch))


def versions(request: Request, dag_id: str, below: str | None = None) -> str:
    """Show the numbers that were taken, the highest first."""
    model = model_of(dag_id)
    found = model.overview.versions(Version.parse(below) if below else None)
    return render(request, "versions.html", model=model, versions=found)


def decisions(request: Request, dag_id: str, after: Annotated[int, Query(ge=0)] = 0) -> str:
    """Show what the gate decided, rejections included, the newest first."""
    model = model_of(dag_id)
    return render(request, "decisions.html", model=model, decisions=model.overview.decisions(after))


def one_version(request: Request, dag_id: str, version: str) -> str:
    """Show a version: its facts, figures and evidence, its card, and what may be done with it."""
    model, manifest, live = _model_and(dag_id, version)
    pointer = live.pointer if live else None
    state = catalog.state_of(manifest.version, manifest, pointer)
    choices = acts.about(pointer, manifest) if pointer else []
    has_card = any(each.path == CARD for each in manifest.files)
    return render(
        request, "version.html", model=model, manifest=manifest, state=state, choices=choices, pointer=pointer,
        has_card=has_card,
    )  # fmt: skip


def card(dag_id: str, version: str) -> Response:
    """Return a version's card, checked against its manifest. It may not run scripts nor load anything."""
    model, manifest, _ = _model_and(dag_id, version)
    entry = manifest.file(CARD)
    with tempfile.TemporaryDirectory(prefix="model-release-") as folder:
        target = Path(folder) / CARD
        catalog.fetch(model.releases.home, layout.artifact(manifest.version, CARD), entry, target)
        return HTMLResponse(target.read_bytes(), headers={"Content-Security-Policy": _CARD_POLICY})


def compared(request: Request, dag_id: str, a: str, b: str) -> str:
    """Show what differs between two versions: figures, data, parameters, columns, packages."""
    model, first, _ = _model_and(dag_id, a)
    _, second, _ = _model_and(dag_id, b)
    return render(request, "compare.html", model=model, a=first, b=second, parts=_differences(first, second))


def drawn(request: Request, dag_id: str) -> Response:
    """Return the chart of the headline figure and the rows over the newest versions."""
    return _drawn(render(request, "chart.svg", **chart.of_versions(model_of(dag_id).overview.versions().rows)))


def drawn_decisions(request: Request, dag_id: str) -> Response:
    """Return the chart of the headline figure and the rows over the newest verdicts, rejections too."""
    return _drawn(render(request, "chart.svg", **chart.of_verdicts(model_of(dag_id).overview.decisions().rows)))


def _drawn(svg: str) -> Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(svg, media_type="image/svg+xml", headers={"Content-Security-Policy": policy})


def form(request: Request, dag_id: str, user: GetUserDep, action: Action, version: str | None = None) -> str:
    """Show what an act would change, and ask for the reason."""
    model, manifest, pointer, choice = _choice(dag_id, action, version)
    run_id = acts.new_run_id(action)
    token = acts.form_token(str(user.get_id()), model.operate, run_id)
    now = model.overview.manifest(pointer.version)
    moves_to = manifest if manifest and action in (Action.ROLLBACK, Action.PROMOTE) else None
    parts = _differences(now, moves_to) if now and moves_to else {}
    return render(
        request, "act.html", model=model, pointer=pointer, choice=choice, manifest=manifest, parts=parts,
        run_id=run_id, token=token, refused=choice.refused, overrules=acts.OVERRULES.get(action),
    )  # fmt: skip


async def sent(
    request: Request,
    dag_id: str,
    user: GetUserDep,
    action: Annotated[Action, Form()],
    epoch: Annotated[int, Form()],
    run_id: Annotated[str, Form()],
    token: Annotated[str, Form()],
    reason: Annotated[str, Form()] = "",
    version: Annotated[str | None, Form()] = None,
    overrule: Annotated[bool, Form()] = False,
) -> Response:
    """Start `operate_<model>` through Airflow's API as this user; sent again, it finds the run that it started."""
    model, _, pointer, choice = await run_in_threadpool(_choice, dag_id, action, version)
    if not acts.is_ours(token, str(user.get_id()), model.operate, run_id):
        raise HTTPException(403, "this form was not made for you by this page: open it again")
    if not reason.strip():
        raise HTTPException(422, "say why: the log keeps the reason for ever")
    conf = {
        "action": action,
        "version": version or None,
        "reason": reason.strip(),
        "epoch": epoch,
        "overrule": overrule,
    }
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
    started = await airflow_api.ask(request, "POST", f"/dags/{model.operate}/dagRuns", json=body)
    if started.status not in (200, 409):
        raise HTTPException(started.status, f"Airflow did not start {model.operate}: {started.why or 'without a word'}")
    return RedirectResponse(f"../runs/{run_id}", status_code=303)


async def followed(request: Request, dag_id: str, run_id: str) -> str:
    """Show how far an act is."""
    model = await run_in_threadpool(model_of, dag_id)
    found = await airflow_api.run_of(request, model.operate, run_id)
    if found is None:
        raise HTTPException(404, "there is no such run, or you may not see it")
    return render(request, "run.html", model=model, run=found)


def _differences(a: Manifest, b: Manifest) -> dict[str, list[Difference]]:
    """Return what differs of the parts that readers decide by; the command `diff` shows the others as well."""
    return {name: rows for name, rows in compare(a, b).items() if name in _DECISIVE}


def _choice(dag_id: str, action: Action, version: str | None) -> tuple[Model, Manifest | None, Any, acts.Choice]:
    model = model_of(dag_id)
    live = model.releases.pointer()
    if live is None:
        raise NotFound("nothing is live yet", where=model.releases.uri)
    manifest = None
    if version and acts.takes_version(action):
        manifest = model.releases.manifest(Version.parse(version))
    back = model.overview.back(live.pointer)
    choices = acts.about(live.pointer, manifest) if manifest else acts.about_latest(live.pointer, back)
    choice = acts.choice_of(choices, action)
    if choice is None:
        raise UsageError(f"{action}: no version is given", hint="begin at the version's page")
    return model, manifest, live.pointer, choice


def _model_and(dag_id: str, version: str) -> tuple[Model, Manifest, Any]:
    model = model_of(dag_id)
    return model, catalog.published(model.overview.memory, Version.parse(version)), model.releases.pointer()


async def _with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if "/static/" not in request.url.path:
        response.headers["Cache-Control"] = "no-store"
    return response


async def _said(request: Request, error: Exception) -> Response:
    assert isinstance(error, ModelReleaseError)  # noqa: S101 - it is registered for these
    status = 404 if isinstance(error, NotFound) else 422 if isinstance(error, UsageError) else 503
    return HTMLResponse(render(request, "error.html", what=str(error)), status)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the same
    return HTMLResponse(render(request, "error.html", what=str(error.detail)), error.status_code)
