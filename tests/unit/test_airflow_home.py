"""The home of a local Airflow: which users may look into it, and what its processes import."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from scripts.airflow_home import CHECKOUT, AirflowHome


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


def test_its_processes_import_what_the_caller_has_on_the_path_wherever_they_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{CHECKOUT / 'include'}:ours")
    home = AirflowHome(var=tmp_path / "var")
    home.make_folders()
    (home.home / "secrets.json").write_text(json.dumps(dict.fromkeys(("fernet_key", "secret_key", "jwt_secret"), "x")))

    path = home.environment(port=1)["PYTHONPATH"]

    assert path.split(":") == [str(CHECKOUT / "include"), str(tmp_path / "ours")]
