"""How long a consumer takes to get a release of three files, as a whole process, beside what others use for that.

`aws` and `s5cmd` read the same files from the same SeaweedFS. The Hugging Face hub client reads them from a local
server that speaks its protocol. Each round runs every tool once, in another order; the table has the medians.
Then the requests are counted that a poll costs when nothing has changed.

    PYTHONPATH=include:tests python -m benchmarks.pull --runs 15
"""

from __future__ import annotations

import http.server
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from rich.progress import Progress
from rich.table import Table

from benchmarks import reporting
from benchmarks.growth import Wire
from benchmarks.places import PLACES, Place
from benchmarks.stores import environment, run
from emulators.azurite import ACCOUNT
from emulators.proxy import proxied
from emulators.served import served
from model_release import client
from model_release.documents.base import sha256_of
from model_release.stores import open_store
from support.release_builder import Chain, Made, make

MODEL = "heart-disease-models"
SIZES = {"best_model.pkl": 755_000, "preprocessor.pkl": 4_000}
"""Bytes; the manifest has 3,000."""

OURS = "model-release pull"
INSTALLED = "model-release pull, installed alone"
HUB = "huggingface_hub"
FILES = ("best_model.pkl", "preprocessor.pkl", "metadata.json")
COMMIT = "0" * 40

_HUB = """
import sys
from huggingface_hub import hf_hub_download
for name in sys.argv[2:]:
    hf_hub_download("models/heart-disease", name, local_dir=sys.argv[1])
"""


def released(folder: Path) -> Made:
    """Make a release of bytes that no tool can compress."""
    made = make(folder, "benchmark", model=random.Random(0).randbytes(SIZES["best_model.pkl"]), card=False)  # noqa: S311
    body = random.Random(1).randbytes(SIZES["preprocessor.pkl"])  # noqa: S311
    (made.folder / "preprocessor.pkl").write_bytes(body)
    files = [
        each.model_copy(update={"size": len(body), "sha256": sha256_of(body)})
        if each.path == "preprocessor.pkl"
        else each
        for each in made.draft.files
    ]
    return Made(made.folder, made.draft.model_copy(update={"files": files}), made.run)


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """Serve a folder as the Hugging Face hub serves a repository's files."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = folder / self.path.rpartition("/")[2]
            data = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{sha256_of(data)}"')
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with served(Handler) as url:
        yield url


def tools(place: Place, installed: str | None) -> Mapping[str, Callable[[Path], list[list[str]]]]:
    """Return by tool the command lines that bring the files into a folder, one after the other."""
    uri, there = f"{place.uri}/{MODEL}", f"s3://{place.uri.removeprefix('s3://')}/{MODEL}/v1.0.0"
    found: dict[str, Callable[[Path], list[list[str]]]] = {
        OURS: lambda to: [[sys.executable, "-m", "model_release", "pull", uri, "--to", str(to)]],
    }
    if installed:
        found[INSTALLED] = lambda to: [[installed, "pull", uri, "--to", str(to)]]
    found["python -c pass"] = lambda to: [[sys.executable, "-c", "pass"]]
    found["aws s3 cp --recursive"] = lambda to: [
        ["aws", "s3", "cp", "--only-show-errors", "--recursive", "--exclude", "claim.json", there, str(to)]
    ]
    found["aws s3 cp, three times"] = lambda to: [
        ["aws", "s3", "cp", "--only-show-errors", f"{there}/{name}", str(to / name)] for name in FILES
    ]
    found["s5cmd cp"] = lambda to: [["s5cmd", "--log", "error", "cp", f"{there}/*", f"{to}/"]]
    found[HUB] = lambda to: [[sys.executable, "-c", _HUB, str(to), *FILES]]
    return found


def measure(runs: int, installed: str | None, progress: Progress) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Return seconds by tool, and why there are none."""
    seconds: dict[str, list[float]] = defaultdict(list)
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, PLACES["s3"]() as place, environment(place):
        made = released(Path(name))
        Chain(open_store(f"{place.uri}/{MODEL}")).release(made)
        manifest = open_store(f"{place.uri}/{MODEL}").get("v1.0.0/metadata.json")
        (made.folder / "metadata.json").write_bytes(manifest.body if manifest else b"")
        commands = tools(place, installed)
        order = [*commands]
        task = progress.add_task("pulling", total=(runs + 1) * len(order))
        with hub(made.folder) as url:
            os.environ |= {"HF_ENDPOINT": url, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
            for turn in range(runs + 1):
                random.Random(turn).shuffle(order)  # noqa: S311
                for tool in order:
                    progress.update(task, description=tool, advance=1)
                    to = Path(name) / "to"
                    try:
                        took = sum(run(command)[0] for command in commands[tool](to))
                    except (RuntimeError, FileNotFoundError) as error:
                        missing[tool] = str(error)
                        continue
                    if turn:  # the first compiles modules and fills the system's cache
                        seconds[tool].append(took)
                    shutil.rmtree(to, ignore_errors=True)
    return seconds, missing


def poll_requests(name: str) -> str:
    """Return the requests of a first pull and of a poll without a change, as the wire sees them."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder, PLACES[name]() as place:
        wire, real = Wire(), server_of(place)
        with proxied(real) as proxy, environment(place):
            Chain(open_store(f"{place.uri}/{MODEL}")).release(released(Path(folder)))
            proxy.spoil = wire.note
            os.environ |= {key: value.replace(real, proxy.url) for key, value in place.env.items()}
            watcher = client.Watcher(f"{place.uri}/{MODEL}", Path(folder) / "to")
            watcher.poll()
            first = wire.counts.total()
            wire.counts.clear()
            if watcher.poll() is not None:
                raise RuntimeError("nothing had changed")
            told = ", ".join(f"{count} {method}" for method, count in wire.counts.items())
            return f"{name}: {first} requests for the first pull, then {told} a poll"


def server_of(place: Place) -> str:
    """Return the address of a place's server."""
    for name in ("AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST"):
        if name in place.env:
            return place.env[name]
    return place.env["RCLONE_AZUREBLOB_SAS_URL"].partition(f"/{ACCOUNT}")[0]


def table_of(seconds: Mapping[str, list[float]]) -> Table:
    """Return the medians, and how they stand to ours."""
    title = "a release of three files, seconds of a whole process"
    table = reporting.table(title, "tool", "median", "least", "of model-release's")
    own = median(seconds[OURS])
    for tool, each in sorted(seconds.items(), key=lambda pair: median(pair[1])):
        table.add_row(tool, f"{median(each):.3f}", f"{min(each):.3f}", f"{median(each) / own:.2f}")
    return table


def main() -> None:
    """Measure what the command line asks for."""
    parser = reporting.parser("pull", __doc__)
    parser.add_argument("--runs", type=int, default=15, help="how often each tool runs")
    parser.add_argument("--installed", metavar="PATH", help="the script model-release of an environment of its own")
    parser.add_argument("--polls", nargs="*", default=["s3", "gcs", "azure"], help="clouds whose polls are counted")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left behind
    console = reporting.console()
    with reporting.progress() as progress:
        seconds, missing = measure(options.runs, options.installed, progress)
    console.print(table_of(seconds))
    for tool, why in missing.items():
        console.print(f"not measured: {tool}: {why}")
    peers = [median(each) for tool, each in seconds.items() if tool.startswith("aws") or tool == HUB]
    if peers:
        console.print(f"ours / the faster of aws and {HUB}: {median(seconds[OURS]) / min(peers):.2f}")
    for name in options.polls:
        console.print(poll_requests(name))
    reporting.keep(options, seconds)


if __name__ == "__main__":
    main()
