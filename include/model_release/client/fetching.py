"""From the store to the parts: exactly the files of a manifest, in parallel, each checked while it streams."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model_release.client.folder import Folder, told
from model_release.client.promises import File, Promised
from model_release.documents import layout
from model_release.errors import Corrupt
from model_release.stores.reader.reader import Reader

WORKERS = 8
"""Files on their way at once."""

_CHUNK = 1024 * 1024

Progress = Callable[[int, int], None]
"""Called from several threads, one at a time, with the bytes that are here and the bytes in total."""


def fetch(reader: Reader, manifest: Promised, folder: Folder, progress: Progress | None = None) -> None:
    """Bring every file of a release among the folder's parts. A file that is here already is not fetched.

    Raises:
        NotFound: the store lacks a file.
        Corrupt: a file has another size or SHA-256 than the manifest says.
        StoreUnavailable: no answer; the bytes that have arrived stay for the next pull.
        Stop: the disk refuses it.
    """
    wanted = {file.sha256: file for file in manifest.files}
    total, here, counting = sum(file.size for file in wanted.values()), 0, threading.Lock()

    def moved(size: int) -> None:
        nonlocal here
        with counting:
            here += size
            if progress is not None:
                progress(here, total)

    def bring(file: File) -> None:
        part = folder.parts / file.sha256
        with told(part):
            old = None if part.exists() or part.is_symlink() else folder.holding(file)
            if old is not None:
                shutil.copyfile(old, part)
            _bring(reader, layout.artifact(manifest.version, file.path), file, folder, moved)

    with ThreadPoolExecutor(WORKERS) as pool:
        tasks = [pool.submit(bring, file) for file in wanted.values()]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _bring(reader: Reader, key: str, file: File, folder: Folder, moved: Callable[[int], None]) -> None:
    """Complete one part; begin it again, once, if its earlier bytes turn out to be others."""
    part = folder.parts / file.sha256
    if part.is_symlink() or (part.exists() and part.stat().st_size > file.size):
        part.unlink()
    digest, size = _hashed(part)
    had = size
    moved(size)
    while True:
        if size < file.size:
            with part.open("ab") as out:
                for chunk in reader.read(key, size, file.size, folder.scratch):
                    out.write(chunk)
                    out.flush()  # these bytes outlive a process that is killed
                    digest.update(chunk)
                    size += len(chunk)
                    moved(len(chunk))
                    if size > file.size:
                        break
        if size == file.size and digest.hexdigest() == file.sha256:
            if size == 0:
                part.touch()
            return
        part.unlink(missing_ok=True)
        if had == 0:
            raise Corrupt(
                f"differs from the manifest, which has {file.size:,} bytes with SHA-256 {file.sha256[:12]}…",
                where=f"{reader.uri}/{key}",
                hint="the current copy was left as it is; `model-release verify` checks the whole release",
            )
        moved(-size)
        digest, size, had = hashlib.sha256(), 0, 0


def _hashed(part: Path) -> tuple[hashlib._Hash, int]:
    digest, size = hashlib.sha256(), 0
    if part.exists():
        with part.open("rb") as there:
            while chunk := there.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    return digest, size
