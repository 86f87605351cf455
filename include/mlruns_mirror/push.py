"""From the local MLflow data to its mirror.

The database is copied first and the files are looked for afterwards: MLflow writes a model's files before its database
says that the model is ready, so every file that the copy speaks of is there to be found. Files go up before anything
names them; `mirror.json` is replaced last, by compare-and-swap. A push that loses that race begins again, and finds
the sent files.
"""

from __future__ import annotations

import gzip
import importlib.metadata
import shutil
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mlruns_mirror import database, keys
from mlruns_mirror.local import File, Known, Source, Stamp, content, note_sent, scan, scratch_in
from mlruns_mirror.manifest import Index, Mirror, Packed, Snapshot, absorbed, index_bytes
from mlruns_mirror.progress import Progress, Silent
from mlruns_mirror.reading import fetch_database, read_files, read_indexes, read_mirror
from mlruns_mirror.sending import Sender, Sent
from mlruns_mirror.unchanged import Pushed
from model_release.documents.base import JSON_TYPE, sha256_of
from model_release.errors import Contended, Refused, UsageError
from model_release.stores.base import NO_STORE, Store, Won
from model_release.stores.bulk import as_done
from model_release.stores.conditions import check_conditions
from model_release.stores.create_once import RESEND, create_once

ATTEMPTS = 5
"""How often one push begins anew because another one was faster."""

SPARED = timedelta(days=1)
"""A younger object that nothing names may belong to an open push or pull; `delete` leaves it."""

_GZIP = "application/gzip"
_CHUNK = 1024 * 1024


def push(
    store: Store,
    source: Source,
    *,
    delete: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Pushed:
    """Make the mirror equal to the local MLflow data. Killed at any moment and called again, it goes on.

    Args:
        store: the folder `mlruns` in the bucket.
        source: the local side.
        delete: also forget, and remove, files that are no longer here.
        force: push even if the mirror knows runs that the local database does not.
        dry_run: only return the result that a push would have.
        progress: called for every file.

    Raises:
        Refused: the mirror has another history, or was continued elsewhere; or the store ignores conditions.
        UsageError: there is no MLflow data here, or it cannot be read.
        Contended: other pushes were faster every time.
    """
    if source.database is None and not source.artifacts.is_dir():
        raise UsageError("there is no such folder", where=str(source.artifacts))
    for _ in range(ATTEMPTS):
        attempt = _Attempt(store, source, progress or Silent(), delete=delete, force=force, dry_run=dry_run)
        if attempt.succeeds():
            if delete and not dry_run:
                attempt.done.removed = remove_unnamed(store)
            return attempt.done
    raise Contended(
        f"{ATTEMPTS} other pushes were faster", where=f"{store.uri}/{keys.TOP}", hint="push again when they are done"
    )


class _Attempt:
    """One attempt, from reading `mirror.json` to replacing it; `done` has its result."""

    def __init__(
        self, store: Store, source: Source, progress: Progress, *, delete: bool, force: bool, dry_run: bool
    ) -> None:
        self.store, self.source, self.progress = store, source, progress
        self.delete, self.force, self.dry_run = delete, force, dry_run
        self.done = Pushed(store.uri)
        self.known = Known(source.folder, store.uri)
        self.found = store.get(keys.TOP)
        self.mirror = read_mirror(store, self.found) if self.found else None
        self.fresh = self.found is not None and self.known.is_about(self.found.body)
        """Whether the knowledge of this machine describes the mirror as it is."""

    def succeeds(self) -> bool:
        """Push; return False if another push was faster."""
        with scratch_in(self.source.folder) as scratch:
            signature, copy = self._database(scratch)
            here = scan(self.source.artifacts)  # after the database was copied
            self._refuse_to_hide(copy, scratch)
            named = self._named()
            snapshot = self.mirror.database if self.mirror else None
            with ThreadPoolExecutor(1) as aside:
                newer: Future[Snapshot] | None = None
                file = content(copy) if copy else None
                if copy and file and not (snapshot and snapshot.sha256 == file.sha256):
                    newer = aside.submit(_send_database, self.store, copy, file, dry_run=self.dry_run)
                    self.done.database = True
                    self.done.outside = database.outside(copy, self.source.all_roots)
                sent = self._send(here, named, scratch)
                snapshot = newer.result() if newer else snapshot
        files = {each.path: each.file for each in sent}
        changes: dict[str, File | None] = {path: file for path, file in files.items() if named.get(path) != file}
        if self.delete:
            gone = named.keys() - files.keys()
            changes |= dict.fromkeys(gone)
            self.done.forgotten = len(gone)
        files = {path: file for path, file in {**named, **files, **changes}.items() if file is not None}
        mirror = self._next(changes, files, snapshot)
        if not self.dry_run:
            if mirror is not self.mirror and not self._swap(mirror):
                return False
            self._keep(mirror, files, sent, signature)
        return self._told(mirror)

    def _database(self, scratch: Path) -> tuple[tuple[int, ...] | None, Path | None]:
        """Return the database's signature, and a copy of it; none if it is known to equal the mirror's."""
        if self.source.database is None:
            return None, None
        signature = database.signature(self.source.database)
        theirs = self.mirror.database if self.mirror and self.fresh else None
        if signature and theirs and self.known.database == [list(signature), theirs.sha256]:
            return signature, None
        copy = scratch / "mlflow.db"
        database.snapshot(self.source.database, copy)
        return signature, copy

    def _refuse_to_hide(self, copy: Path | None, scratch: Path) -> None:
        """Refuse to replace a database that knows more runs, unless forced to.

        If no other machine has pushed since, there is nothing to compare.
        """
        theirs = self.mirror.database if self.mirror else None
        if self.fresh or self.force or theirs is None:
            return
        where, hint = f"{self.store.uri}/{keys.TOP}", "pull it and look; or push to another folder; or --force"
        if copy is None:
            raise Refused("the mirror has a database, and this folder has none", where=where, hint=hint)
        if content(copy).sha256 == theirs.sha256:
            return
        other = scratch / "theirs.db"
        fetch_database(self.store.uri, self.store.download, theirs, other)
        hidden = database.run_ids(other) - database.run_ids(copy)
        if hidden:
            raise Refused(
                f"the mirror knows {len(hidden):,} runs that are not here, such as {min(hidden)}: "
                "it is another history's, or went on elsewhere",
                where=where,
                hint=hint,
            )

    def _named(self) -> dict[str, File]:
        if self.fresh:
            return self.known.named()
        if self.mirror:
            return read_files(self.store, self.mirror)
        if not self.dry_run:
            check_conditions(self.store)
        return {}

    def _send(self, here: Mapping[str, Stamp], named: Mapping[str, File], scratch: Path) -> list[Sent]:
        """Send the files that the mirror lacks; return every local file."""
        earlier = self.known.sent()
        sender = Sender(
            self.store, self.source.artifacts, scratch, self.known, named, {**named, **earlier}, self.dry_run
        )
        self.progress.begin("pushing", len(here), sum(seen.size for seen in here.values()))
        sent = []
        with self.known.journal() as journal:
            for each in sender.send(here):
                sent.append(each)
                self.progress.advance(each.file.size)
                if each.size is not None:
                    self.done.sent += 1
                    self.done.sent_size += each.size
                    if not self.dry_run:
                        note_sent(journal, each.path, _entry(each.file, each.seen))
        return sent

    def _next(self, changes: Mapping[str, File | None], files: Mapping[str, File], snapshot: Snapshot | None) -> Mirror:
        """Write the new index and return the mirror that names it; the present mirror if nothing is new."""
        roots, indexes = self.source.all_roots, list(self.mirror.indexes) if self.mirror else []
        if self.mirror and not changes and snapshot == self.mirror.database and roots == self.mirror.roots:
            return self.mirror
        if changes and not self.dry_run:
            kept = len(indexes) - absorbed(indexes, len(changes))
            merged = {**read_indexes(self.store, indexes[kept:]), **changes}
            if not kept:
                merged = {path: file for path, file in merged.items() if file is not None}
            body = index_bytes(merged)
            index = Index(sha256=sha256_of(body), paths=len(merged))
            create_once(self.store, keys.index(index.sha256), body, content_type=_GZIP)
            indexes[kept:] = [index]
        return Mirror(
            roots=roots,
            database=snapshot,
            indexes=indexes,
            files=len(files),
            size=sum(each.size for each in files.values()),
            pushed=datetime.now(UTC),
            write_id=uuid.uuid4().hex,
        )

    def _swap(self, mirror: Mirror) -> bool:
        body = mirror.to_bytes()
        kept = {"content_type": JSON_TYPE, "cache_control": NO_STORE}
        if self.found is None:
            outcome = RESEND.copy()(self.store.create, keys.TOP, body, **kept)
        else:
            outcome = RESEND.copy()(self.store.replace, keys.TOP, body, self.found.token, **kept)
        if isinstance(outcome, Won):
            return True
        now = self.store.get(keys.TOP)  # a refusal may be the answer to our own earlier request, whose answer was lost
        return now is not None and now.body == body

    def _keep(
        self, mirror: Mirror, files: Mapping[str, File], sent: list[Sent], signature: tuple[int, ...] | None
    ) -> None:
        known = self.known
        known.mirror = mirror.sha256()
        known.holds = mirror.files, mirror.size, mirror.database.runs if mirror.database else None
        known.database = [list(signature), mirror.database.sha256] if signature and mirror.database else None
        stamps = {each.path: each.seen for each in sent}
        known.files = {path: _entry(file, stamps.get(path)) for path, file in files.items()}
        known.save()

    def _told(self, mirror: Mirror) -> bool:
        self.done.files, self.done.size = mirror.files, mirror.size
        self.done.runs = mirror.database.runs if mirror.database else None
        return True


def remove_unnamed(store: Store) -> int:
    """Remove every object that the mirror does not name and that is older than a day; return how many."""
    found = store.get(keys.TOP)
    if found is None:
        return 0
    mirror = read_mirror(store, found)
    named = {keys.TOP, *(keys.file(path) for path in read_files(store, mirror))}
    named |= {keys.index(each.sha256) for each in mirror.indexes}
    if mirror.database:
        named.add(keys.database(mirror.database.packed.sha256))
    before = store.now() - SPARED
    unnamed = [each.key for each in store.list() if each.key not in named and each.modified < before]
    return sum(1 for _ in as_done(store.delete, unnamed))


def _send_database(store: Store, copy: Path, file: File, *, dry_run: bool) -> Snapshot:
    runs, revision = database.facts(copy)
    mlflow = None
    with suppress(importlib.metadata.PackageNotFoundError):
        mlflow = importlib.metadata.version("mlflow")
    packed = copy.with_name("mlflow.db.gz")
    with copy.open("rb") as source, gzip.GzipFile(packed, "wb", compresslevel=1, mtime=0) as out:
        shutil.copyfileobj(source, out, _CHUNK)
    packed_size, packed_sha256 = content(packed)
    if not dry_run:
        store.upload(keys.database(packed_sha256), packed, content_type=_GZIP, new=True)
    return Snapshot(
        sha256=file.sha256,
        size=file.size,
        packed=Packed(sha256=packed_sha256, size=packed_size),
        taken=datetime.now(UTC),
        runs=runs,
        revision=revision,
        mlflow=mlflow,
    )


def _entry(file: File, seen: Stamp | None) -> list[Any]:
    """The entry of a file in `Known`."""
    return [file.sha256, *(seen or (file.size,))]
