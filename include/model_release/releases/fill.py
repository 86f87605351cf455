"""Filling a destination that was added to a model with a history: every published version, before its first pointer.

A follower has no pointer until it is full. So a fill that was killed goes on with the next run.
"""

from __future__ import annotations

from collections.abc import Callable

from model_release.documents import layout
from model_release.documents.manifest import Manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import Version
from model_release.errors import Corrupt, NotFound, Refused
from model_release.releases.publish import place
from model_release.releases.store import ReleaseStore
from model_release.stores.base import Store


def fill(releases: ReleaseStore, follower: Store, pointer: Pointer, *, tell: Callable[[str], None]) -> list[str]:
    """Put every version that home has published and not retired at a follower.

    Args:
        releases: of the model.
        follower: the model's folder at the new destination.
        pointer: home's. Its version is put there by `follow`.
        tell: called with a word about each version that is there now.

    Returns:
        The versions that could not be put there, and why, in words: home's own copy is damaged.

    Raises:
        Retry, CredentialsRefused: a destination does not answer, or refuses.
    """
    missing = [each for each in _published(releases) if each != pointer.version and each not in pointer.retired]
    failed = []
    for number, version in enumerate(missing, start=1):
        try:
            if _put(releases, follower, version):
                tell(f"{follower.uri}: {version} is there now, {number} of {len(missing)} earlier versions")
        except (Corrupt, NotFound, Refused) as error:
            failed.append(f"{follower.uri}: {version} could not be put there: {error}")
    return failed


def _published(releases: ReleaseStore) -> list[Version]:
    """Return the numbers that home has decided, by one listing."""
    found = set()
    for entry in releases.home.list("v"):
        name, _, path = entry.key.partition("/")
        if path == layout.MANIFEST and Version.is_version(name):
            found.add(Version.parse(name))
    return sorted(found)


def _put(releases: ReleaseStore, follower: Store, version: Version) -> bool:
    """Put a version at a follower; return whether there is one: its number may have been given up."""
    if not isinstance(releases.decided(version), Manifest):
        return False
    claim = releases.claim(version)
    if claim is None:
        raise NotFound("the claim of a version that was published is missing", where=f"{releases.uri}/{version}/")
    place(releases, claim, follower)
    return True
