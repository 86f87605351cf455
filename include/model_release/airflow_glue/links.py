"""A button on a task's page that opens its MLflow run. For the DAG files.

It hangs on the tasks that have such a run. A plugin could only hang it on each `@task` of the whole Airflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink, XComArg

from model_release.spec.summary import Summary

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class MlflowRun(BaseOperatorLink):
    """The button. Airflow's page reads the address from the XCom that the task has left under `xcom_key`."""

    name = "MLflow run"
    xcom_key = "mlflow_run"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address that the task has left; called by the worker when a task that is not mapped is over."""
        return ti_key.xcom_pull(task_ids=ti_key.task_id, key=self.xcom_key) or ""


def with_mlflow_link(spec: Summary, *tasks: XComArg) -> None:
    """Put the button on tasks, where MLflow has pages to open."""
    if spec.has_mlflow_pages:
        for each in tasks:
            for operator, _ in each.iter_references():
                operator.operator_extra_links = (MlflowRun(),)
