"""The consumer's commands: `pull` brings a release here once, `watch` for ever. They start in a tenth of a second."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from model_release import client
from model_release.cli.app import Json, Quiet, Uri, app
from model_release.client import Pulled
from model_release.errors import EXIT_DONE, UsageError

To = Annotated[Path, typer.Option("--to", metavar="DIR", help="This model's folder here; DIR/current is the release.")]
Trust = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A public key or a certificate: a release that it did not sign is refused."),
]


@app.command()
def pull(
    uri: Uri,
    to: To,
    version: Annotated[str | None, typer.Option(metavar="vX.Y.Z", help="This version; else the live one.")] = None,
    sha256: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="What the bytes of the release's metadata.json must have.")
    ] = None,
    trust: Trust = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail where the store cannot be reached, although there is a copy.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Bring a release here: exactly the files of its manifest, each verified, swapped in as one.

    For example: model-release pull s3://bucket/heart-disease-models --to models

    DIR/current is a link to a folder in which nothing changes. A pull that fails, or is killed, leaves it as it was;
    the next one fetches what is missing. Exit status 3 for a `latest` that goes back or is a fork.
    """
    _speak(quiet)
    with _progress(quiet=quiet or json) as progress:
        pulled = client.pull(uri, to=to, version=version, sha256=sha256, trust=trust, strict=strict, progress=progress)
    _show(pulled, to, as_json=json)


@app.command()
def watch(
    uri: Uri,
    to: To,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two polls, give or take a fifth.")] = 30.0,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run at the start and after each change, with MODEL_RELEASE_FOLDER and MODEL_RELEASE_VERSION set.",
        ),
    ] = None,
    trust: Trust = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Pull, and then again whenever `latest` changes, until it is told to end.

    For example: model-release watch s3://bucket/heart-disease-models --to models --run "systemctl reload scorer"

    A poll without a change is one conditional request. What goes wrong is told and tried again, more slowly while the
    store cannot be reached; what is current stays. COMMAND is split as a shell would, and run without one.
    """
    _speak(quiet)
    command = _command(run)
    watcher = client.Watcher(uri, to, trust=trust)
    running: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        for pulled in watcher.follow(every):
            _show(pulled, to, as_json=json)
            if command:
                _run(command, pulled, running)

    def end(_signal: int, _frame: FrameType | None) -> None:
        for process in running:
            process.terminate()
        os._exit(EXIT_DONE)  # a request that is under way would keep the process; it may be cut off at any byte

    signal.signal(signal.SIGTERM, end)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    while worker.is_alive():  # signals are heard here, however long the store takes
        worker.join(3600)


def _command(run: str | None) -> list[str]:
    try:
        return shlex.split(run) if run is not None else []
    except ValueError as error:
        raise UsageError(f"--run cannot be split into words: {error}", hint="close its quotes") from None


def _run(command: list[str], pulled: Pulled, running: list[subprocess.Popen[bytes]]) -> None:
    told = {"MODEL_RELEASE_FOLDER": str(pulled.folder), "MODEL_RELEASE_VERSION": str(pulled.version)}
    try:
        with subprocess.Popen(command, env={**os.environ, **told}, stdout=sys.stderr) as process:  # noqa: S603 - theirs
            running[:] = [process]
            status = process.wait()
    except OSError as error:
        logging.exception("%s cannot be run: %s", command[0], error.strerror)
        return
    if status:
        logging.error("%s ended with status %s", command[0], status)


def _show(pulled: Pulled, to: Path, *, as_json: bool) -> None:
    files = pulled.manifest.files
    size = sum(entry.size for entry in files)
    if as_json:
        pointer = pulled.pointer
        print(
            json.dumps(
                {
                    "version": str(pulled.version),
                    "folder": str(pulled.folder),
                    "sha256": pulled.manifest.sha256(),
                    "epoch": pointer.epoch if pointer else None,
                    "lineage": pointer.lineage if pointer else None,
                    "files": len(files),
                    "size": size,
                    "changed": pulled.changed,
                    "stale": pulled.stale,
                    "notes": pulled.notes,
                },
                ensure_ascii=False,
            ),
            flush=True,
        )
        return
    state = "stale" if pulled.stale else "new" if pulled.changed else "unchanged"
    print(f"{pulled.version}  {state}  {len(files)} files, {size:,} bytes, verified  {to}/current", flush=True)


def _speak(quiet: bool) -> None:
    logging.basicConfig(level=logging.CRITICAL if quiet else logging.WARNING, format="%(message)s", stream=sys.stderr)


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Any]:
    """A bar on a terminal, else nothing."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from model_release.cli import output

    with output.bar() as progress:
        yield progress
