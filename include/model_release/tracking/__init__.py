"""The history of all candidates in MLflow, and its alias `champion`. The only importer of mlflow.

Called by the nightly chain. MLflow is a follower: what is live is decided by the pointer, and the alias is
made to agree with it afterwards.
"""

from __future__ import annotations

import os

for _name, _value in {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # the task's own retries do the rest; seven take minutes
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)  # before mlflow is imported, which reads them then

from model_release.tracking.address import check_uri, embedded_database  # noqa: E402
from model_release.tracking.connection import prepare  # noqa: E402
from model_release.tracking.filestore import import_file_store  # noqa: E402
from model_release.tracking.registry import champion, follow_pointer, register  # noqa: E402
from model_release.tracking.runs import attach, log_candidate  # noqa: E402

__all__ = [
    "attach",
    "champion",
    "check_uri",
    "embedded_database",
    "follow_pointer",
    "import_file_store",
    "log_candidate",
    "prepare",
    "register",
]
