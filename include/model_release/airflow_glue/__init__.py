"""Where the package meets Airflow: the only importer of airflow. No work is done here.

`declaring`, `forms` and `links` are for DAG files, `running`, `reporting` and `notifying` for their tasks, `hooks` and
`channels` follow connections, `watching` is for Airflow's triggerer; `listener`, `ended_run` and `metrics` are the
plugin's.
"""

from model_release.airflow_glue.declaring import (
    dag_of,
    data_asset,
    deadline,
    latest_asset,
    pod_of_training,
    readable_specs,
    refuse_unreadable_specs,
    retrain_timetable,
    timetable,
    with_form,
)
from model_release.airflow_glue.forms import approval_task, housekeeping_params, operate_params, retrain_params
from model_release.airflow_glue.hooks import mlflow_at, open_through_hooks
from model_release.airflow_glue.links import with_mlflow_link
from model_release.airflow_glue.notifying import notify_of_act, notify_of_housekeeping, notify_of_retrain
from model_release.airflow_glue.reporting import remember_failure, report_on, report_on_act
from model_release.airflow_glue.running import (
    announcing,
    approval_response,
    check_approvers,
    housekeeping_run,
    link_mlflow,
    operate_run,
    receive,
    retrain_run,
    run_facts,
    show,
    show_or_skip,
)

__all__ = [
    "announcing",
    "approval_response",
    "approval_task",
    "check_approvers",
    "dag_of",
    "data_asset",
    "deadline",
    "housekeeping_params",
    "housekeeping_run",
    "latest_asset",
    "link_mlflow",
    "mlflow_at",
    "notify_of_act",
    "notify_of_housekeeping",
    "notify_of_retrain",
    "open_through_hooks",
    "operate_params",
    "operate_run",
    "pod_of_training",
    "readable_specs",
    "receive",
    "refuse_unreadable_specs",
    "remember_failure",
    "report_on",
    "report_on_act",
    "retrain_params",
    "retrain_run",
    "retrain_timetable",
    "run_facts",
    "show",
    "show_or_skip",
    "timetable",
    "with_form",
    "with_mlflow_link",
]
