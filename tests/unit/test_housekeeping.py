"""A round of housekeeping says what went and why; a dry run says the same, and removes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest
from model_release.documents.version import Version
from model_release.errors import Corrupt
from model_release.releases.acts import Act
from model_release.releases.catalog import live_pointer, published, read_version
from model_release.releases.prune import files_by_version, retire
from model_release.releases.store import Follower, ReleaseStore
from model_release.spec.retention import Retention
from model_release.workflows.destinations import Destinations
from model_release.workflows.housekeeping import DoctorOutcome, Housekeeping, PruneOutcome, SweepOutcome
from support.memory_store import MemoryStore
from support.release_builder import Chain, make

STRICT = Retention(live_versions=1, days=1, other_versions=0, grace_hours=1)
OLD = Version(1, 0, 0)


class Aged(MemoryStore):
    """A store that works as if it were some time ago, until its clock is put right."""

    ago = timedelta(days=3)

    def now(self) -> datetime:
        return super().now() - self.ago


class Stores:
    """Home and a follower: a version that was never live, a number that nobody came back for, and what is live."""

    def __init__(self, tmp_path: Path) -> None:
        self.home, self.follower = (Aged(f"memory://{name}/heart-disease-models") for name in ("home", "follower"))
        chain = Chain(self.home, [self.follower])
        chain.publish(make(tmp_path, "old"))
        chain.release(make(tmp_path, "live"))
        chain.claim(make(tmp_path, "lost"))

    def clock(self, **ago: float) -> None:
        self.home.ago = self.follower.ago = timedelta(**ago)

    def keeping(self, **facts: Any) -> Housekeeping:
        destinations = Destinations(self.home, [Follower(self.follower)], retention=STRICT)
        return Housekeeping(
            destinations, mlruns=MemoryStore, by="housekeeping_heart_disease", operation="sunday", **facts
        )

    def there(self) -> list[str]:
        return [each.key for store in (self.home, self.follower) for each in store.list()]


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path)


def test_nothing_released_is_nothing_to_prune() -> None:
    outcome = Housekeeping(Destinations(MemoryStore()), mlruns=MemoryStore, by="dag", operation="one").prune()
    said = "nothing was ever released here, so there is nothing to prune"
    assert outcome == PruneOutcome(summary=said, dry_run=False)


def test_a_version_is_retired_in_one_round_and_goes_in_a_later_one(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    stores.clock(hours=0)
    first = stores.keeping().prune()
    assert (first.retired, first.removed, first.bytes) == ({"v1.0.0": "it was never live"}, {}, 0)
    assert first.kept == {"v1.1.0": "it is live"}
    pointer = live_pointer(stores.home)
    assert (pointer.retired, pointer.change.by) == ([OLD], "housekeeping_heart_disease")
    assert pointer.change.operation == "sunday"
    assert [*stores.keeping().prune().waiting] == ["v1.0.0"]
    assert files_by_version(stores.home)[OLD]


def test_what_has_been_retired_long_enough_goes_everywhere_and_is_told(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    size = sum(each.size for each in files_by_version(stores.home)[OLD])
    stores.clock(hours=2)
    retire(ReleaseStore(stores.home), [OLD], Act(by="ann", reason="r", operation="o"))
    stores.clock(hours=0)
    caplog.set_level("INFO", "model_release.workflows.housekeeping")
    outcome = stores.keeping().prune()
    assert (outcome.removed, outcome.bytes) == ({"v1.0.0": size}, size)
    assert outcome.summary == f"0 retired, 1 removed, {size:,} bytes at {stores.home.uri}"
    assert caplog.messages == [
        "v1.1.0 stays: it is live",
        f"v1.0.0, 3 files of {size:,} bytes go now: its grace period is over",
        outcome.summary,
    ]
    for store in (stores.home, stores.follower):
        assert OLD not in {version for version, files in files_by_version(store).items() if files}
        assert published(store, OLD).version == OLD


def test_what_dead_runs_have_left_is_swept_up(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    stores.clock(hours=0)
    caplog.set_level("INFO", "model_release.workflows.housekeeping")
    outcome = stores.keeping().sweep()
    what = [each.what for each in outcome.found]
    assert what == ["a number that nobody came back for", *["staging of a run that is over"] * 3]
    assert outcome.bytes == sum(each.bytes for each in outcome.found) > 0
    assert len(caplog.messages) == 5
    assert caplog.messages[-1] == f"4 found, {outcome.bytes:,} bytes"
    assert not any(key.startswith(layout.STAGING) for key in stores.there())
    assert isinstance(read_version(stores.home, Version(1, 2, 0)), AbandonedManifest)


def test_a_dry_run_tells_the_same_and_changes_nothing(stores: Stores) -> None:
    stores.clock(hours=0)
    before = stores.there()
    dry: list[PruneOutcome | SweepOutcome] = [
        stores.keeping(dry_run=True).prune(),
        stores.keeping(dry_run=True).sweep(),
    ]
    assert stores.there() == before
    assert live_pointer(stores.home).retired == []
    assert all(each.dry_run and each.summary.startswith("would be done, and was not: ") for each in dry)
    wet: list[PruneOutcome | SweepOutcome] = [stores.keeping().prune(), stores.keeping().sweep()]
    told = [each.model_dump(exclude={"summary", "dry_run"}) for each in (*dry, *wet)]
    assert told[:2] == told[2:]


def test_doctor_comes_last_and_finds_nothing(stores: Stores) -> None:
    stores.clock(hours=0)
    round_ = stores.keeping()
    round_.prune()
    round_.sweep()
    assert round_.doctor() == DoctorOutcome(summary="nothing is wrong, 0 mended", mended=0)


def test_a_dry_run_is_not_told_of_what_a_round_would_remove(stores: Stores) -> None:
    stores.clock(hours=0)
    assert stores.keeping(dry_run=True).doctor().mended == 0


def test_a_note_is_logged_and_fails_no_round(stores: Stores, caplog: pytest.LogCaptureFixture) -> None:
    stores.clock(hours=0)
    stores.keeping().sweep()
    stores.home.create("README.md", b"by hand")
    caplog.set_level("INFO")
    assert stores.keeping().doctor().summary == "nothing is wrong, 0 mended"
    assert f"noted: {stores.home.uri}/README.md: no rule knows such a name" in caplog.text


def test_damage_fails_the_round_and_says_what_mends_it(stores: Stores) -> None:
    stores.clock(hours=0)
    stores.keeping().sweep()
    lost = layout.artifact(Version(1, 1, 0), "best_model.pkl")
    stores.home.delete(lost)
    with pytest.raises(Corrupt, match=rf"file missing: {stores.home.uri}/{lost}"):
        stores.keeping().doctor()
    assert stores.keeping(repair=True, dry_run=True).repair is False
    assert stores.keeping(repair=True, read_data=True).doctor().mended >= 1
    assert stores.home.get(lost) is not None
