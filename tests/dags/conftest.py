"""A temporary Airflow for the tests of DAG files: a migrated database, no process, nothing of the user's."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.airflow_home import AirflowHome
from support.airflow_homes import migrated
from support.quick_specs import quick_spec
from support.statsd import Receiver, receiver

CHECKOUT = Path(__file__).resolve().parents[2]
HOME = Path(tempfile.mkdtemp(prefix="model-release-airflow-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

assert "airflow" not in sys.modules, "a test outside tests/dags imports Airflow, which has read its environment then"
os.environ.update(  # before the first import of airflow, which reads it once
    AIRFLOW_HOME=str(HOME),
    AIRFLOW__CORE__DAGS_FOLDER=str(CHECKOUT / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(CHECKOUT / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING",
    AIRFLOW__API_AUTH__JWT_SECRET="of tests, and as long as its algorithm asks for: sixty-four bytes",
    MODEL_RELEASE_CACHE=str(HOME / "cache"),
)


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """A migrated metadata database."""
    shared = migrated(AirflowHome(var=HOME / "var"))
    shutil.copy2(shared.home / "airflow.db", HOME)


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Write a quick variant of a shipped spec into a folder of its own, which the DAG file then reads."""
    folder = tmp_path / "specs"
    folder.mkdir()
    monkeypatch.setenv("MODEL_RELEASE_SPECS", str(folder))
    monkeypatch.setenv("MODEL_RELEASE_STORE", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow/mlflow.db")

    def write(shipped: str = "heart_disease", /, **changes: Any) -> Path:
        return quick_spec(folder, shipped, **changes)

    yield write


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Receiver]]:
    """Let this process send its metrics as a scheduler does that is configured to, and receive them."""
    from airflow._shared.observability.metrics import stats
    from airflow.observability.metrics.stats_utils import get_stats_factory

    with receiver() as received:

        def listen(*, tags: bool) -> Receiver:
            for name, value in received.settings(tags=tags).items():
                monkeypatch.setenv(name, value)
            stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
            return received

        yield listen
        sender: Any = stats._get_backend()
        sender.statsd.close()
    monkeypatch.undo()
    stats.initialize(factory=get_stats_factory(), export_legacy_names=True)
