"""A real Airflow, and people who act on its releases: rolled back, held, asked for the impossible, released, tidied up.

What a person approves goes to three clouds and a folder, each of which is looked at with its own plain SDK. Everything
is asked for through the REST API with every field filled in, as the UI's form does, and looked at from outside.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from mlflow import MlflowClient
from playwright.sync_api import expect

from emulators.clouds import BUCKET, Clouds, clouds, destinations, live, s3_client
from model_release import client
from model_release.errors import Stop
from model_release.spec.load import load_spec
from model_release.workflows.retrain import RetrainRun
from model_release.workflows.run import Run
from scripts.airflow_home import USER
from scripts.local_airflow import LocalAirflow
from scripts.waits import ticks
from support.airflow_homes import home_of
from support.browser import browser, faults, logged_in, picture
from support.quick_specs import MODELS, quick_spec
from support.receivers import CHANNELS, Receivers, receivers
from support.retrain_steps import SIMPLE, hurry, through
from support.statsd import Receiver, receiver

pytestmark = pytest.mark.live(minutes=4)

MODEL = "heart_disease_four_sites"
RETRAIN, OPERATE, HOUSEKEEPING = (f"{kind}_{MODEL}" for kind in ("retrain", "operate", "housekeeping"))
ASKING = "retrain_heart_disease"
"""Its spec asks a person before a version is made, and has four destinations."""

ASKED = "live/heart-disease-models"
NAMES = ["aws", "google", "azure", "folder"]

WATCHING, ARRIVING = "retrain_arriving", "arriving"
"""A model whose source is watched, and the folder of that source in S3."""

SELDOM = "0 0 29 2 *"
"""No time since the DAGs' beginning: unpausing starts no run."""

STRICT = {"live_versions": 1, "days": 1, "other_versions": 0, "grace_hours": 1}
FORM = {"action": None, "version": None, "reason": "worse on Mondays", "epoch": None, "overrule": False}
DONE = ["success"] * 4
SECONDS = 240.0


class Team:
    """An Airflow, and what it leaves behind."""

    def __init__(self, airflow: LocalAirflow, clouds: Clouds, hook: Receivers, monitor: Receiver) -> None:
        self.airflow = airflow
        self.clouds = clouds
        self.hook = hook
        self.monitor = monitor
        self.root = airflow.home.store / "heart-disease-four-sites-models"

    def ask(self, action: str, **fields: Any) -> str:
        return self.airflow.rest.trigger(OPERATE, conf={**FORM, "action": action, **fields})

    def ended(self, dag_id: str, run_id: str) -> list[str]:
        """The states of a run's tasks once it has ended, in the order of the graph."""
        self.airflow.wait_for_run(dag_id, run_id, seconds=SECONDS)
        return [each.state for each in self.airflow.rest.tasks(dag_id, run_id)]

    def said(self, dag_id: str, run_id: str, task_id: str) -> str:
        """What a task has written into its log."""
        tasks = self.airflow.rest.tasks(dag_id, run_id)
        (task,) = [each for each in tasks if each.task_id == task_id]
        return self.airflow.home.task_log(dag_id, run_id, task).read_text()

    def night(self, day: int) -> dict[str, Any]:
        """A run on the data as of a day of October; what became of it."""
        conf = {"as_of": f"2026-10-{day:02}"}
        run_id = self.airflow.rest.trigger(RETRAIN, conf=conf)
        states = self.ended(RETRAIN, run_id)
        assert "failed" not in states, states
        return dict(self.airflow.rest.xcom(RETRAIN, run_id, "update_latest"))

    def keep_house(self) -> dict[str, Any]:
        run_id = self.airflow.rest.trigger(HOUSEKEEPING, conf={"dry_run": False})
        assert self.ended(HOUSEKEEPING, run_id) == ["success"] * 4
        tasks = ("prune", "sweep", "mirror")
        return {each: self.airflow.rest.xcom(HOUSEKEEPING, run_id, each, key="outcome") for each in tasks}

    def asked(self, **conf: Any) -> tuple[str, dict[str, Any]]:
        """Start a night that waits for an answer; return its id and the question."""
        run_id = self.airflow.rest.trigger(ASKING, conf=conf)
        for _ in ticks(SECONDS, pause=0.5):
            states = {each.task_id: each.state for each in self.airflow.rest.tasks(ASKING, run_id)}
            assert "failed" not in states.values(), states
            if states.get("approve") == "awaiting_input":
                # Nobody answers faster than the executor notices that the task waits; one who did is asked again.
                time.sleep(2)
                return run_id, dict(self.airflow.rest.call("GET", self._question(run_id)))
        raise AssertionError(states)

    def told(self, run_id: str) -> list[str]:
        """The events of a run that people were told of, sorted."""
        return sorted(body["event"] for _, body in self.hook.posted if body["run"].endswith(f"/{run_id}"))

    def answer(self, run_id: str, option: str, comment: str) -> dict[str, list[str]]:
        """Answer as the UI does; return the states of the run's tasks once it has ended."""
        body = {"chosen_options": [option], "params_input": {"comment": comment}}
        self.airflow.rest.call("PATCH", self._question(run_id), json=body)
        self.airflow.wait_for_run(ASKING, run_id, seconds=SECONDS)
        states: dict[str, list[str]] = {}
        for each in self.airflow.rest.tasks(ASKING, run_id):
            states.setdefault(each.task_id, []).append(each.state)
        return states

    def _question(self, run_id: str) -> str:
        return f"/dags/{ASKING}/dagRuns/{quote(run_id, safe='')}/taskInstances/approve/-1/hitlDetails"

    @property
    def pointer(self) -> dict[str, Any]:
        return dict(read(self.root / "latest.json"))

    def time_passes(self, **span: float) -> None:
        """Make everything that lies in the store older."""
        for path in [self.root / "latest.json", *(self.root / "log").iterdir()]:
            path.write_text(json.dumps(earlier(read(path), timedelta(**span))))
        for path in self.root.rglob("*"):
            moment = path.stat().st_mtime - timedelta(**span).total_seconds()
            os.utime(path, (moment, moment))


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def earlier(value: Any, span: timedelta) -> Any:
    match value:
        case dict():
            moved = {key: earlier(each, span) for key, each in value.items()}
            if "at" in moved:
                moved["at"] = (datetime.fromisoformat(moved["at"]) - span).isoformat()
            return moved
        case list():
            return [earlier(each, span) for each in value]
        case _:
            return value


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """The Airflow, with two releases of one model that were made before it began."""
    folder = tmp_path_factory.mktemp("operators")
    specs = folder / "specs"
    specs.mkdir()
    spec = quick_spec(specs, MODEL, schedule=None, housekeeping=None, candidates=SIMPLE, retention=STRICT)
    asking = {"approval": "required", "destinations": destinations("live"), "notify": [CHANNELS[2]]}
    late = {"cron": SELDOM, "deadline_hours": 0.001}  # each night that waits for a person is
    quick_spec(specs, "heart_disease", schedule=late, candidates=SIMPLE, **asking)
    arriving = yaml.safe_load((MODELS / "heart_disease.yaml").read_text())["dataset"]
    watched = {"cron": SELDOM, "on_new_data": "watched", "watch_minutes": 0.1}
    arriving["source"] = f"s3://seaweed@{BUCKET}/{ARRIVING}"
    quick_spec(folder, "heart_disease", name="arriving", schedule=watched, dataset=arriving, tracking=None).rename(
        specs / "arriving.yaml"
    )
    with clouds() as three, receivers() as hook, receiver() as monitor:
        settings = {**three.connections, **hook.connections(), **monitor.settings()}
        home = home_of(specs, folder / "var", **settings)
        with pytest.MonkeyPatch.context() as patch:
            hurry(patch)
            patch.setenv("MODEL_RELEASE_STORE", home.store.as_uri())
            patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home.var}/mlflow/mlflow.db")
            for day in (1, 8):
                through(RetrainRun(load_spec(spec), Run(run_id=f"before-{day}", as_of=date(2026, 10, day), by="ann")))
        with LocalAirflow(home, triggerer=True, schedule=True) as airflow:
            for dag_id in (RETRAIN, OPERATE, HOUSEKEEPING, ASKING, WATCHING):
                airflow.wait_for_dag(dag_id)
            for dag_id in (
                RETRAIN,
                HOUSEKEEPING,
                ASKING,
                WATCHING,
            ):  # a person who operates need not unpause anything first
                airflow.rest.unpause(dag_id)
            token = airflow.rest.call("GET", f"/dags/{WATCHING}/details")["file_token"]
            airflow.rest.call("PUT", f"/parseDagFile/{token}")  # watching begins with the next parse after that
            team = Team(airflow, three, hook, monitor)
            assert team.pointer["version"] == "v1.1.0"
            yield team


@pytest.fixture(scope="module")
def rolled_back(team: Team) -> dict[str, list[str]]:
    """Two clicks on the same button: by run, the states of its tasks."""
    clicks = [team.ask("rollback") for _ in range(2)]
    return {each: team.ended(OPERATE, each) for each in clicks}


def test_a_rollback_moves_latest_back_and_says_so(team: Team, rolled_back: dict[str, list[str]]) -> None:
    (good,) = [run_id for run_id, states in rolled_back.items() if states == DONE]
    pointer = team.pointer
    assert (pointer["version"], pointer["previous"], pointer["epoch"]) == ("v1.0.0", "v1.1.0", 3)
    assert (pointer["change"]["by"], pointer["change"]["reason"]) == (USER, "worse on Mondays")
    assert [each["by"] for each in pointer["holds"]] == [USER]
    assert [*pointer["quarantined"]] == ["v1.1.0"]
    assert read(team.root / "latest/metadata.json")["version"] == "1.0.0"
    champion = MlflowClient(f"sqlite:///{team.airflow.home.var}/mlflow/mlflow.db").get_model_version_by_alias(
        "heart-disease-four-sites", "champion"
    )
    registered = read(team.root / "v1.0.0/metadata.json")["mlflow"]["registered_version"]
    assert str(champion.version) == registered
    words = "latest went back from v1.1.0, now in quarantine, to v1.0.0, and is held there (epoch 3)"
    assert team.airflow.rest.xcom(OPERATE, good, "spread")["summary"] == words
    assert words in team.said(OPERATE, good, "act")


def test_a_second_click_is_refused_and_says_why(team: Team, rolled_back: dict[str, list[str]]) -> None:
    (refused,) = [run_id for run_id, states in rolled_back.items() if states != DONE]
    assert rolled_back[refused] == ["success", "failed", "upstream_failed", "upstream_failed"]
    assert "latest has moved from epoch 2 to 3 since it was looked at: rollback by admin" in team.said(
        OPERATE, refused, "act"
    )


@pytest.mark.usefixtures("rolled_back")
def test_the_next_night_publishes_and_does_not_promote(team: Team) -> None:
    night = team.night(15)
    assert (night["version"], night["promoted"], night["live"]) == ("v1.2.0", False, "v1.0.0")
    assert "latest is held at v1.0.0 by admin" in night["reason"]
    assert team.monitor.read()["latest.holds,model=heart-disease-four-sites"] == 1
    assert team.pointer["epoch"] == 3


@pytest.mark.usefixtures("rolled_back")
def test_the_impossible_fails_with_a_clear_message_and_changes_nothing(team: Team) -> None:
    wishes = {
        team.ask("promote", version="v9.9.9"): ("act", "there is no release v9.9.9"),
        team.ask("promote", version="v1.1.0"): ("act", "v1.1.0 is quarantined by admin: worse on Mondays"),
        team.ask("rollback"): ("act", "there is nothing to go back to"),
        team.ask("hold", version="v1.0.0"): ("look", "hold is about latest, whatever version is live"),
    }
    for run_id, (task_id, words) in wishes.items():
        states = team.ended(OPERATE, run_id)
        assert states[["look", "act"].index(task_id)] == "failed", states
        assert words in team.said(OPERATE, run_id, task_id)
    for conf in ({"version": "1.0.0"}, {"reason": ""}, {"epoch": 0}):
        with pytest.raises(Stop, match="400"):
            team.ask("rollback", **conf)
    assert team.pointer["epoch"] == 3


@pytest.mark.usefixtures("rolled_back")
def test_once_the_hold_is_lifted_the_next_night_promotes_what_it_had_published(team: Team) -> None:
    unheld = team.ask("unhold")
    assert team.ended(OPERATE, unheld) == ["success"] * 3 + ["skipped"]
    assert "not held at v1.0.0 any more" in team.said(OPERATE, unheld, "act")
    night = team.night(16)
    assert (night["version"], night["promoted"], night["live"], night["epoch"]) == ("v1.2.0", True, "v1.2.0", 5)
    assert sorted(each.name for each in team.root.glob("v*")) == ["v1.0.0", "v1.1.0", "v1.2.0"]


@pytest.mark.usefixtures("rolled_back")
def test_housekeeping_retires_what_is_old_and_frees_its_files_later(team: Team) -> None:
    team.time_passes(days=3)
    first = team.keep_house()
    assert (first["prune"]["bytes"], [*first["prune"]["retired"]]) == (0, ["v1.1.0"])
    assert first["sweep"]["bytes"] > 0
    assert first["mirror"]["runs"] > 0 and (team.root.parent / "mlruns" / "mirror.json").exists()
    assert not [path for path in (team.root / "staging").rglob("*") if path.is_file()]
    team.time_passes(hours=2)
    second = team.keep_house()
    assert [*second["prune"]["removed"]] == ["v1.1.0"]
    assert second["prune"]["bytes"] > 0
    assert sorted(each.name for each in (team.root / "v1.1.0").iterdir()) == ["claim.json", "metadata.json"]
    pointer = team.pointer
    assert (pointer["version"], pointer["retired"], pointer["change"]["by"]) == ("v1.2.0", ["v1.1.0"], HOUSEKEEPING)


@pytest.mark.usefixtures("rolled_back")
def test_a_person_reads_the_page_rolls_back_from_there_and_sees_a_consumer_move(team: Team, tmp_path: Path) -> None:
    ward = client.Reporter("store", uri=team.root.as_uri(), via="pull", label="ward-3")
    client.pull(team.root.as_uri(), to=tmp_path / "copy", reporter=ward)
    with browser() as running:
        login = (team.airflow.rest.url, USER, team.airflow.home.password)
        page = logged_in(running, *login, viewport={"width": 1280, "height": 900})
        page.goto(f"{team.airflow.rest.url}/model-releases/{RETRAIN}/")
        expect(page.get_by_role("heading", level=2).first).to_have_text(re.compile(r"v1\.2\.0\s+is live"))
        moves = page.get_by_role("region", name="Each move of latest").get_by_role("row")
        expect(moves).to_have_count(7)  # with the heading: two releases, back, hold lifted, a release, retired
        expect(page.get_by_text("nothing new").or_(page.get_by_text("released")).first).to_be_visible()
        expect(page.get_by_role("region", name="Doctor")).to_contain_text("nothing is wrong")
        expect(page.get_by_role("row", name="ward-3")).to_contain_text("v1.2.0")
        assert faults(page) == []
        page.get_by_role("link", name="Decisions").click()
        rows = page.get_by_role("table").get_by_role("row")
        expect(rows).to_have_count(4)  # with the heading: two before it began, and one night
        assert faults(page) == []
        page.go_back()
        page.get_by_role("link", name="Every version").click()
        page.get_by_role("row").filter(has_text="v1.0.0").get_by_role("link").click()
        page.get_by_role("link", name="Compare with v1.2.0").click()
        expect(page.get_by_role("group", name="metrics")).to_contain_text("accuracy")
        assert faults(page) == []
        page.go_back()
        assert faults(page) == []
        page.get_by_role("link", name="Roll back to v1.0.0 …").click()
        expect(page.get_by_text("v1.0.0 is live and held there; v1.2.0 is in quarantine")).to_be_visible()
        assert faults(page) == []
        picture(page, "page_act")
        page.get_by_label("Reason").fill("worse on Sundays")
        page.get_by_role("button", name="Roll back to v1.0.0").click()
        expect(page.get_by_text("latest went back from v1.2.0, now in quarantine, to v1.0.0")).to_be_visible(
            timeout=SECONDS * 1000
        )
        page.get_by_role("link", name="What is live now").click()
        expect(page.get_by_role("heading", level=2).first).to_have_text(re.compile(r"v1\.0\.0\s+is live.*held", re.S))
        expect(page.get_by_text("worse on Sundays").first).to_be_visible()
        client.pull(team.root.as_uri(), to=tmp_path / "copy", reporter=ward)
        page.reload()
        expect(page.get_by_role("row", name="ward-3")).to_contain_text("v1.0.0")
        page.wait_for_load_state("networkidle")
        picture(page, "page_light")
        for name, width in {"dark": 1280, "phone": 390}.items():
            other = logged_in(running, *login, color_scheme="dark", viewport={"width": width, "height": 844})
            other.goto(page.url)
            other.wait_for_load_state("networkidle")
            assert faults(other) == []
            assert other.evaluate("document.documentElement.scrollWidth <= innerWidth")
            picture(other, f"page_{name}")
    pointer = team.pointer
    assert (pointer["version"], pointer["change"]["by"]) == ("v1.0.0", USER)
    assert pointer["change"]["reason"] == "worse on Sundays"


def test_a_person_is_asked_and_says_yes_or_no(team: Team) -> None:
    root = team.airflow.home.store / ASKED
    refused, question = team.asked()
    assert "Release heart-disease: logistic_regression, accuracy 0." in question["subject"]
    for words in ("from nothing to a new version", "| brier |", "accuracy on cross-validation", "Model card: "):
        assert words in question["body"]
    states = team.answer(refused, "Reject", "the ward has moved")
    assert [states[each] for each in ("gate", "approve", "consent", "upload")] == [["success"]] * 3 + [["skipped"]]
    told = team.airflow.rest.xcom(ASKING, refused, "consent", key="answer")
    assert told["summary"].startswith(f"rejected by {USER}, ")
    assert team.airflow.rest.xcom(ASKING, refused, "report")["summary"] == told["summary"]
    assert not (root / "latest.json").exists()
    assert team.told(refused) == ["late", "rejected"]

    repeated = team.airflow.rest.trigger(ASKING)
    team.airflow.wait_for_run(ASKING, repeated, seconds=SECONDS)
    outcome = team.airflow.rest.xcom(ASKING, repeated, "ingest", key="outcome")
    assert "the ward has moved already" in outcome["reason"]

    approved, _ = team.asked(force=True)
    states = team.answer(approved, "Approve", "seen the card")
    assert {each for found in states.values() for each in found} == {"success"}
    assert team.told(approved) == ["late", "released"]
    body = {"dry_run": False, "dag_run_id": approved, "task_ids": ["notify"], "only_failed": False}
    team.airflow.rest.call("POST", f"/dags/{ASKING}/clearTaskInstances", json=body)
    team.airflow.wait_for_run(ASKING, approved, seconds=SECONDS)
    assert team.told(approved) == ["late", "released"]
    pointer = read(root / "latest.json")
    assert pointer["version"] == "v1.0.0"
    assert pointer["change"]["reason"].startswith(f"approved by {USER}, ")
    assert read(root / "v1.0.0" / "metadata.json")["gate"]["approved"] == pointer["change"]["reason"]
    heard = team.monitor.read()
    assert heard["runs,model=heart-disease,ending=refused"] == 1
    assert heard["runs,model=heart-disease,ending=released"] == 2, "once more when it was cleared"
    assert [heard[f"destination.epoch,model=heart-disease,destination={name}"] for name in NAMES] == [1] * 4

    uploads = [each for each in team.airflow.rest.tasks(ASKING, approved) if each.label.startswith("upload")]
    assert sorted(each.label for each in uploads) == [f"upload [{name}]" for name in sorted(NAMES)]
    at: dict[str, Callable[[str], bytes]] = {
        **team.clouds.readers(ASKED),
        "folder": lambda key: (root / key).read_bytes(),
    }
    assert {name: live(each) for name, each in at.items()} == dict.fromkeys(NAMES, "v1.0.0")
    assert {each("latest.json") for each in at.values()} == {(root / "latest.json").read_bytes()}
    assert pointer["home"] == f"s3://{BUCKET}/{ASKED}"


def test_a_file_that_arrives_starts_a_night_and_monitoring_hears_how_it_ended(team: Team) -> None:
    """The file is not the one whose digest the spec lists, so that the night is short."""
    key = f"{ARRIVING}/dt=1988-07-01/processed.cleveland.csv"
    (data,) = team.airflow.rest.call("GET", "/assets", params={"name_pattern": "arriving-data"})["assets"]
    for _ in ticks(SECONDS, pause=1):
        if team.airflow.rest.call("GET", f"/assets/{data['id']}/state-store")["total_entries"]:
            break  # it has looked once
    s3_client(team.clouds.s3.url).put_object(Bucket=BUCKET, Key=key, Body=b"63.0,1.0\n")
    for _ in ticks(SECONDS, pause=1):
        runs = team.airflow.rest.call("GET", f"/dags/{WATCHING}/dagRuns")["dag_runs"]
        if runs:
            break
    assert [each["run_type"] for each in runs] == ["asset_triggered"]
    (run_id,) = (each["dag_run_id"] for each in runs)
    states = team.ended(WATCHING, run_id)
    assert states[:2] == ["success", "failed"]
    events = team.airflow.rest.call("GET", f"/dags/{WATCHING}/dagRuns/{quote(run_id, safe='')}/upstreamAssetEvents")
    (event,) = events["asset_events"]
    assert event["extra"]["payload"] == {"source": f"s3://seaweed@{BUCKET}/{ARRIVING}"}
    assert team.monitor.read()["runs,model=arriving,ending=failed"] == 1
