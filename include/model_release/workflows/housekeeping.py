"""Making room, one method a task: what Airflow schedules, without Airflow.

Every method may be killed anywhere and called again: it goes on with what is left.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from mlruns_mirror.push import push
from mlruns_mirror.unchanged import unchanged
from model_release.documents.base import Strict
from model_release.errors import Corrupt, NotFound, StoreUnavailable
from model_release.releases.acts import Act
from model_release.releases.doctor.findings import Damage
from model_release.releases.prune import Fate, Plan, plan, prune
from model_release.releases.sweep import sweep
from model_release.stores import Store
from model_release.workflows.checkup import checkup
from model_release.workflows.destinations import Destinations
from model_release.workflows.messages import Message
from model_release.workflows.mlruns_sources import tracked_here

log = logging.getLogger(__name__)

GOES = frozenset({Damage.LITTER, Damage.RETIRED_FILES})
"""What a round removes before doctor looks, and a dry run does not."""


class PruneOutcome(Message):
    """What *Prune* retired and removed, or would.

    Attributes:
        retired: why, by version.
        removed: bytes at home, by version.
        waiting: when the files of a retired version go, by version.
        kept: why, by version.
        bytes: that were freed at home.
    """

    kind: Literal["prune"] = "prune"
    summary: str
    dry_run: bool
    retired: dict[str, str] = {}
    removed: dict[str, int] = {}
    waiting: dict[str, str] = {}
    kept: dict[str, str] = {}
    bytes: int = 0


class Swept(Strict):
    """One thing that a dead run has left."""

    what: str
    where: str
    files: int
    bytes: int


class SweepOutcome(Message):
    """What *Sweep* found and removed, or would."""

    kind: Literal["sweep"] = "sweep"
    summary: str
    dry_run: bool
    found: list[Swept]
    bytes: int


class MirrorOutcome(Message):
    """What *Mirror MLflow* brought to the mirror.

    Attributes:
        skipped: why there was nothing to mirror.
        files: of the MLflow data.
        runs: in the database; None if the data is an old file store.
        sent: files that were sent now.
        bytes: that were sent now.
        database: whether a new snapshot of the database was sent.
    """

    kind: Literal["mirror"] = "mirror"
    summary: str
    dry_run: bool
    skipped: str | None = None
    files: int = 0
    runs: int | None = None
    sent: int = 0
    bytes: int = 0
    database: bool = False


class DoctorOutcome(Message):
    """What *Doctor* mended; nothing is wrong any more."""

    kind: Literal["doctor"] = "doctor"
    summary: str
    mended: int


class Housekeeping:
    """One round of housekeeping for one model.

    Args:
        destinations: of the model, with what is kept of it.
        mlruns: opens the mirror of the MLflow data.
        by: who does it.
        operation: id of the round; a retry has the same one.
        dry_run: only say what would be done.
        repair: mend what doctor finds, where it has one right answer.
        read_data: let doctor hash every file; else sizes are compared.
    """

    def __init__(
        self,
        destinations: Destinations,
        *,
        mlruns: Callable[[], Store],
        by: str,
        operation: str,
        dry_run: bool = False,
        repair: bool = False,
        read_data: bool = False,
    ) -> None:
        self.destinations = destinations
        self.mlruns = mlruns
        self.by = by
        self.operation = operation
        self.dry_run = dry_run
        self.repair = repair and not dry_run
        self.read_data = read_data

    def prune(self) -> PruneOutcome:
        """Retire what is not kept, and remove the files of what was retired long enough ago.

        Raises:
            StoreUnavailable: a destination does not answer, so what it names is unknown; nothing is pruned.
            Refused: this is not home, or a clock is wrong.
        """
        releases = self.destinations.releases
        if releases.pointer() is None:
            summary = self._say("nothing was ever released here, so there is nothing to prune")
            return PruneOutcome(summary=summary, dry_run=self.dry_run)
        if self.dry_run:
            made = plan(releases, self.destinations.retention)
        else:
            act = Act(by=self.by, reason="not kept by the spec's retention", operation=self.operation)
            made = prune(releases, self.destinations.retention, act)
        summary = f"{len(made.retiring)} retired, {len(made.due)} removed, {made.freed:,} bytes at {releases.uri}"
        return PruneOutcome(
            summary=self._say(summary, *_lines(made)),
            dry_run=self.dry_run,
            retired={str(fate.version): fate.why for fate in made.retiring},
            removed={str(fate.version): fate.size for fate in made.due},
            waiting={str(version): f"{end:%Y-%m-%d %H:%M} UTC" for version, end in made.waiting.items()},
            kept={str(fate.version): fate.why for fate in made.fates if fate.kept},
            bytes=made.freed,
        )

    def sweep(self) -> SweepOutcome:
        """Give up stale claims, and remove what given up numbers and old runs have left, at every destination.

        Raises:
            Refused: a clock is wrong.
        """
        found = sweep(self.destinations.releases, by=self.by, remove=not self.dry_run)
        freed = sum(each.size for each in found)
        lines = [f"{each.where}: {each.what}, {_size(each.files, each.size)}" for each in found]
        return SweepOutcome(
            summary=self._say(f"{len(found)} found, {freed:,} bytes", *lines),
            dry_run=self.dry_run,
            found=[Swept(what=each.what, where=each.where, files=each.files, bytes=each.size) for each in found],
            bytes=freed,
        )

    def mirror(self) -> MirrorOutcome:
        """Bring the mirror of the MLflow data to the state of the data here; nothing is ever removed from the mirror.

        Raises:
            Refused: the mirror knows runs that are not here.
            Contended: others pushed at the same time.
        """
        try:
            source = tracked_here(self.destinations.tracking)
        except NotFound as nothing:
            summary = self._say(f"nothing is mirrored: {nothing}")
            return MirrorOutcome(summary=summary, dry_run=self.dry_run, skipped=str(nothing))
        store = self.mlruns()
        done = unchanged(store, source) or push(store, source, dry_run=self.dry_run)
        database = ", and the database" if done.database else ""
        outside = [f"not mirrored, since it is not below {source.artifacts}: {each}" for each in done.outside]
        return MirrorOutcome(
            summary=self._say(f"{done.sent} files of {done.sent_size:,} bytes{database} went to {done.uri}", *outside),
            dry_run=self.dry_run,
            files=done.files,
            runs=done.runs,
            sent=done.sent,
            bytes=done.sent_size,
            database=done.database,
        )

    def doctor(self) -> DoctorOutcome:
        """Look for damage at every destination, and mend what has one right answer if this round does.

        Raises:
            StoreUnavailable: something could not be read; look again.
            Corrupt: damage is left, each with its object and its remedy.
        """
        done = checkup(self.destinations, read_data=self.read_data, repair=self.repair, by=self.by)
        for finding in done.mended:
            log.info("mended: %s: %s", finding.where, finding.what)
        for finding in done.left:
            if finding.note:
                log.info("noted: %s: %s: %s", finding.where, finding.what, finding.remedy)
        left = [each for each in done.wrong if not (self.dry_run and each.kind in GOES)]
        if not left and self.destinations.releases.pointer() is None:
            return DoctorOutcome(summary="nothing was ever released here, so there is nothing to look at", mended=0)
        if not left:
            return DoctorOutcome(summary=f"nothing is wrong, {len(done.mended)} mended", mended=len(done.mended))
        lines = "\n".join(f"{each.kind}: {each.where}: {each.what}\n  → {each.remedy}" for each in left)
        what, where = f"{len(left)} found, {len(done.mended)} mended\n{lines}", self.destinations.home.uri
        if any(each.kind is Damage.UNREADABLE for each in left):
            raise StoreUnavailable(what, where=where)
        hint = "`model-release doctor` lays out the choices; `--repair`, or this DAG's form, mends what it can"
        raise Corrupt(what, where=where, hint=hint)

    def _say(self, summary: str, *lines: str) -> str:
        """Log what was done, or would be, and return the summary."""
        if self.dry_run:
            summary = f"would be done, and was not: {summary}"
        for line in [*lines, summary]:
            log.info("%s", line)
        return summary


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
