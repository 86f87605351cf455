"""A person's release: files that were made by hand, published by the rules that hold for the nightly run's.

Both acts may be killed anywhere and done again: the fingerprint finds what is there, and the rest is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from model_release.documents import layout
from model_release.documents.layout import run_token
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import FIRST, Bump
from model_release.errors import BaselineMoved, ModelReleaseError, Refused, UsageError
from model_release.model_files.foreign import named
from model_release.releases.catalog import promotion_target_of, read_version
from model_release.releases.claims import became, take_number
from model_release.releases.eligibility import Try
from model_release.releases.manual.collect import Collected
from model_release.releases.promote import (
    Promotion,
    as_pointer,
    check_beginning,
    check_history,
    check_home,
    from_the_future,
    promote,
)
from model_release.releases.publish import Watch, place, seal, stage, unwatched
from model_release.releases.store import Follower, ReleaseStore
from model_release.signing import SigningKey
from model_release.stores.base import Store
from model_release.stores.conditions import check_conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a person wants with the files.

    Attributes:
        by: who it is.
        reason: why.
        promote: whether the version shall become live, if the rules allow it.
        bump: which number of the version grows; None leaves it to the rules.
        opens: tries that the files load before a release of them becomes live; None overrules that they must.
    """

    by: str
    reason: str
    promote: bool = True
    bump: Bump | None = None
    opens: Try | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """How it ended at home; `reconcile` lets everything else follow.

    Attributes:
        manifest: of the version that the files are.
        before: whether it was published before.
        pointer: home's afterwards; None where nothing is live.
        refusal: why the version is not live although it was to be, in words.
        lagging: the followers that could not be given it and are not required, in words.
    """

    manifest: Manifest
    before: bool
    pointer: Pointer | None
    refusal: str | None
    lagging: list[str]


def publish(
    releases: ReleaseStore,
    collected: Collected,
    draft: Manifest,
    intent: Intent,
    *,
    watch: Watch = unwatched,
    key: SigningKey | None = None,
) -> Delivered:
    """Make the files a version everywhere, and make it live if the rules allow it.

    No gate has judged them. So the baseline is whatever was live when the command began: if another version becomes
    live meanwhile, its author did not see that one, and `latest` is left alone.

    Args:
        releases: of the model.
        collected: the files.
        draft: their manifest to be.
        intent: who, why and how far.
        watch: told of each file that travels.
        key: what the version is signed with, if it is.

    Raises:
        BaselineMoved: another version became live meanwhile; this one is published.
        Refused: a rule says no, or no form of the files loads, before anything is sent.
    """
    return _deliver(releases, collected, draft, intent, watch=watch, key=key, spared=())


def adopt(
    releases: ReleaseStore,
    collected: Collected,
    draft: Manifest,
    intent: Intent,
    *,
    watch: Watch = unwatched,
    key: SigningKey | None = None,
) -> Delivered:
    """Make the files of a hand-made layout the first release, as `publish` does.

    Hand-made copies in `latest/` are taken over where the release has a file of that name.

    Raises:
        Refused: something else was released here before, or `latest/` holds what would be lost.
    """
    live = releases.pointer()
    first = releases.claim(FIRST)  # after the pointer: whoever made that has claimed a number before
    same = first is not None and first.metadata.fingerprint == draft.fingerprint
    if not same and (first is not None or live is not None):
        raise Refused(
            "something was released here before, and an adoption is the first release",
            where=releases.uri,
            hint="`model-release list` shows what; `model-release publish` adds a version",
        )
    spared = [layout.latest_copy(path) for path in [*(entry.path for entry in collected.files), layout.MANIFEST]]
    return _deliver(releases, collected, draft, intent, watch=watch, key=key, spared=spared)


def _deliver(
    releases: ReleaseStore,
    collected: Collected,
    draft: Manifest,
    intent: Intent,
    *,
    watch: Watch,
    key: SigningKey | None,
    spared: Collection[str],
) -> Delivered:
    run, lagging = run_token(draft.run.run_id), list[str]()
    live = releases.pointer()
    known = became(releases, draft.fingerprint)
    before = known is not None and isinstance(releases.decided(known), Manifest)

    def check(store: Store) -> None:
        _check_place(releases, store, spared)
        if not before:
            check_conditions(store)

    def give(store: Store) -> None:
        if read_version(store, claim.metadata.version) is None:
            place(releases, claim, store, watch=watch, key=key)

    _check_names(releases.stores, signed=key is not None)
    check(releases.home)
    ready = _at_each(releases.followers, check, lagging)
    becomes_live = intent.promote and not (before and live is not None and live.pointer.version == known)
    if becomes_live and intent.opens is not None:
        _check_opens(collected, draft, intent.opens)
    if not before:
        tomorrow = from_the_future(releases, promotion_target_of(draft))
        if tomorrow is not None:
            raise Refused(tomorrow, hint="tell the date up to which its data had arrived")
        stage(releases, run, collected.folder, draft.files, watch=watch)
    claim = take_number(releases, draft, run=run, bump=intent.bump)
    _at_each(ready, give, lagging)
    give(releases.home)
    manifest = seal(releases, claim)
    if not intent.promote:
        return Delivered(manifest, before, live.pointer if live else None, None, lagging)
    promotion = _make_live(releases, manifest, intent, since=live.pointer.since if live else None, spared=spared)
    return Delivered(manifest, before, promotion.pointer, promotion.refusal, lagging)


def _check_opens(collected: Collected, draft: Manifest, opens: Try) -> None:
    try:
        opens(collected.folder, draft)
    except Refused as error:
        _, _, reasons = error.what.partition("\n")
        paths = [collected.folder / name for name in (draft.model_file, draft.preprocessor_file) if name is not None]
        mend = "; ".join(filter(None, map(named, paths))) or "mend the files"
        raise Refused(
            f"no form of these files loads here, so that they cannot become live\n{reasons}",
            where=collected.source,
            hint=f"nothing was sent; {mend}, or overrule with --unopened if their consumers have what they need",
        ) from error


def _at_each(followers: Sequence[Follower], do: Callable[[Store], object], lagging: list[str]) -> list[Follower]:
    """Do something at every follower; return those where it was done. One that is not required lags behind, loudly."""
    done = []
    for each in followers:
        try:
            do(each.store)
        except ModelReleaseError as error:
            if each.required:
                raise
            lagging.append(f"{each.store.uri} lags behind: {error}")
        else:
            done.append(each)
    return done


def _make_live(
    releases: ReleaseStore, manifest: Manifest, intent: Intent, *, since: int | None, spared: Collection[str]
) -> Promotion:
    """Move the pointer, if the rules allow it. The same files against another baseline are another act."""
    try:
        return promote(
            releases,
            manifest,
            judged_since=since,
            by=intent.by,
            reason=intent.reason,
            operation=f"{run_token(manifest.run.run_id)}-{layout.baseline_token(since)}",
            spared=spared,
        )
    except BaselineMoved as error:
        raise BaselineMoved(
            f"{manifest.version} is published and not live: another version became live while it was published",
            where=releases.uri,
            hint="look at that one with `model-release status`; the same command again makes yours live",
        ) from error


def _check_names(stores: Sequence[Store], *, signed: bool) -> None:
    uris = [store.uri for store in stores]
    names = {layout.folder_name(uri) for uri in uris}
    if signed and len(names) > 1:
        hint = "name the model's folder the same at every destination"
        raise UsageError(f"a signature holds for one name, not for {' and '.join(sorted(names))}", hint=hint)
    twice = next((uri for uri in uris if uris.count(uri) > 1), None)
    if twice is not None:
        raise UsageError("is named twice", where=twice, hint="name each destination once")


def _check_place(releases: ReleaseStore, store: Store, spared: Collection[str]) -> None:
    """Refuse what could only go wrong later, when a number is taken and files are sent.

    Raises:
        Refused: a place has another history, is damaged, or holds hand-made copies that would be lost.
    """
    copies = [entry.key for entry in store.list(f"{layout.LATEST}/")]
    # After its copies, which another first release may just have made, and before home's, which it is a copy of.
    theirs = as_pointer(store, store.get(layout.POINTER)) if store is not releases.home else releases.pointer()
    if theirs is None:
        lost = [key for key in copies if key not in spared]
        if store is releases.home:
            check_beginning(releases, copies)
        if lost:
            raise Refused(
                f"there is no latest.json, and {', '.join(lost)} would be removed by the first release",
                where=store.uri,
                hint="move them away, or adopt the hand-made layout that they belong to with `model-release adopt`",
            )
        return
    if store is releases.home:
        check_home(releases, theirs.pointer)
        return
    ours = releases.pointer()
    if ours is None:
        raise Refused(
            f"this destination has a history of its own, in which {theirs.pointer.version} is live",
            where=f"{store.uri}/{layout.POINTER}",
            hint="use another prefix, or name as the first URI the one that its latest.json calls home",
        )
    check_history(store, theirs, ours)
