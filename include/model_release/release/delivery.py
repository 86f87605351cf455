"""A person's release: files that were made by hand, published by the rules that hold for the nightly run's.

Both acts may be killed anywhere and done again: the fingerprint finds what is there, and the rest is done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC

from model_release import layout
from model_release.errors import BaselineMoved, Refused, UsageError
from model_release.layout import run_token
from model_release.metadata import Manifest
from model_release.pointer import Pointer
from model_release.release.catalog import candidate_of, read_claim, read_pointer, read_version
from model_release.release.gathering import Gathered
from model_release.release.numbers import became, take_number
from model_release.release.probe import check_conditions
from model_release.release.promote import check_beginning, check_home, is_live, promote
from model_release.release.publish import Watch, place, seal, stage, unwatched
from model_release.release.reconcile import Follower, reconcile
from model_release.stores.base import Store
from model_release.version import FIRST, Bump


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a person wants with the files.

    Attributes:
        by: who it is.
        reason: why.
        promote: whether the version shall become live, if the rules allow it.
        bump: which number of the version grows; None leaves it to the rules.
    """

    by: str
    reason: str
    promote: bool = True
    bump: Bump | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """How it ended.

    Attributes:
        manifest: of the version that the files are.
        before: whether it was published before.
        pointer: home's afterwards; None where nothing is live.
        refusal: why the version is not live although it was to be, in words.
        mended: what was made good elsewhere, in words.
    """

    manifest: Manifest
    before: bool
    pointer: Pointer | None
    refusal: str | None
    mended: list[str]

    @property
    def live(self) -> bool:
        """Whether the version is live."""
        return self.pointer is not None and is_live(self.pointer, candidate_of(self.manifest))


def publish(
    gathered: Gathered,
    draft: Manifest,
    act: Act,
    *,
    home: Store,
    followers: Sequence[Store] = (),
    watch: Watch = unwatched,
) -> Delivered:
    """Make the files a version everywhere, and make it live if the rules allow it.

    No gate has judged them. So the baseline is whatever was live when the command began: if another version becomes
    live meanwhile, its author did not see that one, and `latest` is left alone.

    Args:
        gathered: the files.
        draft: their manifest to be.
        act: who, why and how far.
        home: the model's folder at home.
        followers: the model's folder at other destinations.
        watch: told of each file that travels.

    Raises:
        BaselineMoved: another version became live meanwhile; this one is published.
        Refused: a rule says no, before anything is sent.
    """
    return _deliver(gathered, draft, act, home=home, followers=followers, watch=watch, spared=())


def adopt(
    gathered: Gathered,
    draft: Manifest,
    act: Act,
    *,
    home: Store,
    followers: Sequence[Store] = (),
    watch: Watch = unwatched,
) -> Delivered:
    """Make the files of a hand-made layout the first release, as `publish` does.

    Hand-made copies in `latest/` are taken over where the release has a file of that name.

    Raises:
        Refused: something else was released here before, or `latest/` holds what would be lost.
    """
    live = read_pointer(home)
    first = read_claim(home, FIRST)  # after the pointer: whoever made that has claimed a number before
    same = first is not None and first.metadata.fingerprint == draft.fingerprint
    if not same and (first is not None or live is not None):
        raise Refused(
            "something was released here before, and an adoption is the first release",
            where=home.uri,
            hint="`model-release list` shows what; `model-release publish` adds a version",
        )
    spared = [layout.latest_copy(path) for path in [*(entry.path for entry in gathered.files), layout.MANIFEST]]
    return _deliver(gathered, draft, act, home=home, followers=followers, watch=watch, spared=spared)


def _deliver(
    gathered: Gathered,
    draft: Manifest,
    act: Act,
    *,
    home: Store,
    followers: Sequence[Store],
    watch: Watch,
    spared: Collection[str],
) -> Delivered:
    run = run_token(draft.run.run_id)
    live = read_pointer(home)
    since = live.pointer.since if live else None
    known = became(home, draft.fingerprint)
    before = known is not None and isinstance(read_version(home, known), Manifest)
    _check_places(home, followers, spared)
    if not before:
        _check_draft(home, draft)
        for store in [home, *followers]:
            check_conditions(store)
        stage(home, run, gathered.folder, draft.files, watch=watch)
    claim = take_number(home, draft, run=run, bump=act.bump)
    for store in [*followers, home]:
        if read_version(store, claim.metadata.version) is None:
            place(claim, home=home, target=store, watch=watch)
    manifest = seal(home, claim)
    refusal = _make_live(home, manifest, act, since=since, spared=spared) if act.promote else None
    done = reconcile(home, [Follower(store) for store in followers])
    return Delivered(manifest, before, done.pointer, refusal, done.mended)


def _make_live(home: Store, manifest: Manifest, act: Act, *, since: int | None, spared: Collection[str]) -> str | None:
    """Move the pointer, or return why not. The same files against another baseline are another act."""
    try:
        return promote(
            home,
            manifest,
            judged_since=since,
            by=act.by,
            reason=act.reason,
            operation=f"{run_token(manifest.run.run_id)}-{layout.baseline_token(since)}",
            spared=spared,
        ).refusal
    except BaselineMoved as error:
        raise BaselineMoved(
            f"{manifest.version} is published and not live: another version became live while it was published",
            where=home.uri,
            hint="look at that one with `model-release status`; the same command again makes yours live",
        ) from error


def _check_draft(home: Store, draft: Manifest) -> None:
    today = home.now().astimezone(UTC).date()
    if draft.data_as_of is not None and draft.data_as_of > today:
        raise Refused(f"the data is said to be as of {draft.data_as_of}, and the store's clock says {today}")


def _check_places(home: Store, followers: Sequence[Store], spared: Collection[str]) -> None:
    """Refuse what could only go wrong later, when a number is taken and files are sent.

    Raises:
        UsageError: one place is named twice.
        Refused: a place has another history, is damaged, or holds hand-made copies that would be lost.
    """
    uris = [store.uri for store in [home, *followers]]
    twice = next((uri for uri in uris if uris.count(uri) > 1), None)
    if twice is not None:
        raise UsageError("is named twice", where=twice, hint="name each destination once")
    if read_pointer(home) is None:
        check_beginning(home, _copies(home))
    for store in [home, *followers]:
        lost = [key for key in _copies(store) if key not in spared]
        theirs = read_pointer(store)  # after its copies, which another first release may just have made
        if theirs is None:
            if lost:
                raise Refused(
                    f"there is no latest.json, and {', '.join(lost)} would be removed by the first release",
                    where=store.uri,
                    hint="move them away, or adopt the hand-made layout that they belong to with `model-release adopt`",
                )
            continue
        ours = read_pointer(home)  # after that of the follower, which is a copy of it
        if store is home:
            check_home(home, theirs.pointer)
        elif ours is None or theirs.pointer.lineage != ours.pointer.lineage:
            raise Refused(
                f"this destination has a history of its own, in which {theirs.pointer.version} is live",
                where=f"{store.uri}/{layout.POINTER}",
                hint="use another prefix, or name as the first URI the one that its latest.json calls home",
            )


def _copies(store: Store) -> list[str]:
    return [entry.key for entry in store.list(f"{layout.LATEST}/")]
