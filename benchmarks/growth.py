"""What publishing, promoting and pulling a release of three files costs, at 10 to 10,000 versions that are there.

Requests are counted on the wire between the verbs and SeaweedFS; beside them stand the seconds, through the same wire.
Where each version before went live, as they do in most histories, the next number is next to the live one. Where a hold
has kept them all from it, the number is searched for from the one that the release before has noted: the worst case.

    PYTHONPATH=include:tests python -m benchmarks.growth
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import boto3

from benchmarks import reporting
from emulators.proxy import proxied
from emulators.seaweedfs import WRITER, seaweedfs
from model_release import client
from model_release.documents import layout
from model_release.documents.manifest import Claim
from model_release.documents.version import Version
from model_release.releases.claims import Became, take_number
from model_release.releases.promote import Promotion, follow, refresh_latest
from model_release.releases.publish import place, seal, stage
from model_release.releases.store import ReleaseStore
from model_release.spec.transfer import TransferSettings
from model_release.stores.base import Store
from model_release.stores.s3.store import S3Store, client_config
from support.release_builder import Chain, Made, make

T = TypeVar("T")

HISTORIES = ("all went live", "all held back")


class Wire:
    """Counts what a server answers, by method; provisional answers are none.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str = "") -> None:
        self.url = url
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def note(self, request: bytes, answer: bytes) -> bytes:
        """Let an answer through."""
        if answer.startswith(b"HTTP/1.1 ") and not answer.startswith(b"HTTP/1.1 1"):
            with self._lock:
                self.counts[request.partition(b" ")[0].decode("ascii", "replace")] += 1
        return answer


@contextmanager
def store_at(url: str, bucket: str) -> Iterator[tuple[S3Store, Wire]]:
    """A store in a new bucket, behind a proxy that counts."""
    with proxied(url) as proxy:
        wire = Wire(proxy.url)
        proxy.spoil = wire.note
        sdk = boto3.client(
            "s3",
            endpoint_url=proxy.url,
            aws_access_key_id=WRITER.access,
            aws_secret_access_key=WRITER.secret,
            region_name="us-east-1",
            config=client_config(TransferSettings(), path_style=True),
        )
        sdk.create_bucket(Bucket=bucket)
        yield S3Store(sdk, bucket, "heart-disease-models"), wire


def old_versions(home: Store, made: Made, held: Made, *, many: int, live: bool) -> int | None:
    """Put `many` versions there, mostly claims alone; return `since` of the live one, the last or the first."""
    chain, draft = Chain(home), made.draft
    numbers = [Version(1, minor, 0) for minor in range(many if live else many - 1)]
    since = None if live else _since(chain.release(made))
    with ThreadPoolExecutor(8) as pool:
        claims = [Claim(run=made.run, metadata=draft.model_copy(update={"version": each})) for each in numbers]
        keys = [layout.claim(each) for each in numbers]
        list(pool.map(lambda key, claim: home.create(key, claim.to_bytes()), keys, claims))
    if live:  # so that this release takes the last of them
        home.create(layout.version_of(draft.fingerprint), Became(version=numbers[-1]).to_bytes())
        since = _since(chain.release(made))
    else:  # the last of those that are held back finds its number as each of them did
        chain.publish(held)
    return since


def _since(promotion: Promotion) -> int | None:
    return promotion.pointer.since if promotion.pointer else None


def publish(home: Store, follower: Store, made: Made) -> Claim:
    """Take the steps of a release up to its manifest at home, in the order of the nightly chain."""
    stage(ReleaseStore(home), made.run, made.folder, made.draft.files)
    claim = take_number(ReleaseStore(home), made.draft, run=made.run)
    place(ReleaseStore(home), claim, follower)
    place(ReleaseStore(home), claim, home)
    seal(ReleaseStore(home), claim)
    return claim


def make_live(home: Store, follower: Store, claim: Claim, since: int | None) -> None:
    """Move home's pointer to a published version, and bring along what follows it."""
    promotion = Chain(home, [follower]).promote(claim.metadata, since=since)
    if promotion.refusal is not None:
        raise RuntimeError(promotion.refusal)
    follow(ReleaseStore(home), follower)
    for store in (home, follower):
        refresh_latest(store)


class Cost:
    """Requests and seconds of one verb.

    Args:
        wires: those of home and of the follower.
    """

    def __init__(self, *wires: Wire) -> None:
        self._wires = wires

    def of(self, verb: Callable[[], T]) -> T:
        """Do it, and count."""
        for wire in self._wires:
            wire.counts.clear()
        began = time.monotonic()
        done = verb()
        self.seconds = time.monotonic() - began
        self.requests = [wire.counts.total() for wire in self._wires]
        return done

    @property
    def cells(self) -> tuple[str, str]:
        """Both, for a table."""
        return " + ".join(map(str, self.requests)), f"{self.seconds:.2f}"


def main() -> None:
    """Count, and print the table."""
    parser = reporting.parser("growth", __doc__, quick="10 versions only")
    sizes = [10, 100, 1_000, 10_000]
    parser.add_argument("--versions", type=int, nargs="+", default=sizes, help="versions that are there already")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left behind
    os.environ |= {"AWS_ACCESS_KEY_ID": WRITER.access, "AWS_SECRET_ACCESS_KEY": WRITER.secret}
    title = "one release of three files: requests to home + follower, and seconds"
    headings = ("history", "new version", "versions there", "publish", "s", "promote", "s", "pull", "s")
    table, kept = reporting.table(title, *headings, words=2), []
    with seaweedfs() as server, tempfile.TemporaryDirectory() as name, reporting.progress() as progress:
        counts = sizes[:1] if options.quick else options.versions
        cases = [(many, history) for history in HISTORIES for many in counts]
        for turn, (many, history) in enumerate(progress.track(cases, description="releasing")):
            folder = Path(name)
            old, held, new = (make(folder, f"{each}-{turn}", model=b"m" * 700_000) for each in ("old", "held", "new"))
            with (
                store_at(server.url, f"home-{turn}") as (home, at_home),
                store_at(server.url, f"other-{turn}") as (follower, there),
            ):
                since = old_versions(home, old, held, many=many, live=history == HISTORIES[0])
                follow(ReleaseStore(home), follower)
                refresh_latest(follower)
                both, reading = Cost(at_home, there), Cost(at_home)
                claim = both.of(partial(publish, home, follower, new))
                row = [history, str(claim.metadata.version), f"{many:,}", *both.cells]
                both.of(partial(make_live, home, follower, claim, since))
                uri = f"s3://home-{turn}/heart-disease-models?endpoint_url={at_home.url}&region=us-east-1"
                pulled = reading.of(partial(client.pull, uri, to=folder / f"pulled-{turn}"))
                if pulled.version != claim.metadata.version:
                    raise RuntimeError(f"{pulled.version} was pulled")
                kept.append([*row, *both.cells, *reading.cells])
                table.add_row(*kept[-1])
    reporting.console().print(table)
    reporting.keep(options, [dict(enumerate(row)) for row in kept])


if __name__ == "__main__":
    main()
