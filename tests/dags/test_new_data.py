"""New data: an event of the data's asset starts a run beside the timetable; the trigger that looks at a source."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import AssetOrTimeSchedule
from airflow.sdk.definitions.asset import Dataset

from support.dag_runs import load, sync

DAG = "retrain_heart_disease"
DATA, LATEST = "heart-disease-data", "heart-disease"


@pytest.mark.parametrize(
    ("schedule", "watches"),
    [
        ({"cron": "0 3 * * *", "on_new_data": "announced"}, []),
        ({"cron": "0 3 * * *", "on_new_data": "watched", "watch_minutes": 2}, ["heart-disease-source"]),
    ],
)
def test_new_data_starts_a_run_beside_the_timetable(
    schedule: dict[str, Any], watches: list[str], specs: Callable[..., Path]
) -> None:
    specs(schedule=schedule)
    both = load(DAG).timetable
    assert isinstance(both, AssetOrTimeSchedule)
    assert both.timetable.expression == "0 3 * * *"  # type: ignore[attr-defined]
    data = both.asset_condition
    assert isinstance(data, Dataset)
    assert (data.name, data.uri, data.group) == (DATA, f"x-dataset://{LATEST}/data", "dataset")
    assert [each.name for each in data.watchers] == watches
    for each in data.watchers:
        path, arguments = each.trigger.serialize()
        assert path == "model_release.airflow_glue.watching.NewData"
        assert arguments["uri"].startswith("file:///")
        assert (arguments["model"], arguments["minutes"]) == (LATEST, 2)


@pytest.mark.usefixtures("airflow_database")
def test_an_event_of_the_data_s_asset_is_due_a_run_and_one_with_a_partition_key_is_not(
    specs: Callable[..., Path],
) -> None:
    from airflow.assets.manager import asset_manager
    from airflow.models.asset import AssetDagRunQueue, AssetModel
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    specs(schedule={"on_new_data": "announced"})
    sync(DAG)

    def due(**event: Any) -> bool:
        with create_session() as session:
            session.scalars(select(DagModel).where(DagModel.dag_id == DAG)).one().is_paused = False
            data = session.scalars(select(AssetModel).where(AssetModel.name == DATA)).one()
            asset_manager.register_asset_change(asset=data, session=session, **event)
            queued = session.scalars(select(AssetDagRunQueue.target_dag_id)).all()
            session.rollback()
            return DAG in queued

    assert due()
    assert not due(partition_key="2026-11-30")


@pytest.mark.usefixtures("airflow_database")
def test_airflow_s_graph_of_assets_leads_from_the_data_to_the_model(specs: Callable[..., Path]) -> None:
    from airflow.api_fastapi.core_api.services.ui.dependencies import get_data_dependencies
    from airflow.models.asset import AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    specs()
    sync(DAG)
    with create_session() as session:
        ids = {each.name: each.id for each in session.scalars(select(AssetModel))}
        graph = get_data_dependencies(ids[DATA], session)
    names = {each["id"]: each["label"] for each in graph["nodes"]}
    edges = {(names[each["source_id"]], names[each["target_id"]]) for each in graph["edges"]}
    assert edges >= {(DATA, f"{DAG}.ingest"), (DATA, f"{DAG}.announce"), (f"{DAG}.announce", LATEST)}


class Kept:
    """Airflow's store of one asset, which a triggerer alone can reach."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    async def aset(self, key: str, value: Any) -> None:
        self.values[key] = value


def deliver(folder: Path, day: int) -> None:
    file = folder / f"dt=2026-10-{day:02}" / "rows.csv"
    file.parent.mkdir(parents=True)
    file.write_text(f"day\n{day}\n")


def events(
    source: Path, kept: Kept, *, between: Callable[[int], None] = lambda _look: None, looks: int = 6
) -> list[int]:
    """Run the trigger for some looks; return after which of them it told of new data."""
    from model_release.airflow_glue.watching import NewData

    taken: list[int] = []

    class Counted(NewData):
        looked = 0

        def look(self) -> str:
            self.looked += 1
            if self.looked > looks:
                raise KeyboardInterrupt
            found = super().look()
            between(self.looked)
            return found

    async def watch() -> None:
        trigger = Counted(LATEST, source.as_uri(), {}, minutes=0)
        trigger.asset_state_store = kept  # type: ignore[assignment]
        async for _ in trigger.run():
            taken.append(trigger.looked)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(watch())
    return taken


def test_the_first_look_of_all_starts_nothing_and_a_change_starts_one_run_when_it_has_come_to_rest(
    tmp_path: Path,
) -> None:
    deliver(tmp_path, 1)
    kept = Kept()

    def arrives(look: int) -> None:
        if look in (2, 3):
            deliver(tmp_path, look)

    assert events(tmp_path, kept, between=arrives) == [5]
    assert events(tmp_path, kept) == [], "a triggerer that starts again has nothing new to tell"
    deliver(tmp_path, 9)
    assert events(tmp_path, kept) == [2], "what came while it was away is told"


def test_a_look_that_fails_is_logged_and_the_next_one_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model_release.workflows import sources

    deliver(tmp_path, 1)
    kept = Kept()
    events(tmp_path, kept, looks=1)
    whole, fails = sources.digest_of_listing, [True, False, False, False]

    def away(source: Any) -> str:
        if fails.pop(0):
            raise ConnectionError("away")
        return whole(source)

    monkeypatch.setattr(sources, "digest_of_listing", away)
    deliver(tmp_path, 2)
    assert events(tmp_path, kept, looks=4) == [3]
    assert "the source of heart-disease" in caplog.text
