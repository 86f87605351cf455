"""Whatever has become of a release, sweeping up after runs that died takes it for none of theirs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from model_release.documents import layout
from model_release.documents.manifest import Abandoned, AbandonedManifest
from model_release.documents.version import FIRST, Version
from model_release.errors import Corrupt
from model_release.releases.store import ReleaseStore
from model_release.releases.sweep import sweep
from support.memory_store import MemoryStore, _Object
from support.release_builder import Chain, make

LIVE = Version(1, 1, 0)


@pytest.fixture
def home(memory: MemoryStore, tmp_path: Path) -> MemoryStore:
    """Two releases of some days ago, one of them live; nothing is in flight."""
    chain = Chain(memory)
    chain.release(make(tmp_path, "a"))
    chain.release(make(tmp_path, "b", since=1), since=1)
    for key, each in memory._objects.items():
        memory._objects[key] = _Object(each.body, each.token, each.modified - timedelta(days=3))
    sweep(ReleaseStore(memory), by="housekeeping", remove=True)
    return memory


@pytest.mark.parametrize("version", [LIVE, FIRST], ids=["live", "live before"])
@pytest.mark.parametrize("how", ["its manifest is missing", "its manifest gives it up"])
def test_a_release_whose_manifest_is_damaged_is_not_given_up(home: MemoryStore, version: Version, how: str) -> None:
    home.delete(layout.manifest(version))
    if how == "its manifest gives it up":
        note = Abandoned(by="an older sweep", reason="nobody came back for it", at=home.now())
        home.create(layout.manifest(version), AbandonedManifest(version=version, abandoned=note).to_bytes())
    before = dict(home._objects)
    assert sweep(ReleaseStore(home), by="housekeeping", remove=True) == []
    assert home._objects == before


def test_while_the_log_cannot_be_read_nothing_is_given_up(home: MemoryStore, tmp_path: Path) -> None:
    claim = Chain(home).claim(make(tmp_path, "c", since=2))
    version = claim.metadata.version
    for key, each in home._objects.items():
        home._objects[key] = _Object(each.body, each.token, each.modified - timedelta(days=3))
    home.delete(layout.log_entry(1))
    home.create(layout.log_entry(1), b"{}")
    with pytest.raises(Corrupt, match="not a readable pointer"):
        sweep(ReleaseStore(home), by="housekeeping", remove=True)
    assert home.get(layout.manifest(version)) is None
