"""Homes of the Airflows that tests start: with databases that are migrated once, and settings that spare the processor.

A migration takes ten seconds of a processor; what it does is tested where a home is prepared from nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from filelock import FileLock

from model_release.spec.summary import SPECS_VARIABLE
from scripts.airflow_home import AirflowHome
from support import run_guard

SPARING = {
    # Several Airflows share two cores: a scheduler that looks ten times a second takes a fifth of one.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
}


def home_of(specs: Path, var: Path, **extra: str) -> AirflowHome:
    """Return a new home, ready to start, whose DAGs are those of a folder of specs.

    Args:
        specs: the folder.
        var: the folder for all that the Airflow leaves.
        extra: other variables of its environment.
    """
    return migrated(AirflowHome(var=var, extra={SPECS_VARIABLE: str(specs), **SPARING, **extra}))


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
