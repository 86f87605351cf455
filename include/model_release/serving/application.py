"""The service's routes: predictions as plain routes, information as FastAPI's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from model_release import __version__
from model_release.serving import inference, reference
from model_release.serving.documentation import MLFLOW, OPEN_INFERENCE, OPERATION, document
from model_release.serving.endpoint import Adapter, Endpoint, fault
from model_release.serving.inference import infer
from model_release.serving.invocations import invocations
from model_release.serving.live import Live, Metrics, WithVersion
from model_release.serving.predict import predict
from model_release.serving.problems import Problem
from model_release.serving.served import Served

PREDICTING: dict[str, Adapter] = {
    "/predict": predict,
    "/invocations": invocations,
    "/v2/models/{name}/infer": infer,
    "/v2/models/{name}/versions/{version}/infer": infer,
}
"""The routes of predictions, by POST."""


_NO_SUCH_MODEL: dict[int | str, dict[str, Any]] = {404: {"description": "Another model or version is served."}}


def application(live: Live, *, limit: int, registry: CollectorRegistry | None = None) -> FastAPI:
    """Return the service.

    Args:
        live: the release that it serves.
        limit: of a request's body, in bytes.
        registry: of Prometheus; a new one by default.
    """
    registry = registry or CollectorRegistry()
    metrics = Metrics(live, registry)
    app = FastAPI(title="Model service", version=__version__, docs_url=None, redoc_url=None)
    app.state.metrics = metrics
    for path, adapter in PREDICTING.items():
        app.router.routes.append(Route(path, Endpoint(adapter, limit, metrics.predictions), methods=["POST"]))
    _tell(app, live)
    app.add_middleware(WithVersion, live=live)
    instrumentator = Instrumentator(registry=registry, excluded_handlers=["^/metrics$", "^/healthz$", "^/readyz$"])
    instrumentator.add(metrics.count).instrument(app).expose(app, tags=[OPERATION], response_class=PlainTextResponse)
    app.openapi = lambda: document(app, live.served)  # type: ignore[method-assign] # follows the served release

    @app.exception_handler(HTTPException)
    def _(_: Request, error: HTTPException) -> Response:
        return _problem(Problem(error.status_code, error.detail), headers=error.headers)

    @app.exception_handler(Problem)
    def _(_: Request, problem: Problem) -> Response:
        return _problem(problem)

    return app


def _tell(app: FastAPI, live: Live) -> None:
    """Add the routes of information about the service and the model."""

    @app.get("/model", tags=[OPERATION])
    async def model(request: Request) -> JSONResponse:
        """Describe the served release: version, since when, metrics, input schema."""
        return JSONResponse(_model(request.scope["served"], live))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        """Return the OpenAPI document as a page."""
        return HTMLResponse(reference.page(app.openapi()), headers=reference.HEADERS)

    @app.get("/healthz", tags=[OPERATION])
    async def healthz() -> dict[str, str]:
        """Answer that the process lives."""
        return {"status": "alive"}

    @app.get("/readyz", tags=[OPERATION], responses={503: {"description": "It is about to end."}})
    async def readyz(request: Request) -> dict[str, str]:
        """Answer whether requests may come: a verified model is loaded, and the service is not about to end."""
        _check_ready(live)
        return {"status": "ready", "version": request.scope["served"].version}

    @app.get("/ping", tags=[MLFLOW])
    @app.get("/health", tags=[MLFLOW])
    async def ping() -> dict[str, str]:
        """Answer as /readyz, for SageMaker and MLflow's clients."""
        _check_ready(live)
        return {"status": "ready"}

    @app.get("/version", tags=[MLFLOW], response_class=PlainTextResponse)
    async def version() -> str:
        """Return the version of this software; the model's is in the header X-Model-Version of every response."""
        return __version__

    @app.get("/v2", tags=[OPEN_INFERENCE])
    async def server() -> dict[str, Any]:
        """Return the server's metadata."""
        return inference.server()

    @app.get("/v2/health/live", tags=[OPEN_INFERENCE])
    async def live_v2() -> dict[str, bool]:
        """Answer that the process lives."""
        return {"live": True}

    @app.get("/v2/health/ready", tags=[OPEN_INFERENCE])
    async def ready_v2() -> dict[str, bool]:
        """Answer as /readyz."""
        _check_ready(live)
        return {"live": True, "ready": True}

    @app.get("/v2/models/{name}", tags=[OPEN_INFERENCE], responses=_NO_SUCH_MODEL)
    @app.get("/v2/models/{name}/versions/{version}", tags=[OPEN_INFERENCE], responses=_NO_SUCH_MODEL)
    async def metadata(request: Request) -> dict[str, Any]:
        """Return the model's inputs and outputs."""
        return inference.metadata(request.scope["served"], request.path_params)

    @app.get("/v2/models/{name}/ready", tags=[OPEN_INFERENCE], responses=_NO_SUCH_MODEL)
    @app.get("/v2/models/{name}/versions/{version}/ready", tags=[OPEN_INFERENCE], responses=_NO_SUCH_MODEL)
    async def model_ready(request: Request) -> dict[str, Any]:
        """Answer whether this model and this version are served."""
        inference.check_path(request.scope["served"], request.path_params)
        _check_ready(live)
        return {"name": request.scope["served"].name, "ready": True}


def _model(served: Served, live: Live) -> dict[str, Any]:
    manifest, pointer = served.manifest, served.pointer
    polled = None if live.polled is None else datetime.fromtimestamp(live.polled, UTC)
    return {
        "name": served.name,
        "version": served.version,
        "metadata_sha256": served.digest,
        "form": served.model.form,
        "trained_date": manifest.trained.isoformat() if manifest.trained else None,
        "data_as_of": manifest.data_as_of.isoformat() if manifest.data_as_of else None,
        "epoch": pointer.epoch if pointer else None,
        "since": pointer.since if pointer else None,
        "lineage": pointer.lineage if pointer else None,
        "stale": live.stale,
        "polled": polled.isoformat(timespec="seconds") if polled else None,
        "trouble": live.trouble,
        "metrics": {name: figure.model_dump(mode="json") for name, figure in manifest.metrics.items()},
        "classes": {str(found): words for found, words in served.words.items()},
        "input_schema": [column.model_dump(mode="json") for column in served.schema.columns.values()],
    }


def _check_ready(live: Live) -> None:
    if live.draining:
        raise Problem(503, "the service is about to end")


def _problem(problem: Problem, *, headers: Any = None) -> Response:
    return Response(fault(problem), problem.status, headers, media_type="application/json")
