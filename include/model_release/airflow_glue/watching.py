"""New data at a model's source, found by Airflow's triggerer: an event of the data's asset, which starts a run.

The triggerer has no files of a DAG, so the trigger takes an address and no spec. What the last run was started for is
kept in Airflow's store of the asset: a triggerer that starts again neither misses files nor starts a run for old ones.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

log = logging.getLogger(__name__)

SEEN = "seen"
"""Key of the asset's store: the digest of the listing for which a run was started."""


class NewData(BaseEventTrigger):
    """Looks at a source again and again; says so when its files are others than before and have come to rest.

    The first look of all starts no run: the timetable's next one takes what is there.

    Args:
        model: the model's name, so that no two models have the same trigger.
        uri: of the source, with the id of its Airflow connection.
        transfer: time-outs and retries, as a destination's `transfer`.
        minutes: between two looks.
    """

    def __init__(self, model: str, uri: str, transfer: dict[str, Any], minutes: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.model = model
        self.uri = uri
        self.transfer = transfer
        self.minutes = minutes

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class and the arguments, as Airflow keeps them."""
        arguments = {"model": self.model, "uri": self.uri, "transfer": self.transfer, "minutes": self.minutes}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield an event for each change that has come to rest. A look that fails is logged, and tried again."""
        seen, before = await self._seen(), None
        while True:
            try:
                now = await asyncio.to_thread(self.look)
            except Exception:  # the source is away: the next look may find it
                log.exception("the source of %s, %s, could not be looked at", self.model, self.uri)
            else:
                if seen is None:
                    await self._remember(seen := now)
                elif now == before != seen:
                    yield TriggerEvent({"source": self.uri})  # type: ignore[no-untyped-call]
                    await self._remember(seen := now)
                before = now
            await asyncio.sleep(timedelta(minutes=self.minutes).total_seconds())

    def look(self) -> str:
        """Return a digest of the files at the source: their names, sizes and times."""
        from model_release.airflow_glue.hooks import open_through_hooks
        from model_release.spec.transfer import TransferSettings
        from model_release.workflows.sources import digest_of_listing

        return digest_of_listing(open_through_hooks(self.uri, TransferSettings(**self.transfer).for_reading()))

    async def _seen(self) -> str | None:
        kept = await self.asset_state_store.aget(SEEN, default=None) if self.asset_state_store else None
        return kept if isinstance(kept, str) else None

    async def _remember(self, digest: str) -> None:
        if self.asset_state_store:
            await self.asset_state_store.aset(SEEN, digest)
