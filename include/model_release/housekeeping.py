"""Making room, one method a task: what Airflow schedules, without Airflow.

Every method may be killed anywhere and called again: it goes on with what is left.
"""

from __future__ import annotations

import logging

from model_release.nightly import Json
from model_release.places import Places
from model_release.release.acts import Act
from model_release.release.catalog import read_pointer
from model_release.release.prune import Fate, Plan, plan, prune
from model_release.release.sweep import sweep
from model_release.retention import Retention

log = logging.getLogger(__name__)


class Housekeeping:
    """One round of housekeeping for one model.

    Args:
        places: of the model.
        retention: how long releases are kept.
        by: who does it.
        operation: id of the round; a retry has the same one.
        dry_run: only say what would be done.
    """

    def __init__(self, places: Places, retention: Retention, *, by: str, operation: str, dry_run: bool = False) -> None:
        self.places = places
        self.retention = retention
        self.by = by
        self.operation = operation
        self.dry_run = dry_run

    def prune(self) -> Json:
        """Retire what is not kept, and remove the files of what was retired long enough ago.

        Raises:
            StoreUnavailable: a destination does not answer, so nobody knows what it names; nothing is pruned.
            Refused: this is not home, or a clock is wrong.
        """
        home, followers = self.places.home, [each.store for each in self.places.followers]
        if read_pointer(home) is None:
            return self._told("nothing was ever released here, so there is nothing to prune", [], bytes=0)
        if self.dry_run:
            made = plan(home, followers, self.retention)
        else:
            act = Act(by=self.by, reason="not kept by the spec's retention", operation=self.operation)
            made = prune(home, followers, self.retention, act)
        freed = sum(fate.size for fate in made.due)
        return self._told(
            f"{len(made.retiring)} retired, {len(made.due)} removed, {freed:,} bytes at {home.uri}",
            [*_lines(made)],
            retired={str(fate.version): fate.why for fate in made.retiring},
            removed={str(fate.version): fate.size for fate in made.due},
            waiting={str(version): f"{end:%Y-%m-%d %H:%M} UTC" for version, end in made.waiting.items()},
            kept={str(fate.version): fate.why for fate in made.fates if fate.kept},
            bytes=freed,
        )

    def sweep(self) -> Json:
        """Give up stale claims, and remove what given up numbers and old runs have left, at every destination.

        Raises:
            Refused: a clock is wrong.
        """
        followers = [each.store for each in self.places.followers]
        found = sweep(self.places.home, followers, by=self.by, remove=not self.dry_run)
        freed = sum(each.size for each in found)
        return self._told(
            f"{len(found)} found, {freed:,} bytes",
            [f"{each.where}: {each.what}, {_size(each.files, each.size)}" for each in found],
            found=[{"what": each.what, "where": each.where, "files": each.files, "bytes": each.size} for each in found],
            bytes=freed,
        )

    def _told(self, summary: str, lines: list[str], **facts: object) -> Json:
        if self.dry_run:
            summary = f"would be done, and was not: {summary}"
        for line in [*lines, summary]:
            log.info("%s", line)
        return {"summary": summary, "dry_run": self.dry_run, **facts}


def _lines(made: Plan) -> list[str]:
    kept = [f"{fate.version} stays: {fate.why}" for fate in made.fates if fate.kept]
    retiring = [f"{fate.version} is retired, {_files(fate)} go later: {fate.why}" for fate in made.retiring]
    waiting = [
        f"{version} is retired, its files go after {end:%Y-%m-%d %H:%M} UTC" for version, end in made.waiting.items()
    ]
    return [*kept, *retiring, *waiting, *(f"{fate.version}, {_files(fate)} go now: {fate.why}" for fate in made.due)]


def _files(fate: Fate) -> str:
    return _size(len(fate.files), fate.size)


def _size(files: int, size: int) -> str:
    return f"{files} files of {size:,} bytes"
