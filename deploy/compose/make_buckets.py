"""Makes the buckets of the stand-in clouds: `python make_buckets.py CONNECTIONS`; those that are there stay.

Through the hooks and the connections that tasks use, so that a connection that does not work is found here.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

MODELS = "models"
MLFLOW = "mlflow"


def main(connections: Path) -> None:
    """Make them."""
    for name, value in json.loads(connections.read_text()).items():
        os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(value)  # outside tasks, hooks find no others
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.google.cloud.hooks.gcs import GCSHook
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

    s3 = S3Hook(aws_conn_id="aws_models").get_conn()
    there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    for name in sorted({MODELS, MLFLOW} - there):
        s3.create_bucket(Bucket=name)
    gcs = GCSHook(gcp_conn_id="gcp_models").get_conn()
    if gcs.lookup_bucket(MODELS) is None:
        gcs.create_bucket(MODELS)
    azure = WasbHook(wasb_conn_id="azure_models").get_conn().get_container_client(MODELS)
    if not azure.exists():
        azure.create_container()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
