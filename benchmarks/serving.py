"""How many requests a second the service answers, beside `mlflow models serve` on the same release.

MLflow serves it twice: the release's folder, which its `MLmodel` lets it open as ONNX, and the same pipeline as
`mlflow.sklearn` keeps it, which is what it serves where nobody exports to ONNX. All get the same body at
`/invocations`; `/predict` is the service's own protocol. The client is wrk: one in Python takes longer for a request
than the service for its answer. Each round runs every case once, in another order; the table has the medians. Then
releases are swapped under full load.

    PYTHONPATH=include:tests python -m benchmarks.serving
"""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from rich.table import Table

from benchmarks import reporting
from support.servable_releases import ROW, release, trained, version_folder

OURS, OURS_MLFLOW, MLFLOW, PIPELINE = "ours, /predict", "ours, /invocations", "MLflow, ONNX", "MLflow, scikit-learn"
SERVERS = [OURS, OURS_MLFLOW, MLFLOW, PIPELINE]
MODEL = "random_forest"
STRENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Of the models that are swapped."""

_LUA = """
local file = io.open(os.getenv("BODY"), "rb")
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = file:read("*a")
file:close()
local watched = os.getenv("WATCHED") ~= nil
local threads = {}
function setup(thread)
  table.insert(threads, thread)
end
function init(args)
  mixed, versions = 0, ""
end
if watched then
  local seen = {}
  function response(status, headers, body)
    local version = headers["x-model-version"] or "none"
    if not seen[version] then
      seen[version] = true
      versions = versions .. version .. " "
    end
    if status ~= 200 or not body:find('"version":"' .. version .. '"', 1, true) then
      mixed = mixed + 1
    end
  end
end
function done(summary, latency, requests)
  local e = summary.errors
  local bad, names = 0, ""
  for _, thread in ipairs(threads) do
    bad = bad + thread:get("mixed")
    names = names .. thread:get("versions")
  end
  io.stderr:write(string.format(
    '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "max": %f, "failed": %d, "mixed": %d, "versions": "%s"}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, e.connect + e.read + e.write + e.status + e.timeout, bad, names))
end
"""


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, and the process that it began with."""

    url: str
    process: subprocess.Popen[bytes]

    def resident_bytes(self) -> int:
        """Memory of its largest process, which is the one that answers."""
        return max(map(_resident, _family(self.process.pid)))

    def processor_seconds(self) -> float:
        """What its processes have used so far."""
        return sum(map(_processor, _family(self.process.pid)))


@contextmanager
def serving(command: Sequence[str], ready: str, **environment: str) -> Iterator[Server]:
    """Run a server until the block ends; `{port}` in its command and environment is a free one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - a server that is named here
            [each.replace("{port}", port) for each in command],
            env={**os.environ, **{name: value.replace("{port}", port) for name, value in environment.items()}},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(1200):
                if process.poll() is not None:
                    break
                try:
                    httpx.get(url + ready, timeout=5).raise_for_status()
                except httpx.HTTPError:
                    time.sleep(0.1)
                else:
                    yield Server(url, process)
                    return
            log.seek(0)
            raise RuntimeError(f"{command[0]} did not start: {log.read().decode(errors='replace')[-2000:]}")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ours(*arguments: str) -> Any:
    """Run the service."""
    return serving(
        [sys.executable, "-m", "model_release.cli", "serve", *arguments, "--port", "{port}", "--every", "0.2"],
        "/readyz",
    )


def mlflow(folder: Path) -> Any:
    """Run MLflow's own server."""
    program = str(Path(sys.executable).parent / "mlflow")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return serving(
        [program, "models", "serve", "-m", str(folder), "--env-manager", "local", "-h", "127.0.0.1", "-p", "{port}"],
        "/ping",
        PATH=path,
    )


@contextmanager
def wrk(
    url: str, body: Path, *, clients: int, seconds: float | None = None, watched: bool = False
) -> Iterator[dict[str, Any]]:
    """Send a body for some seconds beside what the block does; afterwards tell what came of it, times in ms.

    Args:
        url: where it goes.
        body: file that holds it.
        clients: that send at the same time, each again as soon as it has its answer.
        seconds: how long; None: until the block ends.
        watched: look at every answer whether its header and its body name the same version.
    """
    script = body.parent / "wrk.lua"
    script.write_text(_LUA)
    told = {"BODY": str(body), **({"WATCHED": "1"} if watched else {})}
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds or 3600:g}s", "--timeout", "60s", "-s", str(script), url]
    found: dict[str, Any] = {}
    with subprocess.Popen(  # noqa: S603 - wrk
        command, env={**os.environ, **told}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as sender:
        try:
            yield found
        finally:
            if seconds is None:
                sender.send_signal(signal.SIGINT)
        said, answer = sender.communicate()
    if sender.returncode:
        raise RuntimeError(answer + said)
    found.update(json.loads(answer[answer.index("{") :]))


def bodies(folder: Path, rows: int) -> dict[str, Path]:
    """Write the request of so many rows, in both protocols."""
    table = [{**ROW, "age": 18 + number % 90} for number in range(rows)]
    split = {"columns": [*ROW], "data": [[*row.values()] for row in table]}
    made = {OURS: table if rows > 1 else table[0], OURS_MLFLOW: {"dataframe_split": split}}
    for number, document in enumerate(made.values()):
        (folder / f"body-{rows}-{number}.json").write_text(json.dumps(document))
    mine, theirs = (folder / f"body-{rows}-{number}.json" for number in range(2))
    return {OURS: mine, OURS_MLFLOW: theirs, MLFLOW: theirs, PIPELINE: theirs}


def compare(
    folder: Path, scratch: Path, *, rows: Sequence[int], clients: Sequence[int], seconds: float, rounds: int, warm: bool
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Measure every case; return the medians by case, and the memory of each server after it all."""
    measured: dict[str, list[dict[str, Any]]] = defaultdict(list)
    requests = {number: bodies(scratch, number) for number in rows}
    order = random.Random(0)  # noqa: S311 - no secret
    with (
        ours(str(folder)) as here,
        mlflow(folder) as onnx,
        mlflow(as_pipeline(folder, scratch / "pipeline")) as pipeline,
        reporting.progress() as progress,
    ):
        servers = {OURS: here, OURS_MLFLOW: here, MLFLOW: onnx, PIPELINE: pipeline}
        paths = {OURS: "/predict"}
        urls = {who: server.url + paths.get(who, "/invocations") for who, server in servers.items()}
        cases = [(who, number, many) for who in urls for number in rows for many in clients]
        task = progress.add_task("measuring", total=len(cases) * (rounds + warm))
        for turn in range(0 if warm else 1, rounds + 1):
            for who, number, many in order.sample(cases, len(cases)):
                last = seconds if turn else min(1.0, seconds)  # the first round warms up
                used = servers[who].processor_seconds()
                with wrk(urls[who], requests[number][who], clients=many, seconds=last) as told:
                    pass
                told["processor"] = (servers[who].processor_seconds() - used) * 1e3 / max(told["requests"], 1)
                if told["failed"]:
                    raise RuntimeError(f"{who} failed {told['failed']} of {told['requests']} requests")
                if turn:
                    measured[f"{who} | {number} | {many}"].append(told)
                progress.advance(task)
        sizes = {who: servers[who].resident_bytes() for who in (OURS, MLFLOW, PIPELINE)}
    medians = {
        case: {
            "requests": median(each["requests"] / each["seconds"] for each in runs),
            "p50": median(each["p50"] for each in runs),
            "p99": median(each["p99"] for each in runs),
            "processor": median(each["processor"] for each in runs),
        }
        for case, runs in measured.items()
    }
    return medians, sizes


def as_pipeline(folder: Path, to: Path) -> Path:
    """Keep a release's pickled pipeline as MLflow's users do."""
    import mlflow.sklearn
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.pipeline import Pipeline

    steps = [(name, pickle.loads((folder / f"{name}.pkl").read_bytes())) for name in ("preprocessor", "best_model")]  # noqa: S301
    row = pd.DataFrame([ROW]).astype(float)
    mlflow.sklearn.save_model(
        Pipeline(steps),
        str(to),
        signature=infer_signature(row),
        pip_requirements=[],
        serialization_format="cloudpickle",
    )
    return to


def swap(scratch: Path, *, swaps: int, pause: float) -> dict[str, Any]:
    """Release models one after the other while eight clients ask as fast as they can.

    Args:
        scratch: a folder for store and copies.
        swaps: how many releases follow the first one.
        pause: seconds for which each release is asked once it is served.
    """
    store = scratch / "store" / "heart-disease-models"
    for strength in STRENGTHS[: swaps + 1]:
        trained(strength)
    release(store, STRENGTHS[0])
    body = bodies(scratch, 1)[OURS]
    with (
        ours(store.as_uri(), "--to", str(scratch / "copies")) as server,
        wrk(f"{server.url}/predict", body, clients=8, watched=True) as found,
    ):
        time.sleep(pause)
        for number, strength in enumerate(STRENGTHS[1 : swaps + 1], 1):
            release(store, strength, since=number)
            _served(server.url, body, f"v1.{number}.0")
            time.sleep(pause)
    return found


def _served(url: str, body: Path, version: str) -> None:
    """Wait until a version answers.

    Raises:
        RuntimeError: it does not within two minutes.
    """
    for _ in range(1200):
        if httpx.post(f"{url}/predict", content=body.read_bytes()).headers["x-model-version"] == version:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{url} does not serve {version}")


def _family(pid: int) -> list[int]:
    children: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            children += _family(int(path.parent.name))
    return [pid, *children]


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def show(medians: dict[str, dict[str, float]], memory: dict[str, int]) -> Table:
    """Return the table."""
    title = "one worker each, a random forest of 100 trees; × is req/s over MLflow's"
    figures = ("rows", "clients", "req/s", "p50 ms", "p99 ms", "core ms", "× ONNX", "× sklearn")
    table = reporting.table(title, "server", *figures)
    cases = sorted(medians, key=lambda case: [*map(int, case.split(" | ")[1:]), SERVERS.index(case.split(" | ")[0])])
    for case in cases:
        told = medians[case]
        who, rows, clients = case.split(" | ")
        theirs = [medians[f"{each} | {rows} | {clients}"]["requests"] for each in (MLFLOW, PIPELINE)]
        cells = (
            f"{told['requests']:,.0f}",
            f"{told['p50']:.2f}",
            f"{told['p99']:.1f}",
            f"{told['processor']:.3f}",
            *(f"{told['requests'] / each:,.1f}" if each else "none came" for each in theirs),
        )
        table.add_row(who, f"{int(rows):,}", clients, *cells)
    for who, size in memory.items():
        table.add_row(f"{who.partition(' /')[0].strip(',')}: memory", "", "", f"{size / 1e6:,.0f} MB")
    return table


def main() -> None:
    """Measure, and print the tables."""
    parser = reporting.parser("serving", __doc__, quick="one case, once")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100, 10_000], help="rows of a request")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8], help="clients at the same time")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is taken")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no server is left behind
    if shutil.which("wrk") is None:
        parser.exit(2, "wrk is missing: apt-get install wrk\n")
    if options.quick:
        options.rows, options.clients, options.seconds, options.rounds = [1], [2], 1.0, 1
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        folder, _ = version_folder(scratch / "release", MODEL)
        measured, memory = compare(
            folder,
            scratch,
            rows=options.rows,
            clients=options.clients,
            seconds=options.seconds,
            rounds=options.rounds,
            warm=not options.quick,
        )
        swapped = swap(scratch, swaps=1 if options.quick else 4, pause=1.0 if options.quick else 3.0)
    console = reporting.console()
    console.print(show(measured, memory))
    versions = sorted(set(swapped["versions"].split()))
    console.print(
        f"swaps under load, 8 clients: {swapped['requests']:,} requests to {', '.join(versions)}; "
        f"{swapped['failed']} failed, {swapped['mixed']} mixed; "
        f"p99 {swapped['p99']:.2f} ms, slowest {swapped['max']:.1f} ms"
    )
    console.print(f"load of the machine: {before:.1f} before, {os.getloadavg()[0]:.1f} after")
    reporting.keep(options, {"requests": measured, "memory": memory, "swap": {**swapped, "versions": versions}})


if __name__ == "__main__":
    main()
