"""How many requests a release of three files costs, at 10 and at 10,000 versions that are there already.

Counted on the wire between the verbs of a release and SeaweedFS. Where each version before went live, as they do in
most histories, the next number is next to the live one. Where a hold has kept them all from it, the number is searched
for from the version that is live: the worst case.

    PYTHONPATH=tests python -m benchmarks.requests
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import boto3
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from builders import Chain, Made, make
from emulators.proxy import proxied
from emulators.seaweedfs import WRITER, seaweedfs
from model_release import layout
from model_release.metadata import Claim
from model_release.release.numbers import Became, take_number
from model_release.release.promote import Promotion, follow, refresh_latest
from model_release.release.publish import place, seal, stage
from model_release.stores.base import Store
from model_release.stores.s3 import S3Store, client_config
from model_release.transfer import TransferSettings
from model_release.version import Version

HISTORIES = ("all went live", "all held back")


class Wire:
    """Counts what a server answers, by method; provisional answers are none."""

    def __init__(self) -> None:
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
    wire = Wire()
    with proxied(url) as proxy:
        proxy.spoil = wire.note
        client = boto3.client(
            "s3",
            endpoint_url=proxy.url,
            aws_access_key_id=WRITER.access,
            aws_secret_access_key=WRITER.secret,
            region_name="us-east-1",
            config=client_config(TransferSettings(), path_style=True),
        )
        client.create_bucket(Bucket=bucket)
        yield S3Store(client, bucket, "heart-disease-models"), wire


def old_versions(home: Store, made: Made, *, many: int, live: bool) -> int | None:
    """Put `many` versions there, mostly claims alone; return `since` of the live one, the last or the first."""
    chain, draft = Chain(home), made.draft
    numbers = [Version(1, minor, 0) for minor in range(many)]
    since = None if live else _since(chain.release(made))
    with ThreadPoolExecutor(8) as pool:
        claims = [Claim(run=made.run, metadata=draft.model_copy(update={"version": each})) for each in numbers]
        keys = [layout.claim(each) for each in numbers]
        list(pool.map(lambda key, claim: home.create(key, claim.to_bytes()), keys, claims))
    if live:  # so that this release takes the last of them
        home.create(layout.version_of(draft.fingerprint), Became(version=numbers[-1]).to_bytes())
        since = _since(chain.release(made))
    return since


def _since(promotion: Promotion) -> int | None:
    return promotion.pointer.since if promotion.pointer else None


def release(home: Store, follower: Store, made: Made, since: int | None) -> Version:
    """Take every step of a release, in the order of the nightly chain."""
    chain = Chain(home, [follower])
    stage(home, made.run, made.folder, made.draft.files)
    claim = take_number(home, made.draft, run=made.run)
    place(claim, home=home, target=follower)
    place(claim, home=home, target=home)
    promotion = chain.promote(seal(home, claim), since=since)
    if promotion.refusal is not None:
        raise RuntimeError(promotion.refusal)
    follow(home, follower)
    for store in (home, follower):
        refresh_latest(store)
    return claim.metadata.version


def main() -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.requests", description=__doc__)
    parser.add_argument("--versions", type=int, nargs="+", default=[10, 10_000], help="versions that are there already")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left behind
    table = Table(title="requests of one release of three files", title_justify="left")
    for name in ("versions there", "history", "new version", "home", "follower", "by method at home"):
        table.add_column(name)
    console = Console(stderr=True)
    with seaweedfs() as server, tempfile.TemporaryDirectory() as name, Progress(console=console) as progress:
        cases = [(many, history) for history in HISTORIES for many in options.versions]
        for turn, (many, history) in enumerate(progress.track(cases, description="releasing")):
            folder = Path(name)
            old, new = (make(folder, f"{which}-{turn}", model=b"m" * 700_000) for which in ("old", "new"))
            with (
                store_at(server.url, f"home-{turn}") as (home, at_home),
                store_at(server.url, f"other-{turn}") as (
                    follower,
                    there,
                ),
            ):
                since = old_versions(home, old, many=many, live=history == HISTORIES[0])
                follow(home, follower)
                refresh_latest(follower)
                at_home.counts.clear()
                there.counts.clear()
                version = release(home, follower, new, since)
                methods = ", ".join(f"{count} {method}" for method, count in sorted(at_home.counts.items()))
                counts = (str(at_home.counts.total()), str(there.counts.total()))
                table.add_row(f"{many:,}", history, str(version), *counts, methods)
    Console().print(table)


if __name__ == "__main__":
    main()
