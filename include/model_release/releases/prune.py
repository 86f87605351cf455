"""Pruning, ordered by the pointer: a version is retired by a swap, and after a grace period its files go (rule 12).

The manifest and the claim stay for ever: a number is never used twice, and what a version was can still be read.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Change, Kind, Pointer, retired
from model_release.documents.version import Version
from model_release.errors import Corrupt, Refused
from model_release.releases.acts import Act, operation_of
from model_release.releases.catalog import no_model, read_pointer
from model_release.releases.pointer_cas import move
from model_release.releases.promote import check_home, follow
from model_release.releases.store import ReleaseStore
from model_release.spec.retention import Retention
from model_release.stores.base import Entry, Store

IN_FLIGHT = timedelta(days=1)
"""What is younger may belong to a run that is under way; nothing of it is touched."""

CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Fate:
    """What pruning means for one version.

    Attributes:
        why: in words, why it is kept, or why it is not.
        kept: whether it is kept.
        files: what of it can be removed at home.
    """

    version: Version
    kept: bool
    why: str
    files: list[Entry]

    @property
    def size(self) -> int:
        """Bytes of its files at home."""
        return sum(entry.size for entry in self.files)


@dataclass(frozen=True, slots=True)
class Plan:
    """What pruning would do now.

    Attributes:
        epoch: of the pointer that it was made by.
        fates: of every version that has files, in order.
        due: versions retired long enough ago; their files go now.
        waiting: versions that are retired, until when their files stay.
    """

    epoch: int
    fates: list[Fate]
    due: list[Fate]
    waiting: dict[Version, datetime]

    @property
    def freed(self) -> int:
        """Bytes that go at home now."""
        return sum(fate.size for fate in self.due)

    @property
    def retiring(self) -> list[Fate]:
        """The versions that are not kept."""
        return [fate for fate in self.fates if not fate.kept]


def plan(releases: ReleaseStore, retention: Retention) -> Plan:
    """Say what pruning would do. Changes nothing.

    Raises:
        NoModel: nothing is live here.
        Refused: this machine's clock and a store's differ, or this is not home.
        StoreUnavailable: a destination does not answer; what it names cannot be known, so nothing is pruned.
    """
    live = releases.pointer()
    if live is None:
        raise no_model(releases.home)
    pointer = live.pointer
    check_home(releases, pointer)
    for store in releases.stores:
        check_clock(store)
    named = {pointer.version: "it is live"}
    if pointer.previous is not None:
        named.setdefault(pointer.previous, "it was live before")
    for store in releases.others:
        theirs = read_pointer(store)
        if theirs is not None:
            named.setdefault(theirs.pointer.version, f"it is live at {store.uri}")
    now = releases.now()
    there = {version: files for version, files in files_by_version(releases.home).items() if files}
    open_to = {version: files for version, files in there.items() if version not in pointer.retired}
    fates = [*_fates(releases, pointer, open_to, named, retention, now)]
    since = _retired_since(releases, pointer, [version for version in there if version in pointer.retired])
    ends = {version: at + timedelta(hours=retention.grace_hours) for version, at in since.items()}
    due = [Fate(each, False, "its grace period is over", there[each]) for each in sorted(ends) if ends[each] <= now]
    return Plan(pointer.epoch, fates, due, {each: end for each, end in ends.items() if end > now})


def prune(releases: ReleaseStore, retention: Retention, act: Act) -> Plan:
    """Retire what is not kept, and remove the files of what has been retired for long enough.

    Killed anywhere and run again, it ends the same. Destinations follow home's pointer before a file is removed, so
    that none of them can still come to name what is gone.

    Returns:
        What was done.

    Raises:
        NotFound, Refused, StoreUnavailable: as `plan` says.
    """
    made = plan(releases, retention)
    retire(releases, [fate.version for fate in made.retiring], act)
    for store in releases.others:
        follow(releases, store)
    for fate in made.due:
        for store in (
            *releases.others,
            releases.home,
        ):  # home last: while it has files, the next run comes back for the others
            remove_files(store, fate.version)
    return made


def retire(releases: ReleaseStore, versions: Collection[Version], act: Act) -> Pointer | None:
    """Bar versions from being live ever again, by one swap. What has become live meanwhile is left out.

    Returns:
        The pointer afterwards.
    """

    def decide(current: Pointer | None) -> Pointer | None:
        if current is None:
            raise no_model(releases.home)
        check_home(releases, current)
        about = sorted({*versions} - {current.version, current.previous, *current.retired})
        if not about:
            return None
        change = Change(
            kind=Kind.RETIRE,
            from_version=current.version,
            to_version=current.version,
            by=act.by,
            reason=act.reason,
            at=releases.now(),
            operation=act.operation or operation_of(releases.uri, current.epoch, Kind.RETIRE, None),
            about=about,
        )
        return retired(current, change=change, write_id=uuid.uuid4().hex)

    return move(releases, decide)


def remove_files(store: Store, version: Version) -> list[Entry]:
    """Remove what lies in a version's folder, except its claim and its manifest.

    Returns:
        What was removed.
    """
    removed = [*_files(store.list(f"{version}/"))]
    for entry in removed:
        store.delete(entry.key)
    return removed


def files_by_version(store: Store) -> dict[Version, list[Entry]]:
    """Return each number's files without claim and manifest, by one listing; empty where only those are left."""
    found: dict[Version, list[Entry]] = defaultdict(list)
    for entry in store.list("v"):
        name = entry.key.partition("/")[0]
        if Version.is_version(name):
            found[Version.parse(name)] += _files([entry])
    return found


def check_clock(store: Store) -> None:
    """Check that this machine and the store agree about the time, which decides what is old.

    Raises:
        Refused: they do not.
    """
    apart = abs(datetime.now(UTC) - store.now())
    if apart > CLOCKS_APART:
        raise Refused(
            f"this machine's clock and the store's are {apart.total_seconds():,.0f} s apart",
            where=store.uri,
            hint="set this machine's clock; nothing was removed",
        )


def _fates(
    releases: ReleaseStore,
    pointer: Pointer,
    there: dict[Version, list[Entry]],
    named: dict[Version, str],
    retention: Retention,
    now: datetime,
) -> Iterator[Fate]:
    published = {each: manifest for each in there if (manifest := _manifest(releases, each)) is not None}
    ended = _when_live(releases, pointer, [(published[each], there[each]) for each in published])
    recent = [*ended][: retention.live_versions]
    others = sorted(published.keys() - ended.keys(), reverse=True)
    for version in sorted(published):
        why, files = named.get(version), there[version]
        if why is None and now - max(entry.modified for entry in files) < IN_FLIGHT:
            why = "it is younger than a day"
        if why is None and version in recent:
            why = f"it is one of the last {retention.live_versions} that were live"
        if why is None and version in ended:
            left = ended[version]
            if left is None or now - left < timedelta(days=retention.days):
                why = f"it was live within the last {retention.days} days"
        if why is None and version in others[: retention.other_versions]:
            why = f"it is one of the newest {retention.other_versions} that were never live"
        if why is not None:
            yield Fate(version, True, why, files)
        else:
            left = ended.get(version)
            yield Fate(version, False, f"it was live until {left:%Y-%m-%d}" if left else "it was never live", files)


def _when_live(
    releases: ReleaseStore, pointer: Pointer, among: Collection[tuple[Manifest, list[Entry]]]
) -> dict[Version, datetime | None]:
    """Return which versions were live, last one first, and when each one's last term ended; None: it has not.

    The log is followed back until each of `among` was met, or was not made yet: a version is not live before both its
    training and its files. Restored files are younger than they were, and a date that was told may be wrong.
    """
    made = {
        manifest.version: min(
            *(entry.modified for entry in files),
            (manifest.trained or datetime.min.replace(tzinfo=UTC)),
        )
        for manifest, files in among
    }
    ended: dict[Version, datetime | None] = {}
    for term in releases.terms(pointer):
        ended.setdefault(term.version, term.ended)
        made.pop(term.version, None)
        if all(term.began + IN_FLIGHT < moment for moment in made.values()):
            break
    return ended


def _retired_since(releases: ReleaseStore, pointer: Pointer, versions: Collection[Version]) -> dict[Version, datetime]:
    """Return when each of the retired versions was retired, from the log."""
    since: dict[Version, datetime] = {}
    left, entry = {*versions}, pointer
    while left:
        told = entry.change
        begins = told.kind in (Kind.FIRST, Kind.RECOVER)  # what was retired before is at least as old as this
        for version in left if begins else left & {*told.about} if told.kind is Kind.RETIRE else ():
            since[version] = told.at
        left -= since.keys()
        if left:
            entry = releases.logged(entry.epoch - 1)
    return since


def _manifest(releases: ReleaseStore, version: Version) -> Manifest | None:
    """The manifest of a published version; None for a number that is undecided, given up, or cannot be read."""
    with suppress(Corrupt):
        decided = releases.decided(version)
        return decided if isinstance(decided, Manifest) else None
    return None


def _files(entries: Iterable[Entry]) -> Iterator[Entry]:
    kept = (layout.CLAIM, layout.MANIFEST)
    return (entry for entry in entries if entry.key.partition("/")[2] not in kept)
