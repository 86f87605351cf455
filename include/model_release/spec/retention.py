"""How long releases are kept: the part of a model's spec that pruning goes by."""

from __future__ import annotations

from pydantic import Field

from model_release.documents.base import Strict


class Retention(Strict):
    """What pruning keeps, beside what it may never remove: what is live anywhere, and what was live before it.

    Attributes:
        live_versions: so many of the versions that were live last, the live one included.
        days: what was live within so many days. At least one, for a run that is under way has its baseline from then.
        other_versions: so many of the newest versions that were never live, such as those of backfills.
        grace_hours: how long a version is retired before its files go, for whoever is still reading them.
    """

    live_versions: int = Field(10, ge=1, le=10_000)
    days: int = Field(30, ge=1, le=36_500)
    other_versions: int = Field(5, ge=0, le=10_000)
    grace_hours: int = Field(24, ge=1, le=24 * 365)
