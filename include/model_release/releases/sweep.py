"""Sweeping up after runs that died: numbers nobody came back for, staging that nobody needs, uploads never finished.

What is younger than a day may belong to a run that is under way, and stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest
from model_release.documents.version import Version
from model_release.releases.catalog import history
from model_release.releases.claims import abandon
from model_release.releases.consumers import superseded
from model_release.releases.prune import IN_FLIGHT, check_clock, files_by_version, remove_files
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Entry, Store


@dataclass(frozen=True, slots=True)
class Litter:
    """Something to sweep up.

    Attributes:
        what: in words.
        where: the folder or object, as a URI.
        files: how many objects go; 0 where there is only a number to give up, or no way to tell.
        size: of them, in bytes.
    """

    what: str
    where: str
    files: int
    size: int


def sweep(releases: ReleaseStore, *, by: str, remove: bool) -> list[Litter]:
    """Give up stale claims, and remove what given up numbers and old runs have left, at every destination.

    Killed anywhere and run again, it ends the same. A number that the pointer or its log speaks of was released,
    whatever its manifest says or lacks now: that is damage, and stays for whoever mends it.

    Args:
        releases: of the model.
        by: who sweeps.
        remove: do it; otherwise only say what there is.

    Raises:
        Refused: this machine's clock and a store's differ, so that nobody can say what is old.
        Corrupt: the log cannot be read, so that nobody can say what was released.
    """

    @cache
    def released() -> Collection[Version]:
        return _released(releases)

    for store in releases.stores:
        check_clock(store)
    found: list[Litter] = []
    needed: set[str] = set()
    old = releases.now() - IN_FLIGHT
    for version, claimed in _undecided(releases):
        if claimed > old:
            claim = releases.claim(version)
            needed |= {claim.run} if claim else set()
        elif version in released():
            continue
        elif not remove or abandon(releases, version, by=by, reason="nobody came back for it within a day"):
            found.append(Litter("a number that nobody came back for", f"{releases.uri}/{version}/", 0, 0))
    found += _old_reports(releases.home, releases.now(), remove=remove)
    for store in releases.stores:
        found += _given_up_files(releases, store, released, remove=remove)
        found += _old_staging(store, needed, old, remove=remove)
        unfinished = store.unfinished(old, remove=remove)
        found += [Litter("an upload that was never finished", f"{store.uri}/{each}", 0, 0) for each in unfinished]
    return found


def _undecided(releases: ReleaseStore) -> Iterator[tuple[Version, datetime]]:
    """Yield each number without a manifest, and when something was last written into its folder."""
    written: dict[Version, datetime] = {}
    decided: set[Version] = set()
    for entry in releases.home.list("v"):
        name, _, path = entry.key.partition("/")
        if Version.is_version(name):
            version = Version.parse(name)
            written[version] = max(entry.modified, written.get(version, entry.modified))
            if path == layout.MANIFEST:
                decided.add(version)
    return ((version, written[version]) for version in sorted(written.keys() - decided))


def _released(releases: ReleaseStore) -> set[Version]:
    found: set[Version] = set()
    for pointer in history(releases.home):
        found |= {pointer.version, *pointer.retired, *(Version.parse(name) for name in pointer.quarantined)}
    return found


def _given_up_files(
    releases: ReleaseStore, store: Store, released: Callable[[], Collection[Version]], *, remove: bool
) -> list[Litter]:
    found = []
    for version, files in files_by_version(store).items():
        if not files or not isinstance(releases.decided(version), AbandonedManifest) or version in released():
            continue
        if remove:
            files = remove_files(store, version)
        found.append(_litter("files of a number that was given up", f"{store.uri}/{version}/", files))
    return found


def _old_staging(store: Store, needed: set[str], old: datetime, *, remove: bool) -> list[Litter]:
    runs: dict[str, list[Entry]] = defaultdict(list)
    for entry in store.list(f"{layout.STAGING}/"):
        runs[entry.key.split("/")[1]].append(entry)
    found = []
    for run, files in runs.items():
        if run in needed or max(entry.modified for entry in files) > old:
            continue
        for entry in files if remove else ():
            store.delete(entry.key)
        found.append(_litter("staging of a run that is over", f"{store.uri}/{layout.STAGING}/{run}/", files))
    return found


def _old_reports(home: Store, now: datetime, *, remove: bool) -> list[Litter]:
    files = [*superseded(home, now)]
    for entry in files if remove else ():
        home.delete(entry.key)
    if not files:
        return []
    return [_litter("reports of consumers that say nothing any more", f"{home.uri}/{layout.CONSUMERS}/", files)]


def _litter(what: str, where: str, files: list[Entry]) -> Litter:
    return Litter(what, where, len(files), sum(entry.size for entry in files))
