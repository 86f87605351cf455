"""Airflow's own REST API, asked in this process as the user who looks at the page: it checks their rights itself."""

from __future__ import annotations

import json as json_text
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


class Checkup(NamedTuple):
    """What doctor said when it last looked.

    Attributes:
        run_id: of the round of housekeeping.
        at: when the round was to run, ISO 8601.
        well: whether nothing was wrong.
        lines: in words, the summary first; never empty.
    """

    run_id: str
    at: str
    well: bool
    lines: list[str]


async def checkup(request: Request, dag_id: str, most: int = 3) -> Checkup | None:
    """Return what doctor said in the newest round in which it has ended; None if the user may see none.

    Args:
        request: of the user.
        dag_id: of the DAG of housekeeping.
        most: rounds that are looked at.
    """
    for night in await nights(request, dag_id, most):
        path = f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(night.run_id, safe='')}/taskInstances/doctor/xcomEntries"
        for key, words in (("outcome", "summary"), ("failure", "what")):
            found = await ask(request, "GET", f"{path}/{key}")
            said = _value(found.body.get("value")) if found.status == httpx.codes.OK else {}
            lines = [line.strip() for line in str(said.get(words, "")).splitlines() if line.strip()]
            if lines:
                return Checkup(night.run_id, night.at, key == "outcome", lines)
    return None


def _value(value: Any) -> dict[str, Any]:
    """Return the message of an XCom, which some versions of Airflow's API give as text."""
    if isinstance(value, str):
        try:
            value = json_text.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


async def run_of(request: Request, dag_id: str, run_id: str) -> Night | None:
    """Return a run; None if there is none, or the user may not see it."""
    found = await ask(request, "GET", f"/dags/{quote(dag_id, safe='')}/dagRuns/{quote(run_id, safe='')}")
    return _night(found.body) if found.status == httpx.codes.OK else None


def _night(run: dict[str, Any]) -> Night:
    return Night(run["dag_run_id"], run["state"], run.get("note") or "", run.get("run_after") or "")


def _bearer(request: Request) -> str:
    return request.headers.get("authorization") or f"Bearer {request.cookies.get(COOKIE_NAME_JWT_TOKEN, '')}"
