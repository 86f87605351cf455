"""What this package adds to Airflow's pages, as **Admin → Plugins** lists it. The declaration only.

The button is on those tasks alone that have an MLflow run. The DAG files put it there, since a plugin could only put it
on every task of an operator, in every DAG of this Airflow. The listener sets the notes of runs. The Releases page is in
the navigation, and a tab at each DAG: Airflow cannot put one at some DAGs alone.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from model_releases import app

from model_release.airflow_glue import listener
from model_release.airflow_glue.links import MlflowRun


class ModelReleases(AirflowPlugin):
    """The plugin."""

    name = "model_releases"
    operator_extra_links = [MlflowRun()]
    listeners = [listener]
    fastapi_apps = [{"app": app, "url_prefix": "/model-releases", "name": "Releases"}]
    external_views = [
        {
            "name": "Releases",
            "href": "model-releases/",
            "destination": "nav",
            "url_route": "model-releases-page",
        },
        {
            "name": "Releases",
            "href": "model-releases/of/{DAG_ID}/",
            "destination": "dag",
            "url_route": "model-releases-of-dag",
        },
    ]
