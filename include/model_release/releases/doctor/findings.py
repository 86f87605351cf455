"""What doctor finds: each difference with its object, its remedy, and whether it has one right answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from model_release.documents.manifest import FileEntry
from model_release.documents.version import Version
from model_release.stores.base import Store


class Damage(StrEnum):
    """The kinds of difference between what lies in the stores and what the rules promise."""

    UNREADABLE = "unreadable"
    CLOCKS_APART = "clocks apart"
    POINTER_MISSING = "pointer missing"
    POINTER_UNREADABLE = "pointer unreadable"
    ANOTHER_HOME = "another home"
    BARRED_LIVE = "barred version live"
    FUTURE_DATA = "data from the future"
    LOG_MISSING = "log entry missing"
    LOG_UNREADABLE = "log entry unreadable"
    LOG_AHEAD = "log ahead of pointer"
    HISTORY_DIFFERS = "history differs"
    LINEAGE_DIFFERS = "lineage differs"
    FOLLOWER_BEHIND = "follower behind"
    FORK = "fork"
    VERSION_MISSING = "version missing"
    MANIFEST_MISSING = "manifest missing"
    MANIFEST_WRONG = "manifest wrong"
    RELEASE_GIVEN_UP = "release given up"
    CLAIM_MISSING = "claim missing"
    CLAIM_WRONG = "claim wrong"
    FILE_MISSING = "file missing"
    FILE_WRONG = "file wrong"
    SIGNATURE_MISSING = "signature missing"
    SIGNATURE_WRONG = "signature wrong"
    RETIRED_FILES = "files of a retired version"
    COPY_MISSING = "copy missing"
    COPY_WRONG = "copy wrong"
    COPY_EXTRA = "copy of nothing"
    LITTER = "litter"
    VERDICT_UNREADABLE = "verdict unreadable"
    VERDICT_MISPLACED = "verdict misplaced"
    RECORD_MISSING = "version record missing"
    RECORD_WRONG = "version record wrong"
    RELEASED_TWICE = "released twice"
    ALIAS_DIFFERS = "alias differs"
    FILE_EXTRA = "file of no manifest"
    FOREIGN = "foreign name"
    SNAPSHOT_MISSING = "snapshot missing"
    LONG_HOLD = "long hold"
    TIME_DIFFERS = "time out of order"
    ANOTHER_MODEL = "another model"


class Cure(StrEnum):
    """Which verb mends a finding."""

    RESTORE = "restore"
    RECONCILE = "reconcile"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class Copies:
    """Where a file can be had that should have the bytes of `entry`: tried one after the other."""

    entry: FileEntry
    places: tuple[tuple[Store, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """An object to be put right: its key, and its right bytes or where they can be had."""

    key: str
    good: bytes | Copies


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. Two findings are the same if kind and object are; how they are told may change.

    Attributes:
        kind: what sort of.
        destination: URI of the store.
        where: URI of the object or folder.
        what: in words.
        remedy: what to do, in words.
        cure: the verb that mends it, where it has one right answer; None where a person decides.
        choices: what a person may do.
        version: the release that it is about.
        parts: what `restore` puts right.
        note: whether it is only told: nothing needs to be done, and the model is healthy all the same.
    """

    kind: Damage
    destination: str
    where: str
    what: str = field(compare=False)
    remedy: str = field(compare=False)
    cure: Cure | None = field(default=None, compare=False)
    choices: tuple[str, ...] = field(default=(), compare=False)
    version: Version | None = field(default=None, compare=False)
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)
    note: bool = field(default=False, compare=False)

    @property
    def repairable(self) -> bool:
        """Whether it has one right answer, which is in hand."""
        return self.cure is not None
