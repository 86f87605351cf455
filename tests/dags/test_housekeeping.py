"""The DAG `housekeeping_<model>`: its graph and timetable, and a round on what a dead run has left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from model_release.releases.catalog import live_pointer
from model_release.spec.load import load_spec
from model_release.spec.summary import Summary, summaries
from model_release.stores.local import LocalStore
from support.dag_runs import DAGS, load, run, states, xcom
from support.release_builder import Chain, make

DAG = "housekeeping_heart_disease"
CHAIN = ["prune", "sweep", "doctor"]
ALL = {*CHAIN, "mirror"}
LONG_AGO = 1_700_000_000


def test_the_graph_is_one_sentence_and_weekly(specs: Callable[..., Path]) -> None:
    specs()
    dag = load(DAG)
    assert [task.task_id for task in dag.topological_sort() if task.task_id != "mirror"] == CHAIN
    mirror = dag.get_task("mirror")
    assert not mirror.upstream_list and not mirror.downstream_list, "what fails there stops nothing else"
    assert (dag.timetable.expression, dag.catchup, dag.max_active_runs) == ("0 4 * * 0", False, 1)
    specs(housekeeping=None)
    assert not load(DAG).timetable.can_be_scheduled


@pytest.mark.usefixtures("airflow_database")
def test_a_dry_run_and_a_round(specs: Callable[..., Path], tmp_path: Path) -> None:
    spec = specs(retention={"live_versions": 1, "days": 1, "other_versions": 0, "grace_hours": 1})
    home = LocalStore(tmp_path / "store" / "heart-disease-models")
    chain = Chain(home)
    chain.publish(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b"))
    staged = [*home.list("staging/")]
    for entry in [*staged, *home.list("v1.0.0/")]:
        os.utime(home.root / entry.key, (LONG_AGO, LONG_AGO))

    dry = run(DAG)  # the form as it stands
    assert states(dry) == {name: ["skipped" if name == "mirror" else "success"] for name in ALL}
    assert "nothing was tracked yet" in xcom(dry, "mirror", "outcome")["skipped"]
    told = xcom(dry, "prune", "outcome")
    assert (told["dry_run"], told["retired"]) == (True, {"v1.0.0": "it was never live"})
    assert [*home.list("staging/")] and live_pointer(home).retired == []

    from model_release import tracking  # later than Airflow's database, whose migration warns once alembic is there

    tracked = load_spec(spec).tracking
    assert tracked is not None
    tracking.prepare(tracked)
    wet = run(DAG, dry_run=False)
    assert states(wet) == {name: ["success"] for name in ALL}
    assert xcom(wet, "mirror", "outcome")["database"]
    assert (tmp_path / "store" / "mlruns" / "mirror.json").exists()
    assert xcom(wet, "prune", "outcome")["retired"] == told["retired"]
    assert xcom(wet, "sweep", "outcome")["bytes"] == sum(each.size for each in staged)
    assert [*home.list("staging/")] == []
    now = live_pointer(home)
    assert [str(each) for each in now.retired] == ["v1.0.0"]
    assert (now.change.by, now.change.operation[:7]) == (DAG, "manual-")


@pytest.mark.parametrize(
    ("run_type", "conf", "dry"),
    [("scheduled", {}, False), ("manual", {}, True), ("manual", {"dry_run": False}, False)],
)
def test_a_round_that_a_person_starts_is_dry_unless_they_say_otherwise(
    run_type: str, conf: dict[str, bool], dry: bool, specs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.api.datamodels._generated import DagRunType  # the enum that tasks see

    from model_release.airflow_glue import housekeeping_params, running

    specs()
    (spec,) = summaries(DAGS / "housekeeping.py")
    assert isinstance(spec, Summary)
    form = {name: param.value for name, param in housekeeping_params().items()}
    facts = {"run_id": "r", "dag_id": DAG, "run_type": DagRunType(run_type), "conf": conf}
    dag_run = SimpleNamespace(**facts, triggering_user_name=None)
    context = {"dag": SimpleNamespace(params=form), "dag_run": dag_run, "params": form | conf}
    monkeypatch.setattr(running, "get_current_context", lambda: context)
    assert running.housekeeping_run(spec).dry_run is dry


@pytest.mark.usefixtures("airflow_database")
def test_a_model_without_releases_is_kept_too(specs: Callable[..., Path]) -> None:
    specs()
    done = run(DAG, dry_run=False)
    assert str(done.state) == "success"
    assert xcom(done, "prune", "outcome")["summary"].startswith("nothing was ever released here")
