"""Where the package meets Airflow: the only importer of airflow. No work is done here.

`declaring` is for DAG files, `running` for their tasks, `hooks` makes stores from connections.
"""

from model_release.airflow_glue.declaring import (
    FOLLOW_THE_ERRORS,
    latest_asset,
    readable_specs,
    refuse_unreadable_specs,
    retrain_params,
)
from model_release.airflow_glue.hooks import open_through_hooks
from model_release.airflow_glue.running import last_announced, run_facts, show, tonight

__all__ = [
    "FOLLOW_THE_ERRORS",
    "last_announced",
    "latest_asset",
    "open_through_hooks",
    "readable_specs",
    "refuse_unreadable_specs",
    "retrain_params",
    "run_facts",
    "show",
    "tonight",
]
