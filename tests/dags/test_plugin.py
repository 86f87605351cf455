"""The plugin, as Airflow finds it in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow import plugins_manager

from model_release.airflow_glue import ended_run
from model_release.airflow_glue.links import MlflowRun
from support.dag_runs import note, run


def test_the_plugin_declares_the_button_and_hangs_it_on_nobodys_tasks() -> None:
    assert plugins_manager.get_import_errors() == {}
    declared = [each for each in plugins_manager.get_operator_extra_links() if type(each).__name__ == "MlflowRun"]
    assert [(each.name, each.xcom_key) for each in declared] == [(MlflowRun.name, MlflowRun.xcom_key)]
    assert [*declared[0].operators] == [], "each DAG says which of its tasks have such a run"
    assert "model_releases" in {each["name"] for each in plugins_manager.get_plugin_info() or ()}


@pytest.mark.usefixtures("airflow_database")
def test_the_note_of_a_run_is_set_is_cut_and_never_replaces_a_person_s_note(tmp_path: Path) -> None:
    (tmp_path / "retrain_noted.py").write_text(NOTED)
    done = run("retrain_noted", folder=tmp_path)
    said = note(done) or ""
    assert said.startswith("**Report: released**")
    assert len(said) == 1000
    again = note(done)
    assert again == said
    _write(done, "looked at, ann")
    assert note(done) == "looked at, ann"


@pytest.mark.usefixtures("airflow_database")
def test_a_run_without_a_report_gets_no_note_and_a_listener_that_fails_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "retrain_noted.py").write_text(NOTED.replace('key="note"', 'key="other"'))
    done = run("retrain_noted", folder=tmp_path)
    assert note(done) is None

    def broken(*_: object) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr(ended_run, "left_by", broken)
    assert note(done) is None
    assert "the note of retrain_noted" in caplog.text
    assert "the metrics of retrain_noted" in caplog.text


NOTED = """
from airflow.sdk import dag, get_current_context, task


@dag(dag_id="retrain_noted", schedule=None, tags=["model-release"])
def noted():
    @task
    def report():
        get_current_context()["ti"].xcom_push(key="note", value="**Report: released** " + "x" * 2000)

    report()


noted()
"""


def _write(done: Any, text: str) -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        session.scalars(select(DagRun).where(DagRun.run_id == done.run_id)).one().note = text
