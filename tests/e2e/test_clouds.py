"""A real Airflow releases to four destinations at once; each is looked at with its cloud's own plain SDK."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from emulators.clouds import clouds, destinations, live
from scripts.local_airflow import LocalAirflow
from support.airflow_homes import home_of
from support.quick_specs import quick_spec

pytestmark = pytest.mark.live

DAG = "retrain_heart_disease"
MODEL = "live/heart-disease-models"
NAMES = ["aws", "google", "azure", "folder"]


def test_a_night_to_three_clouds_and_a_folder(tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    quick_spec(specs, "heart_disease", schedule=None, destinations=destinations("live"))
    with clouds() as three:
        home = home_of(specs, tmp_path / "var", **three.connections)
        with LocalAirflow(home) as airflow:
            airflow.wait_for_dag(DAG)
            airflow.rest.unpause(DAG)
            run_id = airflow.rest.trigger(DAG, conf={})
            assert airflow.wait_for_run(DAG, run_id, seconds=240) == "success"
            uploads = [task for task in airflow.rest.tasks(DAG, run_id) if task.label.startswith("upload")]
            assert sorted(task.label for task in uploads) == [f"upload [{name}]" for name in sorted(NAMES)]
        read: dict[str, Callable[[str], bytes]] = {
            **three.readers(MODEL),
            "folder": lambda key: (home.store / MODEL / key).read_bytes(),
        }
        assert {name: live(each) for name, each in read.items()} == dict.fromkeys(NAMES, "v1.0.0")
        pointers = {each("latest.json") for each in read.values()}
        assert len(pointers) == 1
        assert json.loads(pointers.pop())["home"] == f"s3://models/{MODEL}"
