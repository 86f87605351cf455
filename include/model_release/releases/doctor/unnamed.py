"""What doctor finds that no manifest names, and the snapshots that manifests name and that are gone.

Nothing of it is removed by a repair: no rule tells who has written it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from model_release.documents import layout
from model_release.documents.version import Version
from model_release.errors import ModelReleaseError
from model_release.releases.doctor.evidence import Evidence
from model_release.releases.doctor.findings import Damage, Finding
from model_release.releases.doctor.listing import Listing
from model_release.stores.base import Store

_PROCESSED = "processed/"


def examine_extra(evidence: Evidence, listing: Listing) -> Iterator[Finding]:
    """Find each object in the folder of a kept version that the version's manifest does not name."""
    retired = {*evidence.last.retired} if evidence.last else set()
    for version in sorted(evidence.manifests.keys() - retired):
        known = {layout.claim(version), layout.manifest(version), layout.signature(version)}
        known |= {layout.artifact(version, each.path) for each in evidence.manifests[version].files}
        for key in listing.below(version):
            if key in known or key.endswith("/") or layout.is_foreign(key):
                continue
            what = f"the manifest of {version} does not name it"
            remedy = "no client fetches it, and a person who copies the folder does: a person at the store removes it"
            yield Finding(Damage.FILE_EXTRA, listing.uri, listing.where(key), what, remedy)


def examine_foreign(listing: Listing) -> Iterator[Finding]:
    """Find what lies in the model's folder under a name that no object of a model has, by the first folder."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key in listing.entries:
        if layout.is_foreign(key):
            groups[key.partition("/")[0]].append(key)
    for name, keys in groups.items():
        size = sum(listing.entries[key].size for key in keys)
        where = keys[0] if len(keys) == 1 else f"{name}/"
        what = f"no rule knows such a name ({len(keys):,} object{'s' * (len(keys) > 1)}, {size:,} bytes)"
        remedy = "it does not matter: nothing reads it, and nothing removes it; move it away if nobody needs it"
        yield Finding(Damage.FOREIGN, listing.uri, listing.where(where), what, remedy, note=True)


def examine_snapshots(
    evidence: Evidence, data: Callable[[], Store], looked: Callable[[str], None]
) -> Iterator[Finding]:
    """Find the snapshots that kept versions were trained on and that are gone, by one listing of the dataset's folder.

    Args:
        evidence: what is proven.
        data: opens the dataset's folder at home.
        looked: called with a sentence about what was not looked at.
    """
    retired = {*evidence.last.retired} if evidence.last else set()
    named: dict[str, list[Version]] = defaultdict(list)
    for version in sorted(evidence.manifests.keys() - retired):
        facts = evidence.manifests[version].dataset
        if facts is not None and facts.uri is not None:
            named[facts.uri].append(version)
    if not named:
        return
    try:
        store = data()
        there = {entry.key for entry in store.list(_PROCESSED)}
    except ModelReleaseError as error:
        looked(
            f"the snapshots of {_words(each for some in named.values() for each in some)} were not seen: {error.what}"
        )
        return
    elsewhere: list[Version] = []
    for uri, versions in named.items():
        key = uri.removeprefix(f"{store.uri}/")
        if not key.startswith(_PROCESSED):
            elsewhere += versions
            continue
        gone = [each for each in (key, f"{key.rpartition('/')[0]}/snapshot.json") if each not in there]
        if gone:
            what = f"{_words(versions)} was trained on these rows, and they lack {_names(gone)}"
            remedy = "no client and no run needs it; `model-release reproduce` does: put it back from a backup"
            yield Finding(Damage.SNAPSHOT_MISSING, evidence.home.uri, uri, what, remedy, note=True)
    if elsewhere:
        looked(f"the snapshots of {_words(elsewhere)} lie elsewhere than in {store.uri}, and were not looked at")


def _words(versions: Iterator[Version] | list[Version]) -> str:
    return ", ".join(str(each) for each in sorted(versions))


def _names(keys: list[str]) -> str:
    return " and ".join(each.rpartition("/")[2] for each in keys)
