"""The history of all candidates in MLflow, and its registry. The only importer of mlflow.

Called by the nightly chain. MLflow is a follower: what is live is decided by the pointer, and the alias is
made to agree with it afterwards.
"""

from __future__ import annotations

import os

for _name, _value in {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DATABRICKS_ENDPOINT_HTTP_RETRY_TIMEOUT": "90",  # seconds for one request; its own 500 would hold a task
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # the task's own retries do the rest; seven take minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds without a byte; its own 120 would hold a task for long
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)  # before mlflow is imported, which reads them then

from model_release.tracking.connection import prepare  # noqa: E402
from model_release.tracking.filestore import import_file_store  # noqa: E402
from model_release.tracking.registry import (  # noqa: E402
    Aliases,
    aliases,
    challenge,
    dismiss,
    enrol,
    follow_pointer,
    release_tags,
)
from model_release.tracking.runs import attach, begin, conclude, log_candidate, page  # noqa: E402

__all__ = [
    "Aliases",
    "aliases",
    "attach",
    "begin",
    "challenge",
    "conclude",
    "dismiss",
    "enrol",
    "follow_pointer",
    "import_file_store",
    "log_candidate",
    "page",
    "prepare",
    "release_tags",
]
