"""The commands by which a person changes what is live, and keeps a model's places in order."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from model_release import cli, errors
from model_release.documents import layout
from model_release.documents.version import Version
from model_release.releases import acts
from model_release.releases.catalog import live_pointer, read_pointer
from model_release.stores.local import LocalStore
from support.quick_specs import MODELS
from support.release_builder import Chain, assert_settled, make

WHY = ("-m", "recall fell", "--by", "ada")


def call(*arguments: str, **environment: str) -> Result:
    return CliRunner(env={"COLUMNS": "100", **environment}).invoke(cli.app, list(arguments))


def done(*arguments: str) -> Any:
    result = call(*arguments, "--json", "-q")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def home(tmp_path: Path) -> LocalStore:
    """Three releases at home and at a follower; made-up models, which no loader can open."""
    return stores(tmp_path)[0]


def stores(tmp_path: Path) -> tuple[LocalStore, LocalStore]:
    home, other = (LocalStore(tmp_path / name / "heart-disease-models") for name in ("home", "other"))
    if read_pointer(home) is None:
        since = None
        for day in (1, 2, 3):
            made = make(tmp_path, f"m{day}", as_of=date(2024, 4, day), since=since)
            pointer = Chain(home, [other]).release(made, since=since).pointer
            assert pointer is not None
            since = pointer.since
    return home, other


def test_rollback_moves_home_and_everyone_else(tmp_path: Path) -> None:
    home, other = stores(tmp_path)
    result = call("rollback", home.uri, "--also", other.uri, "--unopened", *WHY)
    assert result.exit_code == 0, result.stderr
    for words in ("rollback", "v1.1.0", "v1.2.0", "recall fell", "ada", "latest.json moved to epoch 4"):
        assert words in result.stdout
    assert assert_settled(home).version == assert_settled(other, log=False).version == Version(1, 1, 0)


def test_a_version_that_does_not_open_is_refused_unless_a_person_says_so(home: LocalStore) -> None:
    refused = call("rollback", home.uri, *WHY)
    assert refused.exit_code == errors.EXIT_REFUSED
    assert "no form of v1.1.0 loads here" in refused.stderr
    assert live_pointer(home).epoch == 3
    assert done("rollback", home.uri, "--unopened", *WHY)["pointer"]["version"] == "v1.1.0"


def test_an_act_is_done_once(home: LocalStore) -> None:
    first = done("rollback", home.uri, "--unopened", *WHY, "--epoch", "3", "--operation", "x")
    again = done("rollback", home.uri, "--unopened", *WHY, "--epoch", "3", "--operation", "x")
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["pointer"] == first["pointer"]
    other = call("rollback", home.uri, "--unopened", *WHY, "--epoch", "3")
    assert other.exit_code == errors.EXIT_REFUSED
    assert "latest has moved from epoch 3 to 4" in other.stderr
    assert live_pointer(home).epoch == 4


def test_hold_and_quarantine_and_back(home: LocalStore) -> None:
    assert done("hold", home.uri, *WHY)["pointer"]["holds"][0]["reason"] == "recall fell"
    assert done("unhold", home.uri, *WHY)["pointer"]["holds"] == []
    assert "v1.0.0" in done("quarantine", home.uri, "v1.0.0", *WHY)["pointer"]["quarantined"]
    told = call("history", home.uri).stdout
    assert "quarantine v1.0.0" in told
    assert done("quarantine", home.uri, "v1.0.0", "--lift", *WHY)["pointer"]["quarantined"] == {}
    for refused in (("unhold",), ("quarantine", "v1.2.0"), ("quarantine", "--lift", "v1.1.0"), ("promote", "v1.2.0")):
        verb, *rest = refused
        assert call(verb, home.uri, *rest, *WHY).exit_code == errors.EXIT_REFUSED
    assert call("quarantine", home.uri, "v9.9.9", *WHY).exit_code == errors.EXIT_FAILED
    assert call("hold", home.uri, "-m", "  ").exit_code == errors.EXIT_USAGE


def test_promote_by_hand(tmp_path: Path) -> None:
    home, _ = stores(tmp_path)
    published = Chain(home).publish(make(tmp_path, "m4", as_of=date(2024, 4, 4), since=2))
    number = str(published.version)
    refused = call("promote", home.uri, number, "--unopened", *WHY)
    assert refused.exit_code == errors.EXIT_REFUSED
    assert "was not accepted against what is live" in refused.stderr
    assert done("promote", home.uri, number, "--unopened", "--overrule", *WHY)["live"] == number
    assert assert_settled(home).change.reason == "recall fell"


def test_history_at_a_moment(home: LocalStore) -> None:
    after = live_pointer(home).change.at + timedelta(seconds=1)
    assert done("history", home.uri, "--at", f"{after:%Y-%m-%dT%H:%M:%S+0000}")["history"][0]["epoch"] == 3
    assert done("history", home.uri, "--at", "2100-01-01")["history"][0]["version"] == "v1.2.0"
    nothing = call("history", home.uri, "--at", "2000-01-01")
    assert nothing.exit_code == errors.EXIT_FAILED
    assert "nothing was live on 2000-01-01" in nothing.stderr


def test_prune_says_first_and_does_then(tmp_path: Path) -> None:
    home, other = stores(tmp_path)
    told = call("prune", home.uri, "--also", other.uri, "--keep", "1", "--days", "1", "--others", "0")
    assert told.exit_code == 0, told.stderr
    assert "v1.0.0" in told.stdout
    assert "younger than a day" in told.stdout
    assert "nothing was changed" in told.stderr
    assert done("prune", home.uri, "--also", other.uri, "--yes")["retired"] == []
    assert live_pointer(home).epoch == 3
    assert call("prune", home.uri, "--keep", "0").exit_code == errors.EXIT_USAGE


def test_reconcile(tmp_path: Path) -> None:
    home, other = stores(tmp_path)
    other.delete(layout.latest_copy("best_model.pkl"))
    assert any("best_model.pkl" in each for each in done("reconcile", home.uri, "--also", other.uri)["mended"])
    assert "nothing was amiss" in call("reconcile", home.uri, "--also", other.uri).stdout


def test_recover_where_the_pointer_is_lost(tmp_path: Path) -> None:
    home, other = stores(tmp_path)
    whole = call("recover", home.uri, "v1.2.0", "--unopened", *WHY)
    assert whole.exit_code == errors.EXIT_REFUSED
    assert "latest.json is whole" in whole.stderr
    home.delete(layout.POINTER)
    assert done("recover", home.uri, "v1.1.0", "--unopened", "--also", other.uri, *WHY)["epoch"] == 4
    assert assert_settled(home).version == assert_settled(other, log=False).version == Version(1, 1, 0)


def test_rehome(tmp_path: Path) -> None:
    home, other = stores(tmp_path)
    assert done("rehome", home.uri, other.uri, *WHY)["pointer"]["home"] == other.uri
    assert assert_settled(other).home == other.uri
    refused = call("hold", home.uri, *WHY)
    assert refused.exit_code == errors.EXIT_REFUSED
    assert other.uri in refused.stderr


def test_a_spec_names_every_destination(tmp_path: Path) -> None:
    home, other = stores(tmp_path)
    spec = yaml.safe_load((MODELS / "heart_disease.yaml").read_text())
    spec["destinations"] = [{"name": each.root.parent.name, "uri": each.root.parent.as_uri()} for each in (home, other)]
    spec.pop("tracking")
    path = tmp_path / "heart_disease.yaml"
    path.write_text(yaml.safe_dump(spec))
    assert done("rollback", str(path), "--unopened", *WHY)["live"] == "v1.1.0"
    assert live_pointer(other) == live_pointer(home)
    assert call("hold", str(path), "--also", other.uri, *WHY).exit_code == errors.EXIT_USAGE


def test_an_act_whose_end_is_unknown_is_found_by_the_same_command(
    home: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for a new act, it would go back twice."""
    acted = acts.rollback

    def lost(*arguments: Any, **options: Any) -> None:
        acted(*arguments, **options)
        raise errors.OutcomeUnknown("the answer was lost", where=home.uri)

    with monkeypatch.context() as patch:
        patch.setattr(acts, "rollback", lost)
        unknown = call("rollback", home.uri, "--unopened", *WHY)
    assert unknown.exit_code == errors.EXIT_TRY_AGAIN
    again = done("rollback", home.uri, "--unopened", *WHY)
    assert (again["repeated"], again["pointer"]["version"]) == (True, "v1.1.0")
    assert live_pointer(home).epoch == 4
