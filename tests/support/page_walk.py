"""A walk through the Releases page under FAB's users and roles, behind a proxy's path. A program of its own.

Airflow's auth manager and path are settings of a process. It prints, as JSON, the status of each page by role, the
links of the first page, and what became of an act. Its argument is a JSON list of the pages.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

ROLES = ("Public", "Viewer", "User")
PREFIX = "/airflow"


def main() -> None:
    """Walk."""
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.db import upgradedb

    from support.dag_runs import bag_of

    upgradedb()  # FAB's tables beside Airflow's
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    for verb in ("retrain", "operate", "housekeeping"):
        sync_bag_to_db(bag_of(f"{verb}_heart_disease"), "dags-folder", None)
    app, pages = create_app(apps="core"), json.loads(sys.argv[1])
    found: dict[str, Any] = {"statuses": {"": _statuses(app, None, pages)}, "acts": {}}
    with get_application_builder() as builder:
        manager = builder.sm
        for role in ROLES:
            user = manager.add_user(role, "a", "b", f"{role}@example.org", manager.find_role(role), password="p")  # noqa: S106
            token = get_auth_manager().generate_jwt(user)
            found["statuses"][role] = _statuses(app, token, pages)
            if role != "Public":
                found["acts"][role] = _act(app, token, pages)
    found["links"] = re.findall(r'(?:href|src|action)="([^"]*)"', _client(app, token).get(_at(pages[1])).text)
    sys.stdout.write(f"\n{json.dumps(found)}\n")


def _at(page: str) -> str:
    return f"{PREFIX}/model-releases{page}"


def _client(app: Any, token: str | None) -> Any:
    from fastapi.testclient import TestClient

    client = TestClient(app, follow_redirects=False)
    if token is not None:
        client.cookies.set("_token", token)
    return client


def _statuses(app: Any, token: str | None, pages: list[str]) -> dict[str, int]:
    return {page: _client(app, token).get(_at(page)).status_code for page in pages}


def _act(app: Any, token: str, pages: list[str]) -> int:
    """Send the form of a hold; return the status."""
    [page] = [each for each in pages if "act/" in each]
    client = _client(app, token)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', client.get(_at(page)).text))
    return int(client.post(_at(page.partition("?")[0]), data={**fields, "reason": "audit"}).status_code)


if __name__ == "__main__":
    main()
