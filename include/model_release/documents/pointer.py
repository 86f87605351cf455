"""The pointer, `latest.json`, as a value with its transitions. Pure: no store, no clock.

The pointer holds everything that a promotion depends on, so that one compare-and-swap orders it all.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from enum import StrEnum
from typing import ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from model_release.documents import limits
from model_release.documents.base import Day, Document, Epoch, Instant, Sha256, Value, VersionText
from model_release.documents.version import Version

FORMAT: Final = 1


class Kind(StrEnum):
    """The kind of a change of the pointer."""

    FIRST = "first"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    HOLD = "hold"
    UNHOLD = "unhold"
    QUARANTINE = "quarantine"
    LIFT = "lift"
    RETIRE = "retire"
    RECOVER = "recover"
    REHOME = "rehome"


class Change(Value):
    """Who changed the pointer, how and why."""

    kind: Kind
    from_version: VersionText | None = Field(alias="from")
    to_version: VersionText = Field(alias="to")
    by: str
    reason: str
    at: Instant
    operation: str = Field(description="id of the act: a retry of the same act has the same one")
    about: list[VersionText] = Field(
        default_factory=list, description="the versions that a quarantine or a retirement is about"
    )

    model_config = {**Value.model_config, "populate_by_name": True}


class Hold(Value):
    """While it stands, nightly runs publish and do not promote."""

    by: str
    reason: str
    at: Instant
    operation: str


class Quarantine(Value):
    """Why a version is never promoted and never a baseline."""

    by: str
    reason: str
    at: Instant


class Pointer(Document):
    """`latest.json`: the one mutable object."""

    most_bytes: ClassVar[int] = limits.POINTER

    format: Literal[1] = Field(default=FORMAT, description="number of this document's format")
    lineage: str = Field(description="id of this history; changes only when a person recovers a lost pointer")
    home: str = Field(description="URI of the destination whose pointer decides")
    epoch: Epoch = Field(description="grows by one with each change")
    version: VersionText = Field(description="the live one")
    metadata_sha256: Sha256 = Field(description="of the live version's metadata.json")
    schema_revision: int = Field(ge=1, description="of the live version")
    data_as_of: Day | None = Field(description="of the live version's data")
    since: Epoch = Field(description="the epoch at which the live version became live")
    previous: VersionText | None = Field(description="that was live before; null: none was")
    holds: list[Hold] = Field(default_factory=list)
    quarantined: dict[str, Quarantine] = Field(default_factory=dict)
    retired: list[VersionText] = Field(
        default_factory=list, description="versions whose files are removed, or soon will be; never live again"
    )
    change: Change
    write_id: str = Field(description="unique to one write, so that its writer recognises it after a lost answer")
    ancestors: list[str] = Field(
        default_factory=list, description="lineages that this one continues, by a person's word"
    )

    @model_validator(mode="after")
    def _live_since_an_epoch_that_was(self) -> Self:
        if self.since > self.epoch:
            raise ValueError(f"since is {self.since}, after the epoch {self.epoch}")
        return self

    @property
    def order(self) -> tuple[int, date, Version]:
        """The order of the live version, which a promotion may only raise (rule 5)."""
        return release_order(self.schema_revision, self.data_as_of, self.version)


class PromotionTarget(Value):
    """The facts of a published version that decide about its promotion."""

    version: VersionText
    metadata_sha256: Sha256
    schema_revision: int
    data_as_of: Day | None

    @property
    def order(self) -> tuple[int, date, Version]:
        """The order of this version among others (rule 5)."""
        return release_order(self.schema_revision, self.data_as_of, self.version)


def release_order(revision: int, as_of: date | None, version: Version) -> tuple[int, date, Version]:
    """Return the key by which releases are ordered: schema revision, then data, then version."""
    return (revision, as_of or date.min, version)


def first(target: PromotionTarget, *, lineage: str, home: str, change: Change, write_id: str) -> Pointer:
    """Return the pointer that begins a history."""
    return Pointer(
        lineage=lineage,
        home=home,
        epoch=1,
        version=target.version,
        metadata_sha256=target.metadata_sha256,
        schema_revision=target.schema_revision,
        data_as_of=target.data_as_of,
        since=1,
        previous=None,
        change=change,
        write_id=write_id,
    )


def why_not(pointer: Pointer, target: PromotionTarget, *, today: date | None = None) -> str | None:
    """Return why the target may not become live now, in words; None if it may.

    The checks, in the order in which a person wants to hear of them: quarantine (rule 8), retirement (rule 12), hold
    (rule 8), order (rule 5).

    Args:
        pointer: the one that decides.
        target: a published version.
        today: by the store's clock, for an act of a person: a live version whose data is later has a wrong date, and
            then its place in the order holds nothing back.
    """
    barred = why_barred(pointer, target.version)
    if barred is not None:
        return barred
    if pointer.holds:
        hold = pointer.holds[0]
        return f"latest is held at {pointer.version} by {hold.by} since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}"
    if target.order <= pointer.order and not (today and dated_ahead(pointer, today)):
        return (
            f"latest only moves forward: {target.version} (schema {target.schema_revision}, "
            f"data as of {target.data_as_of}) comes before the live {pointer.version} "
            f"(schema {pointer.schema_revision}, data as of {pointer.data_as_of})"
        )
    return None


def dated_ahead(pointer: Pointer, today: date) -> bool:
    """Whether the live version says that its data is of a later date than today's."""
    return pointer.data_as_of is not None and pointer.data_as_of > today


def why_barred(pointer: Pointer, version: Version) -> str | None:
    """Return why a version may not become live by any act, a rollback included; None when it may."""
    name = str(version)
    if name in pointer.quarantined:
        entry = pointer.quarantined[name]
        return f"{name} is quarantined by {entry.by}: {entry.reason}"
    if version in pointer.retired:
        return f"{name} is retired: its files are removed, or soon will be"
    return None


def promoted(pointer: Pointer, target: PromotionTarget, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer after the target became live. Ask `why_not` first."""
    return _next(pointer, change, write_id, **_live(pointer, target))


def rolled_back(pointer: Pointer, target: PromotionTarget, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer after a rollback: held at the target, with the version that is left in quarantine (rule 8).

    Ask `why_barred` first.
    """
    left = Quarantine(by=change.by, reason=change.reason, at=change.at)
    return _next(
        pointer,
        change,
        write_id,
        **_live(pointer, target),
        holds=[*pointer.holds, _hold(change)],
        quarantined={**pointer.quarantined, str(pointer.version): left},
    )


def held(pointer: Pointer, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer with one more hold."""
    return _next(pointer, change, write_id, holds=[*pointer.holds, _hold(change)])


def released(pointer: Pointer, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer without a hold."""
    return _next(pointer, change, write_id, holds=[])


def quarantined(pointer: Pointer, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer with the versions that the change is about in quarantine. None of them may be live."""
    entry = Quarantine(by=change.by, reason=change.reason, at=change.at)
    added = {str(version): entry for version in change.about}
    return _next(pointer, change, write_id, quarantined={**pointer.quarantined, **added})


def lifted(pointer: Pointer, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer with the versions that the change is about out of quarantine."""
    out = {str(version) for version in change.about}
    kept = {name: entry for name, entry in pointer.quarantined.items() if name not in out}
    return _next(pointer, change, write_id, quarantined=kept)


def retired(pointer: Pointer, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer with the versions that the change is about retired, for ever (rule 12)."""
    return _next(pointer, change, write_id, retired=sorted({*pointer.retired, *change.about}))


def rehomed(pointer: Pointer, home: str, *, change: Change, write_id: str) -> Pointer:
    """Return the pointer that decides at another destination."""
    return _next(pointer, change, write_id, home=home)


def recovered(
    last: Pointer | None,
    target: PromotionTarget,
    *,
    epoch: int,
    lineage: str,
    ancestors: Collection[str],
    home: str,
    change: Change,
    write_id: str,
) -> Pointer:
    """Return the pointer that begins a new lineage where the old pointer was lost (rule 13).

    Args:
        last: the newest pointer that can still be read anywhere; its holds, quarantine and retirements are kept.
        target: the version that becomes live.
        epoch: above every epoch that was ever seen.
        lineage: new.
        ancestors: every lineage that was ever seen here; followers and clients go along because of it.
        home: the destination that decides from now on.
        change: a person's.
        write_id: unique.
    """
    previous = last.version if last else None
    if last is not None and previous == target.version:
        previous = last.previous
    return Pointer(
        lineage=lineage,
        home=home,
        epoch=epoch,
        version=target.version,
        metadata_sha256=target.metadata_sha256,
        schema_revision=target.schema_revision,
        data_as_of=target.data_as_of,
        since=epoch,
        previous=previous,
        holds=last.holds if last else [],
        quarantined=last.quarantined if last else {},
        retired=last.retired if last else [],
        change=change,
        write_id=write_id,
        ancestors=sorted(ancestors),
    )


def _hold(change: Change) -> Hold:
    return Hold(by=change.by, reason=change.reason, at=change.at, operation=change.operation)


def _live(pointer: Pointer, target: PromotionTarget) -> dict[str, object]:
    return {
        "version": target.version,
        "metadata_sha256": target.metadata_sha256,
        "schema_revision": target.schema_revision,
        "data_as_of": target.data_as_of,
        "since": pointer.epoch + 1,
        "previous": pointer.version,
    }


def _next(pointer: Pointer, change: Change, write_id: str, **values: object) -> Pointer:
    told = {"epoch": pointer.epoch + 1, "change": change, "write_id": write_id}
    return pointer.model_copy(update={**values, **told})
