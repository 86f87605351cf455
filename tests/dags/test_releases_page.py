"""The Releases page in Airflow's own API server: who may see and do what, and that a hostile store harms nobody."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from airflow.api_fastapi.app import create_app, get_auth_manager, purge_cached_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.testclient import TestClient

from fuzz.airflow_doors import conf_doors, page_door
from fuzz.campaign import attack
from model_release.documents.evaluation import Interval
from model_release.releases import acts
from model_release.releases.store import ReleaseStore
from model_release.stores.local import LocalStore
from support.damaged_stores.scene import verdict
from support.page_walk import PREFIX
from support.release_builder import Chain, act, make

MODEL = "retrain_heart_disease"
HERE = "/model-releases"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def airflow() -> Iterator[Any]:
    """Airflow's API server with its plugins, in this process."""
    purge_cached_app()
    yield create_app(apps="core")
    purge_cached_app()


@pytest.fixture
def home(specs: Callable[..., Path], tmp_path: Path) -> LocalStore:
    """The releases of a model: three versions, the second of which is live, by a rollback."""
    specs()
    store = LocalStore(tmp_path / "store" / "heart-disease-models")
    since = None
    for name in ("a", "b", "c"):
        done = Chain(store).release(make(tmp_path / "made", name, since=since), since=since)
        assert done.pointer is not None
        since = done.pointer.since
    acts.rollback(ReleaseStore(store), act("back", by=HOSTILE))
    return store


@pytest.fixture
def ask(airflow: Any, airflow_database: None, home: LocalStore) -> Callable[..., Any]:
    """Asks for a page as somebody in a role; None: without a login."""

    def asked(path: str, role: str | None = "user", method: str = "GET", **more: Any) -> Any:
        client = TestClient(airflow, follow_redirects=False, raise_server_exceptions=True)
        if role is not None:
            somebody = SimpleAuthManagerUser(username=f"ann-{role}", role=role)
            client.cookies.set("_token", get_auth_manager().generate_jwt(somebody))
        return client.request(method, f"{HERE}{path}", **more)

    return asked


PAGES = [
    "/",
    *(
        f"/{MODEL}/{each}"
        for each in (
            "",
            "moves/2",
            "versions/",
            "versions/v1.0.0",
            "decisions/",
            "cards/v1.0.0",
            "chart.svg",
            "decisions.svg",
        )
    ),
    f"/{MODEL}/compare/?a=v1.0.0&b=v1.1.0",
    f"/{MODEL}/act/?action=hold",
]


def test_every_route_but_static_files_is_among_the_pages_that_are_tried() -> None:
    from model_releases.pages import page

    routes = {each.path for each in page().routes if hasattr(each, "methods")}  # type: ignore[attr-defined]
    tried = {re.sub(r"\?.*", "", each).replace(MODEL, "{dag_id}") for each in PAGES}
    tried = {re.sub(r"v\d[^/]*$", "{version}", each).replace("moves/2", "moves/{epoch}") for each in tried}
    assert routes - tried == {"/{dag_id}/runs/{run_id}", "/of/{dag_id}/"}


@pytest.mark.parametrize("path", [*PAGES, f"/{MODEL}/runs/x", f"/of/{MODEL}/"])
def test_nobody_sees_a_page_without_a_login(ask: Callable[..., Any], path: str) -> None:
    assert ask(path, None).status_code == 401
    assert ask(path, None, method="POST").status_code in (401, 405)


@pytest.mark.parametrize("path", PAGES)
def test_a_viewer_sees_every_page_with_what_is_right(ask: Callable[..., Any], path: str) -> None:
    answer = ask(path, "viewer")

    assert answer.status_code == 200, answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert HOSTILE not in answer.text


@pytest.mark.parametrize("dag_id", ["retrain_unknown", "operate_heart_disease", "..%2f..", "~"])
@pytest.mark.parametrize("page", ["", "versions/", "versions/v1.0.0", "act/?action=hold"])
def test_an_unknown_dag_is_refused(ask: Callable[..., Any], dag_id: str, page: str) -> None:
    assert ask(f"/{dag_id}/{page}").status_code in (403, 404)


@pytest.mark.parametrize("verb", ["retrain", "operate", "housekeeping"])
def test_the_tab_of_each_of_a_model_s_dags_leads_to_the_model(ask: Callable[..., Any], verb: str) -> None:
    tab = f"/of/{verb}_heart_disease/"
    answer = ask(tab)

    assert answer.status_code == 307
    assert urljoin(f"{PREFIX}{HERE}{tab}", answer.headers["location"]) == f"{PREFIX}{HERE}/{MODEL}/"


@pytest.mark.parametrize("dag_id", ["payroll", "retrain_unknown", "other_heart_disease", "unreadable_specs"])
def test_the_tab_of_another_dag_says_that_it_belongs_to_no_model(ask: Callable[..., Any], dag_id: str) -> None:
    answer = ask(f"/of/{dag_id}/")

    assert answer.status_code == 404
    assert "this DAG belongs to no model" in answer.text


@pytest.mark.usefixtures("airflow_database", "home")
def test_under_fab_behind_a_proxy_s_path_each_role_sees_and_does_what_it_may(tmp_path: Path) -> None:
    folder = tmp_path / "fab"
    folder.mkdir()
    shutil.copy2(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", folder)
    environment = os.environ | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__API__BASE_URL": f"http://proxy.example.org{PREFIX}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-W", "ignore", "-m", "support.page_walk", json.dumps(PAGES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    index, *others = PAGES
    assert found["statuses"] == {
        "": dict.fromkeys(PAGES, 401),
        "Public": {index: 200} | dict.fromkeys(others, 403),
        "Viewer": dict.fromkeys(PAGES, 200),
        "User": dict.fromkeys(PAGES, 200),
    }
    assert found["acts"] == {"Viewer": 403, "User": 303}
    assert found["links"] and not [each for each in found["links"] if each.startswith(("/", "http"))]


def test_the_first_look_tells_what_is_live_since_when_why_and_what_holds_it(ask: Callable[..., Any]) -> None:
    text = words(ask(f"/{MODEL}/").text)

    assert "v1.1.0 is live ◆ held" in text
    assert "rollback" in text and "a bad slice" in text
    assert "Quarantine v1.2.0 by" in text
    assert "(epoch 4)" in text
    assert "Lift the hold …" in text
    assert "latest is not held" not in text


def test_moves_go_back_and_versions_have_their_states(ask: Callable[..., Any]) -> None:
    moves = words(ask(f"/{MODEL}/moves/3").text)
    listed = words(ask(f"/{MODEL}/versions/").text)

    assert re.search(r"● release .* v1.1.0 → v1.2.0", moves)
    assert re.search(r"● first release .* v1.0.0", moves)
    assert re.search(r"v1.2.0 ▲ quarantined", listed)
    assert re.search(r"v1.1.0 ● live", listed)
    assert re.search(r"v1.0.0 ○ published", listed)


def test_verdicts_are_listed_and_drawn_rejected_ones_too(ask: Callable[..., Any], home: LocalStore) -> None:
    for name, accepted in {"good": True, "bad": False}.items():
        found = verdict(name)
        figures = {"accuracy": Interval(mean=0.81 if accepted else 0.71, low=0.7, high=0.9)}
        decision = found.decision.model_copy(update={"accepted": accepted, "intervals": figures})
        found = found.model_copy(update={"decision": decision})
        home.create(found.key, found.to_bytes())
    listed, drawn = words(ask(f"/{MODEL}/decisions/").text), ask(f"/{MODEL}/decisions.svg").text
    assert re.search("◆ rejected .* run-bad", listed) and re.search("● accepted .* run-good", listed)
    assert "forest, rejected: 0.71 (0.7 to 0.9)" in drawn and "forest, accepted: 0.81" in drawn


def test_a_version_offers_what_may_be_done_and_says_of_the_rest_why_not(ask: Callable[..., Any]) -> None:
    live, bad, old = (words(ask(f"/{MODEL}/versions/v1.{minor}.0").text) for minor in (1, 2, 0))

    assert "Roll back to v1.1.0 v1.1.0 is live" in live
    assert "Promote v1.2.0 v1.2.0 is quarantined by" in bad
    assert "Take v1.2.0 out of quarantine …" in bad
    assert "Roll back to v1.0.0 …" in old
    assert "Promote v1.0.0 latest is held at v1.1.0" in old


def test_a_card_may_run_nothing_and_is_the_one_that_the_manifest_promises(
    ask: Callable[..., Any], home: LocalStore, tmp_path: Path
) -> None:
    answer = ask(f"/{MODEL}/cards/v1.0.0")
    assert answer.text.startswith("<p>a, made by")
    assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")

    card = tmp_path / "store" / "heart-disease-models" / "v1.0.0" / "model_card.html"
    card.write_text(card.read_text().replace("made", "Made"))

    assert ask(f"/{MODEL}/cards/v1.0.0").status_code == 503


def test_a_form_shows_what_changes_and_the_epoch_that_was_seen_and_chooses_nothing(ask: Callable[..., Any]) -> None:
    text = ask(f"/{MODEL}/act/?action=rollback&version=v1.0.0").text

    assert fields(text)["epoch"] == "4"
    assert re.search(r'<input id="reason" name="reason" required', text)
    assert "v1.0.0 is live and held there; v1.1.0 is in quarantine" in words(text)
    refused = words(ask(f"/{MODEL}/act/?action=promote&version=v1.0.0").text)
    assert "This cannot be done now: latest is held at v1.1.0" in refused
    assert ask(f"/{MODEL}/act/?action=promote").status_code == 422


def test_a_form_that_this_page_did_not_make_for_this_user_is_refused(ask: Callable[..., Any]) -> None:
    form = fields(ask(f"/{MODEL}/act/?action=hold").text)

    assert ask(f"/{MODEL}/act/", method="POST", data={**form, "reason": "x", "token": "0" * 64}).status_code == 403
    assert ask(f"/{MODEL}/act/", "op", method="POST", data={**form, "reason": "x"}).status_code == 403
    assert ask(f"/{MODEL}/act/", method="POST", data={**form, "reason": "x", "run_id": "other"}).status_code == 403
    assert ask(f"/{MODEL}/act/", method="POST", data={**form, "reason": "  "}).status_code == 422


def test_a_viewer_s_act_is_refused_by_airflow_itself(ask: Callable[..., Any], home: LocalStore) -> None:
    before = home.get("latest.json")
    form = fields(ask(f"/{MODEL}/act/?action=hold", "viewer").text)

    answer = ask(f"/{MODEL}/act/", "viewer", method="POST", data={**form, "reason": "x"})

    assert answer.status_code == 403
    assert home.get("latest.json") == before


def test_a_store_that_is_damaged_or_away_is_said(ask: Callable[..., Any], home: LocalStore, tmp_path: Path) -> None:
    pointer = tmp_path / "store" / "heart-disease-models" / "latest.json"
    pointer.write_text(json.dumps({"format": 99}))
    answer = ask(f"/{MODEL}/")

    assert answer.status_code == 503
    assert "latest.json" in answer.text


@pytest.mark.usefixtures("airflow", "airflow_database", "home")
def test_the_page_and_the_conf_of_each_run_take_or_refuse_in_words() -> None:
    for name, door in {"the page": page_door(), **conf_doors()}.items():
        tally = attack(door, name, inputs=400, seed=7)
        assert (name, tally.crashes, tally.unclear) == (name, [], [])
        assert tally.taken >= len(door.samples) - 1  # one asks for a run that is not there
        assert tally.refused > 0


def fields(text: str) -> dict[str, str]:
    """The hidden fields of a form."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))


def words(text: str) -> str:
    """A page as one reads it."""
    body = re.sub(r"(?s)<head>.*?</head>|<[^>]+>", " ", text)
    return " ".join(body.split())
