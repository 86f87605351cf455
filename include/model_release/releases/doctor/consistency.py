"""What doctor finds where each object is right by itself, and together they tell of a neglect or of a strange hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import why_barred
from model_release.documents.version import Version
from model_release.releases.doctor.evidence import Evidence
from model_release.releases.doctor.findings import Damage, Finding
from model_release.releases.prune import CLOCKS_APART

LONG = timedelta(days=30)
"""For so long a hold stands without a question."""

_BY_EPOCH = "the log is read by its epochs, so that what was live when stays right; pruning counts days by these times"


def examine_hold(evidence: Evidence) -> Iterator[Finding]:
    """Find the holds that have stood for so long that they may be forgotten."""
    home, pointer = evidence.home, evidence.pointer
    old = [each for each in pointer.holds if each.at < home.now - LONG] if pointer else []
    if old:
        first = min(old, key=lambda each: each.at)
        days = (home.now - first.at).days
        what = f"held for {days:,} days, since {first.at:%Y-%m-%d}, by {first.by} ({first.reason}): no run promotes"
        remedy = "a person lifts the hold, or lifts it and holds again with the reason of today"
        choices = (f"`model-release unhold {home.uri} --reason …`: the next run promotes again",)
        yield Finding(Damage.LONG_HOLD, home.uri, home.where(layout.POINTER), what, remedy, choices=choices)


def examine_times(evidence: Evidence) -> Iterator[Finding]:
    """Find the changes that are dated before the change that they follow, or after the store's clock."""
    home, pointer = evidence.home, evidence.pointer
    if pointer is None:
        return
    told = {epoch: entry for epoch, entry in evidence.log.items() if epoch < pointer.epoch and evidence.knows(entry)}
    told[pointer.epoch] = pointer
    latest = None
    for epoch in sorted(each for each in told if each >= evidence.begins):
        at, where = told[epoch].change.at, home.where(layout.log_entry(epoch))
        if at > home.now + CLOCKS_APART:
            what = f"it is dated {at:%Y-%m-%d %H:%M} UTC, and the store's clock says {home.now:%Y-%m-%d %H:%M} UTC"
            yield Finding(Damage.TIME_DIFFERS, home.uri, where, what, _BY_EPOCH, note=True)
            continue
        if latest is not None and at < latest - CLOCKS_APART:
            what = f"it is dated {at:%Y-%m-%d %H:%M} UTC, before an earlier epoch, {latest:%Y-%m-%d %H:%M} UTC"
            yield Finding(Damage.TIME_DIFFERS, home.uri, where, what, _BY_EPOCH, note=True)
        latest = at if latest is None else max(latest, at)


def examine_models(evidence: Evidence) -> Iterator[Finding]:
    """Find the versions that may become live and are of another model than the live one: two specs share the folder."""
    home, pointer = evidence.home, evidence.pointer
    live = evidence.manifests.get(pointer.version) if pointer else None
    if pointer is None or live is None:
        return
    for version, manifest in sorted(evidence.manifests.items()):
        if manifest.model_name == live.model_name or why_barred(pointer, version) is not None:
            continue
        what = f"it is a release of {manifest.model_name}, and {live.version}, which is live, one of {live.model_name}"
        remedy = (
            "two specs share this folder: give one of them another name or destination, and quarantine its versions"
        )
        choices = (f"`model-release quarantine {home.uri} {version} --reason …`: it never becomes live",)
        where = home.where(layout.manifest(version))
        yield Finding(Damage.ANOTHER_MODEL, home.uri, where, what, remedy, choices=choices)


def examine_signing(evidence: Evidence) -> Iterator[Finding]:
    """Find the versions without a signature anywhere that should have one, and that may be live."""
    home, last = evidence.home, evidence.last
    first = min(evidence.signatures, default=None)
    for version, manifest in sorted(evidence.manifests.items()):
        key = layout.signature(version)
        if any(key in listing.entries for listing in evidence.listings):
            continue
        why = _signed_by_right(manifest, version, first)
        if why is None or (last is not None and why_barred(last, version) is not None):
            continue
        what = f"no destination has it, and {why}"
        remedy = "clients that trust a key refuse this version: put model.sig back from a backup, or quarantine it"
        choices = (f"`model-release quarantine {home.uri} {version} --reason …`: another version is live",)
        where = home.where(key)
        yield Finding(Damage.SIGNATURE_MISSING, home.uri, where, what, remedy, choices=choices, version=version)


def _signed_by_right(manifest: Manifest, version: Version, first: Version | None) -> str | None:
    """Return why a version should be signed; None if it need not be.

    Its own spec says so, or, if none is recorded, a signed version before it does.
    """
    if manifest.spec is not None and "signing" in manifest.spec:
        return "its spec names the key that signs" if manifest.spec["signing"] else None
    return f"{first}, which is older, is signed" if first is not None and first < version else None
