"""One destination as doctor finds it: listed once, each object read once, and nothing unread taken for missing.

A document of a newer format counts as unread: nothing is wrong with it, and nothing can be said about it here.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from model_release.documents import layout
from model_release.documents.base import Document
from model_release.documents.manifest import AbandonedManifest, FileEntry, Manifest, read_manifest
from model_release.documents.pointer import Pointer
from model_release.documents.version import Version
from model_release.errors import Corrupt, ModelReleaseError, NotFound, Refused, UnknownFormat, UnsafeKey
from model_release.releases.catalog import Live, fault_of
from model_release.releases.prune import IN_FLIGHT
from model_release.stores.base import Entry, Store, Stored

D = TypeVar("D", bound=Document)
A = TypeVar("A")


class Unread(Exception):
    """A look-up failed. It stands in `failed` of its listing; what depends on it cannot be said."""


class Listing:
    """What lies at one destination.

    The pointer is read before the folder is listed, so that the log cannot lack what the pointer tells.

    Args:
        store: the model's folder.
        read_data: whether files are read and hashed; otherwise their sizes are compared.
        tell: called with a word about each object that is read whole.

    Attributes:
        failed: the look-ups that failed, by key; the whole folder's is the empty one.
        entries: what the listing showed, by key.
        pointer: as it was read; None where there is none, or none that can be read.
        now: the store's clock, where it answers.
        pointer_fault: why what lies under its name is no pointer.
    """

    def __init__(self, store: Store, *, read_data: bool, tell: Callable[[str], None]) -> None:
        self.store = store
        self.failed: dict[str, ModelReleaseError] = {}
        self.entries: dict[str, Entry] = {}
        self.stored: Stored | None = None
        self.pointer: Live | None = None
        self.pointer_fault: Corrupt | None = None
        self.now = datetime.min.replace(tzinfo=UTC)
        self.read_data = read_data
        self._tell = tell
        self._bodies: dict[str, bytes | None] = {}
        self._faults: dict[tuple[str, FileEntry], str | None] = {}
        self._folders: dict[str, list[str]] = defaultdict(list)
        with suppress(Unread):
            self.stored = self._ask(layout.POINTER, lambda: store.get(layout.POINTER))
            self._list("")
            self.now = self._ask("", store.now)
            self._read_pointer()

    @property
    def uri(self) -> str:
        """Of the destination."""
        return self.store.uri

    @property
    def answers(self) -> bool:
        """Whether pointer and listing could be read; without them nothing can be said."""
        return not self.failed.keys() & {"", layout.POINTER}

    def in_words(self) -> str:
        """Return what was looked at here, and what was left alone because a run may be busy with it."""
        if not self.answers:
            return f"{self.uri}: could not be read"
        young = [each for each in self.entries.values() if self.now - each.modified < IN_FLIGHT]
        staged = sum(each.key.startswith(f"{layout.STAGING}/") for each in young)
        undecided = [each for each in self.versions() if layout.manifest(each) not in self.entries]
        busy = sorted({f"{each}" for each in undecided} & {entry.key.partition("/")[0] for entry in young})
        left = [f"{staged} objects in {layout.STAGING}/"] if staged else []
        left += [f"the undecided {', '.join(busy)}"] if busy else []
        words = f"{self.uri}: {len(self.entries)} objects, {len(self.versions())} versions"
        return f"{words}; younger than a day and left alone: {' and '.join(left)}" if left else words

    def has_moved(self) -> bool:
        """Whether the pointer is another one than when it was first read, as far as can be told."""
        with suppress(Unread):
            now = self._ask(layout.POINTER, lambda: self.store.get(layout.POINTER))
            return (now.body if now else None) != (self.stored.body if self.stored else None)
        return False

    def where(self, key: str) -> str:
        """Return an object's URI."""
        return f"{self.uri}/{key}"

    def below(self, folder: str | Version) -> list[str]:
        """Return the keys of a folder."""
        return self._folders.get(str(folder), [])

    def epochs(self) -> set[int]:
        """Return the epochs of which the log has an entry, readable or not."""
        names = (key.rpartition("/")[2].removesuffix(".json") for key in self.below(layout.LOG))
        return {int(name) for name in names if name.isdecimal() and layout.log_entry(int(name)) in self.entries}

    def look_again(self, version: Version) -> None:
        """List a version's folder once more, before it is said that something of it is missing.

        It may have been published since this destination was listed, and before the next one was.

        Raises:
            Unread: the look-up failed.
        """
        self._list(f"{version}/")

    def versions(self) -> set[Version]:
        """Return every number that has a folder."""
        return {Version.parse(name) for name in self._folders if Version.is_version(name)}

    def get(self, key: str) -> bytes | None:
        """Return a small object whole, or None where there is none.

        Raises:
            Unread: the look-up failed.
        """
        if key not in self.entries:
            return None
        if key not in self._bodies:
            stored = self._ask(key, lambda: self.store.get(key))
            self._bodies[key] = stored.body if stored else None
        return self._bodies[key]

    def read(self, kind: type[D], key: str) -> D | None:
        """Return a document, or None where there is none.

        Raises:
            Unread: the look-up failed.
            Corrupt: it is no such document.
        """
        return self._parsed(key, self.get(key), kind.read)

    def manifest(self, version: Version) -> Manifest | AbandonedManifest | None:
        """Return what decided a version, or None where nothing has.

        Raises:
            Unread: the look-up failed.
            Corrupt: it is neither manifest nor note.
        """
        key = layout.manifest(version)
        return self._parsed(key, self.get(key), read_manifest)

    def obstacle(self, key: str) -> ModelReleaseError | None:
        """Return what keeps a missing object from being written, such as a folder of its name; None if nothing does.

        One request. Only a folder store has such obstacles; an object store answers that there is no such object.
        """
        with tempfile.TemporaryDirectory(prefix="model-release-") as folder:
            try:
                self.store.download(key, Path(folder) / "file")
            except (Refused, UnsafeKey) as error:
                return error
            except ModelReleaseError:
                return None
        return None

    def fault(self, key: str, entry: FileEntry) -> str | None:
        """Return what is wrong with a file, in words; None when it is right, as far as was looked.

        Raises:
            Unread: the look-up failed.
        """
        found = self.entries.get(key)
        if found is None:
            return "it is missing"
        if found.size != entry.size:
            return f"it has {found.size:,} bytes and should have {entry.size:,}"
        return self.read_fault(key, entry) if self.read_data else None

    def read_fault(self, key: str, entry: FileEntry) -> str | None:
        """The same, having read every byte."""

        def read() -> str | None:
            self._tell(self.where(key))
            fault = fault_of(self.store, key, entry)
            if isinstance(fault, NotFound):  # removed since the folder was listed
                return "it is missing"
            return f"it {fault.what}" if fault else None

        if (key, entry) not in self._faults:
            self._faults[key, entry] = self._ask(key, read)
        return self._faults[key, entry]

    def _list(self, prefix: str) -> None:
        for entry in self._ask(prefix, lambda: [*self.store.list(prefix)]):
            if entry.key not in self.entries:
                self._folders[entry.key.partition("/")[0]].append(entry.key)
            self.entries[entry.key] = entry

    def _read_pointer(self) -> None:
        if self.stored is not None:
            try:
                pointer = self._parsed(layout.POINTER, self.stored.body, Pointer.read)
            except Corrupt as error:
                self.pointer_fault = error
            else:
                self.pointer = Live(pointer, self.stored.token, self.stored.body) if pointer else None

    def _parsed(self, key: str, body: bytes | None, read: Callable[..., A]) -> A | None:
        try:
            return None if body is None else read(body, where=self.where(key))
        except UnknownFormat as error:
            self.failed[key] = error
            raise Unread from error

    def _ask(self, key: str, call: Callable[[], A]) -> A:
        if key in self.failed:
            raise Unread
        try:
            return call()
        except Corrupt:
            raise
        except ModelReleaseError as error:
            self.failed[key] = error
            raise Unread from error
