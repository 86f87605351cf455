"""Airflow's own REST API, asked in this process as the user who looks at the page: it checks their rights itself."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from airflow.api_fastapi.app import API_ROOT_PATH
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi import Request

from model_releases import AIRFLOW


class Answer(NamedTuple):
    """What Airflow answered: the status of HTTP, and the body."""

    status: int
    body: dict[str, Any]

    @property
    def why(self) -> str:
        """Why Airflow refused, in its own words."""
        detail = self.body.get("detail", "")
        return str(detail.get("reason", detail)) if isinstance(detail, dict) else str(detail)


class Night(NamedTuple):
    """A run of Airflow.

    Attributes:
        run_id: its id.
        state: of the run.
        note: what was found, in Markdown; empty while it runs.
        at: when it was to run, ISO 8601.
    """

    run_id: str
    state: str
    note: str
    at: str


async def ask(request: Request, method: str, path: str, json: Any = None) -> Answer:
    """Ask Airflow's API, with the token of the user whose request this is."""
    transport = httpx.ASGITransport(app=request.scope[AIRFLOW])
    base = f"http://airflow{API_ROOT_PATH.rstrip('/')}/api/v2"
    async with httpx.AsyncClient(transport=transport) as client:
        said = await client.request(method, f"{base}{path}", json=json, headers={"Authorization": _bearer(request)})
    try:
        body = said.json()
    except ValueError:
        body = {}
    return Answer(said.status_code, body if isinstance(body, dict) else {"detail": body})


async def nights(request: Request, dag_id: str, most: int = 5) -> list[Night]:
    """Return the newest runs of a DAG, the last one first; none if the user may not see its runs."""
    found = await ask(request, "GET", f"/dags/{quote(dag_id, safe='')}/dagRuns?order_by=-run_after&limit={most}")
    return [_night(each) for each in found.body.get("dag_runs", [])]


async def run_of(request: Request, dag_id: str, run_id: str) -> Night | None:
    """Return a run; None if there is none, or the user may not see it."""
    found = await ask(request, "GET", f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}")
    return _night(found.body) if found.status == httpx.codes.OK else None


def _night(run: dict[str, Any]) -> Night:
    return Night(run["dag_run_id"], run["state"], run.get("note") or "", run.get("run_after") or "")


def _bearer(request: Request) -> str:
    return request.headers.get("authorization") or f"Bearer {request.cookies.get(COOKIE_NAME_JWT_TOKEN, '')}"
