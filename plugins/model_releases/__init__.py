"""The Releases page: what is live, since when, why, and how to go back, inside Airflow.

Every component of Airflow loads its plugins, and only the API server answers requests: the app is made at the first
one, so that no scheduler and no worker imports it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI

AIRFLOW = "model_releases.airflow"
"""Key of a request's scope: the app of Airflow that the page is mounted in, whose API does what a person asks for."""


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    """Answer a request to the page."""
    scope[AIRFLOW] = scope["app"]
    await _page()(scope, receive, send)


@cache
def _page() -> FastAPI:
    from model_releases.pages import page

    return page()
