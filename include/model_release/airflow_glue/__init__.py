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
from model_release.airflow_glue.forms import asked, housekeeping_params, operate_params, retrain_params
from model_release.airflow_glue.hooks import mlflow_at, open_through_hooks
from model_release.airflow_glue.links import with_mlflow_link
from model_release.airflow_glue.running import (
    announcing,
    by_hand,
    link_mlflow,
    run_facts,
    said,
    show,
    show_or_skip,
    this_week,
    told,
    tonight,
)

__all__ = [
    "FOLLOW_THE_ERRORS",
    "announcing",
    "asked",
    "by_hand",
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
    "said",
    "show",
    "show_or_skip",
    "this_week",
    "timetable",
    "told",
    "tonight",
    "with_mlflow_link",
]
