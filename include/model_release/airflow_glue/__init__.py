"""Where the package meets Airflow: the only importer of airflow. No work is done here.

`declaring`, `forms` and `links` are for DAG files, `running` for their tasks, `hooks` follows connections.
"""

from model_release.airflow_glue.declaring import (
    FOLLOW_THE_ERRORS,
    latest_asset,
    pod_of_training,
    readable_specs,
    refuse_unreadable_specs,
    timetable,
)
from model_release.airflow_glue.forms import approval_task, housekeeping_params, operate_params, retrain_params
from model_release.airflow_glue.hooks import mlflow_at, open_through_hooks
from model_release.airflow_glue.links import with_mlflow_link
from model_release.airflow_glue.running import (
    announcing,
    approval_response,
    housekeeping_run,
    link_mlflow,
    operate_run,
    retrain_run,
    run_facts,
    run_summary,
    show,
    show_or_skip,
)

__all__ = [
    "FOLLOW_THE_ERRORS",
    "announcing",
    "approval_task",
    "operate_run",
    "housekeeping_params",
    "latest_asset",
    "link_mlflow",
    "mlflow_at",
    "open_through_hooks",
    "operate_params",
    "pod_of_training",
    "readable_specs",
    "refuse_unreadable_specs",
    "retrain_params",
    "run_facts",
    "approval_response",
    "show",
    "show_or_skip",
    "housekeeping_run",
    "timetable",
    "run_summary",
    "retrain_run",
    "with_mlflow_link",
]
