"""The DAG `retrain_<model>`: its graph, what parsing it costs, and whole runs of the chain on real data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CHAIN = ["reconcile", "ingest", "train", "evaluate", "gate", "upload", "update_latest", "announce"]
HEAVY = [
    "pandas",
    "sklearn",
    "mlflow",
    "numpy",
    "scipy",
    "pyarrow",
    "matplotlib",
    "boto3",
    "google.cloud.storage",
    "azure.storage.blob",
]
DAG_FILE = Path(__file__).resolve().parents[2] / "dags" / "retrain.py"


def load(dag_id: str = "retrain_heart_disease") -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAG_FILE))
    assert not bag.import_errors
    return bag.dags[dag_id]


def run(**conf: Any) -> Any:
    """Run the chain in this process, as a manual run without a logical date."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    bag = DagBag(str(DAG_FILE))
    DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]
    sync_bag_to_db(bag, "dags-folder", None)
    return bag.dags["retrain_heart_disease"].test(run_conf=conf)


def states(done: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in CHAIN}
    for each in sorted(done.get_task_instances(), key=lambda each: each.map_index):
        found[each.task_id].append(str(each.state))
    return found


def xcom(done: Any, task_id: str, key: str) -> Any:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.scalars(
            XComModel.get_many(run_id=done.run_id, dag_ids=done.dag_id, task_ids=task_id, key=key)
        ).one()
        return XComModel.deserialize_value(found)


def pointer(tmp_path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((tmp_path / "store/heart-disease-models/latest.json").read_text())
    return value


def test_the_graph_is_the_designed_chain(specs: Callable[..., Path]) -> None:
    specs()
    dag = load()
    assert [task.task_id for task in dag.topological_sort()] == CHAIN
    for task_id, following in zip(CHAIN, [*CHAIN[1:], None], strict=True):
        assert dag.get_task(task_id).downstream_task_ids == ({following} if following else set())
    mapped = {task.task_id for task in dag.tasks if task.is_mapped}
    assert mapped == {"train", "upload"}


def test_the_nightly_interval_is_a_day_and_nothing_is_caught_up(specs: Callable[..., Path]) -> None:
    specs()
    dag = load()
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == ("0 2 * * *", "UTC")
    assert dag.timetable.interval == timedelta(days=1)
    assert not dag.catchup


def test_the_form_has_help_for_every_field(specs: Callable[..., Path]) -> None:
    specs()
    params = load().params
    assert set(params) == {"as_of", "candidates", "accuracy_floor", "promote", "bump", "force"}
    for name in params:
        schema = params.get_param(name).schema
        assert schema["title"] and params.get_param(name).description, name


def test_every_shipped_spec_gets_a_dag(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.delenv("MODEL_RELEASE_SPECS", raising=False)
    bag = DagBag(str(DAG_FILE))
    assert not bag.import_errors
    assert set(bag.dags) == {"retrain_heart_disease", "retrain_heart_disease_four_sites"}
    assert all(dag.doc_md and dag.tags for dag in bag.dags.values())


def test_parsing_imports_nothing_heavy(specs: Callable[..., Path]) -> None:
    specs()
    program = (
        "import sys; from airflow.dag_processing.dagbag import DagBag; "
        f"bag = DagBag({str(DAG_FILE)!r}); assert bag.dags, bag.import_errors; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_a_broken_spec_is_an_import_error_apart_and_breaks_no_other_model(specs: Callable[..., Path]) -> None:
    from airflow.dag_processing.dagbag import DagBag

    specs()
    broken = specs("heart_disease_four_sites")
    broken.write_text(broken.read_text().replace("cross_validation:", "cross_validaton:"))
    bag = DagBag(str(DAG_FILE.parent))
    assert set(bag.dags) == {"retrain_heart_disease"}
    (file,) = bag.import_errors
    assert Path(file).name == "unreadable_specs.py"
    assert str(broken) in bag.import_errors[file]
    assert "did you mean 'cross_validation'?" in bag.import_errors[file]


@pytest.mark.usefixtures("airflow_database")
def test_nights_in_a_row(specs: Callable[..., Path], tmp_path: Path) -> None:
    """Released; nothing new; forced; rejected: each with the states that a person sees in the grid."""
    specs()
    first = run()
    assert str(first.state) == "success"
    assert states(first) == {name: ["success"] * (2 if name == "train" else 1) for name in CHAIN}
    released = pointer(tmp_path)
    assert (released["version"], released["epoch"], released["change"]["kind"]) == ("v1.0.0", 1, "first")
    assert xcom(first, "gate", "verdict")["accepted"]
    assert xcom(first, "update_latest", "return_value")["promoted"]

    idle = run()
    assert str(idle.state) == "success"
    assert states(idle) == {name: ["success" if name in CHAIN[:2] else "skipped"] for name in CHAIN}
    assert "v1.0.0" in xcom(idle, "ingest", "outcome")["reason"]

    forced = run(force=True)
    assert states(forced)["gate"] == ["success"]
    assert states(forced)["upload"] == ["skipped"]
    assert xcom(forced, "gate", "verdict")["summary"] == "reproduced v1.0.0 byte for byte"

    rejected = run(accuracy_floor=0.99)
    assert str(rejected.state) == "success"
    assert states(rejected)["gate"] == ["success"]
    assert (
        states(rejected)["upload"] == states(rejected)["update_latest"] == states(rejected)["announce"] == ["skipped"]
    )
    verdict = xcom(rejected, "gate", "verdict")
    assert not verdict["accepted"]
    assert any("below the 0.9900 required" in reason for reason in verdict["reasons"])

    repeated = run(accuracy_floor=0.99)
    assert states(repeated)["train"] == ["skipped"]
    assert "rejected" in xcom(repeated, "ingest", "outcome")["reason"]
    assert pointer(tmp_path) == released


@pytest.mark.usefixtures("airflow_database")
def test_an_unknown_key_in_the_conf_fails_at_once(specs: Callable[..., Path], tmp_path: Path) -> None:
    specs()
    done = run(accuracy_flor=0.5)
    assert str(done.state) == "failed"
    assert states(done)["reconcile"] == ["failed"]
    assert not (tmp_path / "store/heart-disease-models/latest.json").exists()


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TWO = datetime(2026, 11, 21, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("run_type", "interval_end", "conf", "as_of", "promote"),
    [
        ("scheduled", TWO, {}, "2026-11-21", "auto"),
        ("manual", None, {}, "2026-11-21", "auto"),
        ("manual", TWO, {"as_of": "2026-10-09"}, "2026-10-09", "auto"),
        ("backfill", TWO, {}, "2026-11-21", "never"),
        ("backfill", TWO, {"promote": "auto"}, "2026-11-21", "auto"),
        ("asset_triggered", None, {}, "2026-11-21", "auto"),
    ],
)
def test_the_facts_of_every_kind_of_run(
    run_type: str, interval_end: datetime | None, conf: dict[str, Any], as_of: str, promote: str
) -> None:
    from airflow.sdk.api.datamodels._generated import DagRunType  # the enum that tasks see

    from model_release.airflow_glue import run_facts

    params: dict[str, Any] = {
        "as_of": None,
        "candidates": [],
        "accuracy_floor": None,
        "promote": "auto",
        "bump": "auto",
        "force": False,
    }
    dag_run = SimpleNamespace(
        run_id="r",
        dag_id="d",
        run_type=DagRunType(run_type),
        conf=conf,
        data_interval_end=interval_end,
        run_after=NOON,
        triggering_user_name=None,
    )
    ti = SimpleNamespace(bundle_instance=SimpleNamespace(version="abc"))
    dag = SimpleNamespace(params=params)
    facts = run_facts({"dag": dag, "dag_run": dag_run, "params": params | conf, "ti": ti})  # type: ignore[typeddict-item]
    assert (facts.as_of.isoformat(), facts.promote, facts.by) == (as_of, promote, "airflow")
    assert facts.run_type == run_type
