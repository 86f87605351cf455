"""The home of a local Airflow: which users may look into it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scripts.airflow_home import AirflowHome


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_what_holds_databases_and_logs_is_closed_to_other_users(before: int | None, tmp_path: Path) -> None:
    home = AirflowHome(var=tmp_path / "var")
    private = [home.home, home.var / "mlflow"]
    if before is not None:
        for folder in private:
            folder.mkdir(parents=True)
            folder.chmod(before)
    home.make_folders()
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in private] == [0o700, 0o700]
    assert home.logs.is_relative_to(home.home)
    assert home.store.is_dir()
