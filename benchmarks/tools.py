"""What our stores are compared with: the usual tools of each cloud, as command lines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import Place

Command = Callable[[str, str, Path], list[str]]
"""Makes the command line of a transfer from `up` or `down`, `one` or `many`, and the local file or folder."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool for one store; `missing` says why it is not measured, if it is not."""

    name: str
    command: Command
    missing: str | None = None


def ours(place: Place) -> Tool:
    """Our own store, as a process of its own."""
    return Tool(
        "ours",
        lambda way, shape, local: [sys.executable, "-m", "benchmarks.ours", way, shape, place.uri, str(local)],
    )


def peers(place: Place) -> list[Tool]:
    """The tools that others use for this store, with those that are missing here."""
    match place.name:
        case "folder":
            return [
                _program("cp -r", "cp", lambda way, shape, local: ["cp", "-rT", *_ends("", place, way, shape, local)]),
                _program("rsync --fsync", "rsync", lambda *asked: _rsync(place, *asked)),
            ]
        case "s3":
            return [_aws(place), _s5cmd(place), _rclone(place), _sdk("boto3", place)]
        case "gcs":
            return [_absent("gcloud storage"), _rclone(place), _sdk("google-cloud-storage", place)]
        case _:
            return [_absent("azcopy"), _rclone(place), _sdk("azure-storage-blob", place)]


def _program(name: str, program: str, command: Command) -> Tool:
    return Tool(name, command, None if shutil.which(program) else f"{program} is not on the PATH")


def _absent(name: str) -> Tool:
    return Tool(name, lambda way, shape, local: [], "comes by its maker's own installer only")


def _ends(scheme: str, place: Place, way: str, shape: str, local: Path) -> list[str]:
    remote = f"{scheme}{place.path}/{shape}"
    return [str(local), remote] if way == "up" else [remote, str(local)]


def _rsync(place: Place, way: str, shape: str, local: Path) -> list[str]:
    ends = _ends("", place, way, shape, local)
    return ["rsync", "-r", "--mkpath", "--fsync", *(f"{end}/" if shape == "many" else end for end in ends)]


def _rclone(place: Place) -> Tool:
    scheme = {"s3": ":s3:", "gcs": ":gcs:", "azure": ":azureblob:"}[place.name]

    def command(way: str, shape: str, local: Path) -> list[str]:
        verb = "copyto" if shape == "one" else "copy"
        width = ["--transfers", "16", "--checkers", "16", "--multi-thread-streams", "8"]
        return ["rclone", verb, *width, *_ends(scheme, place, way, shape, local)]

    return _program("rclone, 16 transfers", "rclone", command)


def _aws(place: Place) -> Tool:
    def command(way: str, shape: str, local: Path) -> list[str]:
        verb = "cp" if shape == "one" else "sync"
        return ["aws", "s3", verb, "--only-show-errors", *_ends("s3://", place, way, shape, local)]

    return _program("aws s3 cp, sync", "aws", command)


def _s5cmd(place: Place) -> Tool:
    def command(way: str, shape: str, local: Path) -> list[str]:
        source, target = _ends("s3://", place, way, shape, local)
        if shape == "many":
            source, target = source + ("/" if way == "up" else "/*"), f"{target}/"
        return ["s5cmd", "--log", "error", "cp", source, target]

    return _program("s5cmd", "s5cmd", command)


def _sdk(name: str, place: Place) -> Tool:
    def command(way: str, shape: str, local: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.sdk", place.name, way, shape, place.path, str(local)]

    return Tool(f"{name}, 8 threads", command)
