"""Two acts of a person that no healer may do: beginning anew where the pointer was lost, and moving home (rule 13)."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from model_release.documents import layout
from model_release.documents.manifest import AbandonedManifest
from model_release.documents.pointer import Change, Kind, Pointer, recovered, rehomed
from model_release.documents.version import Version
from model_release.errors import Contended, Corrupt, Refused
from model_release.releases.acts import Act, Acted, Attempt, new_write_id, operation_of, performed
from model_release.releases.catalog import (
    Live,
    newest_logged,
    no_model,
    promotion_target_of,
    read_pointer,
    read_version,
)
from model_release.releases.eligibility import Try, refuse_barred, whole
from model_release.releases.pointer_cas import heal_log, swap
from model_release.releases.promote import as_pointer, check_history, follow
from model_release.releases.publish import content_type
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Entry, Store


@dataclass(slots=True)
class Traces:
    """What is left of a history.

    Attributes:
        last: the newest pointer that can still be read, from `latest.json`, a log or another destination.
        epoch: the highest that was ever seen.
        lineages: every one that was ever seen.
        digests: of the manifests of versions that were live.
        recoveries: what earlier recoveries made, by the id of the act.
    """

    last: Pointer | None = None
    epoch: int = 0
    lineages: set[str] = field(default_factory=set)
    digests: dict[Version, str] = field(default_factory=dict)
    recoveries: dict[str, Pointer] = field(default_factory=dict)

    def note(self, pointer: Pointer) -> None:
        """Take in a pointer that was read."""
        if self.last is None or pointer.epoch > self.last.epoch:
            self.last = pointer
        self.epoch = max(self.epoch, pointer.epoch)
        self.lineages |= {pointer.lineage, *pointer.ancestors}
        self.digests.setdefault(pointer.version, pointer.metadata_sha256)  # home is asked first
        if pointer.change.kind is Kind.RECOVER:
            self.recoveries[pointer.change.operation] = pointer


def recover(releases: ReleaseStore, version: Version, act: Act, *, opens: Try | None = None) -> Acted:
    """Begin a new lineage at home, with `version` live, where the pointer was lost or has been forked.

    Its epoch lies above all that was ever seen here and at the others, so that followers and clients go along. Holds,
    quarantine and retirements of the newest pointer that can be read stand.

    Args:
        releases: of the model: home decides from now on; the followers include the lost home if it can be reached.
        version: a person's choice among what is published here.
        act: the person's.
        opens: tries that the version loads; None overrules that it must.

    Raises:
        Refused: a pointer is whole at its home, or the version is quarantined or retired.
        NotFound, Corrupt: the version is not there whole.
    """
    home = releases.home
    found = home.get(layout.POINTER)
    current = as_pointer(home, found)
    traces = _traces(home, current, releases.others)
    earlier = _repeated(traces, current, act, version, home.uri)
    if current is not None and earlier is not None:
        heal_log(home, current)
        return Acted(earlier, repeated=True)
    _refuse_whole(releases.stores)
    if traces.last is not None:
        refuse_barred(releases, traces.last, version)
    manifest = whole(releases, version, opens, sha256=traces.digests.get(version))
    change = Change(
        kind=Kind.RECOVER,
        from_version=traces.last.version if traces.last else None,
        to_version=version,
        by=act.by,
        reason=act.reason,
        at=home.now(),
        operation=act.operation or operation_of(home.uri, traces.epoch, Kind.RECOVER, version),
    )
    proposed = recovered(
        traces.last,
        promotion_target_of(manifest),
        epoch=traces.epoch + 1,
        lineage=uuid.uuid4().hex,
        ancestors=traces.lineages,
        home=home.uri,
        change=change,
        write_id=new_write_id(),
    )
    if current is not None:
        with suppress(Corrupt):  # where it was forked, the log may have the other side
            heal_log(home, current)
    if not swap(home, proposed, found.token if found else None):
        raise Contended(
            "another writer was faster", where=f"{home.uri}/{layout.POINTER}", hint="look again, and decide again"
        )
    heal_log(home, Live(proposed, "", proposed.to_bytes()))
    return Acted(proposed, repeated=False)


def _repeated(traces: Traces, current: Live | None, act: Act, version: Version, home: str) -> Pointer | None:
    """Return the pointer as an earlier attempt of the same recovery made it; None if there was none."""
    if act.operation is not None or current is None:
        return traces.recoveries.get(act.operation or "")
    made = current.pointer
    same = made.change.operation == operation_of(home, made.epoch - 1, Kind.RECOVER, version)
    return made if same and (made.change.by, made.change.reason) == (act.by, act.reason) else None


def rehome(releases: ReleaseStore, new: Store, act: Act) -> Acted:
    """Let another destination decide from now on. Everything but staging is copied there first.

    Pause the model's DAGs before: what a run publishes at the old home afterwards is not seen by the new one. Killed
    anywhere and run again, it ends the same. Where the old home is lost, `recover` at the new one instead.

    Raises:
        Refused: the new home has another history, or is ahead of the old one.
    """
    live = releases.pointer()
    if live is None:
        raise no_model(releases.home)
    theirs = read_pointer(new)
    moved = live.pointer.home == new.uri
    if theirs is not None:
        if moved and theirs.pointer.home == new.uri:  # nothing is left to do, and the new home may have gone on
            return Acted(theirs.pointer, repeated=True)
        check_history(new, theirs, live)
    copy_missing(releases.home, new)

    def propose(current: Pointer, attempt: Attempt) -> Pointer:
        return rehomed(current, new.uri, change=attempt.change(current), write_id=new_write_id())

    done = Acted(live.pointer, repeated=True) if moved else performed(releases, act, Kind.REHOME, None, propose)
    copy_missing(releases.home, new)  # what came meanwhile, the entry of the log included
    follow(releases, new)
    return done


def copy_missing(source: Store, target: Store) -> int:
    """Copy what lies in versions, log and decisions and is not at the target; return how many objects.

    Manifests come last, so that a version that has one is there whole. What is there already is compared: documents
    and signatures byte for byte, files by size, since whoever makes a version live reads its files anyway.

    Raises:
        Corrupt: the target has another object under the same key; it is left as it is.
    """
    count = 0
    for folder in ("v", f"{layout.LOG}/", f"{layout.DECISIONS}/"):
        there = {entry.key: entry.size for entry in target.list(folder)}
        for entry in sorted(source.list(folder), key=lambda each: each.key.endswith(layout.MANIFEST)):
            settles = entry.key.startswith(layout.DECISIONS) and entry.key.endswith(layout.BECAME)
            if entry.key in there and _same(source, target, entry, there[entry.key]):
                continue
            if entry.key in there and not settles:
                if _given_up(source, entry.key):  # by home, after a run had brought it to this follower and died
                    continue
                raise Corrupt("another object has this name already", where=f"{target.uri}/{entry.key}")
            with tempfile.TemporaryDirectory(prefix="model-release-") as name:
                path = Path(name) / "object"
                source.download(entry.key, path, limit=entry.size)
                target.upload(entry.key, path, content_type=content_type(entry.key), new=not settles)
            count += 1
    return count


def _same(source: Store, target: Store, entry: Entry, size: int) -> bool:
    if entry.size != size or not entry.key.endswith((".json", f"/{layout.SIGNATURE}")):
        return entry.size == size
    ours, theirs = source.get(entry.key), target.get(entry.key)
    return ours is not None and theirs is not None and ours.body == theirs.body


def _given_up(home: Store, key: str) -> bool:
    name, _, path = key.partition("/")
    if path != layout.MANIFEST or not Version.is_version(name):
        return False
    return isinstance(read_version(home, Version.parse(name)), AbandonedManifest)


def _traces(home: Store, current: Live | None, others: Iterable[Store]) -> Traces:
    """Gather what is left: every entry of every log, then the pointers, which may have been edited."""
    traces = Traces()
    for store in (home, *others):
        for entry in store.list(f"{layout.LOG}/"):
            name = entry.key.rpartition("/")[2].removesuffix(".json")
            traces.epoch = max(traces.epoch, int(name) if name.isdigit() else 0)
            logged = as_pointer(store, store.get(entry.key))
            if logged is not None:
                traces.note(logged.pointer)
        live = current if store is home else as_pointer(store, store.get(layout.POINTER))
        if live is not None:
            traces.note(live.pointer)
    return traces


def _refuse_whole(stores: Sequence[Store]) -> None:
    """Refuse where the pointer of one of the destinations decides, and nothing contradicts it."""
    for home in stores:
        live = as_pointer(home, home.get(layout.POINTER))
        if live is None or live.pointer.home != home.uri:
            continue
        if _forked(home, live, [store for store in stores if store is not home]):
            continue
        raise Refused(
            f"latest.json is whole: {live.pointer.version}, epoch {live.pointer.epoch}",
            where=f"{home.uri}/{layout.POINTER}",
            hint="use a rollback to go back; if another destination shall be home, use rehome",
        )


def _forked(home: Store, current: Live, others: Iterable[Store]) -> bool:
    """Whether home's own log, or another destination's pointer, is none that home's has led to."""
    newest = newest_logged(home)
    if newest is not None and newest.epoch >= current.pointer.epoch and newest.to_bytes() != current.body:
        return True
    for store in others:
        theirs = as_pointer(store, store.get(layout.POINTER))
        if theirs is not None:
            try:
                check_history(store, theirs, current)
            except (Refused, Corrupt):
                return True
    return False
