"""Makes the buckets of a compose stack's stand-in clouds, through Airflow's connections; those that are there stay."""

from __future__ import annotations

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.google.cloud.hooks.gcs import GCSHook
from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

MODELS = "models"
MLFLOW = "mlflow"


def main() -> None:
    """Make them."""
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
    main()
