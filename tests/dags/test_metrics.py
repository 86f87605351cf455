"""Metrics, as Airflow sends them when a run ends: StatsD's datagrams on a socket of this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model_release.stores.local import LocalStore
from support.dag_runs import note, run
from support.release_builder import Chain, make
from support.statsd import Receiver

Listen = Callable[..., Receiver]


@pytest.mark.usefixtures("airflow_database")
def test_an_act_says_how_latest_stands_at_each_destination_and_counts_as_no_run(
    listen: Listen, specs: Callable[..., Path], tmp_path: Path
) -> None:
    mirror = {"name": "mirror", "uri": (tmp_path / "mirror").as_uri()}
    specs(tracking=None, destinations=[{"name": "home", "uri": "${MODEL_RELEASE_STORE}"}, mirror])
    Chain(LocalStore(tmp_path / "store" / "heart-disease-models")).release(make(tmp_path, "a"))
    receiver = listen(tags=True)
    done = run("operate_heart_disease", action="hold", reason="look")
    note(done)
    said = receiver.read()
    model = "model=heart-disease"
    assert {*said} == {
        f"latest.since_timestamp_seconds,{model}",
        f"latest.data_timestamp_seconds,{model}",
        f"latest.holds,{model}",
        f"destination.epoch,{model},destination=home",
        f"destination.epoch,{model},destination=mirror",
    }
    assert said[f"latest.holds,{model}"] == 1
    assert said[f"destination.epoch,{model},destination=home"] == 2
    assert said[f"destination.epoch,{model},destination=mirror"] == 2


@pytest.mark.usefixtures("airflow_database")
def test_plain_statsd_has_the_labels_in_the_names_and_a_failed_night_counts_as_failed(
    listen: Listen, specs: Callable[..., Path]
) -> None:
    specs(tracking=None)
    receiver = listen(tags=False)
    note(run("retrain_heart_disease", as_of="1900-02-01"))
    said = receiver.read()
    assert said["runs.heart-disease.failed"] == 1
    assert said["runs.heart-disease.nothing_new"] == 0
    assert "run.ended_timestamp_seconds.heart-disease.failed" in said
    assert said["destination.epoch.heart-disease.local"] == 0


@pytest.mark.usefixtures("airflow_database")
@pytest.mark.parametrize(("tag", "counted"), [("model-release", {"unreported"}), ("of-others", set())])
def test_a_run_without_a_result_counts_and_one_of_another_package_does_not(
    tag: str, counted: set[str], listen: Listen, tmp_path: Path
) -> None:
    (tmp_path / "retrain_silent.py").write_text(SILENT.replace("TAG", tag))
    receiver = listen(tags=True)
    note(run("retrain_silent", folder=tmp_path))
    said = {name: value for name, value in receiver.read().items() if name.startswith("runs,")}
    assert {name.partition("ending=")[2] for name, value in said.items() if value == 1} == counted
    assert all(",model=silent," in name for name in said)


SILENT = """
from airflow.sdk import dag, task


@dag(dag_id="retrain_silent", schedule=None, tags=["TAG"])
def silent():
    @task
    def report():
        pass

    report()


silent()
"""
