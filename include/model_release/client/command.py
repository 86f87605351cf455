"""The consumer's commands, `pull` and `watch`, by the standard library: a pull ends before typer would be imported."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

from model_release import client
from model_release.client import Pulled
from model_release.client.memory import age
from model_release.errors import EXIT_DONE, EXIT_INTERRUPTED, ModelReleaseError, UsageError

PULL = """\
Bring a release here: exactly the files of its manifest, each verified, swapped in as one.

DIR/current is a link to a folder in which nothing changes. A pull that fails, or is killed, leaves it as it was; the
next one fetches what is missing. For example:

  model-release pull s3://bucket/heart-disease-models --to models
"""
WATCH = """\
Pull, and again whenever `latest` changes, until it is told to end.

A poll without a change is one conditional request. A failure is reported and tried again, more slowly while the store
cannot be reached; the current copy stays. With --max-age, a copy that has become too old is reported too. For example:

  model-release watch s3://bucket/heart-disease-models --to models --run "systemctl reload scorer"
"""
STATUSES = """\
exit status: 0 done, 1 failed, 2 usage, 3 refused by a rule (latest goes back, is a fork, or the version is barred),
4 credentials, 5 verification failed, 75 try again, 130 interrupted
"""


def main(arguments: Sequence[str]) -> NoReturn:
    """Run `pull …` or `watch …`, and end the process with its exit status."""
    options = parser().parse_args(arguments)
    level = logging.CRITICAL if options.quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr)
    try:
        (_pull if options.command == "pull" else _watch)(options)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except ModelReleaseError as error:
        if os.environ.get("MODEL_RELEASE_DEBUG") == "1":
            raise
        facts = {"error": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}
        told = json.dumps({**facts, "exit_code": error.exit_code}, ensure_ascii=False)
        print(told if options.json else f"error: {_safe(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(EXIT_DONE)


def parser() -> argparse.ArgumentParser:
    """Return the parser of both commands."""
    made = argparse.ArgumentParser(prog="model-release", add_help=False)
    commands = made.add_subparsers(dest="command", required=True)
    for name, words in (("pull", PULL), ("watch", WATCH)):
        command = commands.add_parser(
            name, description=words, epilog=STATUSES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        add = command.add_argument
        add("uri", metavar="URI", help="the model's folder: s3://, gs://, wasb://, file://, https:// or a path")
        add("--to", metavar="DIR", type=Path, required=True, help="a folder here for this model alone")
        if name == "pull":
            add("--version", metavar="vX.Y.Z", help="this version; else the live one")
            add("--sha256", metavar="DIGEST", help="of the bytes of the release's metadata.json")
            add("--strict", action="store_true", help="fail if the store cannot be reached, even if there is a copy")
        else:
            add(
                "--every",
                metavar="SECONDS",
                type=_seconds,
                default=30.0,
                help="between polls, give or take a fifth",
            )
            add(
                "--run",
                metavar="COMMAND",
                help="run this first and after each change, without a shell, with MODEL_RELEASE_FOLDER and "
                "MODEL_RELEASE_VERSION set",
            )
        add("--max-age", metavar="AGE", type=_age, help="refuse a release trained longer ago: 36h, 7d")
        add("--min-epoch", metavar="N", type=int, help="refuse a latest.json of a lower epoch")
        add("--shared", action="store_true", help="use DIR even if others own it, or everybody may write to it")
        add("--trust", metavar="FILE", help="a public key or certificate; a release that it did not sign is refused")
        add(
            "--report-to",
            metavar="WHERE",
            default=os.environ.get("MODEL_RELEASE_REPORT_TO"),
            help="say which version is in use here: `store` (its folder consumers/), the URI of a folder, or https://…",
        )
        add("--label", default=os.environ.get("MODEL_RELEASE_LABEL"), help="who reports; else the name of this host")
        add("--json", action="store_true", help="one line of JSON on stdout for each copy")
        add("-q", "--quiet", action="store_true", help="no words and no progress on stderr but errors")
    return made


def _pull(options: argparse.Namespace) -> None:
    with _progress(quiet=options.quiet or options.json) as progress:
        pulled = client.pull(
            options.uri,
            to=options.to,
            version=options.version,
            sha256=options.sha256,
            trust=options.trust,
            strict=options.strict,
            progress=progress,
            shared=options.shared,
            max_age=options.max_age,
            min_epoch=options.min_epoch,
            reporter=_reporter(options),
        )
    _show(pulled, options)


def _watch(options: argparse.Namespace) -> None:
    try:
        command = shlex.split(options.run or "")
    except ValueError as error:
        raise UsageError(f"--run cannot be split into words: {error}", hint="close its quotes") from None
    watcher = client.Watcher(
        options.uri,
        options.to,
        trust=options.trust,
        shared=options.shared,
        max_age=options.max_age,
        min_epoch=options.min_epoch,
        reporter=_reporter(options),
    )
    running: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        for pulled in watcher.follow(options.every):
            _show(pulled, options)
            if command:
                _run(command, pulled, running)

    def end(_signal: int, _frame: FrameType | None) -> None:
        for process in running:
            process.terminate()
        os._exit(EXIT_DONE)  # a request that is under way would hold the process, and may end at any byte

    signal.signal(signal.SIGTERM, end)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    while worker.is_alive():  # signals are heard here, however long the store takes
        worker.join(3600)
    sys.exit("the watch has ended by itself")


def _reporter(options: argparse.Namespace) -> client.Reporter | None:
    if not options.report_to:
        return None
    return client.Reporter(options.report_to, uri=options.uri, via=options.command, label=options.label)


def _run(command: list[str], pulled: Pulled, running: list[subprocess.Popen[bytes]]) -> None:
    told = {"MODEL_RELEASE_FOLDER": str(pulled.folder), "MODEL_RELEASE_VERSION": str(pulled.version)}
    try:
        with subprocess.Popen(command, env={**os.environ, **told}, stdout=sys.stderr) as process:  # noqa: S603 - theirs
            running[:] = [process]
            status = process.wait()
    except OSError as error:
        logging.error("%s cannot be run: %s", command[0], error.strerror)  # noqa: TRY400 - for people
        return
    if status:
        logging.error("%s ended with status %s", command[0], status)


def _show(pulled: Pulled, options: argparse.Namespace) -> None:
    promised, resolved = pulled.promised, pulled.resolved
    if options.json:
        facts = {
            "version": str(pulled.version),
            "folder": str(pulled.folder),
            "sha256": promised.sha256,
            "epoch": resolved.epoch if resolved else None,
            "lineage": resolved.lineage if resolved else None,
            "files": len(promised.files),
            "size": promised.size,
            "trained": promised.trained.isoformat() if promised.trained else None,
            "changed": pulled.changed,
            "stale": pulled.stale,
            "notes": pulled.notes,
        }
        print(json.dumps(facts, ensure_ascii=False), flush=True)
        return
    state = "stale" if pulled.stale else "new" if pulled.changed else "unchanged"
    what = f"{len(promised.files)} files, {promised.size:,} bytes, verified"
    print(f"{pulled.version}  {state}  {what}  {options.to}/{client.CURRENT}", flush=True)


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on a terminal, and nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeElapsedColumn, TransferSpeedColumn

    columns = (BarColumn(bar_width=40), DownloadColumn(), TransferSpeedColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda here, total: bar.update(task, completed=here, total=total)


def _age(text: str) -> timedelta:
    try:
        return age(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.what) from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("from 0.1 to 86400 seconds")
    return seconds


def _safe(text: str) -> str:
    """Return a text from a store without the control characters that would steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in text)
