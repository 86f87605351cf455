"""The plugin, as Airflow finds it in its folder."""

from __future__ import annotations

from airflow import plugins_manager

from model_release.airflow_glue.links import MlflowRun


def test_the_plugin_declares_the_button_and_hangs_it_on_nobodys_tasks() -> None:
    assert plugins_manager.get_import_errors() == {}
    declared = [each for each in plugins_manager.get_operator_extra_links() if type(each).__name__ == "MlflowRun"]
    assert [(each.name, each.xcom_key) for each in declared] == [(MlflowRun.name, MlflowRun.xcom_key)]
    assert [*declared[0].operators] == [], "each DAG says which of its tasks have such a run"
    assert "model_releases" in {each["name"] for each in plugins_manager.get_plugin_info() or ()}
