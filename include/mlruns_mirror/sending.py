"""Sending local files, while others write to them, so that the mirror names exactly its content. For `push`."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mlruns_mirror import keys
from mlruns_mirror.local import File, Known, Stamp, content, settled, stamp
from model_release.errors import NotFound, UsageError
from model_release.stores.base import Store
from model_release.stores.bulk import as_done

WORKERS = 16
"""Files on their way at once: most are so small that a request's latency is all that they cost."""


class Sent(NamedTuple):
    """A local file whose content is in the mirror.

    Attributes:
        path: below `mlruns/`.
        file: its content.
        seen: its stamp, if a later write would show in it.
        size: bytes that were sent; None if none had to be.
    """

    path: str
    file: File
    seen: Stamp | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends files.

    Attributes:
        store: the mirror.
        root: the local `mlruns`.
        scratch: a folder for copies, on the same disk.
        known: of this mirror.
        named: the files that its `mirror.json` names.
        present: the files that are there, those of earlier attempts included.
        dry_run: send nothing.
    """

    store: Store
    root: Path
    scratch: Path
    known: Known
    named: Mapping[str, File]
    present: Mapping[str, File]
    dry_run: bool

    def send(self, files: Mapping[str, Stamp]) -> Iterator[Sent]:
        """Yield each file once its content is in the mirror; one that was removed meanwhile is left out."""
        unknown = []
        for path, seen in files.items():
            there = self.present.get(path)
            if there is not None and there.sha256 == self.known.sha256(path, seen):
                yield Sent(path, there, seen, None)
            else:
                unknown.append((path, seen))
        yield from (each for each in as_done(self._one, unknown, workers=WORKERS) if each is not None)

    def _one(self, found: tuple[str, Stamp]) -> Sent | None:
        path, seen = found
        local = self.root / path
        there = self.present.get(path)
        try:
            if settled(seen):
                file = content(local)
                if file == there:
                    return Sent(path, file, seen, None)
                self._upload(path, file, local)
                if stamp(local.stat()) == seen:
                    return Sent(path, file, seen, file.size)
            return self._frozen(path, local, there)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise UsageError("this process may not read it", where=str(local)) from error

    def _frozen(self, path: str, local: Path, there: File | None) -> Sent:
        """Send a copy of a file that another process may be writing to, with its content at this moment."""
        copy = self.scratch / uuid.uuid4().hex
        shutil.copyfile(local, copy)
        file = content(copy)
        if file != there:
            self._upload(path, file, copy)
        copy.unlink()
        return Sent(path, file, None, None if file == there else file.size)

    def _upload(self, path: str, file: File, local: Path) -> None:
        if self.dry_run:
            return
        before = self.named.get(path)
        key = keys.file(path)
        if before is not None and before != file:
            with suppress(NotFound):  # it was removed; there is nothing to keep
                self.store.copy(key, keys.replaced(before.sha256), new=True)
        self.store.upload(key, local)
