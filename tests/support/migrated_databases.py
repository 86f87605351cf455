"""Airflow's and MLflow's databases, migrated once in a run of tests and copied into each home that begins with them.

A migration takes ten seconds of a processor; what it does is tested where a home is prepared from nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from filelock import FileLock

from scripts.airflow_home import AirflowHome
from support import run_guard


def migrated(home: AirflowHome) -> AirflowHome:
    """Give a new home its databases, and return it."""
    shared = AirflowHome(var=Path(os.environ[run_guard.VARIABLE]) / "migrated")
    with FileLock(f"{shared.var}.lock"):
        shared.prepare()
    home.make_folders()
    for pattern in ("airflow/airflow.*", "mlflow/mlflow.*"):
        for file in shared.var.glob(pattern):
            shutil.copy2(file, home.var / file.relative_to(shared.var))
    return home
